//! The health of every target as people are shown it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Health;
use super::vitals::{Account, Out, Vitals, Why, gate};
use crate::snapshot::Target;

/// How a target stands.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetReport {
    pub id: Arc<str>,
    /// Why it gets no requests, and until when.
    pub out: Option<Out>,
    pub breaker: BreakerState,
    /// The class of its last failure, and how long ago that was.
    pub last_failure: Option<(&'static str, Duration)>,
    pub in_flight: u64,
    pub first_token: Times,
    pub answer: Times,
    /// Between two tokens of a stream.
    pub pace: Times,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    Closed,
    HalfOpen,
    Open,
}

impl BreakerState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// How long something takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    pub expected: Option<Duration>,
    pub p95: Option<Duration>,
    /// Whether it has been taking much longer than usual.
    pub slow: bool,
}

impl Health {
    /// How `target` stands.
    pub fn report(&self, target: &Arc<Target>, now: Instant) -> TargetReport {
        let mut state = self.lock();
        let (vitals, account) = state.of(target, now);
        TargetReport {
            id: Arc::clone(&target.id),
            out: out(target, vitals, account, now),
            breaker: vitals.breaker.state(now),
            last_failure: vitals
                .last
                .map(|(class, at)| (class.name(), now.saturating_duration_since(at))),
            in_flight: vitals.in_flight,
            first_token: vitals.first_token.times(),
            answer: vitals.answer.times(),
            pace: vitals.pace.times(),
        }
    }
}

/// Why it gets no requests but, at most, the one that asks whether its key is still refused.
fn out(target: &Arc<Target>, vitals: &Vitals, account: &Account, now: Instant) -> Option<Out> {
    let out = gate(target, vitals, account, now).err();
    let marked = account.marked.as_ref().map(|marked| Out {
        why: Why::Auth,
        until: Some(marked.next),
    });
    match out {
        Some(Out {
            why: Why::Missing, ..
        }) => out,
        Some(_) | None => marked.or(out),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ask, health, target};
    use super::super::{Kind, Standing};
    use super::*;
    use crate::outcome::{Class, Failure};

    #[test]
    fn an_account_is_shown_as_marked_until_it_is_let_in_again() {
        let (health, target, start) = (health(), target(), Instant::now());
        let shown = |now| health.report(&target, now).out.map(|out| out.why);
        let ask = ask(Kind::Plain);
        let permit = health.admit(ask, &target, start).unwrap();
        permit.failed(&Failure::new(Class::Auth, ""), start);
        assert_eq!(shown(start), Some(Why::Auth));
        let due = start + Duration::from_secs(11);
        assert_eq!(health.standing(&target, due), Ok(Standing::Well));
        assert_eq!(shown(due), Some(Why::Auth), "a probe is due");
        let probe = health.admit(ask, &target, due).unwrap();
        assert_eq!(shown(due), Some(Why::Auth), "a probe is under way");
        probe.answered(crate::chat::Usage::default(), Duration::ZERO, due);
        assert_eq!(shown(due), None);
    }
}
