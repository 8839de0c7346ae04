//! How many connections are open at once, and what becomes of those that are too many.
//!
//! The accept loop never waits for one to close, so that whoever comes is told at once: beyond the
//! limit a connection is accepted all the same, gets one short answer (503, `overloaded`) and is
//! closed. When there are too many even of these, the next is closed without a word.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

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
}

/// One open connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Open {
    shared: Arc<Shared>,
    /// It is one too many.
    pub(super) crowded: bool,
}

impl Connections {
    pub fn at_most(most: usize) -> Self {
        let open = AtomicUsize::new(0);
        Self {
            shared: Arc::new(Shared { most, open }),
        }
    }

    /// One more. `None` when it cannot even be told that it is too many.
    pub(super) fn open(&self) -> Option<Open> {
        let Shared { most, open } = &*self.shared;
        let before = open.fetch_add(1, Ordering::Relaxed);
        let opened = Open {
            shared: Arc::clone(&self.shared),
            crowded: before >= *most,
        };
        (before < most.saturating_add(TOLD)).then_some(opened)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_some_are_told_and_the_rest_are_not() {
        let connections = Connections::at_most(3);
        let all: Vec<_> = (0..300).map(|_| connections.open()).collect();
        let crowded = |open: &Option<Open>| open.as_ref().map(|open| open.crowded);
        assert!(all[..3].iter().all(|open| crowded(open) == Some(false)));
        assert!(all[3..259].iter().all(|open| crowded(open) == Some(true)));
        assert!(all[259..].iter().all(Option::is_none));
        drop(all);
        assert_eq!(crowded(&connections.open()), Some(false));
    }
}
