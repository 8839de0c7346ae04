//! What is known of one request while it runs, and how it ended.
//!
//! Pure: every instant is an argument. Nothing here writes, counts or logs.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use jiff::Timestamp;
use smallvec::SmallVec;

use super::id::{RequestId, TraceId};
use crate::chat::{Surface, Usage};
use crate::error::GatewayError;
use crate::outcome::{Class, Failure};
use crate::snapshot::{Key, Route, Target};

/// The longest id of a provider's that is kept, in bytes; theirs are under 64.
const UPSTREAM_ID_LIMIT: usize = 128;

/// When a request arrived, by the calendar and by the steady clock.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    pub time: Timestamp,
    pub instant: Instant,
}

impl Arrival {
    pub fn now() -> Self {
        Self {
            time: Timestamp::now(),
            instant: Instant::now(),
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub enum End<'a> {
    /// The answer went out whole, with this status.
    Answered(StatusCode),
    /// There was no answer; the caller was told this.
    Failed(&'a GatewayError),
    /// The answer broke off after its head had gone out with this status.
    Broken(StatusCode, &'a Failure),
    /// The caller went away.
    Cancelled,
}

/// The record's `outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Ok,
    Error,
    StreamBroken,
    Cancelled,
}

impl Outcome {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::StreamBroken => "stream_broken",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The end of a request, judged.
#[derive(Debug)]
pub(super) struct Verdict<'a> {
    pub(super) outcome: Outcome,
    /// What the caller saw.
    pub(super) status: Option<StatusCode>,
    /// Why it is not `ok`: a class when attempts decided it, else the code that the caller was told.
    pub(super) reason: Option<&'a str>,
    /// The code of a request that was refused here, before any provider was asked.
    pub(super) rejection: Option<&'a str>,
    pub(super) at: Instant,
}

/// One try at one target.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) target: Arc<Target>,
    pub(super) started: Instant,
    pub(super) first_token: Option<Instant>,
    /// Whether its answer is the caller's.
    pub(super) answered: bool,
    pub(super) status: Option<StatusCode>,
    pub(super) upstream_id: Option<Box<str>>,
    /// `Cancelled` while it runs: that is what it is when nobody ends it.
    pub(super) class: Class,
    pub(super) reason: Option<Cow<'static, str>>,
    /// Absent while it runs.
    pub(super) ended: Option<Instant>,
}

/// What is known of one request.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) id: RequestId,
    pub(super) arrival: Arrival,
    pub(super) trace: Option<TraceId>,
    pub(super) key: Option<Arc<Key>>,
    pub(super) route: Option<Arc<Route>>,
    pub(super) surface: Option<Surface>,
    pub(super) streamed: Option<bool>,
    pub(super) plan: Option<SmallVec<[Arc<Target>; 4]>>,
    pub(super) attempts: SmallVec<[Attempt; 2]>,
    pub(super) usage: Option<Usage>,
    /// Fields that the answering target was not told.
    pub(super) dropped: Vec<Cow<'static, str>>,
    pub(super) version: Option<Arc<str>>,
    /// In which way another request's answer was taken.
    pub(super) joined: Option<&'static str>,
}

impl Facts {
    pub(super) fn new(id: RequestId, arrival: Arrival) -> Self {
        Self {
            id,
            arrival,
            trace: None,
            key: None,
            route: None,
            surface: None,
            streamed: None,
            plan: None,
            attempts: SmallVec::new(),
            usage: None,
            dropped: Vec::new(),
            version: None,
            joined: None,
        }
    }

    pub(super) fn attempt(&mut self, target: &Arc<Target>, now: Instant) {
        self.end_attempt(Class::Cancelled, None, now);
        self.attempts.push(Attempt {
            target: Arc::clone(target),
            started: now,
            first_token: None,
            answered: false,
            status: None,
            upstream_id: None,
            class: Class::Cancelled,
            reason: None,
            ended: None,
        });
    }

    pub(super) fn first_token(&mut self, now: Instant) {
        if let Some(attempt) = self.running() {
            attempt.first_token.get_or_insert(now);
        }
    }

    pub(super) fn upstream_id(&mut self, id: &str) {
        if let Some(attempt) = self.running() {
            let end = id.floor_char_boundary(UPSTREAM_ID_LIMIT);
            attempt.upstream_id = Some(id[..end].into());
        }
    }

    pub(super) fn attempt_answered(&mut self, status: StatusCode) {
        if let Some(attempt) = self.running() {
            attempt.status = Some(status);
            attempt.answered = true;
        }
    }

    pub(super) fn attempt_failed(&mut self, failure: &Failure, now: Instant) {
        if let Some(attempt) = self.running() {
            attempt.answered = false;
        }
        self.fail(failure, now);
    }

    /// Ends what still runs, and judges the whole.
    pub(super) fn end<'a>(&mut self, end: End<'a>, at: Instant) -> Verdict<'a> {
        let (outcome, status, reason, rejection) = match end {
            End::Answered(status) => {
                self.end_attempt(Class::Ok, None, at);
                (Outcome::Ok, Some(status), None, None)
            }
            End::Failed(error) => {
                self.end_attempt(Class::Cancelled, None, at);
                let status = Some(error.wire().0);
                (
                    Outcome::Error,
                    status,
                    Some(reason(error)),
                    rejection(error),
                )
            }
            End::Broken(status, failure) => {
                self.fail(failure, at);
                let reason = Some(failure.class.name());
                (Outcome::StreamBroken, Some(status), reason, None)
            }
            End::Cancelled => {
                self.end_attempt(Class::Cancelled, None, at);
                let reason = Some(Class::Cancelled.name());
                (Outcome::Cancelled, None, reason, None)
            }
        };
        Verdict {
            outcome,
            status,
            reason,
            rejection,
            at,
        }
    }

    /// The attempt whose answer is the caller's.
    pub(super) fn answering(&self) -> Option<&Attempt> {
        self.attempts.iter().rfind(|attempt| attempt.answered)
    }

    /// The class of the last attempt that failed.
    pub(super) fn last_failure(&self) -> Option<Class> {
        self.attempts
            .iter()
            .rev()
            .find(|attempt| attempt.ended.is_some() && attempt.class != Class::Ok)
            .map(|attempt| attempt.class)
    }

    /// From the caller's side: since the request arrived.
    pub(super) fn first_token_after(&self) -> Option<Duration> {
        let first_token = self.answering()?.first_token?;
        Some(first_token.duration_since(self.arrival.instant))
    }

    fn running(&mut self) -> Option<&mut Attempt> {
        self.attempts
            .last_mut()
            .filter(|attempt| attempt.ended.is_none())
    }

    fn fail(&mut self, failure: &Failure, now: Instant) {
        if let Some(attempt) = self.running() {
            attempt.status = failure.status.or(attempt.status);
        }
        self.end_attempt(failure.class, Some(failure.reason.clone()), now);
    }

    fn end_attempt(&mut self, class: Class, reason: Option<Cow<'static, str>>, at: Instant) {
        if let Some(attempt) = self.running() {
            attempt.class = class;
            attempt.reason = reason;
            attempt.ended = Some(at);
        }
    }
}

/// A class when attempts decided it: a code may then be the provider's own text.
fn reason(error: &GatewayError) -> &str {
    match error {
        GatewayError::Unanswered(failure) => failure.class.name(),
        GatewayError::Invalid { .. }
        | GatewayError::Refused { .. }
        | GatewayError::MethodNotAllowed { .. }
        | GatewayError::InvalidToken
        | GatewayError::RouteNotAllowed { .. }
        | GatewayError::UnknownModel { .. }
        | GatewayError::NoEligibleTarget { .. }
        | GatewayError::DeadlineExceeded
        | GatewayError::StillRunning
        | GatewayError::ShuttingDown
        | GatewayError::Internal => error.wire().2,
    }
}

fn rejection(error: &GatewayError) -> Option<&str> {
    match error {
        GatewayError::Unanswered(_)
        | GatewayError::DeadlineExceeded
        | GatewayError::StillRunning
        | GatewayError::Internal => None,
        GatewayError::Invalid { .. }
        | GatewayError::Refused { .. }
        | GatewayError::MethodNotAllowed { .. }
        | GatewayError::InvalidToken
        | GatewayError::RouteNotAllowed { .. }
        | GatewayError::UnknownModel { .. }
        | GatewayError::NoEligibleTarget { .. }
        | GatewayError::ShuttingDown => Some(error.wire().2),
    }
}
