//! The attempts at one request, until one answers or none is left.
//!
//! The loop waits, sends and records; the [`Schedule`] decides.

use std::future::Future;

use http::HeaderMap;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::client::Clients;
use super::credentials::{Credential, Credentials};
use super::running::Running;
use super::send::{Call, Streaming, Whole};
use crate::chat;
use crate::error::GatewayError;
use crate::health::Health;
use crate::outcome::{Class, Failure};
use crate::plan::{Deadline, Next, Schedule, Step};
use crate::record::Recorder;
use crate::secret::Keyring;
use crate::snapshot::{Provider, Route, Target};

/// What attempts are made with.
#[derive(Clone)]
pub struct Upstream {
    pub clients: Clients,
    pub keyring: Keyring,
    pub credentials: Credentials,
    pub health: Health,
}

/// An answer, and the attempt that it is the answer of, where that goes on.
#[derive(Debug)]
pub enum Answered {
    Whole(Whole),
    Streaming(Box<Streaming>, Running),
}

/// Tries the schedule's targets with `request` until one answers.
///
/// # Errors
/// What the failures of all of them come to. Dropping the future cancels the attempt that runs.
pub async fn attempt(
    upstream: &Upstream,
    route: &Route,
    request: &chat::Request,
    headers: &HeaderMap,
    deadline: Deadline,
    mut schedule: Schedule,
    recorder: &mut Recorder,
) -> Result<Answered, GatewayError> {
    let call = Call::new(route, request, headers, deadline, recorder);
    while let Some(step) = upstream.next(&mut schedule).await {
        let prepared = match call.prepare(&step.target) {
            Ok(prepared) => prepared,
            Err(why) => {
                tracing::debug!(
                    id = recorder.id(),
                    target_id = %step.target.id,
                    field = %why.param.escape_debug(),
                    "a target cannot be told what is asked for"
                );
                schedule.skip(why);
                continue;
            }
        };
        let Step {
            target,
            permit,
            end,
            backup,
        } = step;
        recorder.dropped(&prepared.dropped);
        let mut running = Running::new(recorder.attempt(&target), permit);
        let provider = &target.provider;
        let credential = upstream.credential(provider, end).await;
        let sent = match &credential {
            Ok(credential) => {
                let client = upstream.clients.of(provider);
                let sending = call.send(&client, &target, prepared, credential, end, &mut running);
                upstream.warming(sending, end, backup.as_deref()).await
            }
            Err(failure) => Err(failure.clone()),
        };
        let failure = match sent {
            Ok(sent) => return Ok(running.answer(sent)),
            Err(failure) => failure,
        };
        running.failed(&failure);
        tracing::debug!(
            id = recorder.id(),
            target_id = %target.id,
            class = failure.class.name(),
            reason = %failure.reason,
            "an attempt failed"
        );
        let new_secret = match credential {
            Ok(used) if failure.class == Class::Auth => {
                let renewed = upstream.credentials.renewed(provider, &used);
                timeout_at(end, renewed).await.unwrap_or(false)
            }
            Ok(_) | Err(_) => false,
        };
        if new_secret {
            upstream.health.key_changed(provider);
        }
        schedule.failed(failure, new_secret, Instant::now(), &upstream.health);
    }
    Err(schedule.verdict(Instant::now()))
}

impl Upstream {
    /// What `provider` is to be asked with, by `end`.
    pub(super) async fn credential(
        &self,
        provider: &Provider,
        end: Instant,
    ) -> Result<Credential, Failure> {
        let late = |_| Failure::new(Class::Connect, "the credentials did not come in time");
        timeout_at(end, self.credentials.of(provider))
            .await
            .map_err(late)?
    }

    /// The next attempt, once it may be made; `None` when there is none.
    async fn next(&self, schedule: &mut Schedule) -> Option<Step> {
        let mut freed = None;
        loop {
            match schedule.next(Instant::now(), &self.health) {
                Next::Try(step) => return Some(step),
                Next::Over => return None,
                Next::Wait(until) => match &mut freed {
                    // Whatever changes from here on is told.
                    None => freed = Some(self.health.freed()),
                    Some(freed) => drop(timeout_at(until, freed.changed()).await),
                },
            }
        }
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
            () = sleep_until(slow) => self.clients.warm(&backup.provider),
        }
        sending.await
    }
}
