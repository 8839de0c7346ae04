//! Memory that several take their shares of.
//!
//! Pure: it counts. Who takes too much says so to itself, and gives it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many bytes for all together. Clones are one.
#[derive(Debug, Clone)]
pub struct Room(Arc<Shares>);

#[derive(Debug)]
struct Shares {
    taken: AtomicUsize,
    most: usize,
}

impl Room {
    pub fn new(most: usize) -> Self {
        let taken = AtomicUsize::new(0);
        Self(Arc::new(Shares { taken, most }))
    }

    /// Takes so much, whether or not there is as much: false when there is not.
    pub fn take(&self, size: usize) -> bool {
        self.0.taken.fetch_add(size, Ordering::Relaxed) + size <= self.0.most
    }

    pub fn give_back(&self, size: usize) {
        self.0.taken.fetch_sub(size, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn taken(&self) -> usize {
        self.0.taken.load(Ordering::Relaxed)
    }
}
