//! Two providers, models or targets beside each other, route by route.
//!
//! What is compared are attempts, which are a provider's own: the time of a request may hold the
//! failures of others before it. Tokens and costs are those of the requests that it answered.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::grid::{Grid, count, millis, percent};
use super::row::Row;
use super::samples::Samples;
use super::summary::share;
use super::table::{line, notes};
use super::tally::{Lines, Span};
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
    /// By currency and month: the amount, its requests and their tokens.
    costs: BTreeMap<(String, String), (Money, u64, u64)>,
}

/// Records on their way to two sides.
#[derive(Debug)]
pub struct Comparison {
    sides: [Side; 2],
    span: Span,
    pub lines: Lines,
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
}

impl Comparison {
    pub fn new(sides: [Side; 2], span: Span) -> Self {
        Self {
            sides,
            span,
            lines: Lines::default(),
            routes: BTreeMap::new(),
        }
    }

    /// Takes a line of a file, without its line feed.
    pub fn line(&mut self, text: &[u8]) {
        let Some(row) = self.lines.take(text, &self.span) else {
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
    pub fn finish(self, currency: Option<&str>, exchange: &Exchange) -> Vec<Compared> {
        let Self { sides, routes, .. } = self;
        let mut all = Vec::new();
        for (route, sums) in routes {
            for (side, sums) in sides.iter().zip(sums) {
                all.push(sums.told(route.clone(), side, currency, exchange));
            }
        }
        all
    }
}

impl Sums {
    fn spend(&mut self, row: &Row<'_>) {
        self.answered += 1;
        let Some(usage) = &row.usage else { return };
        self.completion += usage.completion.unwrap_or_default();
        match row.cost.and_then(Money::parse) {
            None => self.unpriced += 1,
            Some(amount) => {
                let month = row.time.get(..7).unwrap_or_default().to_owned();
                let key = (row.currency.unwrap_or_default().to_owned(), month);
                let sum = self.costs.entry(key).or_default();
                sum.0 += amount;
                sum.1 += 1;
                sum.2 += usage.prompt.unwrap_or_default() + usage.completion.unwrap_or_default();
            }
        }
    }

    fn told(
        mut self,
        route: String,
        side: &Side,
        currency: Option<&str>,
        exchange: &Exchange,
    ) -> Compared {
        let mut sums: BTreeMap<String, (Money, u64, u64)> = BTreeMap::new();
        for ((from, month), (amount, requests, tokens)) in self.costs {
            let month = month.parse().ok();
            let other = currency.and_then(|to| {
                let amount = exchange.convert(amount, &from, to, month?)?;
                Some((to.to_owned(), amount))
            });
            let (told, amount) = other.unwrap_or((from, amount));
            let sum = sums.entry(told).or_default();
            *sum = (sum.0 + amount, sum.1 + requests, sum.2 + tokens);
        }
        // Two sums cannot be told as one.
        let one = (sums.len() == 1).then(|| sums.into_iter().next()).flatten();
        let (first, answer) = (self.first_token.times(), self.answer.times());
        let of = |told: fn(&(Money, u64, u64)) -> Option<Money>| {
            let money = one.as_ref().and_then(|(_, sum)| told(sum));
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
            cost: of(|sum| Some(sum.0)),
            cost_per_request: of(|sum| sum.0.times_over(1, sum.1)),
            cost_per_1k_tokens: of(|sum| sum.0.times_over(1000, sum.2)),
            currency: one.map(|(currency, _)| currency),
            unpriced: self.unpriced,
        }
    }
}

/// For a person.
///
/// # Errors
/// Those of `out`.
pub fn compared(rows: &[Compared], out: &mut impl Write) -> io::Result<()> {
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
    for row in rows {
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
    notes(&[], out)
}

/// As lines of values.
///
/// # Errors
/// Those of `out`.
pub fn compared_csv(rows: &[Compared], out: &mut impl Write) -> io::Result<()> {
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
    for row in rows {
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
