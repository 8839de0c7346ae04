//! Every path of every store that somebody names, each on its [`Shelf`], and the versions that they
//! have given.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::sync::Cache;
use tokio::time::Instant;

use super::shelf::{Reading, Shelf, Told};
use super::store::{Found, Store};
use super::{Reference, Secret, SecretError, StorePlace, StorePlaces, Stored};
use crate::tasks::Tasks;

/// What the versions may come to, in bytes.
const VERSIONS: u64 = 4 << 20;
/// What each weighs beside its text.
const BESIDE: usize = 64;
/// How long one is kept that nobody has asked for.
const IDLE: Duration = Duration::from_hours(12);

/// A path of a store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct At {
    store: Arc<str>,
    path: Arc<str>,
}

impl At {
    fn of(stored: &Stored) -> Self {
        Self {
            store: Arc::clone(&stored.store),
            path: Arc::clone(&stored.path),
        }
    }

    pub(super) fn is_of(&self, stored: &Stored) -> bool {
        self.store == stored.store && self.path == stored.path
    }
}

/// What a reference was at a version of its path: one that has not changed, or has come back, is the
/// same one.
#[derive(Clone)]
pub(super) struct Versions(Cache<(Reference, Arc<str>), Arc<Secret>>);

impl Versions {
    fn new() -> Self {
        let weight = |_: &_, secret: &Arc<Secret>| {
            u32::try_from(secret.expose().len() + BESIDE).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder().max_capacity(VERSIONS).weigher(weight);
        Self(cache.time_to_idle(IDLE).build())
    }

    /// What `reference` is in what was found.
    pub(super) fn secret(
        &self,
        reference: &Reference,
        found: &Found,
    ) -> Result<Arc<Secret>, SecretError> {
        let key = (reference.clone(), Arc::clone(&found.version));
        if let Some(known) = self.0.get(&key) {
            return Ok(known);
        }
        let field = reference.stored().and_then(|it| it.field.as_deref());
        let secret = found.secret(field, matches!(reference, Reference::Document(_)))?;
        let secret = Arc::new(secret);
        self.0.insert(key, Arc::clone(&secret));
        Ok(secret)
    }
}

/// Of a store, whatever answers for it.
pub(super) type Open = dyn Fn(&StorePlace) -> Arc<dyn Store> + Send + Sync;

/// Where readings go. Says whether something has another value.
pub(super) type Take = dyn Fn(&At, &Told, &Versions) -> bool + Send + Sync;

pub(super) struct Shelves {
    open: Box<Open>,
    tasks: Tasks,
    kept: Mutex<Kept>,
    versions: Versions,
}

#[derive(Default)]
struct Kept {
    stores: HashMap<Arc<str>, Opened>,
    shelves: HashMap<At, Shelf>,
}

/// A store that is asked, and where it is.
struct Opened {
    place: Arc<StorePlace>,
    store: Arc<dyn Store>,
}

impl Shelves {
    pub(super) fn new(open: Box<Open>, tasks: Tasks) -> Self {
        Self {
            open,
            tasks,
            kept: Mutex::default(),
            versions: Versions::new(),
        }
    }

    /// Opens a shelf for each path that is named and has none, and lets go of the others. A store that
    /// is another one now has its paths read anew; what the one before gave is used meanwhile. Those
    /// that are `new` are read at once, also where another field of their path has been.
    pub(super) fn keep(
        &self,
        places: &StorePlaces,
        named: &[&Reference],
        new: &BTreeSet<&Reference>,
        take: &Arc<Take>,
    ) {
        let Kept { stores, shelves } = &mut *self.kept();
        stores.retain(|store, opened| places.get(store) == Some(&opened.place));
        let named = named.iter().filter_map(|reference| reference.stored());
        let named: BTreeSet<At> = named.map(At::of).collect();
        let confirmed = shelves
            .iter()
            .map(|(at, shelf)| (at.clone(), shelf.confirmed()));
        let confirmed: HashMap<At, Option<Instant>> = confirmed.collect();
        shelves
            .retain(|at, shelf| named.contains(at) && places.get(&at.store) == Some(&shelf.place));
        for stored in new.iter().filter_map(|reference| reference.stored()) {
            if let Some(known) = shelves.get_mut(&At::of(stored)) {
                known.read_for_another();
            }
        }
        for at in named {
            let Some(place) = places.get(&at.store) else {
                continue;
            };
            let opened = stores.entry(Arc::clone(&at.store));
            let opened = opened.or_insert_with(|| Opened {
                place: Arc::clone(place),
                store: (self.open)(place),
            });
            let store = Arc::clone(&opened.store);
            shelves.entry(at).or_insert_with_key(|at| {
                let (take, versions, own) = (Arc::clone(take), self.versions.clone(), at.clone());
                let known = confirmed.get(at).copied();
                let reading = Reading {
                    store,
                    path: Arc::clone(&at.path),
                    refresh: place.refresh,
                    max_stale: place.max_stale,
                    // What another place gave under this name may be in use, and is no younger for that.
                    confirmed: known.unwrap_or_else(|| Some(Instant::now())),
                    take: Box::new(move |told| take(&own, &told, &versions)),
                };
                Shelf::open(Arc::clone(place), reading, &self.tasks)
            });
        }
    }

    /// Waits until each path has been read once, however that ended.
    pub(super) async fn first_read(&self) {
        let readings: Vec<_> = self
            .kept()
            .shelves
            .values()
            .map(Shelf::first_read)
            .collect();
        for reading in readings {
            reading.await;
        }
    }

    /// Has a path read again, unless that was done just now, and waits for the end of it.
    pub(super) async fn read_again(&self, stored: &Stored) {
        let reading = {
            let Kept { shelves, .. } = &*self.kept();
            shelves
                .get(&At::of(stored))
                .map(|it| it.read_again(Instant::now()))
        };
        if let Some(reading) = reading {
            reading.await;
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
