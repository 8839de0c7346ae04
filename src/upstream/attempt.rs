//! The attempts at one request, until one answers or none is left.
//!
//! The loop waits, sends and records; the [`Schedule`] decides.

use http::HeaderMap;
use tokio::time::{Instant, timeout_at};

use super::client::{Clients, Within};
use super::credentials::{Credential, Credentials};
use super::hedge::Race;
use super::running::Running;
use super::send::{Call, Streaming, Whole};
use super::tried::{Lost, Try};
use crate::chat;
use crate::dialect::answer::Part;
use crate::error::GatewayError;
use crate::health::Health;
use crate::outcome::{Class, Failure};
use crate::plan::{Deadline, Next, Schedule, Step};
use crate::record::Recorder;
use crate::secret::Keyring;
use crate::snapshot::{Provider, Residency, Route};

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
    Whole(Box<Whole>),
    Streaming(Box<Streaming>, Running),
}

/// What is to be answered, whoever does.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub route: &'a Route,
    pub request: &'a chat::Request,
    /// The caller's headers.
    pub headers: &'a HeaderMap,
    /// Where it must stay, whoever is asked.
    pub residency: &'a Residency,
    pub deadline: Deadline,
    pub part: Part,
}

/// Tries the schedule's targets with a question until one answers.
///
/// # Errors
/// What the failures of all of them come to. Dropping the future cancels the attempt that runs.
pub async fn attempt(
    upstream: &Upstream,
    question: &Question<'_>,
    mut schedule: Schedule,
    recorder: &mut Recorder,
) -> Result<Answered, GatewayError> {
    let call = Call::new(question, recorder);
    let route = question.route;
    while let Some(step) = upstream.next(&mut schedule).await {
        let Some(first) = begin(&call, step, &mut schedule, recorder) else {
            continue;
        };
        let patience = schedule.hedge_after(route.hedge, first.target(), &upstream.health);
        let ended = match patience {
            Some(patience) => {
                let race = Race {
                    upstream,
                    call: &call,
                    route,
                    patience,
                };
                // Few routes race, and all would carry the room for two.
                Box::pin(race.run(first, &mut schedule, recorder)).await
            }
            None => upstream.run(&call, first).await,
        };
        match ended {
            Ok(answered) => return Ok(answered),
            Err(lost) => {
                tell(recorder, &lost);
                let now = Instant::now();
                let Lost {
                    target,
                    failure,
                    new_secret,
                } = lost;
                schedule.failed(failure, &target, new_secret, now, &upstream.health);
            }
        }
    }
    Err(schedule.verdict(Instant::now()))
}

/// Begins the attempt of `step`; `None` when its target cannot be told what is asked for, or is not
/// where the request may go.
pub(super) fn begin(
    call: &Call<'_>,
    step: Step,
    schedule: &mut Schedule,
    recorder: &mut Recorder,
) -> Option<Try> {
    let Some(within) = Within::of(&step.target, call.residency) else {
        tracing::error!(
            id = recorder.id(),
            target_id = %step.target.id,
            residency = %call.residency,
            "a target was planned that the request may not go to"
        );
        schedule.keep_in();
        return None;
    };
    match call.prepare(&step.target) {
        Ok(mut prepared) => {
            recorder.dropped(&prepared.dropped);
            let began = step.permit.began().into_std();
            let log = recorder.attempt_since(&step.target, began);
            prepared.mark(recorder.mark(&log));
            Some(Try::new(step, within, prepared, log))
        }
        Err(why) => {
            tracing::debug!(
                id = recorder.id(),
                target_id = %step.target.id,
                field = %why.param.escape_debug(),
                "a target cannot be told what is asked for"
            );
            schedule.skip(why);
            None
        }
    }
}

/// Says in the log that an attempt came to nothing.
pub(super) fn tell(recorder: &Recorder, lost: &Lost) {
    tracing::debug!(
        id = recorder.id(),
        target_id = %lost.target.id,
        class = lost.failure.class.name(),
        reason = %lost.failure.reason,
        "an attempt failed"
    );
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
}
