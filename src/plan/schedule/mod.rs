//! The next attempt, given the failures so far.
//!
//! A *retry* is the same target again, a *fallback* the next target: two rules, one deadline over
//! both. The schedule decides and never waits; the loop in [`crate::upstream`] waits and never decides.

mod remedy;
mod waiting;

use std::collections::VecDeque;
use std::mem::discriminant;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

use self::remedy::{Remedy, suits};
use self::waiting::Limited;
use super::verdict::Tale;
use super::{Deadline, Plan};
use crate::chat::Unsupported;
use crate::error::GatewayError;
use crate::health::{Ask, Health, Out, Permit, Standing, Why};
use crate::outcome::{Class, Failure};
use crate::snapshot::{Hedge, Kind, Target};

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
    /// Passed over because another one is expected sooner.
    late: VecDeque<Arc<Target>>,
    /// The target of the last step.
    current: Option<Arc<Target>>,
    /// That target is to be tried again, after a failure of this class.
    again: Option<Class>,
    /// Those that have been tried again.
    retried: SmallVec<[Arc<Target>; 2]>,
    /// Those whose account's key had been refused before they were tried.
    doubtful: SmallVec<[Arc<Target>; 1]>,
    not_before: Option<Instant>,
    /// How often a limit that named no time was waited for.
    backoffs: u32,
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
            late: VecDeque::new(),
            current: None,
            again: None,
            retried: SmallVec::new(),
            doubtful: SmallVec::new(),
            not_before: None,
            backoffs: 0,
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
        if let (Some(class), Some(target)) = (self.again.take(), &self.current) {
            if let Some(permit) = health.retry(self.ask, target, class, now) {
                return self.step(permit, now, health);
            }
            if class == Class::RateLimited {
                // Its wait is over, and so is the budget of second tries: a little later, perhaps.
                let target = Arc::clone(target);
                self.await_limit(&target, now + waiting::for_budget(health));
            }
        }
        while let Some(target) = self.left.pop_front() {
            if self.may_follow(&target) && self.comes_too_late(&target, now, health) {
                self.late.push_back(target);
            } else if let Some(permit) = self.admit(&target, now, health) {
                return self.step(permit, now, health);
            }
        }
        while let Some(target) = self.late.pop_front() {
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

    /// The step's target is not where the request may go: the attempt does not count.
    pub fn keep_in(&mut self) {
        self.attempts_left += 1;
        self.tale.kept_in = true;
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
        let told = failure.wait.filter(|_| class == Class::RateLimited);
        self.tale.failed(failure, &target.id, now);
        match remedy {
            Remedy::RetryHere => {
                self.retried.push(Arc::clone(target));
                self.again = Some(class);
            }
            Remedy::NotBefore(until) => self.await_limit(target, until),
            Remedy::Later => {
                let pause = waiting::backoff(self.backoffs, health);
                self.backoffs += 1;
                self.await_limit(target, now + pause);
            }
            Remedy::NextTarget => {
                // Where all others fail, waiting for it may still be right.
                if let Some(wait) = told {
                    self.await_limit(target, now + wait);
                }
                self.left.retain(|next| suits(next, class, target));
                self.late.retain(|next| suits(next, class, target));
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
        match health.admit(self.ask, target, now) {
            Ok(permit) => Some(permit),
            Err(out) => {
                self.put_out(target, out);
                None
            }
        }
    }

    /// `target` has said itself that it is at its rate limit. Where nobody else answers, it is tried again
    /// from then on.
    fn await_limit(&mut self, target: &Arc<Target>, until: Instant) {
        self.limited.push(Limited {
            until,
            target: Arc::clone(target),
            tried: true,
        });
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

    /// Whether it is not expected to end in time, where another one is, or may be. A probe goes all the
    /// same.
    fn comes_too_late(&self, target: &Arc<Target>, now: Instant, health: &Health) -> bool {
        let in_time = |target: &Arc<Target>| {
            let expected = health.expected(target, self.ask.kind, now);
            expected.is_none_or(|expected| now + expected <= self.deadline.at)
        };
        !in_time(target)
            && health.standing(target, now) == Ok(Standing::Well)
            && self.attempts_left > 1
            && self.left.iter().any(|other| {
                self.may_follow(other) && health.standing(other, now).is_ok() && in_time(other)
            })
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
}

fn follows(only: Option<&Kind>, target: &Target) -> bool {
    only.is_none_or(|kind| discriminant(kind) == discriminant(&target.provider.kind))
}
