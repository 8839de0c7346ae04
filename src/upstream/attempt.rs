//! The attempts at one request, until one answers or none is left.
//!
//! The loop waits, sends and records; the [`Schedule`] decides.

use http::HeaderMap;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::client::Clients;
use super::credentials::{Credential, Credentials};
use super::prepare::Prepared;
use super::send::{ANSWERED, Call, Sent};
use crate::chat;
use crate::error::GatewayError;
use crate::outcome::{Class, Failure};
use crate::plan::{Deadline, Schedule, Step};
use crate::record::Recorder;
use crate::secret::Keyring;
use crate::snapshot::{Provider, Route};

/// What attempts are made with.
#[derive(Clone)]
pub struct Upstream {
    pub clients: Clients,
    pub keyring: Keyring,
    pub credentials: Credentials,
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
) -> Result<Sent, GatewayError> {
    let call = Call::new(route, request, headers, deadline, recorder);
    while let Some(step) = schedule.next(Instant::now()) {
        if step.start > Instant::now() {
            sleep_until(step.start).await;
        }
        let prepared = match call.prepare(&step.target) {
            Ok(prepared) => prepared,
            Err(why) => {
                tracing::debug!(
                    id = recorder.id(),
                    target = %step.target.id,
                    field = %why.param.escape_debug(),
                    "a target cannot be told what is asked for"
                );
                schedule.skip(why);
                continue;
            }
        };
        recorder.attempt(&step.target);
        recorder.dropped(&prepared.dropped);
        let provider = &step.target.provider;
        let credential = upstream.credential(provider, step.end).await;
        let sent = match &credential {
            Ok(credential) => {
                upstream
                    .run(&call, &step, prepared, credential, recorder)
                    .await
            }
            Err(failure) => Err(failure.clone()),
        };
        let failure = match sent {
            Ok(sent) => {
                recorder.attempt_answered(ANSWERED);
                return Ok(sent);
            }
            Err(failure) => failure,
        };
        recorder.attempt_failed(&failure);
        tracing::debug!(
            id = recorder.id(),
            target = %step.target.id,
            class = failure.class.name(),
            reason = %failure.reason,
            "an attempt failed"
        );
        let new_secret = match credential {
            Ok(used) if failure.class == Class::Auth => {
                let renewed = upstream.credentials.renewed(provider, &used);
                timeout_at(step.end, renewed).await.unwrap_or(false)
            }
            Ok(_) | Err(_) => false,
        };
        schedule.failed(failure, new_secret, Instant::now());
    }
    Err(schedule.verdict())
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

    /// One attempt. When it is slow, a connection to its backup is opened meanwhile.
    async fn run(
        &self,
        call: &Call<'_>,
        step: &Step,
        prepared: Prepared,
        credential: &Credential,
        recorder: &mut Recorder,
    ) -> Result<Sent, Failure> {
        let client = self.clients.of(&step.target.provider);
        let sending = call.send(
            &client,
            &step.target,
            prepared,
            credential,
            step.end,
            recorder,
        );
        let Some(backup) = &step.backup else {
            return sending.await;
        };
        let slow = Instant::now() + step.end.saturating_duration_since(Instant::now()) / 2;
        tokio::pin!(sending);
        tokio::select! {
            biased;
            sent = &mut sending => return sent,
            () = sleep_until(slow) => self.clients.warm(&backup.provider),
        }
        sending.await
    }
}
