//! The attempts at one request, until one answers or none is left.
//!
//! The loop waits, sends and records; the [`Schedule`] decides.

use std::sync::Arc;

use http::HeaderMap;
use tokio::time::{Instant, sleep_until};

use super::client::Clients;
use super::prepare::Prepared;
use super::send::{ANSWERED, Call, Sent};
use crate::chat;
use crate::error::GatewayError;
use crate::outcome::{Class, Failure};
use crate::plan::{Deadline, Schedule, Step};
use crate::record::Recorder;
use crate::secret::{Keyring, Secret};
use crate::snapshot::{Provider, Route};

/// What attempts are made with.
#[derive(Clone)]
pub struct Upstream {
    pub clients: Clients,
    pub keyring: Keyring,
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
        let secret = upstream.secret(provider);
        let failure = match upstream
            .run(&call, &step, prepared, secret.as_deref(), recorder)
            .await
        {
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
        let new_secret =
            failure.class == Class::Auth && upstream.renewed(provider, secret.as_ref());
        schedule.failed(failure, new_secret, Instant::now());
    }
    Err(schedule.verdict())
}

impl Upstream {
    /// The key of `provider`, if it has one and it could be read.
    pub(super) fn secret(&self, provider: &Provider) -> Option<Arc<Secret>> {
        self.keyring.current(provider.secret.as_ref()?)
    }

    /// One attempt. When it is slow, a connection to its backup is opened meanwhile.
    async fn run(
        &self,
        call: &Call<'_>,
        step: &Step,
        prepared: Prepared,
        secret: Option<&Secret>,
        recorder: &mut Recorder,
    ) -> Result<Sent, Failure> {
        let client = self.clients.of(&step.target.provider);
        let sending = call.send(&client, &step.target, prepared, secret, step.end, recorder);
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

    /// Whether the key that was refused is no longer the current one, or its source has a newer.
    fn renewed(&self, provider: &Provider, used: Option<&Arc<Secret>>) -> bool {
        let Some(reference) = &provider.secret else {
            return false;
        };
        self.keyring.refresh(reference);
        match (self.keyring.current(reference), used) {
            (Some(now), Some(used)) => !Arc::ptr_eq(&now, used),
            (now, _) => now.is_some(),
        }
    }
}
