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
mod tests;
