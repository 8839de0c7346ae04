//! What is known of one request while it runs, and how it ended.
//!
//! Pure: every instant is an argument. Nothing here writes, counts or logs.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::StatusCode;
use jiff::Timestamp;
use smallvec::SmallVec;

use super::content::Content;
use super::id::RequestId;
use super::spent::Part;
use crate::chat::{Surface, Usage};
use crate::error::GatewayError;
use crate::outcome::{Class, Failure};
use crate::snapshot::{Key, Residency, Route, Target};
use crate::trace::{SpanId, Trace};

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
    /// Where spans are told.
    pub(super) span: Option<SpanId>,
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

/// One attempt while it runs, and its place in the record. Clones are one.
#[derive(Debug, Clone)]
pub struct AttemptLog(Arc<Mutex<Attempt>>);

impl AttemptLog {
    fn new(target: &Arc<Target>, span: Option<SpanId>, now: Instant) -> Self {
        Self(Arc::new(Mutex::new(Attempt {
            target: Arc::clone(target),
            started: now,
            span,
            first_token: None,
            answered: false,
            status: None,
            upstream_id: None,
            class: Class::Cancelled,
            reason: None,
            ended: None,
        })))
    }

    /// The first meaningful event arrived; later calls change nothing.
    pub fn first_token(&self, now: Instant) {
        if let Some(attempt) = self.lock().running() {
            attempt.first_token.get_or_insert(now);
        }
    }

    /// The provider's own id of the attempt.
    pub fn upstream_id(&self, id: &str) {
        if let Some(attempt) = self.lock().running() {
            let end = id.floor_char_boundary(UPSTREAM_ID_LIMIT);
            attempt.upstream_id = Some(id[..end].into());
        }
    }

    /// Its answer will be the caller's. It runs on until the record is finished, which says how it ended.
    pub fn answered(&self, status: StatusCode) {
        if let Some(attempt) = self.lock().running() {
            attempt.status = Some(status);
            attempt.answered = true;
        }
    }

    pub fn failed(&self, failure: &Failure, now: Instant) {
        if let Some(attempt) = self.lock().running() {
            attempt.answered = false;
            attempt.fail(failure, now);
        }
    }

    /// Its answer broke off, when some of it had gone out.
    pub fn broke(&self, failure: &Failure, now: Instant) {
        if let Some(attempt) = self.lock().running() {
            attempt.fail(failure, now);
        }
    }

    /// It was given up: somebody else was faster.
    pub fn cancelled(&self, reason: &'static str, now: Instant) {
        if let Some(attempt) = self.lock().running() {
            attempt.end(Class::Cancelled, Some(reason.into()), now);
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Attempt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt {
    fn running(&mut self) -> Option<&mut Self> {
        self.ended.is_none().then_some(self)
    }

    fn fail(&mut self, failure: &Failure, now: Instant) {
        self.status = failure.status.or(self.status);
        self.end(failure.class, Some(failure.reason.clone()), now);
    }

    fn end(&mut self, class: Class, reason: Option<Cow<'static, str>>, at: Instant) {
        self.class = class;
        self.reason = reason;
        self.ended = Some(at);
    }
}

/// Personal data in a request: how often each class was found, never a value.
#[derive(Debug)]
pub(super) struct Privacy {
    pub(super) found: Vec<(Arc<str>, u64)>,
    pub(super) action: Option<&'static str>,
}

/// What is known of one request.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) id: RequestId,
    pub(super) arrival: Arrival,
    pub(super) trace: Option<Trace>,
    pub(super) key: Option<Arc<Key>>,
    pub(super) route: Option<Arc<Route>>,
    /// The rule of the route that it fell under.
    pub(super) rule: Option<Arc<str>>,
    pub(super) surface: Option<Surface>,
    pub(super) streamed: Option<bool>,
    pub(super) plan: Option<SmallVec<[Arc<Target>; 4]>>,
    pub(super) attempts: SmallVec<[AttemptLog; 2]>,
    /// Of the stream that runs, as the provider counted.
    pub(super) usage: Option<Usage>,
    /// About how many tokens of prompt and of answer there are, by our own count.
    pub(super) asked: Option<u64>,
    pub(super) said: u64,
    /// Streams that broke off and were gone on with elsewhere.
    pub(super) broken: Vec<Part>,
    /// What was found of personal data, where somebody looked, and what was done about it.
    pub(super) privacy: Option<Box<Privacy>>,
    /// Where it has to stay, if that is demanded.
    pub(super) residency: Option<Box<Residency>>,
    /// Where the route has its requests' content recorded.
    pub(super) content: Option<Box<Content>>,
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
            rule: None,
            surface: None,
            streamed: None,
            plan: None,
            attempts: SmallVec::new(),
            usage: None,
            asked: None,
            said: 0,
            broken: Vec::new(),
            privacy: None,
            residency: None,
            content: None,
            dropped: Vec::new(),
            version: None,
            joined: None,
        }
    }

    pub(super) fn attempt(&mut self, target: &Arc<Target>, now: Instant) -> AttemptLog {
        let span = self.trace.as_ref().and_then(Trace::child);
        let log = AttemptLog::new(target, span, now);
        self.attempts.push(log.clone());
        log
    }

    /// Ends what still runs, and judges the whole.
    pub(super) fn end<'a>(&mut self, end: End<'a>, at: Instant) -> Verdict<'a> {
        let (outcome, status, reason, rejection) = match end {
            End::Answered(status) => {
                self.end_attempts(Class::Ok, at);
                (Outcome::Ok, Some(status), None, None)
            }
            End::Failed(error) => {
                self.end_attempts(Class::Cancelled, at);
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
                self.end_attempts(Class::Cancelled, at);
                let reason = Some(failure.class.name());
                (Outcome::StreamBroken, Some(status), reason, None)
            }
            End::Cancelled => {
                self.end_attempts(Class::Cancelled, at);
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

    /// Whether a provider may have begun with what the request asks for.
    pub(super) fn began(&self) -> bool {
        let mut attempts = self.attempts.iter().map(AttemptLog::lock);
        attempts.any(|attempt| !attempt.class.never_began(attempt.status))
    }

    /// The target whose answer is the caller's, and when its first token came.
    pub(super) fn answering(&self) -> Option<(Arc<Target>, Option<Instant>)> {
        let mut attempts = self.attempts.iter().rev().map(AttemptLog::lock);
        let attempt = attempts.find(|attempt| attempt.answered)?;
        Some((Arc::clone(&attempt.target), attempt.first_token))
    }

    /// From the caller's side: since the request arrived.
    pub(super) fn first_token_after(&self) -> Option<Duration> {
        let first_token = self.answering()?.1?;
        Some(first_token.duration_since(self.arrival.instant))
    }

    /// The class of the last attempt that failed.
    pub(super) fn last_failure(&self) -> Option<Class> {
        let mut attempts = self.attempts.iter().rev().map(AttemptLog::lock);
        attempts
            .find(|attempt| attempt.ended.is_some() && attempt.class != Class::Ok)
            .map(|attempt| attempt.class)
    }

    /// Ends those that still run: the one that answered with `class`, the others as given up.
    fn end_attempts(&mut self, class: Class, at: Instant) {
        for log in &self.attempts {
            let mut attempt = log.lock();
            let class = if attempt.answered {
                class
            } else {
                Class::Cancelled
            };
            if let Some(attempt) = attempt.running() {
                attempt.end(class, None, at);
            }
        }
    }

    /// The answer that is the caller's broke off.
    fn fail(&mut self, failure: &Failure, at: Instant) {
        for log in &self.attempts {
            let mut attempt = log.lock();
            if attempt.answered
                && let Some(attempt) = attempt.running()
            {
                attempt.fail(failure, at);
            }
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
        | GatewayError::Overloaded
        | GatewayError::AuditUnavailable
        | GatewayError::Limited(_)
        | GatewayError::PiiUnavailable
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
        | GatewayError::Overloaded
        | GatewayError::AuditUnavailable
        | GatewayError::Limited(_)
        | GatewayError::PiiUnavailable
        | GatewayError::ShuttingDown => Some(error.wire().2),
    }
}
