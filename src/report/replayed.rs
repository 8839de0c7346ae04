//! What a replay comes to, for programs and for people.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::grid::{Grid, count, millis, percent};
use super::intake::Lines;
use super::table::notes;
use crate::price::Money;

/// What the new table makes of the past.
#[derive(Debug, Serialize)]
pub struct Replayed {
    pub records: u64,
    /// All that were read.
    pub lines: Lines,
    /// Those that would have gone to a target.
    pub planned: u64,
    pub targets: Vec<ToTarget>,
    /// Targets that answered and would get nothing first, by how many they answered.
    pub no_longer: BTreeMap<String, u64>,
    /// What those planned would cost, in `currency`, and how many have no cost because no price is known.
    pub cost: String,
    pub currency: Option<String>,
    pub unpriced: u64,
    /// What the same records did cost, by currency, and how many say nothing of it.
    pub spent: BTreeMap<String, String>,
    pub spent_unknown: u64,
    /// Those that would have been refused, by why.
    pub refused: BTreeMap<String, u64>,
    /// Those that a record does not say enough of.
    pub unplanned: BTreeMap<String, u64>,
}

/// What would have gone to one target first.
#[derive(Debug, Serialize)]
pub struct ToTarget {
    pub target: String,
    pub requests: u64,
    pub share: Option<f64>,
    /// How many it answered.
    pub before: u64,
    /// Of `requests`, those that another target answered, or none.
    pub moved: u64,
    pub tokens: u64,
    pub cost: Option<String>,
    pub unpriced: u64,
    /// The attempts that the following is known from; none where it was never asked.
    pub measured: u64,
    pub failed_share: Option<f64>,
    pub first_token_p50_ms: Option<u64>,
    pub answer_p50_ms: Option<u64>,
    pub answer_p95_ms: Option<u64>,
}

/// What no record can say, and so no replay.
const BLIND: &str = "a record holds no request: conditions on its text, its tools or its images, and groups that keep a conversation together, are not replayed; tokens are as they were, though another model counts and writes otherwise";

/// For a person.
///
/// # Errors
/// Those of `out`.
pub fn replayed(replayed: &Replayed, out: &mut impl Write) -> io::Result<()> {
    let money = |text: &str| Money::parse(text).map_or_else(|| text.to_owned(), |it| it.rounded(4));
    let mut grid = Grid::new(
        1,
        [
            "target",
            "requests",
            "",
            "before",
            "moved here",
            "tokens",
            "cost",
            "unpriced",
            "failed so far",
            "first token p50",
            "answer p50",
            "p95",
        ],
    );
    for to in &replayed.targets {
        grid.row(vec![
            to.target.clone(),
            count(to.requests),
            percent(to.share),
            count(to.before),
            count(to.moved),
            count(to.tokens),
            to.cost.as_deref().map_or_else(|| "no price".into(), money),
            count(to.unpriced),
            percent(to.failed_share),
            millis(to.first_token_p50_ms),
            millis(to.answer_p50_ms),
            millis(to.answer_p95_ms),
        ]);
    }
    for (target, before) in &replayed.no_longer {
        grid.row(vec![
            target.clone(),
            "0".into(),
            percent(Some(0.0)),
            count(*before),
        ]);
    }
    grid.write(out)?;
    writeln!(out)?;
    let cost = match replayed.currency.as_deref() {
        Some(currency) => format!("{} {currency}", money(&replayed.cost)),
        None => "nothing known".into(),
    };
    let spent: Vec<_> = (replayed.spent.iter())
        .map(|(currency, cost)| format!("{} {currency}", money(cost)))
        .collect();
    let spent = if spent.is_empty() {
        "nothing known".into()
    } else {
        spent.join(", ")
    };
    writeln!(
        out,
        "{} of {} records planned: {cost} by the new prices, {spent} as it was",
        count(replayed.planned),
        count(replayed.records),
    )?;
    let mut said = replayed.lines.notes();
    for (why, records) in &replayed.refused {
        said.push(format!("{records} would be refused: {why}"));
    }
    for (why, records) in &replayed.unplanned {
        said.push(format!("{records} cannot be planned: {why}"));
    }
    if replayed.unpriced > 0 {
        said.push(format!(
            "{} planned have no cost, as their new target has no price",
            replayed.unpriced
        ));
    }
    if replayed.spent_unknown > 0 {
        said.push(format!(
            "{} planned say nothing of their cost",
            replayed.spent_unknown
        ));
    }
    said.push(BLIND.to_owned());
    notes(&said, out)
}
