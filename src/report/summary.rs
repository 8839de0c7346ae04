//! What groups come to, as it is told: shares, times, and costs in the currency that was asked for.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::costs::{Cost, Telling};
use super::intake::{Lines, noted};
use super::samples::Times;
use super::tally::{Group, Grouped};
use crate::price::Exchange;

/// A report.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// What its rows are grouped by.
    pub by: Vec<&'static str>,
    pub lines: Lines,
    pub rows: Vec<Row>,
    pub total: Entry,
    /// What a person should know to read it right.
    pub notes: Vec<String>,
}

/// One group: the values it is of, and what it comes to.
#[derive(Debug)]
pub struct Row {
    pub of: Vec<(&'static str, Option<String>)>,
    pub entry: Entry,
}

/// Values and figures are members of one object.
impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Flat<'a> {
            #[serde(flatten)]
            of: Values<'a>,
            #[serde(flatten)]
            entry: &'a Entry,
        }
        struct Values<'a>(&'a [(&'static str, Option<String>)]);
        impl Serialize for Values<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(Some(self.0.len()))?;
                for (name, value) in self.0 {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
        Flat {
            of: Values(&self.of),
            entry: &self.entry,
        }
        .serialize(serializer)
    }
}

/// What a group comes to. Shares are of its requests, unless it is said otherwise.
#[derive(Debug, Serialize)]
pub struct Entry {
    pub requests: u64,
    /// Ended otherwise than well, but for those whose caller left.
    pub errors: u64,
    pub error_share: Option<f64>,
    pub cancelled: u64,
    /// Why requests did not end well: how many of each class.
    pub reasons: BTreeMap<String, u64>,
    /// More than one target was asked.
    pub fallbacks: u64,
    pub fallback_share: Option<f64>,
    pub first_token_ms: Spread,
    pub total_ms: Spread,
    pub tokens: Tokens,
    /// Their tokens are known.
    pub counted: u64,
    /// Of those, by our own estimate; and the share of those.
    pub estimated: u64,
    pub estimated_share: Option<f64>,
    /// Of those, at a target without a price. Their cost is in no sum.
    pub unpriced: u64,
    pub costs: Vec<Cost>,
    /// Personal data was found.
    pub personal: u64,
    pub personal_share: Option<f64>,
    /// By class; one request may have several.
    pub classes: BTreeMap<String, Class>,
}

#[derive(Debug, Serialize)]
pub struct Spread {
    pub mean: Option<u64>,
    pub p50: Option<u64>,
    pub p95: Option<u64>,
    pub p99: Option<u64>,
}

#[derive(Debug, Serialize)]
pub struct Tokens {
    pub prompt: u64,
    pub cached: u64,
    pub cache_write: u64,
    pub reasoning: u64,
    pub completion: u64,
}

#[derive(Debug, Serialize)]
pub struct Class {
    pub requests: u64,
    pub share: Option<f64>,
}

impl Summary {
    /// In `currency`, where one is asked for, by the rate of the month in which each cost was made.
    pub fn of(grouped: Grouped, currency: Option<&str>, exchange: &Exchange) -> Self {
        let Grouped {
            by,
            lines,
            groups,
            total,
        } = grouped;
        let names: Vec<_> = by.iter().map(|by| by.name()).collect();
        let mut telling = Telling::new(currency, exchange);
        let mut entry = |group| Entry::of(group, &mut telling);
        let rows = groups
            .into_iter()
            .map(|(values, group)| Row {
                of: names.iter().copied().zip(values).collect(),
                entry: entry(group),
            })
            .collect();
        let total = entry(total);
        let mut notes = lines.notes();
        notes.extend(noted(&[
            (
                total.unpriced,
                "requests have tokens and no cost, as their targets have no price: they are in no sum of money",
            ),
            (
                total.estimated,
                "requests have tokens that their providers did not count: they are estimated",
            ),
        ]));
        notes.extend(telling.notes());
        Self {
            by: names,
            lines,
            rows,
            total,
            notes,
        }
    }
}

impl Entry {
    fn of(mut group: Group, telling: &mut Telling<'_>) -> Self {
        let requests = group.requests;
        let share = |of| share(of, requests);
        Self {
            requests,
            errors: group.errors,
            error_share: share(group.errors),
            cancelled: group.cancelled,
            fallbacks: group.fell_back,
            fallback_share: share(group.fell_back),
            first_token_ms: group.first_token.times().into(),
            total_ms: group.total.times().into(),
            tokens: Tokens {
                prompt: group.prompt,
                cached: group.cached,
                cache_write: group.cache_write,
                reasoning: group.reasoning,
                completion: group.completion,
            },
            counted: group.counted,
            estimated: group.estimated,
            estimated_share: self::share(group.estimated, group.counted),
            unpriced: group.unpriced,
            costs: group.costs.told(telling),
            personal: group.personal,
            personal_share: share(group.personal),
            classes: (group.classes.into_iter())
                .map(|(class, requests)| {
                    let share = share(requests);
                    (class, Class { requests, share })
                })
                .collect(),
            reasons: group.reasons,
        }
    }
}

impl From<Times> for Spread {
    fn from(times: Times) -> Self {
        Self {
            mean: times.mean,
            p50: times.p50,
            p95: times.p95,
            p99: times.p99,
        }
    }
}

/// To four decimals; `None` of nothing.
#[expect(clippy::cast_precision_loss, reason = "ten thousand at most")]
pub(super) fn share(part: u64, whole: u64) -> Option<f64> {
    let wide = u128::from(part) * 10_000 + u128::from(whole) / 2;
    let parts = u64::try_from(wide.checked_div(u128::from(whole))?).ok()?;
    Some(parts as f64 / 10_000.0)
}
