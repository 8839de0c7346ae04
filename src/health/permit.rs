//! One attempt's leave to go to a target, and what its end teaches.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::breaker::Probe;
use super::load::Reserved;
use super::vitals::{Account, Kind, Pass, Vitals, is_of_the_target, is_refused, learn};
use super::{Ask, Health};
use crate::chat::Usage;
use crate::outcome::{Class, Failure, Limits};
use crate::snapshot::Target;

/// Fewer tokens than this may come in one piece.
const FEW: u32 = 8;

/// Held while an attempt runs. Dropped without an end, it was given up, and teaches nothing.
#[derive(Debug)]
#[must_use = "dropped at once, the attempt counts as given up"]
pub struct Permit {
    health: Health,
    ask: Ask,
    target: Arc<Target>,
    pass: Pass,
    began: Instant,
    first_token: Option<Instant>,
    /// Whether its account's key had been refused before.
    doubtful: bool,
    over: bool,
}

impl Permit {
    pub(super) fn new(
        health: Health,
        ask: Ask,
        target: Arc<Target>,
        pass: Pass,
        began: Instant,
    ) -> Self {
        Self {
            health,
            ask,
            target,
            pass,
            began,
            first_token: None,
            doubtful: false,
            over: false,
        }
    }

    /// Of an account whose key has been refused.
    pub(super) fn doubtful(mut self, doubtful: bool) -> Self {
        self.doubtful = doubtful;
        self
    }

    /// Whether it goes to find out if its account's key is still refused.
    pub fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    pub fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// When it was given.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Whether it goes to find out if the target is well again.
    pub fn is_probe(&self) -> bool {
        matches!(self.pass, Pass::Probe(_))
    }

    /// Takes what the head of its answer says is left of the target's rate limits.
    pub fn hear(&self, limits: &Limits, now: Instant) {
        self.health.hear(&self.target, limits, now);
    }

    /// The first meaningful event has come: the target is there. Later calls change nothing.
    pub fn first_token(&mut self, now: Instant) {
        let came_before = self.first_token.is_some();
        self.first_token.get_or_insert(now);
        if came_before || self.ask.kind == Kind::Plain {
            return;
        }
        let took = now.saturating_duration_since(self.began);
        let mut state = self.health.lock();
        let (vitals, account) = state.of(&self.target, now);
        vitals.sample(Kind::Streamed, took, now, &self.ask.policy);
        vitals.excused = 0;
        account.let_in(self.began);
        // A probe has found out what it went for. Of an ordinary request, a good beginning does not
        // outweigh failures: a target that breaks off every answer would never be left.
        let probe = self.probe();
        let closed = probe.is_some() && vitals.breaker.begun(self.began);
        drop(state);
        self.pass = Pass::Ordinary;
        self.tell_closed(closed);
    }

    /// The answer is whole. For `held` of the time it was its reader who was waited for.
    pub fn answered(mut self, usage: Usage, held: Duration, now: Instant) {
        self.first_token(now);
        let Self { ask, began, .. } = self;
        let (prompt, completion) = (usage.prompt, usage.completion.unwrap_or_default());
        let used = prompt.map(|prompt| prompt + completion);
        let mut state = self.health.lock();
        let (vitals, account) = state.of(&self.target, now);
        match (ask.kind, self.first_token) {
            (Kind::Plain, _) => {
                let took = now.saturating_duration_since(began);
                vitals.sample(Kind::Plain, took, now, &ask.policy);
            }
            (Kind::Streamed, Some(first)) => {
                let took = now.saturating_duration_since(first).saturating_sub(held);
                if let Some(each) = pace(&usage, took) {
                    vitals.sample_pace(each, now, &ask.policy);
                }
            }
            (Kind::Streamed, None) => {}
        }
        let closed = vitals.breaker.answered(self.probe(), self.began);
        vitals.excused = 0;
        account.served(self.began);
        self.settle(vitals, account, used, now);
        drop(state);
        self.over = true;
        self.tell_closed(closed);
    }

    /// It came to nothing, or broke off.
    pub fn failed(mut self, failure: &Failure, now: Instant) {
        if failure.class == Class::Cancelled {
            return;
        }
        let probe = self.probe();
        let took = now.saturating_duration_since(self.began);
        let timeout = failure.class == Class::Timeout;
        let silent = timeout && (self.ask.kind == Kind::Plain || self.first_token.is_none());
        let mut state = self.health.lock();
        let jitter = state.rng.f64();
        let (vitals, account) = state.of(&self.target, now);
        // As if it had been given up: callers in a hurry must not close a target to all. A probe has an
        // end, however it comes to it.
        let hurry = self.ask.hurry;
        let excused = if silent {
            hurry.begin && probe.is_none() && vitals.excuse(self.ask.kind, took)
        } else {
            timeout && hurry.go_on
        };
        if excused {
            return;
        }
        let expected = vitals.track(self.ask.kind).expected();
        self.over = true;
        let used = is_refused(failure.class).then_some(0);
        self.settle(vitals, account, used, now);
        let was_marked = account.marked.is_some();
        learn(failure, &self.target, vitals, account, now);
        if !is_of_the_target(failure.class) {
            let closed = vitals.breaker.answered(self.probe(), self.began);
            drop(state);
            self.tell_closed(closed);
            self.alert(failure.class, was_marked);
            return;
        }
        vitals.last = Some((failure.class, now));
        // It would have taken at least that long: that may show a rise, but never that it is quick.
        if silent && expected.is_none_or(|expected| took >= expected) {
            vitals.sample(self.ask.kind, took, now, &self.ask.policy);
        }
        let policy = &self.ask.policy.breaker;
        let opened = vitals
            .breaker
            .failed(now, self.probe(), self.began, policy, jitter);
        drop(state);
        if opened {
            tracing::warn!(
                target_id = %self.target.id,
                class = failure.class.name(),
                reason = %failure.reason,
                "a circuit breaker opened"
            );
        }
        if self.is_probe() {
            self.health.tell_freed();
        }
    }

    /// It is no longer on its way, and took so many tokens, if that is known.
    fn settle(&self, vitals: &mut Vitals, account: &mut Account, used: Option<u64>, now: Instant) {
        let reserved = Reserved {
            tokens: self.ask.tokens,
            at: self.began,
        };
        vitals.in_flight = vitals.in_flight.saturating_sub(1);
        account.load.end(reserved, used, now);
        if let Some(used) = used {
            vitals.announced.settle(reserved, used);
        }
    }

    /// What a person must act on.
    fn alert(&self, class: Class, was_marked: bool) {
        let (target, account) = (&self.target.id, &self.target.provider.name);
        if class == Class::QuotaExhausted {
            tracing::error!(target_id = %target, %account, "an account is exhausted");
        } else if class == Class::Auth && !was_marked {
            tracing::error!(target_id = %target, %account, "a provider refuses its key");
        } else if class == Class::TargetMissing {
            tracing::error!(target_id = %target, %account, "a provider does not know the model");
        }
    }

    fn probe(&self) -> Option<Probe> {
        match self.pass {
            Pass::Ordinary => None,
            Pass::Probe(probe) => Some(probe),
        }
    }

    fn tell_closed(&self, closed: bool) {
        if closed {
            tracing::info!(target_id = %self.target.id, "a circuit breaker closed");
            self.health.tell_freed();
        }
    }
}

/// The time of each token behind the first, if that can be told. Reasoning is shown by some providers
/// and hidden by others, so an answer with any says nothing; nor does one of a few tokens.
fn pace(usage: &Usage, took: Duration) -> Option<Duration> {
    if usage.reasoning.unwrap_or_default() > 0 {
        return None;
    }
    let behind = usage.completion?.checked_sub(1)?;
    let behind = u32::try_from(behind).ok().filter(|behind| *behind >= FEW)?;
    Some(took / behind)
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let probe = self.probe();
        let mut state = self.health.lock();
        let (vitals, account) = state.of(&self.target, self.began);
        vitals.in_flight = vitals.in_flight.saturating_sub(1);
        account.load.give_up();
        if probe.is_some() {
            vitals.breaker.released(self.began);
        }
        drop(state);
        if probe.is_some() {
            self.health.tell_freed();
        }
    }
}

#[cfg(test)]
mod tests;
