//! Nobody is left who could be asked now: whom to wait for, and how long.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Next, Schedule, follows};
use crate::health::Health;
use crate::outcome::Class;
use crate::snapshot::Target;

/// With every breaker open, a request waits so long for one to close; then it is told.
const LAST_RESORT: Duration = Duration::from_millis(50);

/// By so much more do requests wait, at most, that wait for the same rate limit.
const LONGEST_SPREAD: Duration = Duration::from_millis(250);

/// The longest wait for a limit that names no time, the first time; twice as long each time.
const BACKOFF: Duration = Duration::from_millis(500);

/// Between two looks whether the budget of second tries has room, once a rate limit is over; as much
/// again by chance.
const BUDGET_PAUSE: Duration = Duration::from_millis(250);

/// A target at its rate limit.
#[derive(Debug)]
pub(super) struct Limited {
    pub(super) until: Instant,
    pub(super) target: Arc<Target>,
    /// Whether this request has been told so itself.
    pub(super) tried: bool,
}

impl Schedule {
    /// Nobody else is left. Those whose breakers are open take one request each; the rest wait a
    /// little for one to close. At a rate limit, waiting is right while the deadline allows it.
    pub(super) fn last_resort(&mut self, now: Instant, health: &Health) -> Next {
        for _ in 0..self.open.len() {
            let Some(target) = self.open.pop_front() else {
                break;
            };
            if !self.may_follow(&target) {
                continue;
            }
            let permit = health.admit(self.ask, &target, now);
            let permit = permit
                .ok()
                .or_else(|| health.resort(self.ask, &target, now));
            match permit {
                Some(permit) => return self.step(permit, now, health),
                None => self.open.push_back(target),
            }
        }
        if self.open.is_empty() {
            return self.wait_for_limit(now, health);
        }
        let patience = *self
            .patience
            .get_or_insert_with(|| self.deadline.at.min(now + LAST_RESORT));
        if now >= patience {
            return self.wait_for_limit(now, health);
        }
        // A pause between two last resorts ends without anybody being told.
        let turns = self.open.iter();
        let turns = turns.filter_map(|target| health.turn(&self.ask, target, now));
        let next = turns.filter(|turn| *turn > now).min();
        Next::Wait(next.map_or(patience, |turn| turn.min(patience)))
    }

    /// At a rate limit, waiting is right while the deadline allows it and nobody else is left.
    fn wait_for_limit(&mut self, now: Instant, health: &Health) -> Next {
        let only = self.only.clone();
        self.limited
            .retain(|limited| follows(only.as_ref(), &limited.target));
        let soonest = self.limited.iter().enumerate();
        let soonest = soonest.min_by_key(|(_, limited)| limited.until);
        let Some((at, until)) = soonest
            .map(|(at, limited)| (at, limited.until))
            .filter(|(_, until)| *until < self.deadline.at)
        else {
            return Next::Over;
        };
        let reopens = self.open.iter().filter_map(|target| {
            let out = health.standing(target, now).err()?;
            out.until.filter(|reopens| *reopens > now)
        });
        if let Some(reopens) = reopens.min().filter(|reopens| *reopens < until) {
            // Not for as long: a breaker is half-open before.
            self.patience = None;
            self.not_before = Some(reopens);
            return Next::Wait(reopens);
        }
        let Limited { target, tried, .. } = self.limited.swap_remove(at);
        if tried {
            self.again = Some(Class::RateLimited);
            self.current = Some(target);
        } else {
            self.left.push_back(target);
        }
        self.not_before = Some(until + spread(until.saturating_duration_since(now), health));
        self.next(now, health)
    }
}

/// All who wait for one limit would come back at once.
fn spread(wait: Duration, health: &Health) -> Duration {
    health.jitter(LONGEST_SPREAD.min(wait / 10))
}

/// Before the next look whether the budget of second tries has room.
pub(super) fn for_budget(health: &Health) -> Duration {
    BUDGET_PAUSE + health.jitter(BUDGET_PAUSE)
}

/// Before the next try at a limit that names no time, after so many such pauses: full jitter.
pub(super) fn backoff(pauses: u32, health: &Health) -> Duration {
    health.jitter(BACKOFF * 2_u32.saturating_pow(pauses))
}
