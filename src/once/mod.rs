//! A request that comes twice is one call.
//!
//! [`Calls`] knows the calls that run and, for a while, the answers of those that ended. A request
//! that [`Asked`] for it joins a call that is the same, or replays what that came to: by its
//! `Idempotency-Key`, as an SDK's own retry, or within the `dedupe` time of its route. Whoever waits
//! for a `Call` drives it: there is no task of its own, and when the last one leaves it
//! is dropped, and with it cancelled, unless a retry is to be expected; then it *lingers* for a
//! while. An answer for one goes out as it came; one that others may want goes over a
//! `Tape`, which keeps it from its first byte.
//! Never here: what a request or an answer says. Bytes are compared, kept and handed on.
//!
//! In memory, in this process, and bounded: what is let go is asked for anew. What other processes run
//! is [`crate::fleet`]'s to know; a call that is begun here asks there first.

mod asked;
mod call;
mod fan;
mod linger;
mod reader;
mod store;
mod table;
mod tape;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::call::Call;
use self::linger::Lingering;
use self::store::{Name, Store};
use self::table::{Found, Table};
use crate::error::GatewayError;
use crate::limit::Room;
use crate::tasks::Tasks;

pub use self::asked::{Asked, Identity};
pub use self::call::{Handed, Vacancy, Waiter, Work};
pub use self::linger::LONGEST as LINGER;
pub use self::reader::Reader;
pub use self::table::{Kind, Ticket};

/// The metric's label of a request that was answered by what had ended.
pub const REPLAY: &str = "replay";

/// Every call that others may join. Clones are one.
#[derive(Clone)]
pub struct Calls {
    all: Arc<All>,
}

struct All {
    table: Mutex<Table>,
    store: Store,
    lingering: Mutex<Lingering>,
    room: Room,
    next: AtomicU64,
    tasks: Tasks,
    /// Cancelled when what still runs must end now.
    cut: CancellationToken,
    /// Cancelled when nobody comes again; with `cut`, too.
    deserted: CancellationToken,
}

/// What a request comes to.
pub enum Entered {
    /// It is the first of its kind: its work is to be begun.
    First(Vacancy),
    /// The call that it is runs already.
    Joined(Waiter, Kind),
    /// The call that it is has ended with this.
    Replayed(Reader),
}

/// The same `Idempotency-Key` stands for another request.
#[derive(Debug, PartialEq, Eq)]
pub struct Conflict;

impl From<Conflict> for GatewayError {
    fn from(_: Conflict) -> Self {
        Self::Refused {
            status: http::StatusCode::CONFLICT,
            code: "idempotency_conflict",
            message:
                "This Idempotency-Key was used for another request, of this endpoint or of another."
                    .into(),
        }
    }
}

impl Calls {
    /// What lingers runs as one of `tasks`, and no longer than until `cut`.
    pub fn new(tasks: Tasks, cut: CancellationToken) -> Self {
        Self {
            all: Arc::new(All {
                table: Mutex::default(),
                store: Store::new(),
                lingering: Mutex::default(),
                room: Room::new(tape::TOGETHER),
                next: AtomicU64::new(0),
                tasks,
                deserted: cut.child_token(),
                cut,
            }),
        }
    }

    /// The application has ended: calls that linger for its next try go now.
    pub fn desert(&self) {
        self.all.deserted.cancel();
    }

    /// Finds the call that this request is, or registers it as a new one.
    ///
    /// # Errors
    /// Its key stands for another request.
    pub fn enter(
        &self,
        asked: Asked,
        identity: Identity,
        now: Instant,
    ) -> Result<Entered, Conflict> {
        let name = Name::of(&identity);
        // Dropped behind the table's lock, which it takes when it is the last to hold the call.
        let mut lost = None;
        let kept = {
            // Held from the look to the registration, so that of two that come together one is first.
            let mut table = lock(&self.all.table);
            match table.find(&identity, asked.is_retry(), now) {
                Found::Call(call, kind) => {
                    if let Some(waiter) = call.join(asked.clone(), now) {
                        return Ok(Entered::Joined(waiter, kind));
                    }
                    lost = Some(call);
                }
                Found::Conflict => return Err(Conflict),
                Found::Nothing => {}
            }
            let kept = name.and_then(|name| self.all.store.find(&name, now));
            if kept.is_none() {
                let ticket = Arc::new(Ticket::new(identity, now));
                let call = Arc::new(Call::new(self.clone(), Arc::clone(&ticket)));
                table.insert(ticket, &call);
                return Ok(Entered::First(Vacancy::new(call, asked, now)));
            }
            kept
        };
        drop(lost);
        // Outside of the lock: of a large body the hash takes its time.
        match kept {
            Some(kept) if kept.is_of(&identity) => {
                Ok(Entered::Replayed(kept.shared().replayed(self.number())))
            }
            _ => Err(Conflict),
        }
    }

    fn number(&self) -> u64 {
        self.all.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The call is over, or nobody waits for it any more.
    fn forget(&self, ticket: &Arc<Ticket>) {
        lock(&self.all.table).remove(ticket);
    }
}

/// A panic while one of these is held leaves nothing half done that matters.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
