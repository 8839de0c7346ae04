//! A report for a person, and as lines of values.

use std::io::{self, Write};

use super::costs::Cost;
use super::grid::{Grid, count, harmless, millis, percent};
use super::summary::{Entry, Spread, Summary};

/// Tables: what was asked and how it went, how long it took, what it cost.
///
/// # Errors
/// Those of `out`.
pub fn table(summary: &Summary, out: &mut impl Write) -> io::Result<()> {
    let rows = labelled(summary);
    let names = summary.by.len().max(1);
    let grid = |head: &[&'static str]| {
        let by = if summary.by.is_empty() {
            &[""][..]
        } else {
            &summary.by
        };
        Grid::new(names, by.iter().chain(head).copied())
    };

    let mut traffic = grid(&[
        "requests",
        "errors",
        "",
        "cancelled",
        "fallback",
        "personal data",
        "why not ok",
    ]);
    let mut times = grid(&[
        "first token",
        "p50",
        "p95",
        "p99",
        "total",
        "p50",
        "p95",
        "p99",
    ]);
    let mut money = grid(&[
        "prompt",
        "cached",
        "completion",
        "reasoning",
        "estimated",
        "cost",
        "",
        "a request",
        "1k tokens",
        "unpriced",
    ]);
    for (label, entry) in &rows {
        let with = |cells: Vec<String>| label.iter().cloned().chain(cells).collect();
        traffic.row(with(vec![
            count(entry.requests),
            count(entry.errors),
            percent(entry.error_share),
            count(entry.cancelled),
            percent(entry.fallback_share),
            personal(entry),
            reasons(entry),
        ]));
        let spread =
            |spread: &Spread| [spread.mean, spread.p50, spread.p95, spread.p99].map(millis);
        let both = [spread(&entry.first_token_ms), spread(&entry.total_ms)];
        times.row(with(both.concat()));
        let none = Vec::new();
        let costs = if entry.costs.is_empty() {
            &none
        } else {
            &entry.costs
        };
        // A second currency has a line of its own.
        for place in 0..costs.len().max(1) {
            let cost = costs.get(place);
            let first = |told: String| if place == 0 { told } else { String::new() };
            money.row(with(vec![
                first(count(entry.tokens.prompt)),
                first(count(entry.tokens.cached)),
                first(count(entry.tokens.completion)),
                first(count(entry.tokens.reasoning)),
                first(percent(entry.estimated_share)),
                sum(entry, cost),
                cost.map(|cost| cost.currency.clone()).unwrap_or_default(),
                each(cost, |cost| cost.per_request),
                each(cost, |cost| cost.per_1k_tokens),
                first(count(entry.unpriced)),
            ]));
        }
    }
    traffic.write(out)?;
    writeln!(out)?;
    times.write(out)?;
    writeln!(out)?;
    money.write(out)?;
    notes(&summary.notes, out)
}

pub(super) fn notes(notes: &[String], out: &mut impl Write) -> io::Result<()> {
    if !notes.is_empty() {
        writeln!(out)?;
    }
    for note in notes {
        writeln!(out, "note: {}", harmless(note))?;
    }
    Ok(())
}

/// The groups and their sum, each with its label.
fn labelled(summary: &Summary) -> Vec<(Vec<String>, &Entry)> {
    let mut rows = Vec::new();
    if !summary.by.is_empty() {
        for row in &summary.rows {
            let told = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
            let label = row.of.iter().map(|(_, value)| told(value)).collect();
            rows.push((label, &row.entry));
        }
    }
    let mut all = vec!["all".to_owned()];
    all.resize(summary.by.len().max(1), String::new());
    rows.push((all, &summary.total));
    rows
}

fn personal(entry: &Entry) -> String {
    let classes = entry.classes.iter();
    let classes: Vec<_> = classes
        .map(|(class, of)| format!("{class} {}", percent(of.share)))
        .collect();
    if classes.is_empty() {
        return "-".into();
    }
    format!("{} ({})", percent(entry.personal_share), classes.join(", "))
}

fn reasons(entry: &Entry) -> String {
    let mut reasons: Vec<_> = entry.reasons.iter().collect();
    reasons.sort_by(|(_, a), (_, b)| b.cmp(a));
    let reasons: Vec<_> = reasons
        .into_iter()
        .map(|(reason, requests)| format!("{reason} {}", count(*requests)))
        .collect();
    reasons.join(", ")
}

fn sum(entry: &Entry, cost: Option<&Cost>) -> String {
    match cost {
        Some(cost) => cost.amount.rounded(4),
        None if entry.unpriced > 0 => "no price".into(),
        None => "-".into(),
    }
}

fn each(cost: Option<&Cost>, of: impl Fn(&Cost) -> Option<crate::price::Money>) -> String {
    let money = cost.and_then(of);
    money.map_or_else(|| "-".into(), |money| money.rounded(6))
}

/// A line for each group and currency, with the exact figures. Of a group in two currencies the
/// second line has its money alone, so that columns can be summed.
///
/// # Errors
/// Those of `out`.
pub fn csv(summary: &Summary, out: &mut impl Write) -> io::Result<()> {
    const FIGURES: [&str; 30] = [
        "requests",
        "errors",
        "cancelled",
        "reasons",
        "fallbacks",
        "first_token_mean_ms",
        "first_token_p50_ms",
        "first_token_p95_ms",
        "first_token_p99_ms",
        "total_mean_ms",
        "total_p50_ms",
        "total_p95_ms",
        "total_p99_ms",
        "prompt",
        "cached",
        "cache_write",
        "reasoning",
        "completion",
        "counted",
        "estimated",
        "unpriced",
        "personal",
        "classes",
        "currency",
        "cost",
        "cost_requests",
        "cost_per_request",
        "cost_per_1k_tokens",
        "error_share",
        "fallback_share",
    ];
    let head = summary.by.iter().chain(&FIGURES).copied();
    line(head.map(str::to_owned), out)?;
    for row in &summary.rows {
        let entry = &row.entry;
        let told = |value: Option<u64>| value.map(|ms| ms.to_string()).unwrap_or_default();
        let shown = |value: Option<f64>| value.map(|share| share.to_string()).unwrap_or_default();
        let pairs = |pairs: Vec<(&String, u64)>| {
            let pairs = pairs
                .into_iter()
                .map(|(name, count)| format!("{name}={count}"));
            pairs.collect::<Vec<_>>().join(";")
        };
        let reasons = entry.reasons.iter().map(|(name, count)| (name, *count));
        let classes = entry
            .classes
            .iter()
            .map(|(name, class)| (name, class.requests));
        let spread = |spread: &Spread| [spread.mean, spread.p50, spread.p95, spread.p99].map(told);
        let figures: Vec<String> = [entry.requests, entry.errors, entry.cancelled]
            .map(|figure| figure.to_string())
            .into_iter()
            .chain([pairs(reasons.collect()), entry.fallbacks.to_string()])
            .chain(spread(&entry.first_token_ms))
            .chain(spread(&entry.total_ms))
            .chain(
                [
                    entry.tokens.prompt,
                    entry.tokens.cached,
                    entry.tokens.cache_write,
                    entry.tokens.reasoning,
                    entry.tokens.completion,
                    entry.counted,
                    entry.estimated,
                    entry.unpriced,
                    entry.personal,
                ]
                .map(|figure| figure.to_string()),
            )
            .chain([pairs(classes.collect())])
            .collect();
        for place in 0..entry.costs.len().max(1) {
            let cost = entry.costs.get(place);
            let of = |told: &dyn Fn(&Cost) -> String| cost.map(told).unwrap_or_default();
            let some = |money: Option<crate::price::Money>| {
                money.map(|money| money.to_string()).unwrap_or_default()
            };
            let label = row
                .of
                .iter()
                .map(|(_, value)| value.clone().unwrap_or_default());
            let first = |cell: &String| {
                if place == 0 {
                    cell.clone()
                } else {
                    String::new()
                }
            };
            let money = [
                of(&|cost| cost.currency.clone()),
                of(&|cost| cost.amount.to_string()),
                of(&|cost| cost.requests.to_string()),
                of(&|cost| some(cost.per_request)),
                of(&|cost| some(cost.per_1k_tokens)),
            ];
            let shares = [shown(entry.error_share), shown(entry.fallback_share)];
            let cells = label
                .chain(figures.iter().map(first))
                .chain(money)
                .chain(shares.iter().map(first));
            line(cells, out)?;
        }
    }
    Ok(())
}

/// <https://www.rfc-editor.org/rfc/rfc4180> (read 2026-11), with line feeds alone.
pub(super) fn line(cells: impl Iterator<Item = String>, out: &mut impl Write) -> io::Result<()> {
    let quoted = cells.map(|cell| {
        if cell.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell
        }
    });
    writeln!(out, "{}", quoted.collect::<Vec<_>>().join(","))
}
