//! Calls that nobody waits for, while a retry is expected.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::call::{Call, Handed, Waiter};
use super::{Calls, lock};

/// For so long at most.
pub const LONGEST: Duration = Duration::from_secs(10);
/// So many at most; beyond them the one that has been for longest goes.
const MOST: usize = 64;

/// Those that linger, oldest first.
#[derive(Debug, Default)]
pub(super) struct Lingering(VecDeque<(u64, CancellationToken)>);

impl Lingering {
    /// One more; what it gets is cancelled when it must go.
    fn begin(&mut self, number: u64) -> CancellationToken {
        let go = CancellationToken::new();
        self.0.push_back((number, go.clone()));
        if self.0.len() > MOST
            && let Some((_, oldest)) = self.0.pop_front()
        {
            oldest.cancel();
        }
        go
    }

    fn end(&mut self, number: u64) {
        self.0.retain(|(known, _)| *known != number);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Calls {
    /// Goes on with a call that its last caller has left, so that the next one finds it.
    pub(super) fn linger(&self, call: Arc<Call>) {
        // Where nobody comes again there is no next one, and a runtime that is gone runs nothing.
        if self.all.deserted.is_cancelled() || Handle::try_current().is_err() {
            return;
        }
        let Some(waiter) = Waiter::lingering(Arc::clone(&call), Instant::now()) else {
            return;
        };
        let number = self.number();
        let go = lock(&self.all.lingering).begin(number);
        let calls = self.clone();
        self.all.tasks.spawn(async move {
            let work = async {
                let Handed::Shared(mut reader) = waiter.await else {
                    return;
                };
                let ticket = &call.ticket;
                while ticket.is_open() {
                    let Some(Ok(_)) = reader.frame().await else {
                        break;
                    };
                }
                if ticket.is_open() && !ticket.identity.is_kept() {
                    // It is to be had for as long as the call is held here.
                    pending::<()>().await;
                }
            };
            tokio::select! {
                () = work => {}
                () = sleep(LONGEST) => {}
                () = go.cancelled() => {}
                () = calls.all.deserted.cancelled() => {}
            }
            lock(&calls.all.lingering).end(number);
        });
    }
}
