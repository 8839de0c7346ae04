//! What requests cost, kept by currency and month, and told in the currency that was asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::ser::Serializer;

use super::row::{Row, Tokens};
use crate::price::{Exchange, Money};

/// What was spent, a sum for each currency and month.
#[derive(Debug, Clone, Default)]
pub(super) struct Costs(Vec<Sum>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Sum {
    currency: String,
    /// As `2026-11`.
    month: String,
    amount: Money,
    /// The requests that cost it, and their tokens, prompt and completion.
    requests: u64,
    tokens: u64,
}

/// What was spent in one currency, as exact decimals.
#[derive(Debug, Serialize)]
pub struct Cost {
    pub currency: String,
    #[serde(rename = "cost", serialize_with = "decimal")]
    pub amount: Money,
    /// The requests that cost it.
    pub requests: u64,
    #[serde(serialize_with = "decimal_if_any")]
    pub per_request: Option<Money>,
    /// For a thousand tokens, prompt and completion together.
    #[serde(serialize_with = "decimal_if_any")]
    pub per_1k_tokens: Option<Money>,
}

/// In which currency costs are to be told, if not in their own, and by which rates.
#[derive(Debug)]
pub(super) struct Telling<'a> {
    currency: Option<&'a str>,
    exchange: &'a Exchange,
    /// The currencies and months that there was no rate for.
    missing: BTreeSet<(String, String)>,
}

impl Costs {
    /// Adds what a request cost that used so much. Returns whether that is known.
    pub(super) fn add(&mut self, row: &Row<'_>, usage: &Tokens) -> bool {
        let Some(amount) = row.cost.and_then(Money::parse) else {
            return false;
        };
        let month = row.time.get(..7).unwrap_or_default();
        let sum = self.sum(row.currency.unwrap_or_default(), month);
        sum.amount += amount;
        sum.requests += 1;
        sum.tokens += usage.prompt.unwrap_or_default() + usage.completion.unwrap_or_default();
        true
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for theirs in &other.0 {
            let sum = self.sum(&theirs.currency, &theirs.month);
            sum.amount += theirs.amount;
            sum.requests += theirs.requests;
            sum.tokens += theirs.tokens;
        }
    }

    /// A sum for each currency: where it is to be another, by the rate of the month in which a cost was made.
    pub(super) fn told(&self, telling: &mut Telling<'_>) -> Vec<Cost> {
        let mut sums: BTreeMap<&str, (Money, u64, u64)> = BTreeMap::new();
        for made in &self.0 {
            let (currency, amount) = telling.of(made);
            let sum = sums.entry(currency).or_default();
            sum.0 += amount;
            sum.1 += made.requests;
            sum.2 += made.tokens;
        }
        let sums = sums.into_iter();
        sums.map(|(currency, (amount, requests, tokens))| Cost {
            currency: currency.to_owned(),
            amount,
            requests,
            per_request: amount.times_over(1, requests),
            per_1k_tokens: amount.times_over(1000, tokens),
        })
        .collect()
    }

    fn sum(&mut self, currency: &str, month: &str) -> &mut Sum {
        let mut known = self.0.iter();
        let place = known.position(|sum| sum.month == month && sum.currency == currency);
        let place = place.unwrap_or_else(|| {
            self.0.push(Sum {
                currency: currency.to_owned(),
                month: month.to_owned(),
                amount: Money::ZERO,
                requests: 0,
                tokens: 0,
            });
            self.0.len() - 1
        });
        &mut self.0[place]
    }
}

impl<'a> Telling<'a> {
    pub(super) fn new(currency: Option<&'a str>, exchange: &'a Exchange) -> Self {
        Self {
            currency,
            exchange,
            missing: BTreeSet::new(),
        }
    }

    /// What could not be told as it was asked for.
    pub(super) fn notes(self) -> impl Iterator<Item = String> {
        let to = self.currency.unwrap_or_default();
        self.missing.into_iter().map(move |(from, month)| {
            format!("there is no rate from {from} to {to} in {month}: what was spent then stays in {from}")
        })
    }

    fn of<'s>(&mut self, sum: &'s Sum) -> (&'s str, Money)
    where
        'a: 's,
    {
        let Some(to) = self.currency.filter(|to| *to != sum.currency) else {
            return (&sum.currency, sum.amount);
        };
        let month = sum.month.parse().ok();
        let other =
            month.and_then(|month| (self.exchange).convert(sum.amount, &sum.currency, to, month));
        if let Some(other) = other {
            return (to, other);
        }
        let missing = (sum.currency.clone(), sum.month.clone());
        self.missing.insert(missing);
        (&sum.currency, sum.amount)
    }
}

fn decimal<S: Serializer>(money: &Money, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(money)
}

#[expect(clippy::ref_option, reason = "serde hands it over so")]
fn decimal_if_any<S: Serializer>(money: &Option<Money>, serializer: S) -> Result<S::Ok, S::Error> {
    match money {
        Some(money) => serializer.collect_str(money),
        None => serializer.serialize_none(),
    }
}
