//! The health of every target as people are shown it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Health;
use super::vitals::{Out, gate};
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
            out: gate(target, vitals, account, now).err(),
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
