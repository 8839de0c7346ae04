//! What this process has counted by itself: rates, requests that run, money. It outlives a reload, as
//! everything is known by its scope.
//!
//! Pure: `now` and the calendar are arguments.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::foreseen::Lengths;
use super::rate::{Cell, Rate};
use super::refused::{Refusal, Refused, Why};
use super::shown::{Left, Shown};
use super::terms::{OnLoss, Terms};
use crate::price::Money;

/// What a request takes: of each of its scopes the same.
#[derive(Debug, Clone)]
pub(super) struct Taking {
    pub(super) terms: SmallVec<[Arc<Terms>; 3]>,
    pub(super) tokens: u64,
    pub(super) price: Money,
}

/// Which part of the limits this process counts by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Its share of all of them, and its own budgets whole: nothing is shared.
    Share(u32),
    /// Its own budgets: the fleet counts the rest.
    Own,
    /// Its own budgets, and its share of the limits while the fleet does not count. The fleet's budgets are
    /// decided elsewhere.
    Lost(u32),
}

/// Two clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Instant,
    pub(super) time: Timestamp,
}

/// A budget's money, as far as this process has seen to it.
#[derive(Debug, Clone)]
pub(super) struct Purse {
    pub(super) spent: Money,
    pub(super) held: Money,
    pub(super) ends: Timestamp,
    warned: bool,
}

/// What was taken, to be put right.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) taking: Taking,
    pub(super) mode: Mode,
    /// The accounts of the budgets, by the place of their terms.
    accounts: SmallVec<[(usize, Arc<str>); 3]>,
    pub(super) shown: Shown,
}

/// Four fifths of a budget are spent now, which nobody has been told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Warning {
    pub(super) account: Arc<str>,
}

#[derive(Debug, Default)]
pub(super) struct Book {
    requests: HashMap<Arc<str>, Cell>,
    tokens: HashMap<Arc<str>, Cell>,
    running: HashMap<Arc<str>, u64>,
    purses: HashMap<Arc<str>, Purse>,
    /// By route.
    lengths: HashMap<Arc<str>, Lengths>,
}

impl Mode {
    fn shared_by(self) -> Option<u32> {
        match self {
            Self::Share(instances) | Self::Lost(instances) => Some(instances),
            Self::Own => None,
        }
    }

    /// How many have a share of a budget that this process counts; `None` where it does not.
    pub(super) fn budget_shared_by(self, alone: bool) -> Option<u32> {
        match self {
            _ if alone => Some(1),
            Self::Share(instances) => Some(instances),
            Self::Own | Self::Lost(_) => None,
        }
    }
}

/// The share of one in so many.
pub(super) fn share(amount: Money, shared_by: u32) -> Money {
    Money::from_picos(amount.picos() / u128::from(shared_by.max(1)))
}

fn share_of(most: u64, shared_by: u32) -> u64 {
    (most / u64::from(shared_by.max(1))).max(1)
}

fn less(from: Money, amount: Money) -> Money {
    Money::from_picos(from.picos().saturating_sub(amount.picos()))
}

impl Book {
    /// Takes all of it, or nothing: then why not.
    pub(super) fn take(
        &mut self,
        taking: Taking,
        mode: Mode,
        at: Moment,
    ) -> Result<Taken, Box<Refusal>> {
        let mut refused: Option<Refused> = None;
        let mut accounts = SmallVec::new();
        for (place, terms) in taking.terms.iter().enumerate() {
            let whys = [
                self.lacks_rate(terms, &taking, mode, at.now),
                self.lacks_money(terms, &taking, mode, at.time),
            ];
            for why in whys.into_iter().flatten() {
                let scope = terms.scope.clone();
                let new = Refused { scope, why };
                if refused
                    .as_ref()
                    .is_none_or(|old| new.weight() > old.weight())
                {
                    refused = Some(new);
                }
            }
            if let Some(budget) = &terms.budget
                && mode.budget_shared_by(budget.alone).is_some()
            {
                let account = budget.account(&terms.scope, at.time);
                self.purse(&account.name, account.window.ends);
                accounts.push((place, account.name));
            }
        }
        if let Some(refused) = refused {
            let shown = self.shown(&taking, mode, at.now);
            return Err(Box::new(Refusal { refused, shown }));
        }
        for terms in &taking.terms {
            // Also while the fleet counts: what runs here counts on when it does not any more.
            if terms.concurrency.is_some() {
                *self.running.entry(Arc::clone(&terms.scope.id)).or_default() += 1;
            }
            let Some(shared_by) = mode.shared_by() else {
                continue;
            };
            if let Some(rpm) = terms.rpm {
                let cell = self
                    .requests
                    .entry(Arc::clone(&terms.scope.id))
                    .or_default();
                cell.take(Rate::new(rpm, shared_by), 1, at.now);
            }
            if let Some(tpm) = terms.tpm {
                let cell = self.tokens.entry(Arc::clone(&terms.scope.id)).or_default();
                cell.take(Rate::new(tpm, shared_by), taking.tokens, at.now);
            }
        }
        for (_, account) in &accounts {
            if let Some(purse) = self.purses.get_mut(account) {
                purse.held += taking.price;
            }
        }
        let shown = self.shown(&taking, mode, at.now);
        Ok(Taken {
            taking,
            mode,
            accounts,
            shown,
        })
    }

    /// What a request came to; what is not known stays as it was reserved.
    pub(super) fn settle(
        &mut self,
        taken: &Taken,
        tokens: Option<u64>,
        cost: Option<Money>,
        now: Instant,
    ) -> SmallVec<[Warning; 1]> {
        let Taking { terms, price, .. } = &taken.taking;
        let reserved = taken.taking.tokens;
        for terms in terms {
            if terms.concurrency.is_some()
                && let Some(running) = self.running.get_mut(&terms.scope.id)
            {
                *running = running.saturating_sub(1);
            }
            let Some(shared_by) = taken.mode.shared_by() else {
                continue;
            };
            if let (Some(tpm), Some(tokens)) = (terms.tpm, tokens)
                && let Some(cell) = self.tokens.get_mut(&terms.scope.id)
            {
                let rate = Rate::new(tpm, shared_by);
                cell.give_back(rate, reserved.saturating_sub(tokens));
                cell.take(rate, tokens.saturating_sub(reserved), now);
            }
        }
        let mut warnings = SmallVec::new();
        for (place, account) in &taken.accounts {
            let Some(purse) = self.purses.get_mut(account) else {
                continue;
            };
            purse.held = less(purse.held, *price);
            purse.spent += cost.unwrap_or(*price);
            let budget = terms.get(*place).and_then(|terms| terms.budget);
            let limit = budget.and_then(|budget| {
                let shared_by = taken.mode.budget_shared_by(budget.alone)?;
                Some(share(budget.amount, shared_by))
            });
            let is_near = |limit: Money| purse.spent.picos() * 5 >= limit.picos() * 4;
            if limit.is_some_and(is_near) && !std::mem::replace(&mut purse.warned, true) {
                warnings.push(Warning {
                    account: Arc::clone(account),
                });
            }
        }
        warnings
    }

    fn lacks_rate(&self, terms: &Terms, taking: &Taking, mode: Mode, now: Instant) -> Option<Why> {
        let shared_by = mode.shared_by()?;
        let is_limited = terms.rpm.or(terms.tpm).or(terms.concurrency).is_some();
        if matches!(mode, Mode::Lost(_)) && terms.on_loss == OnLoss::Closed && is_limited {
            return Some(Why::LimitUnknown);
        }
        let id = &terms.scope.id;
        let running = self.running.get(id).copied().unwrap_or_default();
        if (terms.concurrency).is_some_and(|most| running >= share_of(most, shared_by)) {
            return Some(Why::Concurrency);
        }
        let lacks = |cells: &HashMap<Arc<str>, Cell>, limit: Option<u64>, count| {
            let cell = cells.get(id).copied().unwrap_or_default();
            cell.lacks(Rate::new(limit?, shared_by), count, now)
        };
        let requests = lacks(&self.requests, terms.rpm, 1);
        let tokens = lacks(&self.tokens, terms.tpm, taking.tokens);
        match (requests, tokens) {
            (Some(requests), tokens) if tokens.is_none_or(|tokens| tokens <= requests) => {
                Some(Why::Requests(requests))
            }
            (_, tokens) => tokens.map(Why::Tokens),
        }
    }

    fn lacks_money(
        &self,
        terms: &Terms,
        taking: &Taking,
        mode: Mode,
        time: Timestamp,
    ) -> Option<Why> {
        // What costs nothing is never too much.
        let budget = terms.budget.filter(|_| taking.price > Money::ZERO)?;
        let limit = share(budget.amount, mode.budget_shared_by(budget.alone)?);
        let account = budget.account(&terms.scope, time);
        let purse = self.purses.get(&account.name);
        let spent = purse.map_or(Money::ZERO, |purse| purse.spent) + taking.price;
        let held = purse.map_or(Money::ZERO, |purse| purse.held);
        if spent > limit {
            Some(Why::Spent(budget.per))
        } else if spent + held > limit {
            Some(Why::Held(budget.per))
        } else {
            None
        }
    }

    /// What is left of the limits that this process counts.
    fn shown(&self, taking: &Taking, mode: Mode, now: Instant) -> Shown {
        let mut shown = Shown::default();
        // While the fleet does not count, nobody knows.
        let Mode::Share(shared_by) = mode else {
            return shown;
        };
        for terms in &taking.terms {
            let id = &terms.scope.id;
            let left = |cells: &HashMap<Arc<str>, Cell>, limit: u64| {
                let taken = cells.get(id).copied().unwrap_or_default().taken(now);
                left(Rate::new(limit, shared_by), taken)
            };
            if let Some(rpm) = terms.rpm {
                shown.requests(left(&self.requests, rpm));
            }
            if let Some(tpm) = terms.tpm {
                shown.tokens(left(&self.tokens, tpm));
            }
        }
        shown
    }

    /// How long an answer of this route is usually.
    pub(super) fn usual(&self, route: &str) -> u64 {
        let lengths = self.lengths.get(route);
        lengths.map_or_else(|| Lengths::default().usual(), Lengths::usual)
    }

    pub(super) fn answered(&mut self, route: &Arc<str>, completion: u64) {
        let lengths = self.lengths.entry(Arc::clone(route)).or_default();
        lengths.add(completion);
    }

    pub(super) fn purse_of(&self, account: &str) -> Option<&Purse> {
        self.purses.get(account)
    }

    /// So much is known to be spent, from an earlier life of this process.
    pub(super) fn remember(&mut self, account: &Arc<str>, ends: Timestamp, spent: Money) {
        let purse = self.purse(account, ends);
        purse.spent = purse.spent.max(spent);
    }

    /// What is spent of each account, until it ends. What is long over is forgotten.
    pub(super) fn spent(&mut self, now: Timestamp) -> Vec<(Arc<str>, Money, Timestamp)> {
        self.purses
            .retain(|_, purse| purse.ends > now || purse.held > Money::ZERO);
        let purses = self.purses.iter();
        purses
            .map(|(account, purse)| (Arc::clone(account), purse.spent, purse.ends))
            .collect()
    }

    fn purse(&mut self, account: &Arc<str>, ends: Timestamp) -> &mut Purse {
        self.purses.entry(Arc::clone(account)).or_insert(Purse {
            spent: Money::ZERO,
            held: Money::ZERO,
            ends,
            warned: false,
        })
    }
}

/// What is left of a bucket of which so much is taken.
pub(super) fn left(rate: Rate, taken: Duration) -> Left {
    Left {
        limit: rate.most(),
        remaining: rate.count(rate.depth().saturating_sub(taken)),
        reset: taken,
    }
}

#[cfg(test)]
mod tests;
