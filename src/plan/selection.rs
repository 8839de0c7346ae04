//! How the targets of one request are put in order: by what is known of them now.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::health::{Ask, Health, Priority};
use crate::snapshot::Target;

/// What a request is chosen for by.
#[derive(Debug)]
pub struct Selection<'a> {
    pub health: &'a Health,
    pub ask: Ask,
    /// What all requests of one conversation have in common.
    pub affinity: Option<u64>,
    pub now: Instant,
    /// When it must have been answered.
    pub deadline: Instant,
}

impl Selection<'_> {
    /// In seconds, with each request on its way counted as one to wait for. What is not known is
    /// worth finding out.
    #[expect(clippy::cast_precision_loss, reason = "few are on their way")]
    pub(super) fn expected_with_load(&self, target: &Arc<Target>) -> f64 {
        let expected = self.felt(target).unwrap_or_default();
        let in_flight = self.health.in_flight(target, self.now);
        expected.as_secs_f64() * (in_flight + 1) as f64
    }

    fn felt(&self, target: &Arc<Target>) -> Option<Duration> {
        self.health.felt(target, self.ask.kind, self.now)
    }

    /// Puts those behind the others that are full, as far as can be known before: they are asked only
    /// when the others fail. Batch requests are not sent there at all, unless nobody else is left.
    pub(super) fn spill(&self, targets: &mut Vec<Arc<Target>>) {
        if targets.len() < 2 && self.ask.priority == Priority::Interactive {
            return;
        }
        let full = |target: &Arc<Target>| self.health.is_full(&self.ask, target, self.now);
        let (spilled, free): (Vec<_>, Vec<_>) = targets.drain(..).partition(full);
        *targets = free;
        match self.ask.priority {
            Priority::Interactive => targets.extend(spilled),
            Priority::Batch => {}
        }
    }

    /// A slow target at the front is left for one that is expected to be faster, and in time. Otherwise
    /// the request stays; and now and then one stays all the same, so that the target is measured.
    pub(super) fn leave_slow(&self, targets: &mut [Arc<Target>]) {
        let stands = |target: &Arc<Target>| self.health.standing(target, self.now).is_ok();
        let Some(first) = targets.iter().position(stands) else {
            return;
        };
        let slow = &targets[first];
        if !self.health.is_slow(slow, self.ask.kind, self.now) {
            return;
        }
        let takes = self.felt(slow).unwrap_or(Duration::MAX);
        let left = self.deadline.saturating_duration_since(self.now);
        let in_time = |target: &Arc<Target>| {
            let expected = self.health.expected(target, self.ask.kind, self.now);
            expected.is_none_or(|expected| expected < left)
        };
        let better = targets[first + 1..].iter().position(|target| {
            stands(target)
                && !self.health.is_full(&self.ask, target, self.now)
                && self.felt(target).is_none_or(|felt| felt < takes)
                && in_time(target)
        });
        if let Some(better) = better
            && !self.health.measure(slow, self.now)
        {
            targets[first..=first + 1 + better].rotate_right(1);
        }
    }
}
