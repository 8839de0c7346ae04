//! One waker for many: whoever waits for the same thing is woken when it moves.

use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

use smallvec::SmallVec;

use super::lock;

/// The wakers of those who wait, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Fan(Mutex<SmallVec<[(u64, Waker); 1]>>);

impl Fan {
    /// From here on `number` is woken by `waker` alone.
    pub(super) fn set(&self, number: u64, waker: &Waker) {
        let mut all = lock(&self.0);
        match all.iter_mut().find(|(known, _)| *known == number) {
            Some((_, known)) => known.clone_from(waker),
            None => all.push((number, waker.clone())),
        }
    }

    pub(super) fn remove(&self, number: u64) {
        lock(&self.0).retain(|(known, _)| *known != number);
    }

    pub(super) fn wake_all(&self) {
        // Not under the lock: a waker may do as it likes.
        let all = lock(&self.0).clone();
        for (_, waker) in all {
            waker.wake();
        }
    }

    pub(super) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }
}

impl Wake for Fan {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}
