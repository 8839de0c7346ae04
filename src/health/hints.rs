//! What other processes have found out of a target, and what this one has.

use std::sync::Arc;

use tokio::time::Instant;

use super::Health;
use super::vitals::Empty;
use crate::snapshot::Target;

/// What one process can tell another of a target. That a key is refused is not among it: each has its
/// own copy, and may have a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// Its circuit breaker is open.
    Breaker,
    /// It said when it takes requests again.
    RateLimited,
    /// Its account is empty.
    Quota,
}

/// What was taken over, so that it is not told on as this process's own.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) until: Option<Instant>,
}

impl Hint {
    pub const ALL: [Self; 3] = [Self::Breaker, Self::RateLimited, Self::Quota];

    pub fn name(self) -> &'static str {
        match self {
            Self::Breaker => "breaker",
            Self::RateLimited => "rate_limited",
            Self::Quota => "quota_exhausted",
        }
    }
}

impl Heard {
    /// Of what holds until then, if it is more than was heard.
    fn beyond(&self, until: Option<Instant>) -> Option<Instant> {
        until.filter(|until| self.until.is_none_or(|heard| *until > heard))
    }
}

impl Health {
    /// Until when `target` is left for what this process has found out itself.
    pub fn found_out(&self, target: &Arc<Target>, hint: Hint, now: Instant) -> Option<Instant> {
        let mut state = self.lock();
        let (vitals, account) = state.of(target, now);
        let until = match hint {
            Hint::Breaker => vitals.breaker.found_out(),
            Hint::RateLimited => vitals.heard.beyond(vitals.limited),
            Hint::Quota => account.heard.beyond(account.empty.map(|empty| empty.until)),
        };
        until.filter(|until| now < *until)
    }

    /// Takes over what another process has found out: `target` is left until then. What is known here
    /// already stays as it is.
    pub fn heed(&self, target: &Arc<Target>, hint: Hint, until: Instant, now: Instant) {
        let mut state = self.lock();
        let (vitals, account) = state.of(target, now);
        match hint {
            Hint::Breaker => vitals.breaker.heed(now, until),
            Hint::RateLimited if vitals.limited.is_none_or(|known| known < until) => {
                vitals.limited = Some(until);
                vitals.heard.until = Some(until);
            }
            Hint::Quota if account.empty.is_none_or(|known| known.until < until) => {
                account.empty = Some(Empty { since: now, until });
                account.heard.until = Some(until);
            }
            Hint::RateLimited | Hint::Quota => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{ask, target};
    use super::super::{Kind, Standing, Why};
    use super::*;
    use crate::outcome::{Class, Failure};

    #[test]
    fn what_was_heard_is_kept_to_and_what_was_found_out_is_told() {
        for (hint, why, class) in [
            (Hint::RateLimited, Why::RateLimited, Class::RateLimited),
            (Hint::Quota, Why::Quota, Class::QuotaExhausted),
            (Hint::Breaker, Why::Breaker, Class::ServerError),
        ] {
            let start = Instant::now();
            let seconds = |seconds| start + Duration::from_secs(seconds);
            let target = target();
            let fail = |health: &Health, now, times| {
                for _ in 0..times {
                    let permit = health.admit(ask(Kind::Plain), &target, now).unwrap();
                    let wait = Some(Duration::from_secs(30));
                    let failure = Failure {
                        wait,
                        ..Failure::new(class, "")
                    };
                    permit.failed(&failure, now);
                }
            };
            // Heard: kept to until its end, and not passed on.
            let health = Health::new(fastrand::Rng::with_seed(1));
            health.heed(&target, hint, seconds(10), start);
            let out = health.standing(&target, seconds(9)).unwrap_err();
            assert_eq!((out.why, out.until), (why, Some(seconds(10))));
            assert_eq!(health.found_out(&target, hint, start), None);
            let back = health.standing(&target, seconds(10)).unwrap();
            assert_eq!(back == Standing::HalfOpen, hint == Hint::Breaker);
            // Found out behind that: told, and no hint shortens it.
            fail(&health, seconds(10), 1);
            let until = health.found_out(&target, hint, seconds(11)).unwrap();
            health.heed(&target, hint, seconds(12), seconds(11));
            assert_eq!(health.found_out(&target, hint, seconds(11)), Some(until));
            assert!(until > seconds(13));
            assert_eq!(health.found_out(&target, hint, until), None, "it is over");
            for other in Hint::ALL.into_iter().filter(|other| *other != hint) {
                assert_eq!(health.found_out(&target, other, seconds(11)), None);
            }
        }
    }
}
