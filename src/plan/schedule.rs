//! The next attempt, given the failures so far.
//!
//! A *retry* is the same target again, a *fallback* the next target: two rules, one deadline over
//! both. The schedule decides and never waits; the loop in [`crate::upstream`] waits and never decides.

use std::collections::VecDeque;
use std::mem::discriminant;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

use super::verdict::Tale;
use super::{Deadline, Plan};
use crate::chat::Unsupported;
use crate::error::GatewayError;
use crate::health::{Ask, Health, Out, Permit, Standing, Why};
use crate::outcome::{Class, Failure};
use crate::snapshot::{Hedge, Kind, Target};

/// With every breaker open, a request waits so long for one to close; then it is told.
const LAST_RESORT: Duration = Duration::from_millis(50);

/// By so much more do requests wait, at most, that wait for the same rate limit.
const LONGEST_SPREAD: Duration = Duration::from_millis(250);

/// One attempt to be made, now.
#[derive(Debug)]
pub struct Step {
    pub target: Arc<Target>,
    pub permit: Permit,
    /// Without its first meaningful event, or its whole answer, by then it has timed out.
    pub end: Instant,
    /// Who takes over if it fails.
    pub backup: Option<Arc<Target>>,
}

/// What is to be done next.
#[derive(Debug)]
pub enum Next {
    Try(Step),
    /// Nothing, until then; or until [`Health::freed`] tells of a change.
    Wait(Instant),
    /// All that is allowed has been tried.
    Over,
}

/// The attempts of one request.
#[derive(Debug)]
pub struct Schedule {
    ask: Ask,
    deadline: Deadline,
    attempts_left: u32,
    /// Those that have not had their turn.
    left: VecDeque<Arc<Target>>,
    /// The target of the last step.
    current: Option<Arc<Target>>,
    /// That target is to be tried again, after a failure of this class.
    again: Option<Class>,
    /// Those that have been tried again.
    retried: SmallVec<[Arc<Target>; 2]>,
    /// Those whose account's key had been refused before they were tried.
    doubtful: SmallVec<[Arc<Target>; 1]>,
    not_before: Option<Instant>,
    /// Passed over because their breakers were open: the last resort.
    open: VecDeque<Arc<Target>>,
    /// Passed over because they are at their rate limits until then.
    limited: SmallVec<[Limited; 2]>,
    /// How long to wait for an open breaker.
    patience: Option<Instant>,
    /// An account's key is refused: only another account of this kind may take over.
    only: Option<Kind>,
    tale: Tale,
    /// Whether the request may reach a provider once only.
    once: bool,
}

impl Schedule {
    /// With `once`, another attempt follows only where the one before provably did not begin.
    pub fn new(plan: &Plan, ask: Ask, deadline: Deadline, max_attempts: u32, once: bool) -> Self {
        Self {
            ask,
            deadline,
            attempts_left: max_attempts,
            left: plan.targets.iter().cloned().collect(),
            current: None,
            again: None,
            retried: SmallVec::new(),
            doubtful: SmallVec::new(),
            not_before: None,
            open: VecDeque::new(),
            limited: SmallVec::new(),
            patience: None,
            only: None,
            tale: Tale::default(),
            once,
        }
    }

    /// What is to be done now. The permit of a step has been given: the attempt counts.
    pub fn next(&mut self, now: Instant, health: &Health) -> Next {
        if self.attempts_left == 0 || now >= self.deadline.at {
            return Next::Over;
        }
        if let Some(at) = self.not_before {
            if now < at {
                return Next::Wait(at.min(self.deadline.at));
            }
            self.not_before = None;
        }
        if let (Some(class), Some(target)) = (self.again.take(), &self.current)
            && let Some(permit) = health.retry(self.ask, target, class, now)
        {
            return self.step(permit, now, health);
        }
        while let Some(target) = self.left.pop_front() {
            if let Some(permit) = self.admit(&target, now, health) {
                return self.step(permit, now, health);
            }
        }
        self.last_resort(now, health)
    }

    /// The target of the last step cannot be told what is asked for: nothing was sent, and the next
    /// one takes its place.
    pub fn skip(&mut self, why: Unsupported) {
        self.attempts_left += 1;
        self.tale.skipped.get_or_insert(why);
    }

    /// The attempt at `target`, which ran last, failed. `new_secret` says that its provider's key has
    /// changed since.
    pub fn failed(
        &mut self,
        failure: Failure,
        target: &Arc<Target>,
        new_secret: bool,
        now: Instant,
        health: &Health,
    ) {
        self.current = Some(Arc::clone(target));
        let remedy = self.remedy(&failure, target, new_secret, now, health);
        let class = failure.class;
        self.tale.failed(failure, &target.id, now);
        match remedy {
            Remedy::RetryHere => {
                self.retried.push(Arc::clone(target));
                self.again = Some(class);
            }
            Remedy::NotBefore(until) => self.limited.push(Limited {
                until,
                target: Arc::clone(target),
                tried: true,
            }),
            Remedy::NextTarget => {
                self.left.retain(|next| suits(next, class, target));
                self.open.retain(|next| suits(next, class, target));
                self.limited
                    .retain(|next| suits(&next.target, class, target));
            }
            Remedy::NextAccount => {
                let kind = target.provider.kind.clone();
                self.only.get_or_insert(kind);
            }
            Remedy::GiveUp => self.attempts_left = 0,
        }
    }

    /// How long the running attempt, which is `target`'s, may keep silent before another one is asked
    /// beside it; `None` where it may as long as it has.
    pub fn hedge_after(
        &self,
        hedge: Option<Hedge>,
        target: &Arc<Target>,
        health: &Health,
    ) -> Option<Duration> {
        hedge.filter(|_| !self.once && self.attempts_left > 0 && !self.left.is_empty())?;
        health.p95(target, self.ask.kind)
    }

    /// Another target beside the one that keeps silent, if one may be asked for nothing.
    pub fn hedge(&mut self, hedge: Hedge, now: Instant, health: &Health) -> Option<Step> {
        if self.attempts_left == 0 || now >= self.deadline.at {
            return None;
        }
        let at = self.left.iter().position(|target| {
            self.may_follow(target) && health.standing(target, now) == Ok(Standing::Well)
        })?;
        let silent = self.current.clone()?;
        let permit = health.hedge(self.ask, &silent, &self.left[at], hedge.spend, now)?;
        self.left.remove(at);
        match self.step(permit, now, health) {
            Next::Try(step) => Some(step),
            Next::Wait(_) | Next::Over => None,
        }
    }

    /// Of two attempts that run, the one at `target` failed. Whether the other one is to go on: the first
    /// always is, and the second unless the first was told what another target cannot mend.
    pub fn lost(&mut self, failure: &Failure, target: &Arc<Target>, now: Instant) -> bool {
        let second = self.current.as_ref();
        let second = second.filter(|second| !Arc::ptr_eq(second, target));
        let goes_on = match failure.class {
            _ if second.is_none() => true,
            Class::Auth | Class::InvalidRequest | Class::Policy => false,
            Class::ContextLength => {
                second.is_some_and(|second| suits(second, failure.class, target))
            }
            Class::Ok
            | Class::Connect
            | Class::Timeout
            | Class::Reset
            | Class::RateLimited
            | Class::QuotaExhausted
            | Class::Overloaded
            | Class::ServerError
            | Class::Broken
            | Class::TargetMissing
            | Class::Cancelled => true,
        };
        if goes_on {
            self.tale.failed(failure.clone(), &target.id, now);
        }
        goes_on
    }

    /// What the caller is told when nobody has answered.
    pub fn verdict(self, now: Instant) -> GatewayError {
        self.tale.verdict(now)
    }

    fn admit(&mut self, target: &Arc<Target>, now: Instant, health: &Health) -> Option<Permit> {
        if !self.may_follow(target) {
            return None;
        }
        if self.comes_too_late(target, now, health) {
            return None;
        }
        match health.admit(self.ask, target, now) {
            Ok(permit) => Some(permit),
            Err(out) => {
                self.put_out(target, out);
                None
            }
        }
    }

    fn put_out(&mut self, target: &Arc<Target>, out: Out) {
        match out.why {
            Why::Breaker => self.open.push_back(Arc::clone(target)),
            Why::RateLimited => self.limited.extend(out.until.map(|until| Limited {
                until,
                target: Arc::clone(target),
                tried: false,
            })),
            Why::Auth => {
                self.only
                    .get_or_insert_with(|| target.provider.kind.clone());
            }
            Why::Quota | Why::Missing => {}
        }
        self.tale.out(out, &target.id);
    }

    /// A refused key never sends a request to somebody else than another account of its kind.
    fn may_follow(&self, target: &Target) -> bool {
        follows(self.only.as_ref(), target)
    }

    /// Whether it cannot be expected to end in time, where another one may. A probe goes all the same.
    fn comes_too_late(&self, target: &Arc<Target>, now: Instant, health: &Health) -> bool {
        let expected = health.expected(target, self.ask.kind, now);
        expected.is_some_and(|expected| now + expected > self.deadline.at)
            && health.standing(target, now) == Ok(Standing::Well)
            && self.backup(now, health).is_some()
    }

    fn step(&mut self, permit: Permit, now: Instant, health: &Health) -> Next {
        let target = Arc::clone(permit.target());
        self.attempts_left -= 1;
        self.patience = None;
        if permit.is_doubtful() {
            self.doubtful.push(Arc::clone(&target));
        }
        let backup = self.backup(now, health).cloned();
        self.current = Some(Arc::clone(&target));
        Next::Try(Step {
            target,
            permit,
            end: self.deadline.attempt_end(now, backup.is_some()),
            backup,
        })
    }

    /// The next target that could be tried now.
    fn backup(&self, now: Instant, health: &Health) -> Option<&Arc<Target>> {
        self.left
            .iter()
            .find(|target| self.may_follow(target) && health.standing(target, now).is_ok())
            .filter(|_| self.attempts_left > 0)
    }

    /// Nobody else is left. Those whose breakers are open take one request each; the rest wait a
    /// little for one to close. At a rate limit, waiting is right while the deadline allows it.
    fn last_resort(&mut self, now: Instant, health: &Health) -> Next {
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

    fn remedy(
        &self,
        failure: &Failure,
        target: &Arc<Target>,
        new_secret: bool,
        now: Instant,
        health: &Health,
    ) -> Remedy {
        let is_in = |list: &[Arc<Target>]| list.iter().any(|one| Arc::ptr_eq(one, target));
        let retried = is_in(&self.retried);
        let once = |allowed: bool| {
            if allowed && !retried {
                Remedy::RetryHere
            } else {
                Remedy::NextTarget
            }
        };
        if self.once && !failure.class.never_began(failure.status) {
            return Remedy::GiveUp;
        }
        let has_backup = || self.backup(now, health).is_some();
        match failure.class {
            Class::Connect | Class::Reset => once(true),
            Class::Timeout => once(self.deadline.fits_two(has_backup())),
            Class::RateLimited => match failure.wait {
                // Elsewhere is cheaper than waiting; with nowhere to go, waiting is all there is.
                Some(wait) if !has_backup() && now + wait < self.deadline.at => {
                    Remedy::NotBefore(now + wait)
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
            Class::Auth if new_secret && !retried => Remedy::RetryHere,
            // It was to find out whether the key is still refused: another account of the kind serves.
            Class::Auth if is_in(&self.doubtful) => Remedy::NextAccount,
            Class::Auth | Class::InvalidRequest | Class::Policy | Class::Cancelled | Class::Ok => {
                Remedy::GiveUp
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Remedy {
    RetryHere,
    /// The same target, when it takes requests again, unless another one does before.
    NotBefore(Instant),
    NextTarget,
    /// The next target of another account of the same kind.
    NextAccount,
    GiveUp,
}

/// A target at its rate limit.
#[derive(Debug)]
struct Limited {
    until: Instant,
    target: Arc<Target>,
    /// Whether this request has been told so itself.
    tried: bool,
}

fn follows(only: Option<&Kind>, target: &Target) -> bool {
    only.is_none_or(|kind| discriminant(kind) == discriminant(&target.provider.kind))
}

/// All who wait for one limit would come back at once.
fn spread(wait: Duration, health: &Health) -> Duration {
    health.jitter(LONGEST_SPREAD.min(wait / 10))
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
        Class::Ok
        | Class::Connect
        | Class::Timeout
        | Class::Reset
        | Class::RateLimited
        | Class::Overloaded
        | Class::ServerError
        | Class::Broken
        | Class::Auth
        | Class::InvalidRequest
        | Class::TargetMissing
        | Class::Policy
        | Class::Cancelled => true,
    }
}
