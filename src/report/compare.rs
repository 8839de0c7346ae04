//! Two providers, models or targets beside each other, route by route.
//!
//! What is compared are attempts, which are a provider's own: the time of a request may hold the
//! failures of others before it. Tokens and costs are those of the requests that it answered.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::costs::{Cost, Costs, Telling};
use super::grid::{Grid, count, millis, percent};
use super::intake::{Intake, Lines, Span, noted};
use super::row::Row;
use super::samples::Samples;
use super::summary::share;
use super::table::{line, notes};

use crate::price::{Exchange, Money};

/// A target, a provider, or a model, by its name.
#[derive(Debug, Clone)]
pub struct Side(pub String);

impl Side {
    fn is(&self, target: &str) -> bool {
        let (provider, model) = target.split_once('/').unwrap_or((target, ""));
        [target, provider, model].contains(&&*self.0)
    }
}

#[derive(Debug, Default)]
struct Sums {
    attempts: u64,
    failed: u64,
    first_token: Samples,
    answer: Samples,
    answered: u64,
    unpriced: u64,
    completion: u64,
    costs: Costs,
}

/// Records on their way to two sides.
#[derive(Debug)]
pub struct Comparison {
    sides: [Side; 2],
    intake: Intake,
    routes: BTreeMap<String, [Sums; 2]>,
}

/// One side on one route.
#[derive(Debug, Serialize)]
pub struct Compared {
    pub route: String,
    pub side: String,
    pub attempts: u64,
    pub failed: u64,
    pub failed_share: Option<f64>,
    /// Of attempts that gave an answer.
    pub first_token_p50_ms: Option<u64>,
    pub first_token_p95_ms: Option<u64>,
    pub answer_p50_ms: Option<u64>,
    pub answer_p95_ms: Option<u64>,
    pub answered: u64,
    pub completion: u64,
    pub currency: Option<String>,
    pub cost: Option<String>,
    pub cost_per_request: Option<String>,
    pub cost_per_1k_tokens: Option<String>,
    pub unpriced: u64,
    /// Its costs are in several currencies, and none of them is told.
    #[serde(skip)]
    is_split: bool,
}

/// Both sides on all routes.
#[derive(Debug, Serialize)]
pub struct Sides {
    pub compare: [String; 2],
    pub lines: Lines,
    pub rows: Vec<Compared>,
    /// What a person should know to read it right.
    pub notes: Vec<String>,
}

impl Comparison {
    pub fn new(sides: [Side; 2], span: Span) -> Self {
        Self {
            sides,
            intake: Intake::new(span),
            routes: BTreeMap::new(),
        }
    }

    /// Takes a line of a file, without its line feed; its last may have had none.
    pub fn line(&mut self, text: &[u8], is_unended: bool) {
        let Some(row) = self.intake.take(text, is_unended) else {
            return;
        };
        let Self { sides, routes, .. } = self;
        let mut of = |target: &str, each: &mut dyn FnMut(&mut Sums)| {
            for (place, side) in sides.iter().enumerate() {
                if side.is(target) {
                    let route = row.route.as_deref().unwrap_or("-");
                    if !routes.contains_key(route) {
                        routes.insert(route.to_owned(), <[Sums; 2]>::default());
                    }
                    if let Some(sums) = routes.get_mut(route) {
                        each(&mut sums[place]);
                    }
                }
            }
        };
        row.attempts(|attempt| {
            of(&attempt.target, &mut |sums| {
                sums.attempts += 1;
                match &*attempt.class {
                    "ok" => {
                        sums.answer.push(attempt.ms);
                        if let Some(ms) = attempt.first_token_ms {
                            sums.first_token.push(ms);
                        }
                    }
                    "cancelled" => {}
                    _ => sums.failed += 1,
                }
            });
        });
        if let Some(target) = row.target.as_deref() {
            of(target, &mut |sums| sums.spend(&row));
        }
    }

    /// In `currency`, where one is asked for and there is a rate.
    pub fn finish(self, currency: Option<&str>, exchange: &Exchange) -> Sides {
        let Self {
            sides,
            routes,
            intake,
        } = self;
        let mut telling = Telling::new(currency, exchange);
        let mut rows = Vec::new();
        for (route, sums) in routes {
            for (side, sums) in sides.iter().zip(sums) {
                rows.push(sums.told(route.clone(), side, &mut telling));
            }
        }
        let mut notes = intake.lines.notes();
        notes.extend(telling.notes());
        let split = rows.iter().filter(|row| row.is_split).count() as u64;
        let said = "rows have costs in several currencies, which are not told: --currency tells them in one";
        notes.extend(noted(&[(split, said)]));
        Sides {
            compare: sides.map(|side| side.0),
            lines: intake.lines,
            rows,
            notes,
        }
    }
}

impl Sums {
    fn spend(&mut self, row: &Row<'_>) {
        self.answered += 1;
        let Some(usage) = &row.usage else { return };
        self.completion += usage.completion.unwrap_or_default();
        self.unpriced += u64::from(!self.costs.add(row, usage));
    }

    fn told(mut self, route: String, side: &Side, telling: &mut Telling<'_>) -> Compared {
        let mut costs = self.costs.told(telling);
        let is_split = costs.len() > 1;
        // Two sums cannot be told as one.
        let one = costs.pop().filter(|_| !is_split);
        let (first, answer) = (self.first_token.times(), self.answer.times());
        let of = |told: fn(&Cost) -> Option<Money>| {
            let money = one.as_ref().and_then(told);
            money.map(|money| money.to_string())
        };
        Compared {
            route,
            side: side.0.clone(),
            attempts: self.attempts,
            failed: self.failed,
            failed_share: share(self.failed, self.attempts),
            first_token_p50_ms: first.p50,
            first_token_p95_ms: first.p95,
            answer_p50_ms: answer.p50,
            answer_p95_ms: answer.p95,
            answered: self.answered,
            completion: self.completion,
            cost: of(|cost| Some(cost.amount)),
            cost_per_request: of(|cost| cost.per_request),
            cost_per_1k_tokens: of(|cost| cost.per_1k_tokens),
            currency: one.map(|cost| cost.currency),
            is_split,
            unpriced: self.unpriced,
        }
    }
}

/// For a person.
///
/// # Errors
/// Those of `out`.
pub fn compared(sides: &Sides, out: &mut impl Write) -> io::Result<()> {
    let mut grid = Grid::new(
        2,
        [
            "route",
            "",
            "attempts",
            "failed",
            "",
            "first token p50",
            "p95",
            "answer p50",
            "p95",
            "answered",
            "completion",
            "cost",
            "",
            "a request",
            "1k tokens",
            "unpriced",
        ],
    );
    for row in &sides.rows {
        let money = |text: &Option<String>, decimals| {
            let money = text.as_deref().and_then(Money::parse);
            money.map_or_else(|| "-".into(), |money| money.rounded(decimals))
        };
        grid.row(vec![
            row.route.clone(),
            row.side.clone(),
            count(row.attempts),
            count(row.failed),
            percent(row.failed_share),
            millis(row.first_token_p50_ms),
            millis(row.first_token_p95_ms),
            millis(row.answer_p50_ms),
            millis(row.answer_p95_ms),
            count(row.answered),
            count(row.completion),
            money(&row.cost, 4),
            row.currency.clone().unwrap_or_default(),
            money(&row.cost_per_request, 6),
            money(&row.cost_per_1k_tokens, 6),
            count(row.unpriced),
        ]);
    }
    grid.write(out)?;
    notes(&sides.notes, out)
}

/// As lines of values.
///
/// # Errors
/// Those of `out`.
pub fn compared_csv(sides: &Sides, out: &mut impl Write) -> io::Result<()> {
    let head = [
        "route",
        "side",
        "attempts",
        "failed",
        "first_token_p50_ms",
        "first_token_p95_ms",
        "answer_p50_ms",
        "answer_p95_ms",
        "answered",
        "completion",
        "currency",
        "cost",
        "cost_per_request",
        "cost_per_1k_tokens",
        "unpriced",
    ];
    line(head.map(str::to_owned).into_iter(), out)?;
    for row in &sides.rows {
        let some = |ms: Option<u64>| ms.map(|ms| ms.to_string()).unwrap_or_default();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let cells = [
            row.route.clone(),
            row.side.clone(),
            row.attempts.to_string(),
            row.failed.to_string(),
            some(row.first_token_p50_ms),
            some(row.first_token_p95_ms),
            some(row.answer_p50_ms),
            some(row.answer_p95_ms),
            row.answered.to_string(),
            row.completion.to_string(),
            text(&row.currency),
            text(&row.cost),
            text(&row.cost_per_request),
            text(&row.cost_per_1k_tokens),
            row.unpriced.to_string(),
        ];
        line(cells.into_iter(), out)?;
    }
    Ok(())
}
