//! What the caller is told when no target has answered.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::chat::Unsupported;
use crate::error::GatewayError;
use crate::health::{Out, Why};
use crate::outcome::{Class, Failure};

/// Where a limit is over that a request has waited for, and its time, too: the next may go through.
const SOON: Duration = Duration::from_secs(1);

/// What became of the targets of one request.
#[derive(Debug, Default)]
pub(super) struct Tale {
    /// Of attempts, in order.
    failures: Vec<Failure>,
    /// Of targets that were not tried.
    outs: Vec<Out>,
    /// When each target that is at a rate limit takes requests again, as it said last.
    limits: Vec<(Arc<str>, Option<Instant>)>,
    /// Why the first target that was passed over could not be asked.
    pub(super) skipped: Option<Unsupported>,
    /// A target was not where the request may go.
    pub(super) kept_in: bool,
}

impl Tale {
    pub(super) fn failed(&mut self, failure: Failure, target: &Arc<str>, now: Instant) {
        if failure.class == Class::RateLimited {
            self.limited(target, failure.wait.map(|wait| now + wait));
        }
        self.failures.push(failure);
    }

    pub(super) fn out(&mut self, out: Out, target: &Arc<str>) {
        if out.why == Why::RateLimited {
            self.limited(target, out.until);
        }
        self.outs.push(out);
    }

    fn limited(&mut self, target: &Arc<str>, until: Option<Instant>) {
        self.limits.retain(|(before, _)| before != target);
        self.limits.push((Arc::clone(target), until));
    }

    /// Where everybody is at a rate limit, the least wait; else the last failure that says more than
    /// that; else why nobody was tried.
    pub(super) fn verdict(mut self, now: Instant) -> GatewayError {
        if let Some(refused) = self.outs.iter().find(|out| out.why == Why::Auth)
            && self.failures.is_empty()
        {
            return GatewayError::Unanswered(as_failure(*refused, now));
        }
        if self.is_limited() {
            return GatewayError::Unanswered(Failure {
                wait: self.least_wait(now),
                ..Failure::new(Class::RateLimited, "every target is at its rate limit")
            });
        }
        let limited = |failure: &Failure| failure.class == Class::RateLimited;
        self.failures.retain(|failure| !limited(failure));
        if let Some(last) = self.failures.pop() {
            return GatewayError::Unanswered(last);
        }
        if let (true, Some(why)) = (self.outs.is_empty(), self.skipped) {
            return why.into();
        }
        if self.outs.is_empty() && self.kept_in {
            return GatewayError::NoEligibleTarget {
                why: "none is where it must stay".into(),
                wait: None,
            };
        }
        untried(&self.outs, now)
    }

    /// Whether rate limits are all that stands in the way, of some attempts or all targets.
    fn is_limited(&self) -> bool {
        let mut failures = self.failures.iter();
        let others = failures.any(|failure| failure.class != Class::RateLimited)
            || self.outs.iter().any(|out| out.why != Why::RateLimited);
        !others && !self.limits.is_empty()
    }

    /// `None` where no limit has named a time.
    fn least_wait(&self, now: Instant) -> Option<Duration> {
        let waits = self.limits.iter().filter_map(|(_, until)| *until);
        let wait = waits.min()?.saturating_duration_since(now);
        Some(if wait.is_zero() { SOON } else { wait })
    }
}

/// Nothing was tried. An open breaker says that the target may be back; the others, what is amiss.
fn untried(outs: &[Out], now: Instant) -> GatewayError {
    let until = outs.iter().filter_map(|out| out.until).min();
    let open = outs.iter().filter(|out| out.why == Why::Breaker).count();
    match outs.iter().find(|out| out.why != Why::RateLimited) {
        None => GatewayError::DeadlineExceeded,
        Some(_) if open > 0 => GatewayError::NoEligibleTarget {
            why: "every target has failed of late and is left alone for a while".into(),
            wait: until.map(|until| until.saturating_duration_since(now)),
        },
        Some(out) => GatewayError::Unanswered(as_failure(*out, now)),
    }
}

/// A target that is out, as the failure that put it there.
fn as_failure(out: Out, now: Instant) -> Failure {
    let (class, reason) = match out.why {
        Why::Breaker => (Class::Overloaded, "the target's circuit breaker is open"),
        Why::RateLimited => (Class::RateLimited, "the target is at its rate limit"),
        Why::Quota => (Class::QuotaExhausted, "the account is exhausted"),
        Why::Auth => (Class::Auth, "the provider refuses the account's key"),
        Why::Missing => (Class::TargetMissing, "the provider does not know the model"),
    };
    let wait = out.until.map(|until| until.saturating_duration_since(now));
    Failure {
        wait,
        ..Failure::new(class, reason)
    }
}
