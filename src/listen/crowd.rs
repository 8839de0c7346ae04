//! How many connections are open at once, and what becomes of those that are too many.
//!
//! The accept loop never waits for one to close, so that whoever comes is told at once: beyond the
//! limit a connection is accepted all the same, gets one short answer (503, `overloaded`) and is
//! closed. When there are too many even of these, the next is closed without a word.
//!
//! Where it is asked for, a connection on which nothing is under way gives way to the next one, the one that has
//! waited for longest first: who only holds connections keeps nobody out.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// So many are being told at once that there is no room.
const TOLD: usize = 256;
/// And have so long to ask and to listen: any client on this machine or in its network takes
/// milliseconds.
pub(super) const SHORT: Duration = Duration::from_secs(2);
/// The longest that such a connection may live: with the rest of a large body thrown away.
pub(super) const LONGEST: Duration = Duration::from_secs(8);

/// The connections of one or more listeners. Clones count as one.
#[derive(Debug, Clone)]
pub struct Connections {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    most: usize,
    open: AtomicUsize,
    /// Those that give way; `None` where none does.
    resting: Option<Mutex<Resting>>,
}

/// Connections on which nothing is under way, by the order in which that came to be.
#[derive(Debug, Default)]
struct Resting {
    next: u64,
    all: BTreeMap<u64, Arc<Notify>>,
}

/// One open connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Open {
    shared: Arc<Shared>,
    /// It is one too many.
    pub(super) crowded: bool,
    /// Its place among those that rest.
    place: Mutex<Option<u64>>,
    gives_way: Arc<Notify>,
}

/// Something is under way on a connection, until this is dropped.
#[derive(Debug)]
pub(super) struct Busy(Arc<Open>);

impl Connections {
    pub fn at_most(most: usize) -> Self {
        Self::new(most, None)
    }

    /// So many, of which those that rest give way to others.
    pub fn giving_way(most: usize) -> Self {
        Self::new(most, Some(Mutex::default()))
    }

    fn new(most: usize, resting: Option<Mutex<Resting>>) -> Self {
        Self {
            shared: Arc::new(Shared {
                most,
                open: AtomicUsize::new(0),
                resting,
            }),
        }
    }

    /// One more. `None` when it cannot even be told that it is too many.
    pub(super) fn open(&self) -> Option<Arc<Open>> {
        let Shared { most, open, .. } = &*self.shared;
        let before = open.fetch_add(1, Ordering::Relaxed);
        let opened = Open {
            shared: Arc::clone(&self.shared),
            crowded: before >= *most && !self.shared.makes_room(),
            place: Mutex::default(),
            gives_way: Arc::default(),
        };
        opened.rest();
        let is_told = !opened.crowded || before < most.saturating_add(TOLD);
        is_told.then(|| Arc::new(opened))
    }
}

impl Shared {
    fn resting(&self) -> Option<MutexGuard<'_, Resting>> {
        let resting = self.resting.as_ref()?;
        Some(resting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells one that rests to give way, and whether there was one.
    fn makes_room(&self) -> bool {
        let first = self.resting().and_then(|mut it| it.all.pop_first());
        first.is_some_and(|(_, gives_way)| {
            gives_way.notify_one();
            true
        })
    }
}

impl Open {
    fn place(&self) -> MutexGuard<'_, Option<u64>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is under way. One too many has a short life anyway.
    fn rest(&self) {
        if let Some(mut resting) = self.shared.resting().filter(|_| !self.crowded) {
            let place = resting.next;
            resting.next += 1;
            resting.all.insert(place, Arc::clone(&self.gives_way));
            *self.place() = Some(place);
        }
    }

    fn stop_resting(&self) {
        if let (Some(mut resting), Some(place)) = (self.shared.resting(), self.place().take()) {
            resting.all.remove(&place);
        }
    }

    /// Returns once it is to give way to another. Cancel-safe.
    pub(super) async fn given_way(&self) {
        match self.shared.resting {
            Some(_) => self.gives_way.notified().await,
            None => pending().await,
        }
    }
}

impl Busy {
    /// `None` where no connection gives way, and nobody asks.
    pub(super) fn on(open: &Arc<Open>) -> Option<Self> {
        open.shared.resting.as_ref()?;
        open.stop_resting();
        Some(Self(Arc::clone(open)))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.rest();
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.stop_resting();
        self.shared.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[test]
    fn beyond_the_limit_some_are_told_and_the_rest_are_not() {
        let connections = Connections::at_most(3);
        let all: Vec<_> = (0..300).map(|_| connections.open()).collect();
        let crowded = |open: &Option<Arc<Open>>| open.as_ref().map(|open| open.crowded);
        assert!(all[..3].iter().all(|open| crowded(open) == Some(false)));
        assert!(all[3..259].iter().all(|open| crowded(open) == Some(true)));
        assert!(all[259..].iter().all(Option::is_none));
        drop(all);
        assert_eq!(crowded(&connections.open()), Some(false));
    }

    #[tokio::test]
    async fn one_that_rests_gives_way_the_longest_first_and_one_that_works_does_not() {
        let gives_way = async |open: &Open| timeout(Duration::ZERO, open.given_way()).await.is_ok();
        let connections = Connections::giving_way(2);
        let open = || connections.open().unwrap();
        let (first, second) = (open(), open());
        let busy = Busy::on(&first);
        let third = open();
        assert!(!third.crowded);
        assert!(!gives_way(&first).await);
        assert!(gives_way(&second).await);
        drop(second);
        drop(busy);
        let fourth = open();
        assert!(!fourth.crowded);
        assert!(gives_way(&third).await, "it has rested for longer");
        assert!(!gives_way(&first).await);
        drop(third);
        let _busy = [Busy::on(&first), Busy::on(&fourth)];
        assert!(open().crowded);
        drop(fourth);
        assert!(connections.open().unwrap().crowded, "it is still busy");
    }
}
