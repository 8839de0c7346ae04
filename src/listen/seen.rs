//! What one connection has shown of itself: to whoever answers its requests, and to the body of an
//! answer that waits for room.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use super::scan::{Ending, Why};

/// So much of an answer may lie between its body and the socket before no more is asked for: what a
/// client costs that does not read.
pub(super) const AHEAD: usize = 16 * 1024;

/// What the guard has seen of one connection.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Set once, by the guard.
    pub(super) ending: OnceLock<Ending>,
    /// Requests handed to the service so far.
    requests: AtomicU64,
    /// Of answers, in bytes: taken from their bodies and not written yet.
    unwritten: AtomicUsize,
    /// The body that waits until less is.
    waiting: Mutex<Option<Waker>>,
}

impl Seen {
    /// Counts a request. hyper hands over requests in the order of their heads, so a count tells
    /// which head this is. `Some` is the reason why it is the last of its connection.
    pub(super) fn next_request(&self) -> Option<Why> {
        let nth = self.requests.fetch_add(1, Ordering::Relaxed);
        let ending = self.ending.get().filter(|ending| ending.head <= nth)?;
        Some(ending.why)
    }

    /// So much more of an answer is to be written.
    pub(super) fn took(&self, bytes: usize) {
        self.unwritten.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Ready when more of an answer may be taken.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.unwritten.load(Ordering::Relaxed) < AHEAD {
            return Poll::Ready(());
        }
        // The body and the socket are polled by one task: nothing is written meanwhile.
        *self.lock() = Some(cx.waker().clone());
        Poll::Pending
    }

    /// So much was written; what frames the answer is counted, too, so that this errs towards nothing
    /// being left.
    pub(super) fn wrote(&self, bytes: usize) {
        let before = self.unwritten.load(Ordering::Relaxed);
        if before > 0 {
            let left = before.saturating_sub(bytes);
            self.unwritten.store(left, Ordering::Relaxed);
            if before >= AHEAD && left < AHEAD {
                self.wake();
            }
        }
    }

    fn wake(&self) {
        let waiting = self.lock().take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
