//! What requests came to that Redis has not acknowledged. It is told until it is, and written down besides,
//! each under a name by which it counts once however often it is told, also by a later life of this process.
//! Pure.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;

use super::item::{self, Purse};
use super::settlement::Settlement;
use crate::price::Money;

/// So many that hold a lease are kept. The lease of what is forgotten lapses, and is charged as a whole.
const RING: usize = 10_000;

/// Money that Redis has not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owed {
    pub(crate) id: String,
    pub(crate) account: Arc<str>,
    pub(crate) spent: Money,
    pub(crate) ends: Timestamp,
}

#[derive(Default)]
pub(super) struct Untold {
    waiting: VecDeque<Settlement>,
    /// On their way.
    told: Vec<Settlement>,
    /// What was let out without Redis: it has no lease, so that of each account one sum is enough. Its name is
    /// good until it is told.
    sums: HashMap<Arc<str>, (String, Purse)>,
}

impl Untold {
    pub(super) fn push(&mut self, settlement: Settlement) {
        if self.waiting.len() >= RING {
            let leased = self.waiting.iter().position(|one| !one.lent);
            self.waiting.remove(leased.unwrap_or_default());
        }
        self.waiting.push_back(settlement);
    }

    /// So much more was let out without Redis; a sum begins by this name.
    pub(super) fn add(&mut self, purse: &Purse, cost: u64, id: impl FnOnce() -> String) {
        let sum = self.sums.entry(Arc::clone(&purse.account));
        let (_, sum) = sum.or_insert_with(|| {
            let none = Purse {
                amount: 0,
                ..purse.clone()
            };
            (id(), none)
        });
        sum.amount = sum.amount.saturating_add(cost);
    }

    /// The next ones to be told. What is let out from now on is another sum, and so is what `runs` without Redis.
    pub(super) fn next(
        &mut self,
        count: usize,
        runs: &HashMap<Arc<str>, u64>,
        mut id: impl FnMut() -> String,
    ) -> Vec<Settlement> {
        // While those before are not told, sums go on to grow.
        if self.waiting.len() < count {
            for (account, (name, sum)) in std::mem::take(&mut self.sums) {
                let is_spent = sum.amount > 0;
                if runs.contains_key(&account) {
                    let none = Purse {
                        amount: 0,
                        ..sum.clone()
                    };
                    let name = if is_spent { id() } else { name.clone() };
                    self.sums.insert(account, (name, none));
                }
                if is_spent {
                    self.waiting.push_back(Settlement::lent(name, vec![sum]));
                }
            }
        }
        let next = self.waiting.drain(..count.min(self.waiting.len()));
        let next: Vec<Settlement> = next.collect();
        self.told.extend(next.iter().cloned());
        next
    }

    /// Redis has it, or it is of no use to tell it again.
    pub(super) fn acknowledged(&mut self, settlement: &Settlement) {
        self.told.retain(|told| told.id != settlement.id);
    }

    /// These are to be told again, before all others.
    pub(super) fn again(&mut self, settlements: Vec<Settlement>) {
        for settlement in settlements.into_iter().rev() {
            self.acknowledged(&settlement);
            self.waiting.push_front(settlement);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let has_sum = self.sums.values().any(|(_, sum)| sum.amount > 0);
        self.waiting.is_empty() && self.told.is_empty() && !has_sum
    }

    /// All the money of it that has no lease, which would be charged when it lapses; with what runs on without Redis, so
    /// much of each account: nobody else knows of that.
    pub(super) fn owed(&self, runs: &HashMap<Arc<str>, u64>) -> Vec<Owed> {
        let owed = |id: &str, purse: &Purse, spent| Owed {
            id: id.to_owned(),
            account: Arc::clone(&purse.account),
            spent: item::money(spent),
            ends: purse.ends,
        };
        let settlements = self.told.iter().chain(&self.waiting);
        let settlements = settlements.filter(|settlement| settlement.lent);
        let settled = settlements.flat_map(|settlement| {
            let costs = settlement.costs();
            costs.map(|(purse, cost)| owed(&settlement.id, purse, cost))
        });
        let sums = self.sums.iter().map(|(account, (id, sum))| {
            let runs = runs.get(account).copied().unwrap_or_default();
            owed(id, sum, sum.amount.saturating_add(runs))
        });
        settled.chain(sums).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::OnLoss;

    fn purse(account: &str) -> Purse {
        Purse {
            account: account.into(),
            key: String::new(),
            limit: 9,
            amount: 3,
            ends: Timestamp::MAX,
            on_loss: OnLoss::Open,
        }
    }

    fn owed(untold: &Untold) -> Vec<(String, u128)> {
        let mut owed: Vec<_> = (untold.owed(&HashMap::new()).into_iter())
            .map(|owed| (owed.id, owed.spent.picos() / 1000))
            .collect();
        owed.sort();
        owed
    }

    #[test]
    fn what_is_on_its_way_is_owed_until_it_is_acknowledged_and_is_added_to_no_more() {
        let mut untold = Untold::default();
        let (none, id) = (HashMap::new(), || -> String { panic!("nothing runs") });
        let row = |id: &str, spent| (id.to_owned(), spent);
        untold.add(&purse("a"), 2, || "one".into());
        untold.add(&purse("a"), 3, || panic!("it has a name"));
        assert_eq!(owed(&untold), [row("one", 5)]);
        let told = untold.next(9, &none, id);
        assert_eq!(owed(&untold), [row("one", 5)]);
        untold.add(&purse("a"), 4, || "two".into());
        assert_eq!(owed(&untold), [row("one", 5), row("two", 4)]);
        untold.again(told);
        let told = untold.next(1, &none, id);
        assert_eq!(told[0].id, "one");
        untold.acknowledged(&told[0]);
        assert_eq!(owed(&untold), [row("two", 4)]);
        let told = untold.next(9, &none, id);
        untold.acknowledged(&told[0]);
        assert!(untold.is_empty() && owed(&untold).is_empty());
    }

    #[test]
    fn what_runs_without_redis_is_owed_to_whoever_reads_of_it_but_is_not_told() {
        let mut untold = Untold::default();
        untold.add(&purse("a"), 0, || "one".into());
        assert!(untold.is_empty());
        let runs = HashMap::from([("a".into(), 7)]);
        assert_eq!(untold.owed(&runs)[0].spent, item::money(7));
        let id = || panic!("it has a name");
        assert!(untold.next(9, &runs, id).is_empty());
        assert_eq!(untold.owed(&runs)[0].spent, item::money(7));
        untold.add(&purse("a"), 2, || panic!("it has a name"));
        let told = untold.next(9, &runs, || "two".into());
        assert_eq!(told[0].id, "one");
        let spent: Vec<_> = untold.owed(&runs).into_iter().map(|it| it.spent).collect();
        assert_eq!(spent, [item::money(2), item::money(7)], "told, and running");
        assert!(untold.next(9, &HashMap::new(), String::new).is_empty());
        assert_eq!(untold.owed(&HashMap::new()).len(), 1, "it runs no more");
    }
}
