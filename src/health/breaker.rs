//! A circuit breaker: when a target is left after failures, and when it is tried again.
//!
//! *Closed*, requests flow. It *opens* after some failures in a row, for a cooldown. Then it is
//! *half-open*: exactly one request is let through, and how that ends closes or opens it. Where that is
//! a stream, its beginning closes it, on trial: until an answer has been whole, one failure opens it
//! again, for longer than before. A request
//! that has nowhere else to go may be let through an open one as a last resort, also one at a time,
//! and at a pace that slackens while it fails. One that keeps silent for longer than answers of the
//! target ever take is not waited for: the next last resort takes its place.

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
    /// Since when the one request is on its way that it let through while it was open.
    probing: Option<Instant>,
    /// It was closed by an answer that has only begun, and none has been whole since.
    trial: Option<Trial>,
}

#[derive(Debug)]
struct Trial {
    /// When the request began that closed it.
    began: Instant,
    /// How long it had been open, without the jitter.
    cooldown: Duration,
}

#[derive(Debug)]
struct Open {
    until: Instant,
    /// How long it is open this time, without the jitter.
    cooldown: Duration,
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
            Some(open) if now >= open.until && self.probing.is_none() => Gate::Probe,
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
    pub(super) fn probe(&mut self, now: Instant) {
        self.probing = Some(now);
    }

    /// Whether a request that has nowhere else to go may go through. If so, it does. `silence` is how
    /// long the one on its way is waited for; `None`: to its end.
    pub(super) fn resort(&mut self, now: Instant, silence: Option<Duration>) -> bool {
        let free = self.next_resort(silence).is_some_and(|next| now >= next);
        if free
            && self.probing.replace(now).is_some()
            && let Some(open) = &mut self.open
        {
            open.slacken();
        }
        free
    }

    /// When the next request may go through, one way or the other, if that is a matter of time.
    pub(super) fn turn(&self, silence: Option<Duration>) -> Option<Instant> {
        let open = self.open.as_ref()?;
        let probe = self.probing.is_none().then_some(open.until);
        self.next_resort(silence).into_iter().chain(probe).min()
    }

    /// The answer to a request that went to find out, and began then, has begun: the target is there.
    /// Says whether that closed the breaker.
    pub(super) fn begun(&mut self, began: Instant) -> bool {
        self.released(began);
        let open = self.open.take();
        self.trial = open.as_ref().map(|open| Trial {
            began,
            cooldown: open.cooldown,
        });
        self.forget();
        open.is_some()
    }

    /// A request that began then came back with a whole answer, or with an error that is not the target's
    /// fault. Says whether that closed the breaker. What was on its way when it opened proves nothing.
    pub(super) fn answered(&mut self, probe: Option<Probe>, began: Instant) -> bool {
        let closed = probe.is_some() && self.begun(began);
        if self.open.is_none() {
            self.forget();
            self.trial = self.trial.take().filter(|trial| began < trial.began);
        }
        closed
    }

    /// A request that began then failed. Says whether that opened the breaker. `jitter` is a random
    /// share of one, by a fifth of which the cooldown is cut.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        probe: Option<Probe>,
        began: Instant,
        policy: &BreakerPolicy,
        jitter: f64,
    ) -> bool {
        let waited_for = probe.is_some() && self.released(began);
        match (&mut self.open, probe) {
            (None, _) => {
                let trial = self.trial.take_if(|trial| began >= trial.began);
                if let Some(trial) = trial
                    && now.saturating_duration_since(trial.began) <= policy.window
                {
                    let cooldown = (trial.cooldown * 2).clamp(policy.cooldown, policy.longest);
                    self.open = Some(Open::new(now, cooldown, jitter));
                    return true;
                }
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
                if waited_for {
                    open.resort = now + open.pause.mul_f64(1.0 - jitter / 5.0);
                    open.slacken();
                }
                false
            }
        }
    }

    /// Another process's is open until then: so is this one, unless it is already, or its one request
    /// is on its way.
    pub(super) fn heed(&mut self, now: Instant, until: Instant) {
        let own = |open: &Open| now < open.until || self.probing.is_some();
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

    /// The request that began then is on its way no more. Whether it was the one that is waited for,
    /// and not one whose place another has taken.
    pub(super) fn released(&mut self, began: Instant) -> bool {
        let waited_for = self.probing == Some(began);
        if waited_for {
            self.probing = None;
        }
        waited_for
    }

    /// When the next last resort may go; `None` before the one on its way has ended.
    fn next_resort(&self, silence: Option<Duration>) -> Option<Instant> {
        let open = self.open.as_ref()?;
        match self.probing {
            None => Some(open.resort),
            Some(since) => silence.map(|silence| since + silence.max(open.pause)),
        }
    }

    fn forget(&mut self) {
        self.failures = 0;
        self.last_failure = None;
    }
}

impl Open {
    fn new(now: Instant, cooldown: Duration, jitter: f64) -> Self {
        Self {
            until: now + cooldown.mul_f64(1.0 - jitter / 5.0),
            cooldown,
            resort: now,
            pause: PAUSE,
            hinted: false,
        }
    }

    fn slacken(&mut self) {
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
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

    /// Of the one request that began at the start, where there is one.
    fn fail(breaker: &mut Breaker, now: Instant, probe: Option<Probe>, jitter: f64) -> bool {
        let began = breaker.probing;
        breaker.failed(now, probe, began.unwrap_or(now), &POLICY, jitter)
    }

    fn open(start: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        assert!(!fail(&mut breaker, start, None, 0.0));
        assert!(fail(&mut breaker, start, None, 0.0));
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
        breaker.probe(at(start, 30.0));
        breaker.heed(at(start, 31.0), at(start, 90.0));
        // What that one finds is this process's own, and the first it knows.
        let began = at(start, 30.0);
        assert!(breaker.failed(at(start, 31.0), Some(Probe::HalfOpen), began, &POLICY, 0.0));
        assert_eq!(breaker.found_out(), Some(at(start, 36.0)));
        breaker.heed(at(start, 32.0), at(start, 90.0));
        assert_eq!(breaker.found_out(), Some(at(start, 36.0)));
        breaker.answered(Some(Probe::HalfOpen), began);
        assert_eq!(breaker.gate(at(start, 33.0)), Gate::Closed);
    }

    #[test]
    fn failures_in_a_row_open_it() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        fail(&mut breaker, start, None, 0.0);
        breaker.answered(None, start);
        assert!(
            !fail(&mut breaker, at(start, 1.0), None, 0.0),
            "not in a row"
        );
        assert!(
            !fail(&mut breaker, at(start, 62.0), None, 0.0),
            "too long after the one before"
        );
        assert!(fail(&mut breaker, at(start, 122.0), None, 0.0));
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
        breaker.probe(start);
        assert!(matches!(breaker.gate(at(start, 5.0)), Gate::Open { .. }));
        breaker.released(start);
        assert_eq!(breaker.gate(at(start, 5.0)), Gate::Probe, "given up");
        breaker.probe(start);
        assert!(breaker.answered(Some(Probe::HalfOpen), start));
        assert_eq!(breaker.gate(at(start, 5.0)), Gate::Closed);
    }

    #[test]
    fn the_cooldown_doubles_with_each_probe_that_fails() {
        let start = Instant::now();
        let mut breaker = open(start);
        let mut now = 5.0;
        for cooldown in [10.0, 20.0, 40.0, 60.0, 60.0] {
            breaker.probe(start);
            assert!(fail(
                &mut breaker,
                at(start, now),
                Some(Probe::HalfOpen),
                0.0
            ));
            let until = at(start, now + cooldown);
            assert_eq!(breaker.gate(at(start, now)), Gate::Open { until });
            now += cooldown;
        }
        breaker.probe(start);
        breaker.answered(Some(Probe::HalfOpen), start);
        fail(&mut breaker, at(start, now), None, 0.0);
        fail(&mut breaker, at(start, now), None, 1.0);
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
        assert!(!breaker.answered(None, start));
        assert!(!fail(&mut breaker, at(start, 1.0), None, 0.0));
        let until = at(start, 5.0);
        assert_eq!(breaker.gate(at(start, 1.0)), Gate::Open { until });
    }

    #[test]
    fn a_last_resort_goes_alone_and_more_seldom_while_it_fails() {
        let start = Instant::now();
        let mut breaker = open(start);
        let mut now = 1.0;
        for pause in [0.010, 0.020, 0.040, 0.080] {
            assert!(breaker.resort(at(start, now), None));
            assert!(!breaker.resort(at(start, now), None), "one at a time");
            assert!(!fail(
                &mut breaker,
                at(start, now),
                Some(Probe::LastResort),
                0.0
            ));
            assert!(!breaker.resort(at(start, now + pause * 0.9), None));
            now += pause * 1.01;
        }
        let until = at(start, 5.0);
        assert_eq!(
            breaker.gate(at(start, 1.0)),
            Gate::Open { until },
            "the cooldown is as it was"
        );
        assert!(breaker.resort(at(start, now), None));
        assert!(breaker.answered(Some(Probe::LastResort), start));
        assert_eq!(breaker.gate(at(start, now)), Gate::Closed);
        assert!(!breaker.resort(at(start, now), None), "nothing to force");
    }

    #[test]
    fn a_silent_one_is_not_waited_for_and_its_end_changes_nothing() {
        let start = Instant::now();
        let mut breaker = open(start);
        let silence = Some(Duration::from_millis(500));
        let (first, second) = (at(start, 1.0), at(start, 1.5));
        assert!(breaker.resort(first, silence));
        assert_eq!(breaker.turn(silence), Some(second));
        assert_eq!(breaker.turn(None), None, "only its end would tell");
        assert!(!breaker.resort(at(start, 1.4), silence));
        assert!(breaker.resort(second, silence));
        let probe = Some(Probe::LastResort);
        assert!(!breaker.failed(at(start, 1.6), probe, first, &POLICY, 0.0));
        assert!(!breaker.resort(at(start, 1.9), silence), "the second goes");
        assert!(!breaker.failed(at(start, 1.9), probe, second, &POLICY, 0.0));
        // The silence counted like a failure.
        assert_eq!(breaker.turn(silence), Some(at(start, 1.92)));
        assert!(breaker.resort(at(start, 1.92), silence));
    }

    #[test]
    fn a_probe_beside_a_last_resort_opens_it_for_longer_all_the_same() {
        let start = Instant::now();
        let mut breaker = open(start);
        breaker.probe(at(start, 5.0));
        let silence = Some(Duration::from_millis(500));
        assert!(breaker.resort(at(start, 6.0), silence));
        let probe = Some(Probe::HalfOpen);
        assert!(breaker.failed(at(start, 7.0), probe, at(start, 5.0), &POLICY, 0.0));
        let until = at(start, 17.0);
        assert_eq!(breaker.gate(at(start, 7.0)), Gate::Open { until });
        assert!(!breaker.resort(at(start, 7.0), None), "one is on its way");
        assert!(breaker.answered(Some(Probe::LastResort), start));
        assert_eq!(breaker.gate(at(start, 7.0)), Gate::Closed);
    }
}
