//! What this process knows of the fleet's budgets: what Redis said last, and what it was not told yet.
//!
//! It is what a Redis that has lost everything is filled from, and what a process goes by while Redis is
//! away. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::item::{Item, Purse};
use crate::limit::OnLoss;

/// A thousand millionths of a millionth: the unit of money in Redis, whose counters have 63 bits.
pub(super) const UNIT: u64 = 1_000_000_000;
/// While Redis is away, all processes together let so much of what was left go out: one part in so many.
/// Some may be away from a Redis that the others spend all the rest by.
const PARTS: u64 = 100;
/// And each of them this at most.
const MOST: u64 = UNIT;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) spent: u64,
    pub(super) held: u64,
    /// Let out while Redis was away, for what runs; ...
    pub(super) lent: u64,
    /// ... and what that came to, as long as Redis has not acknowledged it.
    pub(super) owed: u64,
    pub(super) ends: Timestamp,
    /// Zero until it is known.
    limit: u64,
    on_loss: OnLoss,
}

impl Known {
    /// Of which nothing is known.
    fn new(ends: Timestamp) -> Self {
        Self {
            spent: 0,
            held: 0,
            lent: 0,
            owed: 0,
            ends,
            limit: 0,
            on_loss: OnLoss::Closed,
        }
    }

    /// What each of so many processes may let out while Redis is away.
    pub(super) fn share(&self, instances: u32) -> u64 {
        let left = self.limit.saturating_sub(self.spent + self.held);
        let instances = u64::from(instances.max(1));
        match self.on_loss {
            OnLoss::Open => left / instances,
            OnLoss::Closed => (left / PARTS / instances).min(MOST),
        }
    }
}

/// By account.
#[derive(Debug, Default)]
pub(super) struct Accounts(HashMap<Arc<str>, Known>);

impl Accounts {
    /// What Redis says.
    pub(super) fn hear(&mut self, purse: &Purse, spent: u64, held: u64) {
        let known = self.of(purse);
        // Replies may be looked at in another order than they came.
        known.spent = known.spent.max(spent);
        known.held = held;
    }

    /// The same of one that is known already.
    pub(super) fn stands(&mut self, account: &str, spent: u64, held: u64) {
        if let Some(known) = self.0.get_mut(account) {
            known.spent = known.spent.max(spent);
            known.held = held;
        }
    }

    /// What is known from elsewhere to be spent.
    pub(super) fn remember(&mut self, account: &Arc<str>, spent: u64, ends: Timestamp) {
        let known = self.0.entry(Arc::clone(account));
        let known = known.or_insert_with(|| Known::new(ends));
        known.spent = known.spent.max(spent);
    }

    pub(super) fn get(&self, account: &str) -> Option<&Known> {
        self.0.get(account)
    }

    /// Those whose window has not ended long since.
    pub(super) fn current(&mut self, now: Timestamp) -> impl Iterator<Item = (&Arc<str>, &Known)> {
        self.0
            .retain(|_, known| known.ends > now || known.lent > 0 || known.owed > 0);
        self.0.iter()
    }

    /// Lets all of the items' money out although nobody can say what is left, or none: then the first
    /// that is closed. So many processes may do that.
    pub(super) fn lend(&mut self, items: &[Item], instances: u32) -> Result<(), usize> {
        for (place, item) in items.iter().enumerate() {
            let Item::Money(purse) = item else { continue };
            let known = self.of(purse);
            let lent = known.lent.saturating_add(known.owed);
            let lent = lent.saturating_add(purse.amount);
            // What costs nothing is never too much.
            if purse.amount > 0 && lent > known.share(instances) {
                return Err(place);
            }
        }
        for item in items {
            if let Item::Money(purse) = item {
                let known = self.of(purse);
                known.lent = known.lent.saturating_add(purse.amount);
            }
        }
        Ok(())
    }

    /// What was let out came to this.
    pub(super) fn settled(&mut self, purse: &Purse, cost: u64) {
        let known = self.of(purse);
        known.lent = known.lent.saturating_sub(purse.amount);
        self.owe(purse, cost);
    }

    pub(super) fn owe(&mut self, purse: &Purse, cost: u64) {
        let known = self.of(purse);
        known.owed = known.owed.saturating_add(cost);
    }

    /// Redis has it.
    pub(super) fn acknowledged(&mut self, purse: &Purse, cost: u64) {
        let known = self.of(purse);
        known.owed = known.owed.saturating_sub(cost);
    }

    /// What is let out for what runs, of each account.
    pub(super) fn lent(&self) -> HashMap<Arc<str>, u64> {
        let lent = self.0.iter().filter(|(_, known)| known.lent > 0);
        lent.map(|(account, known)| (Arc::clone(account), known.lent))
            .collect()
    }

    fn of(&mut self, purse: &Purse) -> &mut Known {
        let known = self.0.entry(Arc::clone(&purse.account));
        let known = known.or_insert_with(|| Known::new(purse.ends));
        if purse.limit > 0 {
            (known.limit, known.on_loss) = (purse.limit, purse.on_loss);
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purse(limit: u64, amount: u64, on_loss: OnLoss) -> Purse {
        Purse {
            account: "key:a|2026-11".into(),
            key: String::new(),
            limit: limit * UNIT,
            amount,
            ends: Timestamp::MAX,
            on_loss,
        }
    }

    fn lends(accounts: &mut Accounts, purse: &Purse, instances: u32) -> u64 {
        let items = [Item::Money(purse.clone())];
        let lends = (0..10_000).take_while(|_| accounts.lend(&items, instances).is_ok());
        lends.count() as u64
    }

    #[test]
    fn what_all_let_out_unseen_is_a_hundredth_of_what_was_left_and_a_unit_each_at_most() {
        let cent = UNIT / 100;
        for (limit, spent, held, instances, lent) in [
            (100, 0, 0, 1, 100),
            (100, 0, 0, 20, 5),
            (100, 20, 0, 20, 4),
            (100, 20, 40, 20, 2),
            (100, 50, 50, 20, 0),
            (100, 100, 0, 20, 0),
            (1_000_000, 0, 0, 20, 100),
        ] {
            let mut accounts = Accounts::default();
            let closed = purse(limit, cent, OnLoss::Closed);
            accounts.hear(&closed, spent * UNIT, held * UNIT);
            assert_eq!(
                lends(&mut accounts, &closed, instances),
                lent,
                "{limit} {spent} {held}"
            );
            for _ in 0..lent {
                accounts.settled(&closed, cent);
            }
            assert_eq!(lends(&mut accounts, &closed, instances), 0, "it is owed");
            accounts.acknowledged(&closed, lent * cent);
            assert_eq!(
                lends(&mut accounts, &closed, instances),
                lent,
                "told to Redis"
            );
            let mut later = Accounts::default();
            later.remember(&closed.account, spent * UNIT, Timestamp::MAX);
            later.owe(&purse(0, 0, OnLoss::Closed), lent * cent);
            if held == 0 {
                assert_eq!(lends(&mut later, &closed, instances), 0, "a later life");
            }
        }
    }

    #[test]
    fn one_that_is_open_goes_on_with_its_share_of_what_was_left() {
        let mut accounts = Accounts::default();
        let open = purse(102, UNIT / 10, OnLoss::Open);
        accounts.hear(&open, UNIT, UNIT);
        assert_eq!(lends(&mut accounts, &open, 20), 50);
        let items = [Item::Money(open), Item::Money(purse(0, 1, OnLoss::Closed))];
        assert_eq!(accounts.lend(&items, 20), Err(0));
        let free = [Item::Money(purse(0, 0, OnLoss::Closed))];
        assert_eq!(accounts.lend(&free, 20), Ok(()));
    }

    #[test]
    fn what_is_known_never_sinks() {
        let mut accounts = Accounts::default();
        let closed = purse(100, 1, OnLoss::Closed);
        accounts.remember(&closed.account, 7, Timestamp::MAX);
        accounts.hear(&closed, 5, 1);
        assert_eq!(
            accounts.get(&closed.account).map(|known| known.spent),
            Some(7)
        );
        assert_eq!(accounts.current(Timestamp::UNIX_EPOCH).count(), 1);
        assert_eq!(accounts.current(Timestamp::MAX).count(), 0);
    }
}
