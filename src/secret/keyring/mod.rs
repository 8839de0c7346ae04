//! The current value of every secret that the configuration names.
//!
//! A value that was good stays until a newer good one is read. Variables are read here, and files
//! [aside](Aside), where one that hangs holds up nobody and counts as unreadable; nothing is locked while one
//! is read. What is in a store, [`Shelves`] read. No lock outlives a call. Never here: who a secret
//! belongs to.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::aside::Aside;
use super::entry::Entry;
use super::shelf::Told;
use super::shelves::{At, Shelves, Take, Versions};
use super::source::{self, Given, Reading};
use super::store::Store;
use super::{Reference, Secret, SecretError, StorePlace, StorePlaces};
use crate::stamp::Stamp;
use crate::tasks::Tasks;

/// Between two readings of a file that refused requests ask for: one wrong key fails many at once.
const REFRESH_PAUSE: Duration = Duration::from_secs(1);

/// Every secret in use. Clones are one.
#[derive(Clone, Default)]
pub struct Keyring {
    entries: Entries,
    files: Aside,
    shelves: Option<Arc<Shelves>>,
    /// Held by whoever has files read for a refused request.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone, Default)]
struct Entries {
    given: Given,
    all: Arc<RwLock<HashMap<Reference, Entry>>>,
    /// For so long the value of a file is used that cannot be read; for ever where it was not said.
    max_stale: Arc<RwLock<Option<Duration>>>,
}

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

    /// The same with the variables of `env`, in which there may be some that the process's own environment
    /// does not have.
    #[must_use]
    pub fn under(mut self, env: &[(String, String)]) -> Self {
        self.entries.given = Given::of(env);
        self
    }

    /// For so long the value of a file is used that cannot be read any more. What is in a store is used
    /// for as long as its place says.
    pub fn hold_files_for(&self, max_stale: Duration) {
        let limit = &self.entries.max_stale;
        *limit.write().unwrap_or_else(PoisonError::into_inner) = Some(max_stale);
    }

    /// Reads every variable and file that is named, and returns those whose reading failed. The last
    /// good value of such a one stays, and so does that of one that is not named any more, until it is
    /// [forgotten](Self::forget_but). A file that does not come within two seconds has failed until it
    /// does. What is in a store is read in the background from here on:
    /// [`read_once`](Self::read_once) waits for it.
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
        let mut new = BTreeSet::new();
        {
            let mut entries = self.entries.write();
            for reference in &local {
                entries.entry((*reference).clone()).or_default();
            }
            for reference in &stored {
                entries.entry((*reference).clone()).or_insert_with(|| {
                    new.insert(*reference);
                    Entry::unasked()
                });
            }
        }
        let mut files = Vec::new();
        for reference in &local {
            if reference.path().is_some() {
                files.push(File::always((*reference).clone()));
            } else {
                self.entries.read_again(reference, Entries::fail);
            }
        }
        self.look_at(files, Entries::fail);
        if let Some(shelves) = &self.shelves {
            let entries = self.entries.clone();
            let take =
                move |at: &At, told: &Told, versions: &Versions| entries.told(at, told, versions);
            let take: Arc<Take> = Arc::new(take);
            shelves.keep(places, &stored, &new, &take);
        }
        let problem = |reference: &Reference| Some((reference.clone(), self.problem(reference)?));
        local.into_iter().filter_map(problem).collect()
    }

    /// Forgets every secret but these.
    pub fn forget_but(&self, needed: &BTreeSet<&Reference>) {
        let mut entries = self.entries.write();
        entries.retain(|reference, _| needed.contains(reference));
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
        let (keyring, file) = (self.clone(), File::always(reference.clone()));
        let read =
            tokio::task::spawn_blocking(move || keyring.look_at(vec![file], Entries::fail_and_say));
        // It can only have panicked, and then nothing is new.
        let _ = read.await;
    }

    /// Reads the files again that changed, and those whose last reading failed.
    pub fn refresh_files(&self) {
        self.look_at(self.known_files(), Entries::fail_and_say);
    }

    /// Reads aside those that are to be read. What comes of one that `failed`, or of a place that hangs,
    /// is its to note.
    fn look_at(&self, files: Vec<File>, failed: Failed) {
        let mut folders: BTreeMap<_, Vec<File>> = BTreeMap::new();
        for file in files {
            let folder = file.reference.path().and_then(Path::parent);
            let folder = folder.unwrap_or(Path::new("")).to_owned();
            folders.entry(folder).or_default().push(file);
        }
        let works = folders.iter().map(|(folder, files)| {
            let (entries, files) = (self.entries.clone(), files.clone());
            let work = move || {
                for file in files.iter().filter(|file| file.is_to_be_read()) {
                    entries.read_again(&file.reference, failed);
                }
            };
            (folder.clone(), work)
        });
        let late = self.files.run(works.collect());
        for file in late
            .iter()
            .filter_map(|folder| folders.get(folder))
            .flatten()
        {
            let problem = SecretError::Unreadable(io::ErrorKind::TimedOut);
            failed(&self.entries, &file.reference, &problem);
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
    fn known_files(&self) -> Vec<File> {
        let entries = self.entries.read();
        let files = entries
            .iter()
            .filter(|(reference, _)| reference.path().is_some());
        let files = files.map(|(reference, entry)| File {
            reference: reference.clone(),
            known: entry.stamp,
        });
        files.collect()
    }
}

/// A file, and the state of it that need not be read again.
#[derive(Clone)]
struct File {
    reference: Reference,
    known: Option<Stamp>,
}

impl File {
    fn always(reference: Reference) -> Self {
        Self {
            reference,
            known: None,
        }
    }

    /// Looks, which blocks.
    fn is_to_be_read(&self) -> bool {
        self.known.is_none() || self.reference.path().and_then(Stamp::at) != self.known
    }
}

/// What notes that a reading failed.
type Failed = fn(&Entries, &Reference, &SecretError);

impl Entries {
    /// Reads a variable or a file, which blocks.
    fn read_again(&self, reference: &Reference, failed: Failed) {
        match source::read(reference, &self.given) {
            Ok(reading) => self.take(reference, reading),
            Err(problem) => failed(self, reference, &problem),
        }
    }

    fn take(&self, reference: &Reference, reading: Reading) {
        let Reading { secret, stamp } = reading;
        if let Some(entry) = self.write().get_mut(reference) {
            entry.stamp = stamp;
            entry.take(reference, Arc::new(secret), Instant::now());
        }
    }

    fn fail(&self, reference: &Reference, problem: &SecretError) {
        let (now, limit) = (Instant::now(), self.max_stale());
        if let Some(entry) = self.write().get_mut(reference) {
            entry.fail(problem.clone(), now);
            forget_stale(entry, reference, limit, now);
        }
    }

    fn fail_and_say(&self, reference: &Reference, problem: &SecretError) {
        let (now, limit) = (Instant::now(), self.max_stale());
        if let Some(entry) = self.write().get_mut(reference) {
            fail(entry, reference, problem, now);
            forget_stale(entry, reference, limit, now);
        }
    }

    fn max_stale(&self) -> Option<Duration> {
        *self
            .max_stale
            .read()
            .unwrap_or_else(PoisonError::into_inner)
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
                    Err(problem) => fail(entry, reference, &problem, now),
                },
                Told::Failed(problem) => fail(entry, reference, problem, now),
                Told::Stale(problem) => {
                    fail(entry, reference, problem, now);
                    forget(entry, reference);
                }
            }
        }
        changed
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Reference, Entry>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Reference, Entry>> {
        self.all.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Said once, however often it is tried again.
fn fail(entry: &mut Entry, reference: &Reference, problem: &SecretError, now: Instant) {
    let in_use = entry.current().is_some();
    if entry.fail(problem.clone(), now) {
        tracing::warn!(%reference, %problem, in_use, "a secret cannot be read");
    }
}

fn forget_stale(entry: &mut Entry, reference: &Reference, limit: Option<Duration>, now: Instant) {
    if (entry.failing(now).zip(limit)).is_some_and(|(failing, limit)| failing >= limit) {
        forget(entry, reference);
    }
}

fn forget(entry: &mut Entry, reference: &Reference) {
    if entry.forget() {
        let problem = entry.problem().map(tracing::field::display);
        tracing::error!(%reference, problem, "a secret has not been confirmed for too long; its provider is left out until it is");
    }
}
