//! What a request came to, on its way to Redis.

use std::sync::Arc;

use jiff::Timestamp;

use super::item::{self, Item, Purse};
use super::scripts::SETTLE;
use super::{By, Counters, Lease};
use crate::fleet::redis::Away;
use crate::price::Money;
use crate::redis::Reply;

/// For so long it is known to be told, so that it counts once when it is told again.
const DONE_MS: i64 = 300_000;

#[derive(Debug, Clone)]
pub(super) struct Settlement {
    pub(super) id: String,
    items: Arc<[Item]>,
    /// What it came to, where that is known.
    tokens: Option<u64>,
    cost: Option<u64>,
    /// Whether its money was let out without Redis.
    pub(super) lent: bool,
}

impl Settlement {
    pub(super) fn of(lease: Lease, tokens: Option<u64>, cost: Option<Money>) -> Self {
        Self {
            id: lease.id,
            items: lease.items,
            tokens,
            cost: cost.map(item::nanos),
            lent: lease.by != By::Redis,
        }
    }

    /// So much of these was let out without Redis.
    pub(super) fn lent(id: String, purses: Vec<Purse>) -> Self {
        Self {
            id,
            items: purses.into_iter().map(Item::Money).collect(),
            tokens: None,
            cost: None,
            lent: true,
        }
    }

    /// Each budget, and what it is charged.
    pub(super) fn costs(&self) -> impl Iterator<Item = (&Purse, u64)> {
        self.items.iter().filter_map(|item| match item {
            Item::Money(purse) => Some((purse, self.cost.unwrap_or(purse.amount))),
            Item::Rate { .. } | Item::Running { .. } => None,
        })
    }

    /// The same, to be told once more, as nobody knows whether Redis has it; `None` where that would say
    /// nothing. Money is marked as told, and a place that is given back twice is free once. A rate must not
    /// be put right twice: without a mark it stays as it was taken.
    pub(super) fn again(&self) -> Option<Self> {
        let marked = self.costs().next().is_some();
        let again = Self {
            tokens: self.tokens.filter(|_| marked),
            ..self.clone()
        };
        again.says_something().then_some(again)
    }

    /// Whether Redis learns something by it.
    pub(super) fn says_something(&self) -> bool {
        let tokens = self.tokens;
        self.items.iter().any(|item| match item {
            Item::Rate { count, settles, .. } => *settles && tokens.is_some_and(|it| it != *count),
            Item::Running { .. } | Item::Money(_) => true,
        })
    }

    /// Once this has returned it is on its way.
    pub(super) fn tell(
        &self,
        counters: &Counters,
        epoch: &str,
    ) -> impl Future<Output = Result<Reply, Away>> + Send + use<> {
        let now = Timestamp::now();
        let lives = (self.costs()).map(|(purse, _)| item::life(purse.ends, now));
        let done = match lives.max() {
            // There are few, and a later life of this process may tell it again.
            Some(life) if self.lent => life,
            Some(_) => DONE_MS,
            None => 0,
        };
        let mut args = vec![epoch.to_owned(), self.id.clone(), done.to_string()];
        let mut keys = vec![counters.key("epoch", ""), counters.key("leases", "")];
        keys.extend([counters.lease(&self.id), counters.mark(&self.id)]);
        for item in self.items.iter() {
            let told = match item {
                Item::Rate {
                    rate,
                    count,
                    settles: true,
                    ..
                } if !self.lent => self.tokens.map(|tokens| {
                    let more = rate.span(tokens.saturating_sub(*count)).as_micros();
                    let less = rate.span(count.saturating_sub(tokens)).as_micros();
                    let sign = if less > 0 { "-" } else { "" };
                    [
                        "r".into(),
                        format!("{sign}{}", more.max(less)),
                        "0".into(),
                        "0".into(),
                    ]
                }),
                Item::Rate { .. } => None,
                Item::Running { .. } => Some(["c".into(), "0".into(), "0".into(), "0".into()]),
                Item::Money(purse) => Some([
                    "b".into(),
                    self.cost.unwrap_or(purse.amount).to_string(),
                    purse.limit.to_string(),
                    item::life(purse.ends, now).to_string(),
                ]),
            };
            if let Some(told) = told {
                keys.push(item.key().to_owned());
                args.extend(told);
            }
        }
        counters.begin(&SETTLE, &keys, &args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::{OnLoss, Rate};

    fn rate() -> Item {
        Item::Rate {
            key: "r".into(),
            rate: Rate::new(60, 1),
            count: 5,
            settles: true,
        }
    }

    fn running() -> Item {
        Item::Running {
            key: "c".into(),
            most: 9,
        }
    }

    fn money() -> Item {
        Item::Money(Purse {
            account: "key:a|2026-11".into(),
            key: "b".into(),
            limit: 9,
            amount: 3,
            ends: Timestamp::MAX,
            on_loss: OnLoss::Closed,
        })
    }

    #[test]
    fn a_rate_is_not_put_right_twice_where_no_mark_says_that_it_was() {
        for (items, tokens) in [
            (vec![rate()], None),
            (vec![rate(), running()], Some(None)),
            (vec![rate(), running(), money()], Some(Some(2))),
        ] {
            let lease = Lease {
                id: "l".into(),
                items: items.into(),
                by: By::Redis,
            };
            let told = Settlement::of(lease, Some(2), Some(Money::ZERO));
            assert!(told.says_something());
            let again = told.again().map(|again| again.tokens);
            assert_eq!(again, tokens);
        }
    }
}
