//! The current value of every secret that the configuration names.
//!
//! A value that was good stays until a newer good one is read. Variables and files are read here,
//! which blocks, so nothing is locked while one is; what is in a store, [`Shelves`] read. No lock
//! outlives a call. Never here: who a secret belongs to.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::entry::Entry;
use super::shelf::Told;
use super::shelves::{At, Shelves, Take, Versions};
use super::source::{self, Reading, Stamp};
use super::store::Store;
use super::{Reference, Secret, SecretError, StorePlace, StorePlaces};
use crate::tasks::Tasks;

/// Between two readings of a file that refused requests ask for: one wrong key fails many at once.
const REFRESH_PAUSE: Duration = Duration::from_secs(1);

/// Every secret in use. Clones are one.
#[derive(Clone, Default)]
pub struct Keyring {
    entries: Entries,
    shelves: Option<Arc<Shelves>>,
    /// Held by whoever has files read for a refused request.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone, Default)]
struct Entries(Arc<RwLock<HashMap<Reference, Entry>>>);

impl Keyring {
    /// One that `open`s stores.
    pub fn with_stores(
        open: impl Fn(&StorePlace) -> Arc<dyn Store> + Send + Sync + 'static,
        tasks: Tasks,
    ) -> Self {
        let shelves = Shelves::new(Box::new(open), tasks);
        Self {
            shelves: Some(Arc::new(shelves)),
            ..Self::default()
        }
    }

    /// Reads every variable and file that is named, forgets those that no longer are, and returns
    /// those whose reading failed. The last good value of such a one stays. What is in a store is read
    /// in the background from here on: [`read_once`](Self::read_once) waits for it.
    pub fn load<'a>(
        &self,
        places: &StorePlaces,
        references: impl IntoIterator<Item = &'a Reference>,
    ) -> Vec<(Reference, SecretError)> {
        let named: BTreeSet<&Reference> = references
            .into_iter()
            .filter(|reference| reference.is_held())
            .collect();
        let (stored, local): (Vec<&Reference>, Vec<&Reference>) = named
            .iter()
            .partition(|reference| reference.stored().is_some());
        let readings: Vec<_> = local
            .into_iter()
            .map(|reference| (reference, source::read(reference)))
            .collect();
        let now = Instant::now();
        let mut problems = Vec::new();
        let mut entries = self.entries.write();
        entries.retain(|reference, _| named.contains(reference));
        for (reference, reading) in readings {
            let entry = entries.entry(reference.clone()).or_default();
            match reading {
                Ok(reading) => drop(take(entry, reference, reading, now)),
                Err(problem) => {
                    entry.fail(problem.clone());
                    problems.push((reference.clone(), problem));
                }
            }
        }
        let mut new = BTreeSet::new();
        for reference in &stored {
            entries.entry((*reference).clone()).or_insert_with(|| {
                new.insert(*reference);
                Entry::unasked()
            });
        }
        drop(entries);
        if let Some(shelves) = &self.shelves {
            let entries = self.entries.clone();
            let take =
                move |at: &At, told: &Told, versions: &Versions| entries.told(at, told, versions);
            let take: Arc<Take> = Arc::new(take);
            shelves.keep(places, &stored, &new, &take);
        }
        problems
    }

    /// Waits until every path that is named has been read once, however that ended, or `patience` is
    /// over.
    pub async fn read_once(&self, patience: Duration) {
        if let Some(shelves) = &self.shelves {
            // Who is late is read in the background.
            let _ = timeout(patience, shelves.first_read()).await;
        }
    }

    /// The value for the next attempt.
    pub fn current(&self, reference: &Reference) -> Option<Arc<Secret>> {
        self.entries.read().get(reference)?.current().cloned()
    }

    /// Asks the secret's place again because `used` was refused, unless that was done just now; true
    /// when there is another value for the next attempt. Whoever was refused with an older value finds
    /// the newer one also when somebody else's call had it read.
    pub async fn refresh(&self, reference: &Reference, used: &Secret) -> bool {
        if self.current(reference).is_some_and(|now| *now != *used) {
            return true;
        }
        self.read_again(reference).await;
        let mut entries = self.entries.write();
        let entry = entries.get_mut(reference);
        entry.is_some_and(|entry| entry.refused(used, Instant::now()))
    }

    /// Asks the secret's place again, unless that was done just now, and waits for the end of it.
    pub async fn read_again(&self, reference: &Reference) {
        match (reference.stored(), &self.shelves) {
            (Some(place), Some(shelves)) => shelves.read_again(place).await,
            (Some(_), None) => {}
            (None, _) => self.read_file_again(reference).await,
        }
    }

    /// Reads one file again on a thread aside, at most once a second. Who comes meanwhile waits for
    /// it.
    async fn read_file_again(&self, reference: &Reference) {
        let _turn = self.turn.lock().await;
        let now = Instant::now();
        match self.entries.write().get_mut(reference) {
            Some(entry)
                if entry
                    .asked_at
                    .is_none_or(|then| now.duration_since(then) >= REFRESH_PAUSE) =>
            {
                entry.asked_at = Some(now);
            }
            Some(_) | None => return,
        }
        let (entries, reference) = (self.entries.clone(), reference.clone());
        let read = tokio::task::spawn_blocking(move || entries.read_again(&reference));
        // It can only have panicked, and then nothing is new.
        let _ = read.await;
    }

    /// Reads the files again that changed, and those whose last reading failed.
    pub fn refresh_files(&self) {
        for (reference, stamp) in self.stamps() {
            let Some(path) = reference.path() else {
                continue;
            };
            if stamp.is_none() || stamp != Stamp::of(path) {
                self.entries.read_again(&reference);
            }
        }
    }

    /// The secrets that have got another value since this was last asked, whoever had them read.
    pub fn take_changed(&self) -> Vec<Reference> {
        let mut entries = self.entries.write();
        let changed = entries
            .iter_mut()
            .filter_map(|(reference, entry)| entry.take_changed().then(|| reference.clone()));
        changed.collect()
    }

    /// How long the current value has been in use.
    pub fn age(&self, reference: &Reference) -> Option<Duration> {
        self.entries.read().get(reference)?.age(Instant::now())
    }

    /// What was wrong with the last reading, also while an older value is in use.
    pub fn problem(&self, reference: &Reference) -> Option<SecretError> {
        self.entries.read().get(reference)?.problem().cloned()
    }

    /// A copy: files are looked at while nothing is locked.
    fn stamps(&self) -> Vec<(Reference, Option<Stamp>)> {
        self.entries
            .read()
            .iter()
            .map(|(reference, entry)| (reference.clone(), entry.stamp))
            .collect()
    }
}

impl Entries {
    fn read_again(&self, reference: &Reference) -> bool {
        let reading = source::read(reference);
        let mut entries = self.write();
        let Some(entry) = entries.get_mut(reference) else {
            return false;
        };
        match reading {
            Ok(reading) => take(entry, reference, reading, Instant::now()),
            Err(problem) => {
                fail(entry, reference, &problem);
                false
            }
        }
    }

    /// What became of a reading of the path `at`, for everything there that is named. True when one
    /// of them has another value.
    fn told(&self, at: &At, told: &Told, versions: &Versions) -> bool {
        let now = Instant::now();
        let mut changed = false;
        for (reference, entry) in self.write().iter_mut() {
            if !reference.stored().is_some_and(|it| at.is_of(it)) {
                continue;
            }
            match told {
                Told::Found(found) => match versions.secret(reference, found) {
                    Ok(secret) => changed |= entry.take(reference, secret, now),
                    Err(problem) => fail(entry, reference, &problem),
                },
                Told::Failed(problem) => fail(entry, reference, problem),
                Told::Stale(problem) => {
                    fail(entry, reference, problem);
                    if entry.forget() {
                        tracing::error!(%reference, %problem, "a secret has not been confirmed for too long; its provider is left out until it is");
                    }
                }
            }
        }
        changed
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Reference, Entry>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Reference, Entry>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes over what was read of a variable or a file; true when there is another value.
fn take(entry: &mut Entry, reference: &Reference, reading: Reading, now: Instant) -> bool {
    let Reading { secret, stamp } = reading;
    entry.stamp = stamp;
    entry.take(reference, Arc::new(secret), now)
}

/// Said once, however often it is tried again.
fn fail(entry: &mut Entry, reference: &Reference, problem: &SecretError) {
    let in_use = entry.current().is_some();
    if entry.fail(problem.clone()) {
        tracing::warn!(%reference, %problem, in_use, "a secret cannot be read");
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
        let mut entries = keyring.entries.write();
        let asked_at = &mut entries.get_mut(reference).unwrap().asked_at;
        *asked_at = asked_at.and_then(|then| then.checked_sub(REFRESH_PAUSE));
    }

    #[test]
    fn a_keyring_holds_what_is_named_and_nothing_else() {
        let (one, two) = (Scratch::holding("sk-1\n"), Scratch::holding("sk-2"));
        let missing = Reference::File("/nowhere/secret".into());
        let variable = Reference::try_new("env:CARGO_PKG_NAME").unwrap();
        let keyring = Keyring::default();
        let problems = keyring.load(&StorePlaces::new(), [&one.0, &missing, &variable, &one.0]);
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
        assert!(keyring.load(&StorePlaces::new(), [&two.0]).is_empty());
        assert_eq!(value(&keyring, &one.0), None);
        assert_eq!(value(&keyring, &two.0).as_deref(), Some("sk-2"));
    }

    #[test]
    fn the_last_good_value_stays_when_a_reading_fails() {
        let file = Scratch::holding("sk-1");
        let keyring = Keyring::default();
        keyring.load(&StorePlaces::new(), [&file.0]);
        file.put("");
        keyring.refresh_files();
        assert_eq!(value(&keyring, &file.0).as_deref(), Some("sk-1"));
        assert_eq!(keyring.problem(&file.0), Some(SecretError::Empty));
        assert_eq!(
            keyring.load(&StorePlaces::new(), [&file.0]),
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
        keyring.load(&StorePlaces::new(), [&file.0]);
        let before = keyring.current(&file.0).unwrap();
        file.put("sk-1\n");
        keyring.refresh_files();
        assert!(Arc::ptr_eq(&before, &keyring.current(&file.0).unwrap()));
    }

    /// As when `used` was refused.
    async fn refused(keyring: &Keyring, file: &Scratch, used: &str) -> bool {
        let used = Secret::try_new(used.as_bytes()).unwrap();
        keyring.refresh(&file.0, &used).await
    }

    #[tokio::test]
    async fn a_file_is_read_for_those_who_were_refused_at_most_once_a_second() {
        let file = Scratch::holding("sk-1");
        let keyring = Keyring::default();
        keyring.load(&StorePlaces::new(), [&file.0]);
        file.put("sk-2");
        assert!(
            refused(&keyring, &file, "sk-1").await,
            "however lately it was loaded"
        );
        assert_eq!(value(&keyring, &file.0).as_deref(), Some("sk-2"));
        file.put("sk-3");
        assert!(
            refused(&keyring, &file, "sk-1").await,
            "there is a newer one"
        );
        assert_eq!(value(&keyring, &file.0).as_deref(), Some("sk-2"));
        forget_when(&keyring, &file.0);
        assert!(refused(&keyring, &file, "sk-2").await);
        assert_eq!(value(&keyring, &file.0).as_deref(), Some("sk-3"));
        let nowhere = Reference::File("/nowhere/secret".into());
        let used = Secret::try_new(b"sk-3").unwrap();
        assert!(!keyring.refresh(&nowhere, &used).await);
    }

    #[tokio::test]
    async fn all_who_are_refused_at_once_get_what_one_of_them_had_read() {
        let file = Scratch::holding("sk-1");
        let keyring = Keyring::default();
        keyring.load(&StorePlaces::new(), [&file.0]);
        file.put("sk-2");
        let all = (0..50).map(|_| refused(&keyring, &file, "sk-1"));
        let all = futures(all).await;
        assert!(all.into_iter().all(|another| another));
    }

    /// All of them, polled by turns.
    async fn futures<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
        let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
        std::future::poll_fn(|cx| {
            for (one, ended) in all.iter_mut().filter(|(_, ended)| ended.is_none()) {
                if let std::task::Poll::Ready(value) = one.as_mut().poll(cx) {
                    *ended = Some(value);
                }
            }
            if all.iter().all(|(_, ended)| ended.is_some()) {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
        all.into_iter().filter_map(|(_, ended)| ended).collect()
    }

    #[tokio::test]
    async fn a_changed_value_is_told_of_once_however_it_came() {
        let file = Scratch::holding("sk-1");
        let keyring = Keyring::default();
        let nobody: [Reference; 0] = [];
        keyring.load(&StorePlaces::new(), [&file.0]);
        assert_eq!(keyring.take_changed(), nobody, "the first is no change");
        for (content, read) in [("sk-2", 0), ("sk-3", 1), ("sk-4", 2)] {
            file.put(content);
            match read {
                0 => keyring.refresh_files(),
                1 => drop(keyring.load(&StorePlaces::new(), [&file.0])),
                _ => assert!(refused(&keyring, &file, "sk-3").await),
            }
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
        keyring.load(&StorePlaces::new(), [&file.0]);
    }

    /// Counts how often it is asked; what it has is numbered by that.
    #[derive(Default)]
    struct Counting(std::sync::atomic::AtomicU64);

    impl Store for Counting {
        fn read<'a>(&'a self, path: &'a str) -> crate::secret::Asking<'a> {
            let number = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            let object = format!(r#"{{"a":"{path}-a-{number}","b":"{path}-b-{number}"}}"#);
            let version = number.to_string().into();
            let found = crate::secret::Found::fields(version, zeroize::Zeroizing::new(object));
            Box::pin(std::future::ready(Ok(found)))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn fields_of_one_path_are_read_together() {
        let store = Arc::new(Counting::default());
        let opened = Arc::clone(&store);
        let open = move |_: &StorePlace| Arc::<Counting>::clone(&opened) as Arc<dyn Store>;
        let keyring = Keyring::with_stores(open, Tasks::default());
        let place = StorePlace {
            kind: crate::secret::StoreKind::AwsSm(crate::secret::AwsPlace {
                region: None,
                address: None,
            }),
            ca: None,
            refresh: Duration::from_mins(5),
            max_stale: Duration::from_hours(12),
        };
        let places = StorePlaces::from([("bank".into(), Arc::new(place))]);
        let [a, b, other] =
            ["bank:p#a", "bank:p#b", "bank:q#a"].map(|it| Reference::try_new(it).unwrap());
        keyring.load(&places, [&a, &b]);
        assert_eq!(keyring.problem(&a), Some(SecretError::Unasked));
        keyring.read_once(Duration::from_secs(1)).await;
        assert_eq!(value(&keyring, &a).as_deref(), Some("p-a-1"));
        assert_eq!(value(&keyring, &b).as_deref(), Some("p-b-1"));
        // One that is named later does not wait for the next round, nor does it have others read.
        keyring.load(&places, [&a, &other]);
        keyring.read_once(Duration::from_secs(1)).await;
        assert_eq!(value(&keyring, &other).as_deref(), Some("q-a-2"));
        keyring.load(&places, [&a, &b, &other]);
        keyring.read_once(Duration::from_secs(1)).await;
        assert_eq!(value(&keyring, &b).as_deref(), Some("p-b-3"));
        assert_eq!(value(&keyring, &a).as_deref(), Some("p-a-3"));
        let used = keyring.current(&b).unwrap();
        assert!(keyring.refresh(&b, &used).await);
        assert_eq!(value(&keyring, &a).as_deref(), Some("p-a-4"));
        assert_eq!(keyring.take_changed().len(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_not_read() {
        let device = Reference::File("/dev/zero".into());
        let folder = Reference::File(std::env::temp_dir());
        for reference in [device, folder] {
            let problems = Keyring::default().load(&StorePlaces::new(), [&reference]);
            assert_eq!(problems, [(reference, SecretError::NotAFile)]);
        }
    }
}
