//! The current value of every secret that the configuration names.
//!
//! A value that was good stays until a newer good one is read. Readings block, so nothing is
//! locked while one runs, and no lock outlives a call. Never here: who a secret belongs to.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use super::source::{self, Reading, Stamp};
use super::{Reference, Secret, SecretError};

/// Between two readings that refused requests ask for: one wrong key fails many at once.
const REFRESH_PAUSE: Duration = Duration::from_secs(1);

/// Every secret in use. Clones are one.
#[derive(Clone, Default)]
pub struct Keyring {
    entries: Arc<RwLock<HashMap<Reference, Entry>>>,
}

struct Entry {
    /// The last good one.
    value: Option<Value>,
    /// What was wrong with the last reading.
    problem: Option<SecretError>,
    /// The file as it was when the last reading succeeded.
    stamp: Option<Stamp>,
    /// When a refused request last asked for it.
    asked_at: Option<Instant>,
    /// Whether another value has taken the place of one, and nobody has taken note.
    changed: bool,
}

struct Value {
    secret: Arc<Secret>,
    since: Instant,
}

impl Keyring {
    /// Reads every secret that is named, forgets those that no longer are, and returns those whose
    /// reading failed. The last good value of such a one stays.
    pub fn load<'a>(
        &self,
        references: impl IntoIterator<Item = &'a Reference>,
    ) -> Vec<(Reference, SecretError)> {
        let named: BTreeSet<&Reference> = references
            .into_iter()
            .filter(|reference| reference.is_held())
            .collect();
        let readings: Vec<_> = named
            .iter()
            .map(|reference| (*reference, source::read(reference)))
            .collect();
        let now = Instant::now();
        let mut problems = Vec::new();
        let mut entries = self.write();
        entries.retain(|reference, _| named.contains(reference));
        for (reference, reading) in readings {
            let entry = entries.entry(reference.clone()).or_insert_with(Entry::new);
            match reading {
                Ok(reading) => drop(entry.take(reference, reading, now)),
                Err(problem) => {
                    entry.fail(problem);
                    problems.push((reference.clone(), problem));
                }
            }
        }
        problems
    }

    /// The value for the next attempt.
    pub fn current(&self, reference: &Reference) -> Option<Arc<Secret>> {
        let entries = self.read();
        let value = entries.get(reference)?.value.as_ref()?;
        Some(Arc::clone(&value.secret))
    }

    /// Reads one secret again, at most once a second; true when that changed its value. Whoever
    /// was refused with an older value finds the newer one in [`current`](Self::current) also when
    /// somebody else's call had read it.
    pub fn refresh(&self, reference: &Reference) -> bool {
        let now = Instant::now();
        match self.write().get_mut(reference) {
            Some(entry)
                if entry
                    .asked_at
                    .is_none_or(|then| now.duration_since(then) >= REFRESH_PAUSE) =>
            {
                entry.asked_at = Some(now);
            }
            Some(_) | None => return false,
        }
        self.read_again(reference)
    }

    /// Reads the files again that changed, and those whose last reading failed.
    pub fn refresh_files(&self) {
        for (reference, stamp) in self.stamps() {
            let Some(path) = reference.path() else {
                continue;
            };
            if stamp.is_none() || stamp != Stamp::of(path) {
                self.read_again(&reference);
            }
        }
    }

    /// The secrets that have got another value since this was last asked, whoever had them read.
    pub fn take_changed(&self) -> Vec<Reference> {
        let mut entries = self.write();
        let changed = entries.iter_mut().filter_map(|(reference, entry)| {
            std::mem::take(&mut entry.changed).then(|| reference.clone())
        });
        changed.collect()
    }

    /// How long the current value has been in use.
    pub fn age(&self, reference: &Reference) -> Option<Duration> {
        let entries = self.read();
        Some(entries.get(reference)?.value.as_ref()?.since.elapsed())
    }

    /// What was wrong with the last reading, also while an older value is in use.
    pub fn problem(&self, reference: &Reference) -> Option<SecretError> {
        self.read().get(reference)?.problem
    }

    /// A copy: files are looked at while nothing is locked.
    fn stamps(&self) -> Vec<(Reference, Option<Stamp>)> {
        self.read()
            .iter()
            .map(|(reference, entry)| (reference.clone(), entry.stamp))
            .collect()
    }

    fn read_again(&self, reference: &Reference) -> bool {
        let reading = source::read(reference);
        let mut entries = self.write();
        let Some(entry) = entries.get_mut(reference) else {
            return false;
        };
        match reading {
            Ok(reading) => entry.take(reference, reading, Instant::now()),
            Err(problem) => {
                // Said once, however often it is tried again.
                if entry.fail(problem) {
                    let in_use = entry.value.is_some();
                    tracing::warn!(%reference, %problem, in_use, "a secret cannot be read");
                }
                false
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Reference, Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Reference, Entry>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn new() -> Self {
        Self {
            value: None,
            problem: None,
            stamp: None,
            asked_at: None,
            changed: false,
        }
    }

    /// Notes that a reading failed; true when the last one had not failed like this.
    fn fail(&mut self, problem: SecretError) -> bool {
        self.stamp = None;
        self.problem.replace(problem) != Some(problem)
    }

    /// Takes what was read over; true when there is a new value.
    fn take(&mut self, reference: &Reference, reading: Reading, now: Instant) -> bool {
        let Reading { secret, stamp } = reading;
        self.stamp = stamp;
        if self.problem.take().is_some() {
            tracing::info!(%reference, "a secret can be read again");
        }
        match &self.value {
            Some(value) if *value.secret == secret => return false,
            Some(_) => {
                tracing::info!(%reference, "a secret has a new value");
                self.changed = true;
            }
            None => {}
        }
        self.value = Some(Value {
            secret: Arc::new(secret),
            since: now,
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    /// A secret's file, gone when dropped.
    struct Scratch(Reference);

    impl Scratch {
        fn holding(content: &str) -> Self {
            let unique = fastrand::u64(..);
            let path = std::env::temp_dir().join(format!("pillion-secret-{unique:016x}"));
            let scratch = Self(Reference::File(path));
            scratch.put(content);
            scratch
        }

        fn path(&self) -> &PathBuf {
            let Reference::File(path) = &self.0 else {
                panic!("it is a file");
            };
            path
        }

        /// Replaces the file whole, as a mounted secret's is.
        fn put(&self, content: &str) {
            let new = self.path().with_extension("new");
            fs::write(&new, content).unwrap();
            fs::rename(&new, self.path()).unwrap();
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_file(self.path());
        }
    }

    fn value(keyring: &Keyring, reference: &Reference) -> Option<String> {
        Some(keyring.current(reference)?.expose().to_owned())
    }

    /// As if the last refused request was long ago.
    fn forget_when(keyring: &Keyring, reference: &Reference) {
        let mut entries = keyring.write();
        let asked_at = &mut entries.get_mut(reference).unwrap().asked_at;
        *asked_at = asked_at.and_then(|then| then.checked_sub(REFRESH_PAUSE));
    }

    #[test]
    fn a_keyring_holds_what_is_named_and_nothing_else() {
        let (one, two) = (Scratch::holding("sk-1\n"), Scratch::holding("sk-2"));
        let missing = Reference::File("/nowhere/secret".into());
        let variable = Reference::try_new("env:CARGO_PKG_NAME").unwrap();
        let keyring = Keyring::default();
        let problems = keyring.load([&one.0, &missing, &variable, &one.0]);
        assert_eq!(problems, [(missing.clone(), SecretError::Missing)]);
        assert_eq!(value(&keyring, &one.0).as_deref(), Some("sk-1"));
        assert_eq!(value(&keyring, &variable).as_deref(), Some("pillion"));
        assert_eq!(keyring.problem(&missing), Some(SecretError::Missing));
        assert_eq!(keyring.problem(&one.0), None);
        assert_eq!(
            (value(&keyring, &missing), keyring.age(&missing)),
            (None, None)
        );
        assert!(keyring.age(&one.0).is_some());
        assert!(keyring.load([&two.0]).is_empty());
        assert_eq!(value(&keyring, &one.0), None);
        assert_eq!(value(&keyring, &two.0).as_deref(), Some("sk-2"));
    }

    #[test]
    fn the_last_good_value_stays_when_a_reading_fails() {
        let file = Scratch::holding("sk-1");
        let keyring = Keyring::default();
        keyring.load([&file.0]);
        file.put("");
        keyring.refresh_files();
        assert_eq!(value(&keyring, &file.0).as_deref(), Some("sk-1"));
        assert_eq!(keyring.problem(&file.0), Some(SecretError::Empty));
        assert_eq!(
            keyring.load([&file.0]),
            [(file.0.clone(), SecretError::Empty)]
        );
        assert_eq!(value(&keyring, &file.0).as_deref(), Some("sk-1"));
        file.put("sk-2");
        keyring.refresh_files();
        assert_eq!(value(&keyring, &file.0).as_deref(), Some("sk-2"));
        assert_eq!(keyring.problem(&file.0), None);
    }

    #[test]
    fn a_value_that_did_not_change_is_the_same_one() {
        let file = Scratch::holding("sk-1");
        let keyring = Keyring::default();
        keyring.load([&file.0]);
        let before = keyring.current(&file.0).unwrap();
        file.put("sk-1\n");
        keyring.refresh_files();
        assert!(Arc::ptr_eq(&before, &keyring.current(&file.0).unwrap()));
    }

    #[test]
    fn a_secret_is_asked_for_again_at_most_once_a_second() {
        let file = Scratch::holding("sk-1");
        let keyring = Keyring::default();
        keyring.load([&file.0]);
        file.put("sk-2");
        assert!(keyring.refresh(&file.0), "however lately it was loaded");
        assert_eq!(value(&keyring, &file.0).as_deref(), Some("sk-2"));
        file.put("sk-3");
        assert!(!keyring.refresh(&file.0));
        assert_eq!(value(&keyring, &file.0).as_deref(), Some("sk-2"));
        forget_when(&keyring, &file.0);
        assert!(keyring.refresh(&file.0));
        assert_eq!(value(&keyring, &file.0).as_deref(), Some("sk-3"));
        assert!(!keyring.refresh(&Reference::File("/nowhere/secret".into())));
    }

    #[test]
    fn a_changed_value_is_told_of_once_however_it_came() {
        let file = Scratch::holding("sk-1");
        let keyring = Keyring::default();
        let nobody: [Reference; 0] = [];
        keyring.load([&file.0]);
        assert_eq!(keyring.take_changed(), nobody, "the first is no change");
        let readings: [(&str, &dyn Fn()); 3] = [
            ("sk-2", &|| keyring.refresh_files()),
            ("sk-3", &|| drop(keyring.load([&file.0]))),
            ("sk-4", &|| assert!(keyring.refresh(&file.0))),
        ];
        for (content, read) in readings {
            file.put(content);
            read();
            let changed = keyring.take_changed();
            assert_eq!(changed, std::slice::from_ref(&file.0), "{content}");
            read_all_again(&keyring, &file);
            assert_eq!(keyring.take_changed(), nobody, "{content}");
        }
        file.put("");
        read_all_again(&keyring, &file);
        assert_eq!(keyring.take_changed(), nobody, "the last good one stays");
    }

    fn read_all_again(keyring: &Keyring, file: &Scratch) {
        keyring.refresh_files();
        keyring.load([&file.0]);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_not_read() {
        let device = Reference::File("/dev/zero".into());
        let folder = Reference::File(std::env::temp_dir());
        for reference in [device, folder] {
            let problems = Keyring::default().load([&reference]);
            assert_eq!(problems, [(reference, SecretError::NotAFile)]);
        }
    }
}
