//! The next attempt, given the failures so far.
//!
//! A *retry* is the same target again, a *fallback* the next target: two rules, one deadline over
//! both. The schedule decides and never waits; the loop in [`crate::upstream`] waits and never decides.

use std::sync::Arc;

use smallvec::SmallVec;
use tokio::time::Instant;

use super::{Deadline, Plan};
use crate::chat::Unsupported;
use crate::error::GatewayError;
use crate::outcome::{Class, Failure};
use crate::snapshot::Target;

/// One attempt to be made.
#[derive(Debug)]
pub struct Step {
    pub target: Arc<Target>,
    /// Not before this.
    pub start: Instant,
    /// Without its first meaningful event, or its whole answer, by then it has timed out.
    pub end: Instant,
    /// Who takes over if it fails.
    pub backup: Option<Arc<Target>>,
}

/// The attempts of one request.
#[derive(Debug)]
pub struct Schedule {
    targets: Vec<Arc<Target>>,
    deadline: Deadline,
    attempts_left: u32,
    /// The target to try next; past the end when there is none.
    at: usize,
    /// Whether that target was tried before.
    retried: bool,
    not_before: Option<Instant>,
    failures: SmallVec<[Failure; 2]>,
    /// Whether the request may reach a provider once only.
    once: bool,
    /// Why the first target that was passed over could not be asked.
    skipped: Option<Unsupported>,
}

impl Schedule {
    /// With `once`, another attempt follows only where the one before provably did not begin.
    pub fn new(plan: &Plan, deadline: Deadline, max_attempts: u32, once: bool) -> Self {
        Self {
            targets: plan.targets.clone(),
            deadline,
            attempts_left: max_attempts,
            at: 0,
            retried: false,
            not_before: None,
            failures: SmallVec::new(),
            once,
            skipped: None,
        }
    }

    /// The target of the last step cannot be told what is asked for: nothing was sent, and the next
    /// one takes its place.
    pub fn skip(&mut self, why: Unsupported) {
        self.attempts_left += 1;
        self.retried = false;
        self.at += 1;
        self.skipped.get_or_insert(why);
    }

    /// The next attempt; `None` when all that is allowed has been tried.
    pub fn next(&mut self, now: Instant) -> Option<Step> {
        let target = self.targets.get(self.at)?;
        let start = self
            .not_before
            .take()
            .map_or(now, |instant| instant.max(now));
        if self.attempts_left == 0 || start >= self.deadline.at {
            return None;
        }
        self.attempts_left -= 1;
        let backup = self.backup();
        Some(Step {
            target: Arc::clone(target),
            start,
            end: self.deadline.attempt_end(start, backup.is_some()),
            backup: backup.cloned(),
        })
    }

    /// The running attempt failed. `new_secret` says that its provider's key has changed since.
    pub fn failed(&mut self, failure: Failure, new_secret: bool, now: Instant) {
        let remedy = self.remedy(&failure, new_secret, now);
        let class = failure.class;
        self.failures.push(failure);
        match remedy {
            Remedy::RetryHere { not_before } => {
                self.retried = true;
                self.not_before = not_before;
            }
            Remedy::NextTarget => {
                let failed = Arc::clone(&self.targets[self.at]);
                self.retried = false;
                self.at += 1;
                while self
                    .targets
                    .get(self.at)
                    .is_some_and(|next| !suits(next, class, &failed))
                {
                    self.at += 1;
                }
            }
            Remedy::GiveUp => self.at = self.targets.len(),
        }
    }

    /// What the caller is told: where everybody is at a rate limit, the least wait; else the last
    /// failure that says more than that.
    pub fn verdict(mut self) -> GatewayError {
        let limited = |failure: &Failure| failure.class == Class::RateLimited;
        if !self.failures.is_empty() && self.failures.iter().all(limited) {
            let wait = self
                .failures
                .iter()
                .filter_map(|failure| failure.wait)
                .min();
            return self
                .failures
                .pop()
                .map_or(GatewayError::DeadlineExceeded, |last| {
                    GatewayError::Unanswered(Failure { wait, ..last })
                });
        }
        if let (true, Some(why)) = (self.failures.is_empty(), self.skipped) {
            return why.into();
        }
        self.failures.retain(|failure| !limited(failure));
        self.failures
            .pop()
            .map_or(GatewayError::DeadlineExceeded, GatewayError::Unanswered)
    }

    fn backup(&self) -> Option<&Arc<Target>> {
        self.targets
            .get(self.at + 1)
            .filter(|_| self.attempts_left > 0)
    }

    fn remedy(&self, failure: &Failure, new_secret: bool, now: Instant) -> Remedy {
        let once = |allowed: bool| {
            if allowed && !self.retried {
                Remedy::RetryHere { not_before: None }
            } else {
                Remedy::NextTarget
            }
        };
        if self.once && !never_began(failure) {
            return Remedy::GiveUp;
        }
        match failure.class {
            Class::Connect | Class::Reset => once(true),
            Class::Timeout => once(self.deadline.fits_two(self.backup().is_some())),
            Class::RateLimited => match failure.wait {
                // Elsewhere is cheaper than waiting; with nowhere to go, waiting is all there is.
                Some(wait) if self.backup().is_none() && now + wait < self.deadline.at => {
                    Remedy::RetryHere {
                        not_before: Some(now + wait),
                    }
                }
                _ => Remedy::NextTarget,
            },
            Class::QuotaExhausted
            | Class::Overloaded
            | Class::ServerError
            | Class::Broken
            | Class::TargetMissing
            | Class::ContextLength => Remedy::NextTarget,
            // A refused key never sends the request to somebody else's account.
            Class::Auth if new_secret && !self.retried => Remedy::RetryHere { not_before: None },
            Class::Auth | Class::InvalidRequest | Class::Policy | Class::Cancelled | Class::Ok => {
                Remedy::GiveUp
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Remedy {
    RetryHere { not_before: Option<Instant> },
    NextTarget,
    GiveUp,
}

/// Whether the provider cannot have begun with what it was asked to do.
fn never_began(failure: &Failure) -> bool {
    let refused = failure
        .status
        .is_some_and(|status| matches!(status.as_u16(), 429 | 503 | 529));
    failure.class == Class::Connect
        || refused && matches!(failure.class, Class::RateLimited | Class::Overloaded)
}

/// Whether `next` may do better than `failed`, which ended so.
fn suits(next: &Target, class: Class, failed: &Target) -> bool {
    match class {
        // A context that nobody declared is not known to be larger, nor known to be exceeded.
        Class::ContextLength => {
            matches!((next.context, failed.context), (Some(next), Some(failed)) if next > failed)
        }
        // The account is empty, whatever the model.
        Class::QuotaExhausted => !Arc::ptr_eq(&next.provider, &failed.provider),
        _ => true,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::snapshot::{BaseUrl, Kind, Percent, Provider, Timeouts};

    pub(in crate::plan) fn target(id: &str, context: Option<u64>) -> Arc<Target> {
        let (provider, model) = id.split_once('/').unwrap();
        let provider = Provider {
            name: provider.into(),
            kind: Kind::OpenAiCompatible,
            base_url: BaseUrl::try_new("http://127.0.0.1:1/v1").unwrap(),
            secret: None,
            ca: None,
            headers: http::HeaderMap::new(),
            responses: true,
            capacity: crate::health::Capacity::default(),
        };
        Arc::new(Target {
            context,
            ..Target::new(id, Arc::new(provider), model)
        })
    }

    fn schedule(targets: &[(&str, Option<u64>)], now: Instant) -> Schedule {
        let secs = Duration::from_secs;
        let timeouts = Timeouts {
            whole: secs(30),
            first_token: secs(3),
            answer: secs(18),
            idle: secs(15),
            stream: secs(600),
        };
        let deadline = Deadline::new(now, &timeouts, Percent::try_new(40).unwrap(), true, None);
        let targets = targets
            .iter()
            .map(|(id, context)| target(id, *context))
            .collect();
        Schedule::new(&Plan { targets }, deadline, 4, false)
    }

    /// The targets tried when every attempt ends in the next of these classes.
    fn tried(
        targets: &[(&str, Option<u64>)],
        ends: &[(Class, Option<u64>, bool)],
    ) -> (Vec<String>, GatewayError) {
        let now = Instant::now();
        let mut schedule = schedule(targets, now);
        let mut tried = Vec::new();
        for &(class, wait, new_secret) in ends {
            let Some(step) = schedule.next(now) else {
                break;
            };
            tried.push(step.target.id.to_string());
            let wait = wait.map(Duration::from_secs);
            schedule.failed(
                Failure {
                    wait,
                    ..Failure::new(class, "")
                },
                new_secret,
                now,
            );
        }
        (tried, schedule.verdict())
    }

    #[test]
    fn every_class_has_its_remedy() {
        let two = [("a/m", None), ("b/m", None)];
        let next: &[&str] = &["a/m", "b/m"];
        let here: &[&str] = &["a/m", "a/m", "b/m", "b/m"];
        let never: &[&str] = &["a/m"];
        for (class, expected) in [
            (Class::Connect, here),
            (Class::Timeout, here),
            (Class::Reset, here),
            (Class::RateLimited, next),
            (Class::QuotaExhausted, next),
            (Class::Overloaded, next),
            (Class::ServerError, next),
            (Class::Broken, next),
            (Class::Auth, never),
            (Class::InvalidRequest, never),
            (Class::TargetMissing, next),
            (Class::ContextLength, never),
            (Class::Policy, never),
            (Class::Cancelled, never),
        ] {
            let (tried, verdict) = tried(&two, &[(class, None, false); 9]);
            assert_eq!(tried, expected, "{class:?}");
            let GatewayError::Unanswered(failure) = verdict else {
                panic!("{class:?}: {verdict:?}")
            };
            assert_eq!(failure.class, class);
        }
    }

    #[test]
    fn a_refused_key_is_tried_again_only_when_it_is_new() {
        let two = [("a/m", None), ("b/m", None)];
        let (tried, _) = tried(&two, &[(Class::Auth, None, true); 3]);
        assert_eq!(tried, ["a/m", "a/m"]);
    }

    #[test]
    fn what_is_too_long_goes_only_to_a_larger_context() {
        let three = [
            ("a/m", Some(8_000)),
            ("b/m", Some(8_000)),
            ("c/m", Some(32_000)),
        ];
        let (tried, _) = tried(&three, &[(Class::ContextLength, None, false); 3]);
        assert_eq!(tried, ["a/m", "c/m"]);
    }

    #[test]
    fn a_rate_limit_is_waited_out_only_when_there_is_nowhere_to_go() {
        let (tried_two, verdict) = tried(
            &[("a/m", None), ("b/m", None)],
            &[
                (Class::RateLimited, Some(9), false),
                (Class::RateLimited, Some(40), false),
            ],
        );
        assert_eq!(tried_two, ["a/m", "b/m"]);
        assert_eq!(verdict.retry_after(), Some(Duration::from_secs(9)));
        let (tried_one, _) = tried(&[("a/m", None)], &[(Class::RateLimited, Some(1), false); 9]);
        assert_eq!(tried_one, ["a/m"; 4], "bounded by the attempts");
        let (tried_one, _) = tried(
            &[("a/m", None)],
            &[(Class::RateLimited, Some(31), false); 9],
        );
        assert_eq!(tried_one, ["a/m"], "the wait is longer than the deadline");
    }

    #[test]
    fn the_verdict_says_more_than_a_rate_limit_where_it_can() {
        let two = [("a/m", None), ("b/m", None)];
        let (_, verdict) = tried(
            &two,
            &[
                (Class::ServerError, None, false),
                (Class::RateLimited, Some(90), false),
            ],
        );
        assert_eq!(verdict.wire().2, "upstream_failed");
    }

    #[test]
    fn nothing_starts_after_the_deadline() {
        let now = Instant::now();
        let mut schedule = schedule(&[("a/m", None)], now);
        assert!(schedule.next(now + Duration::from_secs(30)).is_none());
        assert_eq!(schedule.verdict(), GatewayError::DeadlineExceeded);
    }
}
