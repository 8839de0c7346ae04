//! One record in the making.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;

use super::content::Content;
use super::ending::Ending;
use super::facts::{Arrival, AttemptLog, End, Facts, Privacy};
use super::id::RequestId;
use super::receipt::{Owed, Receipt};
use super::running::Ticket;
use super::{Records, used};
use crate::chat::{Surface, Usage};
use crate::error::GatewayError;
use crate::limit::{Hold, Shown};
use crate::outcome::Class;
use crate::privacy::Said;
use crate::snapshot::{Key, Residency, Route, Target};
use crate::telemetry::metrics::InFlight;
use crate::trace::{Mark, Trace};

/// The record of one request, being made. It moves with the request: from the door to the last
/// byte of the answer's body.
#[derive(Debug)]
#[must_use = "dropped unfinished, it records that the caller went away"]
pub struct Recorder {
    facts: Facts,
    in_flight: Option<InFlight>,
    /// Its place among the requests that run.
    ticket: Option<Ticket>,
    /// Told how the request ended, where others share its answer.
    ending: Option<Arc<Ending>>,
    /// Told when the record is written, where the answer waits for that.
    owed: Option<Owed>,
    records: Records,
    finished: bool,
    /// What it has taken of the limits.
    hold: Option<Box<Hold>>,
    shown: Shown,
}

impl Recorder {
    pub(super) fn new(records: Records, arrival: Arrival) -> Self {
        Self {
            facts: Facts::new(RequestId::at(arrival.time), arrival),
            in_flight: None,
            ticket: None,
            ending: None,
            owed: None,
            records,
            finished: false,
            hold: None,
            shown: Shown::default(),
        }
    }

    /// The request's id, also its `x-request-id`.
    pub fn id(&self) -> &str {
        self.facts.id.as_str()
    }

    /// What the answer is to be held back for, if answers are.
    pub fn receipt(&mut self) -> Option<Receipt> {
        let (owed, receipt) = self.records.shared.audit.receipt()?;
        self.owed = Some(owed);
        Some(receipt)
    }

    pub fn surface(&mut self, surface: Surface) {
        self.facts.surface = Some(surface);
    }

    /// Whether the caller asked for a stream.
    pub fn streamed(&mut self, streamed: bool) {
        self.facts.streamed = Some(streamed);
    }

    /// The trace that the request is part of, by the caller's `headers`; where spans are told, else a new one.
    pub fn trace(&mut self, headers: &HeaderMap) {
        let caller = Trace::of_caller(headers);
        self.facts.trace = match &self.records.shared.tracer {
            Some(tracer) => Some(tracer.begin(caller)),
            None => caller,
        };
    }

    /// What an attempt is to tell its provider of the trace, in the place of what the caller does. `None` where
    /// no spans are told.
    pub fn mark(&self, attempt: &AttemptLog) -> Option<Mark> {
        Some(self.facts.trace?.mark(attempt.lock().span?))
    }

    pub fn caller(&mut self, key: &Arc<Key>) {
        self.facts.key = Some(Arc::clone(key));
    }

    /// The request counts as in flight on this route from here on.
    pub fn route(&mut self, route: &Arc<Route>) {
        self.in_flight = Some(self.records.shared.metrics.in_flight(&route.name));
        self.facts.route = Some(Arc::clone(route));
        // The one before goes first, if there is one: a request is seen once.
        self.ticket = None;
        self.ticket = Some(self.records.shared.running.begin(&self.facts));
    }

    /// The rule of its route that the request falls under.
    pub fn rule(&mut self, name: &Arc<str>) {
        self.facts.rule = Some(Arc::clone(name));
    }

    /// The configuration that serves the request.
    pub fn version(&mut self, version: &Arc<str>) {
        self.facts.version = Some(Arc::clone(version));
    }

    /// The targets in the order in which they are to be tried.
    pub fn plan(&mut self, targets: &[Arc<Target>]) {
        self.facts.plan = Some(targets.iter().cloned().collect());
    }

    /// A try at `target` begins, now.
    pub fn attempt(&mut self, target: &Arc<Target>) -> AttemptLog {
        self.attempt_since(target, Instant::now())
    }

    /// A try at `target` has begun, when it was given leave to go.
    pub fn attempt_since(&mut self, target: &Arc<Target>, began: Instant) -> AttemptLog {
        let attempt = self.facts.attempt(target, began);
        if let Some(ticket) = &self.ticket {
            ticket.attempt(&attempt);
        }
        attempt
    }

    /// What the provider counted; the last word holds. A usage that says nothing is none.
    pub fn usage(&mut self, usage: Usage) {
        let usage = usage.believed();
        if usage.is_known() {
            self.facts.usage = Some(usage);
        }
    }

    /// About how many tokens the prompt has, for where the provider does not say.
    pub fn asked(&mut self, tokens: u64) {
        self.facts.asked = Some(tokens);
    }

    /// About how many tokens the answer has, as far as it came.
    pub fn said(&mut self, tokens: u64) {
        self.facts.said = tokens;
    }

    /// What was used until now was used at `target`, whose stream broke off; what follows is another's.
    pub fn goes_on(&mut self, target: &Arc<Target>) {
        self.facts.go_on(target);
    }

    /// The fields of the request that the target is not told which is to answer.
    pub fn dropped(&mut self, fields: &[Cow<'static, str>]) {
        self.facts.dropped.clear();
        self.facts.dropped.extend_from_slice(fields);
    }

    /// What was found of personal data, by class, and what was done about it.
    pub fn privacy(&mut self, found: Vec<(Arc<str>, u64)>, action: Option<&'static str>) {
        self.facts.privacy = Some(Box::new(Privacy { found, action }));
    }

    /// Where the request has to stay.
    pub fn residency(&mut self, demanded: &Residency) {
        let demanded = demanded.places().next().map(|_| demanded.clone());
        self.facts.residency = demanded.map(Box::new);
    }

    /// What is looked into of the exchange is to be in the record.
    pub fn content(&mut self, content: Content) {
        self.facts.content = Some(Box::new(content));
    }

    pub fn has_content(&self) -> bool {
        self.facts.content.is_some()
    }

    /// Returns once it is known what the record may hold of the request, where it is to hold it. Cancel-safe.
    pub async fn transcribed(&mut self) {
        if let Some(content) = &mut self.facts.content {
            // Boxed: most requests have none to wait for.
            Box::pin(content.transcribed()).await;
        }
    }

    /// What the answer says so far; the last word holds.
    pub fn answered(&mut self, said: &Said, is_whole: bool) {
        if let Some(content) = &mut self.facts.content {
            content.answered(said, is_whole);
        }
    }

    /// The answer is that of another request, joined in this way.
    pub fn joined(&mut self, kind: &'static str) {
        self.facts.joined = Some(kind);
    }

    /// Whoever holds `ending` learns how the request ended, and may say that its caller has left.
    pub fn shared(&mut self, ending: Arc<Ending>) {
        self.ending = Some(ending);
    }

    /// When the request arrived, in seconds since 1970.
    pub fn arrived(&self) -> u64 {
        u64::try_from(self.facts.arrival.time.as_second()).unwrap_or_default()
    }

    /// What the answering target was not told.
    pub fn was_dropped(&self) -> &[Cow<'static, str>] {
        &self.facts.dropped
    }

    pub fn attempts(&self) -> usize {
        self.facts.attempts.len()
    }

    /// The class of the last attempt that failed: why there was another one.
    pub fn reason(&self) -> Option<&'static str> {
        self.facts.last_failure().map(Class::name)
    }

    /// The target whose answer is the caller's.
    pub fn target(&self) -> Option<Arc<Target>> {
        Some(self.facts.answering()?.0)
    }

    /// What the request has taken of the limits: put right when it is over.
    pub fn hold(&mut self, hold: Hold) {
        self.hold = Some(Box::new(hold));
    }

    /// What its caller may know of them.
    pub fn limits(&mut self, shown: Shown) {
        self.shown = shown;
    }

    pub fn shown(&self) -> Shown {
        self.shown
    }

    fn settle(&mut self) {
        if let Some(hold) = self.hold.take() {
            hold.settle(used::used(&self.facts));
        }
    }

    /// The request is over.
    pub fn finish(mut self, end: End<'_>) {
        self.finished = true;
        self.settle();
        let ending = self.ending.as_deref();
        self.records
            .write(&mut self.facts, end, ending, self.owed.take());
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if !self.finished {
            self.settle();
            let ending = self.ending.as_deref();
            // Who is told of a fault of ours has not left.
            let end = if std::thread::panicking() {
                End::Failed(&GatewayError::Internal)
            } else {
                End::Cancelled
            };
            self.records
                .write(&mut self.facts, end, ending, self.owed.take());
        }
    }
}
