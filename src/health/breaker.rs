//! A circuit breaker: when a target is left after failures, and when it is tried again.
//!
//! *Closed*, requests flow. It *opens* after some failures in a row, for a cooldown. Then it is
//! *half-open*: exactly one request is let through, and how that ends closes or opens it. A request
//! that has nowhere else to go may be let through an open one as a last resort, also one at a time,
//! and at a pace that slackens while it fails.

use std::time::Duration;

use tokio::time::Instant;

use super::policy::BreakerPolicy;
use super::report::BreakerState;

/// Between a last resort that failed and the next one: this at first, then twice as long each time.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// In a row, while it is closed.
    failures: u32,
    last_failure: Option<Instant>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    until: Instant,
    /// How long it is open this time, without the jitter.
    cooldown: Duration,
    /// Whether the one request is on its way.
    probing: bool,
    /// The next last resort, not before then.
    resort: Instant,
    pause: Duration,
    /// Whether another process has found out that it should be.
    hinted: bool,
}

/// What a breaker says to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    Closed,
    /// Half-open: one request may go.
    Probe,
    /// Open until then; or half-open, with its one request on its way.
    Open {
        until: Instant,
    },
}

/// Why a request went through an open breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probe {
    /// Its cooldown was over.
    HalfOpen,
    /// There was nowhere else to go.
    LastResort,
}

impl Breaker {
    pub(super) fn gate(&self, now: Instant) -> Gate {
        match &self.open {
            None => Gate::Closed,
            Some(open) if now >= open.until && !open.probing => Gate::Probe,
            Some(open) => Gate::Open { until: open.until },
        }
    }

    pub(super) fn state(&self, now: Instant) -> BreakerState {
        match &self.open {
            None => BreakerState::Closed,
            Some(open) if now >= open.until => BreakerState::HalfOpen,
            Some(_) => BreakerState::Open,
        }
    }

    /// The one request of a half-open breaker goes.
    pub(super) fn probe(&mut self) {
        if let Some(open) = &mut self.open {
            open.probing = true;
        }
    }

    /// Whether a request that has nowhere else to go may go through. If so, it does.
    pub(super) fn resort(&mut self, now: Instant) -> bool {
        let Some(open) = &mut self.open else {
            return false;
        };
        let free = !open.probing && now >= open.resort;
        open.probing |= free;
        free
    }

    /// A request came back with an answer, or with an error that is not the target's fault. Says
    /// whether that closed the breaker. What was on its way when it opened proves nothing.
    pub(super) fn answered(&mut self, probe: Option<Probe>) -> bool {
        if probe.is_some() {
            return self.close();
        }
        if self.open.is_none() {
            self.failures = 0;
            self.last_failure = None;
        }
        false
    }

    /// A request failed. Says whether that opened the breaker. `jitter` is a random share of one,
    /// by a fifth of which the cooldown is cut.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        probe: Option<Probe>,
        policy: &BreakerPolicy,
        jitter: f64,
    ) -> bool {
        match (&mut self.open, probe) {
            (None, _) => {
                let stale = self
                    .last_failure
                    .is_some_and(|last| now.saturating_duration_since(last) > policy.window);
                self.failures = if stale { 1 } else { self.failures + 1 };
                self.last_failure = Some(now);
                if self.failures < policy.failures {
                    return false;
                }
                self.open = Some(Open::new(now, policy.cooldown, jitter));
                true
            }
            // It was on its way when the breaker opened: nothing new.
            (Some(_), None) => false,
            (Some(open), Some(Probe::HalfOpen)) => {
                // What another process has found out is as the first time here.
                let cooldown = if open.hinted {
                    policy.cooldown
                } else {
                    (open.cooldown * 2).min(policy.longest)
                };
                *open = Open::new(now, cooldown, jitter);
                true
            }
            (Some(open), Some(Probe::LastResort)) => {
                open.probing = false;
                open.resort = now + open.pause.mul_f64(1.0 - jitter / 5.0);
                open.pause = (open.pause * 2).min(LONGEST_PAUSE);
                false
            }
        }
    }

    /// Another process's is open until then: so is this one, unless it is already, or its one request
    /// is on its way.
    pub(super) fn heed(&mut self, now: Instant, until: Instant) {
        let own = |open: &Open| now < open.until || open.probing;
        if !self.open.as_ref().is_some_and(own) {
            self.open = Some(Open {
                until,
                hinted: true,
                ..Open::new(now, Duration::ZERO, 0.0)
            });
        }
    }

    /// Until when it is open for what has failed here.
    pub(super) fn found_out(&self) -> Option<Instant> {
        let open = self.open.as_ref().filter(|open| !open.hinted)?;
        Some(open.until)
    }

    /// The one request was given up before it told anything: another one may go.
    pub(super) fn released(&mut self) {
        if let Some(open) = &mut self.open {
            open.probing = false;
        }
    }

    fn close(&mut self) -> bool {
        self.failures = 0;
        self.last_failure = None;
        self.open.take().is_some()
    }
}

impl Open {
    fn new(now: Instant, cooldown: Duration, jitter: f64) -> Self {
        Self {
            until: now + cooldown.mul_f64(1.0 - jitter / 5.0),
            cooldown,
            probing: false,
            resort: now,
            pause: PAUSE,
            hinted: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::Policy;
    use super::*;

    const POLICY: BreakerPolicy = Policy::DEFAULT.breaker;

    fn at(start: Instant, seconds: f64) -> Instant {
        start + Duration::from_secs_f64(seconds)
    }

    fn open(start: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        assert!(!breaker.failed(start, None, &POLICY, 0.0));
        assert!(breaker.failed(start, None, &POLICY, 0.0));
        breaker
    }

    #[test]
    fn a_hint_opens_it_and_is_not_passed_on() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        let until = at(start, 20.0);
        breaker.heed(start, until);
        assert_eq!(breaker.gate(start), Gate::Open { until });
        assert_eq!(breaker.found_out(), None);
        // A later hint does not lengthen it while it lasts, ...
        breaker.heed(at(start, 1.0), at(start, 50.0));
        assert_eq!(breaker.gate(at(start, 20.0)), Gate::Probe);
        // ... but does so before anybody has gone, and not when somebody has.
        breaker.heed(at(start, 21.0), at(start, 30.0));
        assert_eq!(
            breaker.gate(at(start, 29.0)),
            Gate::Open {
                until: at(start, 30.0)
            }
        );
        breaker.probe();
        breaker.heed(at(start, 31.0), at(start, 90.0));
        // What that one finds is this process's own, and the first it knows.
        assert!(breaker.failed(at(start, 31.0), Some(Probe::HalfOpen), &POLICY, 0.0));
        assert_eq!(breaker.found_out(), Some(at(start, 36.0)));
        breaker.heed(at(start, 32.0), at(start, 90.0));
        assert_eq!(breaker.found_out(), Some(at(start, 36.0)));
        breaker.answered(Some(Probe::HalfOpen));
        assert_eq!(breaker.gate(at(start, 33.0)), Gate::Closed);
    }

    #[test]
    fn failures_in_a_row_open_it() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        breaker.failed(start, None, &POLICY, 0.0);
        breaker.answered(None);
        assert!(
            !breaker.failed(at(start, 1.0), None, &POLICY, 0.0),
            "not in a row"
        );
        assert!(
            !breaker.failed(at(start, 62.0), None, &POLICY, 0.0),
            "too long after the one before"
        );
        assert!(breaker.failed(at(start, 122.0), None, &POLICY, 0.0));
        assert_eq!(
            breaker.gate(at(start, 123.0)),
            Gate::Open {
                until: at(start, 127.0)
            }
        );
    }

    #[test]
    fn one_request_goes_when_the_cooldown_is_over() {
        let start = Instant::now();
        let mut breaker = open(start);
        assert_eq!(breaker.gate(at(start, 5.0)), Gate::Probe);
        breaker.probe();
        assert!(matches!(breaker.gate(at(start, 5.0)), Gate::Open { .. }));
        breaker.released();
        assert_eq!(breaker.gate(at(start, 5.0)), Gate::Probe, "given up");
        breaker.probe();
        assert!(breaker.answered(Some(Probe::HalfOpen)));
        assert_eq!(breaker.gate(at(start, 5.0)), Gate::Closed);
    }

    #[test]
    fn the_cooldown_doubles_with_each_probe_that_fails() {
        let start = Instant::now();
        let mut breaker = open(start);
        let mut now = 5.0;
        for cooldown in [10.0, 20.0, 40.0, 60.0, 60.0] {
            breaker.probe();
            assert!(breaker.failed(at(start, now), Some(Probe::HalfOpen), &POLICY, 0.0));
            let until = at(start, now + cooldown);
            assert_eq!(breaker.gate(at(start, now)), Gate::Open { until });
            now += cooldown;
        }
        breaker.probe();
        breaker.answered(Some(Probe::HalfOpen));
        breaker.failed(at(start, now), None, &POLICY, 0.0);
        breaker.failed(at(start, now), None, &POLICY, 1.0);
        let until = at(start, now + 4.0);
        assert_eq!(
            breaker.gate(at(start, now)),
            Gate::Open { until },
            "at first again, less the jitter"
        );
    }

    #[test]
    fn what_was_on_its_way_when_it_opened_changes_nothing() {
        let start = Instant::now();
        let mut breaker = open(start);
        assert!(!breaker.answered(None));
        assert!(!breaker.failed(at(start, 1.0), None, &POLICY, 0.0));
        let until = at(start, 5.0);
        assert_eq!(breaker.gate(at(start, 1.0)), Gate::Open { until });
    }

    #[test]
    fn a_last_resort_goes_alone_and_more_seldom_while_it_fails() {
        let start = Instant::now();
        let mut breaker = open(start);
        let mut now = 1.0;
        for pause in [0.010, 0.020, 0.040, 0.080] {
            assert!(breaker.resort(at(start, now)));
            assert!(!breaker.resort(at(start, now)), "one at a time");
            assert!(!breaker.failed(at(start, now), Some(Probe::LastResort), &POLICY, 0.0));
            assert!(!breaker.resort(at(start, now + pause * 0.9)));
            now += pause * 1.01;
        }
        let until = at(start, 5.0);
        assert_eq!(
            breaker.gate(at(start, 1.0)),
            Gate::Open { until },
            "the cooldown is as it was"
        );
        assert!(breaker.resort(at(start, now)));
        assert!(breaker.answered(Some(Probe::LastResort)));
        assert_eq!(breaker.gate(at(start, now)), Gate::Closed);
        assert!(!breaker.resort(at(start, now)), "nothing to force");
    }
}
