//! All that is known of one target, and of the account that it belongs to.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Ask;
use super::breaker::{Breaker, Gate, Probe};
use super::budget::RetryBudget;
use super::hints::Heard;
use super::latency::{Slowness, Track};
use super::ledger::Ledger;
use super::load::{Announced, Load};
use super::policy::Policy;
use crate::outcome::{Class, Failure};
use crate::snapshot::Target;

/// An empty account is looked at again after so long: a person must act before.
const QUOTA: Duration = Duration::from_mins(10);
/// A marked account is asked by one request in so long, in case it has been let in again.
const MARKED: Duration = Duration::from_secs(10);
/// A target that was left for its slowness is measured by one request in so long.
const MEASURED: Duration = Duration::from_secs(5);

/// So many tokens of a stream decide how quick it feels: two or three sentences.
const FELT: u32 = 100;

/// So many requests in a hurry may go without an answer before the target is to blame: callers who
/// always leave early cannot close it to others, and it cannot be dead for them unnoticed.
const EXCUSED: u32 = 8;

/// Why a target is not to be tried now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Its circuit breaker is open.
    Breaker,
    /// It said when it takes requests again.
    RateLimited,
    /// Its account is empty.
    Quota,
    /// Its account's key is refused.
    Auth,
    /// Its provider does not know the model.
    Missing,
}

impl Why {
    pub fn name(self) -> &'static str {
        match self {
            Self::Breaker => "breaker_open",
            Self::RateLimited => Class::RateLimited.name(),
            Self::Quota => Class::QuotaExhausted.name(),
            Self::Auth => Class::Auth.name(),
            Self::Missing => Class::TargetMissing.name(),
        }
    }
}

/// A target that is not to be tried now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Out {
    pub why: Why,
    /// `None` where only a change of the configuration ends it.
    pub until: Option<Instant>,
}

/// What a request that may go to a target is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    Ordinary,
    Probe(Probe),
}

/// What is known of a target.
#[derive(Debug)]
pub(super) struct Vitals {
    pub(super) breaker: Breaker,
    pub(super) limited: Option<Instant>,
    /// How much of that another process said.
    pub(super) heard: Heard,
    /// The configured target that its provider did not know; another one is another chance.
    pub(super) missing: Option<Arc<Target>>,
    /// Of streamed answers.
    pub(super) first_token: Track,
    /// Of plain answers, whole.
    pub(super) answer: Track,
    /// Of a stream's tokens behind the first one, each.
    pub(super) pace: Track,
    pub(super) retries: RetryBudget,
    /// What hedges have cost that began with its silence.
    pub(super) ledger: Ledger,
    pub(super) in_flight: u64,
    pub(super) announced: Announced,
    /// Requests in a hurry that it was too slow for, since it last answered one.
    pub(super) excused: u32,
    /// When it was last tried in spite of its slowness.
    pub(super) measured: Option<Instant>,
    /// The last failure: its class and when.
    pub(super) last: Option<(Class, Instant)>,
}

/// What is known of an account: of a provider, in the configuration's words.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) load: Load,
    pub(super) empty: Option<Empty>,
    /// How much of that another process said.
    pub(super) heard: Heard,
    pub(super) marked: Option<Marked>,
}

/// An account that has nothing left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Empty {
    pub(super) since: Instant,
    pub(super) until: Instant,
}

/// An account whose key was refused.
#[derive(Debug)]
pub(super) struct Marked {
    pub(super) since: Instant,
    /// When the next request may ask whether it still is.
    pub(super) next: Instant,
}

impl Account {
    /// A request that began then was let in. What was on its way when the key was refused proves nothing.
    pub(super) fn let_in(&mut self, began: Instant) {
        self.marked.take_if(|marked| began >= marked.since);
    }

    /// A request that began then was served.
    pub(super) fn served(&mut self, began: Instant) {
        self.let_in(began);
        self.empty.take_if(|empty| began >= empty.since);
    }
}

impl Marked {
    /// A request goes, and will tell.
    pub(super) fn asked(&mut self, now: Instant) {
        self.next = now + MARKED;
    }
}

/// Which of a target's times a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What counts is the first token.
    Streamed,
    /// What counts is the end.
    Plain,
}

impl Vitals {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            breaker: Breaker::default(),
            limited: None,
            heard: Heard::default(),
            missing: None,
            first_token: Track::new(now),
            answer: Track::new(now),
            pace: Track::new(now),
            retries: RetryBudget::new(now),
            ledger: Ledger::new(now),
            in_flight: 0,
            announced: Announced::default(),
            excused: 0,
            measured: None,
            last: None,
        }
    }

    pub(super) fn track(&self, kind: Kind) -> &Track {
        match kind {
            Kind::Streamed => &self.first_token,
            Kind::Plain => &self.answer,
        }
    }

    /// Whether one request may measure it, though it is slow. If so, this is the one.
    pub(super) fn measure(&mut self, now: Instant) -> bool {
        let due = self
            .measured
            .is_none_or(|last| now.saturating_duration_since(last) >= MEASURED);
        if due {
            self.measured = Some(now);
        }
        due
    }

    /// Whether a request in a hurry, after so long in vain, is no failure of the target. If so, that is
    /// one more that it is excused for.
    pub(super) fn excuse(&mut self, kind: Kind, took: Duration) -> bool {
        let track = self.track(kind);
        let usual = track.p95().or_else(|| track.expected());
        let excused = self.excused < EXCUSED && usual.is_some_and(|usual| took < usual);
        if excused {
            self.excused += 1;
        }
        excused
    }

    /// What keeps silent for longer is slow; `None` without a history.
    pub(super) fn silence(&self, ask: &Ask) -> Option<Duration> {
        self.track(ask.kind).slow_from(slowness(&ask.policy))
    }

    pub(super) fn sample(&mut self, kind: Kind, took: Duration, now: Instant, policy: &Policy) {
        let slowness = slowness(policy);
        match kind {
            Kind::Streamed => self.first_token.sample(took, now, slowness),
            Kind::Plain => self.answer.sample(took, now, slowness),
        }
    }

    pub(super) fn sample_pace(&mut self, each: Duration, now: Instant, policy: &Policy) {
        let of_many = slowness(policy);
        let of_one = Slowness {
            floor: of_many.floor / FELT,
            ..of_many
        };
        self.pace.sample(each, now, of_one);
    }

    pub(super) fn is_slow(&self, kind: Kind) -> bool {
        match kind {
            Kind::Streamed => self.first_token.is_slow() || self.pace.is_slow(),
            Kind::Plain => self.answer.is_slow(),
        }
    }

    /// What an answer is expected to take as its reader feels it.
    pub(super) fn felt(&self, kind: Kind) -> Option<Duration> {
        let begins = self.track(kind).expected()?;
        match kind {
            Kind::Streamed => Some(begins + self.pace.expected().unwrap_or_default() * FELT),
            Kind::Plain => Some(begins),
        }
    }
}

fn slowness(policy: &Policy) -> Slowness {
    Slowness {
        factor: policy.slow_factor,
        floor: policy.slow_floor,
    }
}

/// Whether a request may go to `target` now.
pub(super) fn gate(
    target: &Arc<Target>,
    vitals: &Vitals,
    account: &Account,
    now: Instant,
) -> Result<Pass, Out> {
    let out = |why, until| Err(Out { why, until });
    if vitals
        .missing
        .as_ref()
        .is_some_and(|missing| Arc::ptr_eq(missing, target))
    {
        return out(Why::Missing, None);
    }
    if let Some(marked) = &account.marked
        && now < marked.next
    {
        return out(Why::Auth, Some(marked.next));
    }
    if let Some(empty) = account.empty.filter(|empty| now < empty.until) {
        return out(Why::Quota, Some(empty.until));
    }
    if let Some(until) = vitals.limited.filter(|until| now < *until) {
        return out(Why::RateLimited, Some(until));
    }
    match vitals.breaker.gate(now) {
        Gate::Closed => Ok(Pass::Ordinary),
        Gate::Probe => Ok(Pass::Probe(Probe::HalfOpen)),
        Gate::Open { until } => out(Why::Breaker, Some(until)),
    }
}

/// What a failure other than the breaker's says about the target and its account.
pub(super) fn learn(
    failure: &Failure,
    target: &Arc<Target>,
    vitals: &mut Vitals,
    account: &mut Account,
    now: Instant,
) {
    match failure.class {
        // One that names no time is over, for all we know.
        Class::RateLimited => {
            let until = failure.wait.map(|wait| now + wait);
            vitals.limited = vitals.limited.max(until);
        }
        Class::QuotaExhausted => {
            account.empty = Some(Empty {
                since: now,
                until: now + failure.wait.unwrap_or(QUOTA),
            });
        }
        Class::Auth => {
            account.marked = Some(Marked {
                since: now,
                next: now + MARKED,
            });
        }
        Class::TargetMissing => vitals.missing = Some(Arc::clone(target)),
        Class::Ok
        | Class::Connect
        | Class::Timeout
        | Class::Reset
        | Class::Overloaded
        | Class::ServerError
        | Class::Broken
        | Class::InvalidRequest
        | Class::ContextLength
        | Class::Policy
        | Class::Cancelled => {}
    }
}

/// Whether a failure of this class is the target's, and counts against it.
pub(super) fn is_of_the_target(class: Class) -> bool {
    match class {
        Class::Connect
        | Class::Timeout
        | Class::Reset
        | Class::Overloaded
        | Class::ServerError
        | Class::Broken => true,
        Class::Ok
        | Class::RateLimited
        | Class::QuotaExhausted
        | Class::Auth
        | Class::InvalidRequest
        | Class::TargetMissing
        | Class::ContextLength
        | Class::Policy
        | Class::Cancelled => false,
    }
}

/// Whether a failure of this class leaves no doubt that the provider has generated nothing.
pub(super) fn is_refused(class: Class) -> bool {
    match class {
        Class::Connect
        | Class::RateLimited
        | Class::QuotaExhausted
        | Class::Overloaded
        | Class::Auth
        | Class::InvalidRequest
        | Class::TargetMissing
        | Class::ContextLength => true,
        Class::Ok
        | Class::Timeout
        | Class::Reset
        | Class::ServerError
        | Class::Broken
        | Class::Policy
        | Class::Cancelled => false,
    }
}
