//! One attempt, from its leave to go to its end.

use std::future::Future;
use std::sync::Arc;

use tokio::time::{Instant, sleep_until, timeout_at};

use super::attempt::{Answered, Upstream};
use super::client::Within;
use super::prepare::Prepared;
use super::running::Running;
use super::send::Call;
use crate::dialect::Dropped;
use crate::outcome::{Class, Failure};
use crate::plan::Step;
use crate::record::AttemptLog;
use crate::snapshot::Target;

/// An attempt that has its place in the record and has not been sent.
#[derive(Debug)]
pub(super) struct Try {
    within: Within,
    running: Running,
    prepared: Prepared,
    end: Instant,
    backup: Option<Arc<Target>>,
}

/// An attempt that came to nothing.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) target: Arc<Target>,
    pub(super) failure: Failure,
    /// Whether its provider's key has changed since.
    pub(super) new_secret: bool,
}

impl Try {
    pub(super) fn new(step: Step, within: Within, prepared: Prepared, log: AttemptLog) -> Self {
        Self {
            within,
            running: Running::new(log, step.permit),
            prepared,
            end: step.end,
            backup: step.backup,
        }
    }

    pub(super) fn target(&self) -> &Arc<Target> {
        self.within.target()
    }

    pub(super) fn log(&self) -> AttemptLog {
        self.running.log()
    }

    /// The fields of the request that the target is not told.
    pub(super) fn dropped(&self) -> Dropped {
        self.prepared.dropped.clone()
    }
}

impl Upstream {
    /// Sends `one` and waits for its answer.
    ///
    /// # Errors
    /// There is none. Dropping the future gives the attempt up.
    pub(super) async fn run(&self, call: &Call<'_>, one: Try) -> Result<Answered, Lost> {
        let Try {
            within,
            mut running,
            prepared,
            end,
            backup,
        } = one;
        let target = within.target();
        let provider = &target.provider;
        let credential = self.credential(provider, end).await;
        let sent = match &credential {
            Ok(credential) => {
                let client = self.clients.to(&within);
                let sending = call.send(&client, target, prepared, credential, end, &mut running);
                self.warming(sending, end, backup.as_deref()).await
            }
            Err(failure) => Err(failure.clone()),
        };
        let failure = match sent {
            Ok(sent) => return Ok(running.answer(sent)),
            Err(failure) => failure,
        };
        let new_secret = match credential {
            Ok(used) if failure.class == Class::Auth => {
                let refused = running.refused(&failure);
                let renewed = self.credentials.renewed(provider, &used);
                let new_secret = timeout_at(end, renewed).await.unwrap_or(false);
                if new_secret {
                    // Of the account nothing is known but that its key was another one.
                    self.health.key_changed(provider);
                } else {
                    refused.stands(&failure);
                }
                new_secret
            }
            Ok(_) | Err(_) => {
                running.failed(&failure);
                false
            }
        };
        Err(Lost {
            target: Arc::clone(target),
            failure,
            new_secret,
        })
    }

    /// When an attempt is slow, a connection to its backup is opened meanwhile.
    async fn warming<T>(
        &self,
        sending: impl Future<Output = T>,
        end: Instant,
        backup: Option<&Target>,
    ) -> T {
        let Some(backup) = backup else {
            return sending.await;
        };
        let slow = Instant::now() + end.saturating_duration_since(Instant::now()) / 2;
        tokio::pin!(sending);
        tokio::select! {
            biased;
            sent = &mut sending => return sent,
            // Where we stood still, it is too late for that.
            () = sleep_until(slow) => if Instant::now() < end {
                self.clients.warm(&backup.provider);
            },
        }
        sending.await
    }
}
