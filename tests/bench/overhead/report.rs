//! The table and the JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// What is measured of each path.
pub(crate) struct Metric {
    /// In the JSON.
    pub(crate) name: &'static str,
    /// In the table.
    pub(crate) label: &'static str,
    pub(crate) unit: &'static str,
    /// Whether what counts is the difference to the direct path, not the value.
    pub(crate) added: bool,
}

/// By which way a request went; the columns, in order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Direct,
    Bare,
    Pillion,
}

/// Everything measured so far, in the order in which it was first seen.
#[derive(Default)]
pub(crate) struct Book {
    rows: Vec<Row>,
    notes: Vec<String>,
}

struct Row {
    upstream: &'static str,
    metric: &'static Metric,
    /// By round.
    direct: Vec<f64>,
    bare: Vec<f64>,
    pillion: Vec<f64>,
}

impl Book {
    /// Writes down one round's value. A round has each of its ways in the same order.
    pub(crate) fn add(
        &mut self,
        upstream: &'static str,
        metric: &'static Metric,
        way: Way,
        value: f64,
    ) {
        let known = self
            .rows
            .iter()
            .position(|row| row.upstream == upstream && row.metric.name == metric.name);
        let place = known.unwrap_or_else(|| {
            self.rows.push(Row {
                upstream,
                metric,
                direct: Vec::new(),
                bare: Vec::new(),
                pillion: Vec::new(),
            });
            self.rows.len() - 1
        });
        let row = &mut self.rows[place];
        match way {
            Way::Direct => row.direct.push(value),
            Way::Bare => row.bare.push(value),
            Way::Pillion => row.pillion.push(value),
        }
    }

    /// Something that the reader has to know; said once.
    pub(crate) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        let mut upstream = "";
        for row in &self.rows {
            if row.upstream != upstream {
                upstream = row.upstream;
                // Writing to a string does not fail.
                let _ = writeln!(
                    text,
                    "\n{upstream:<44}{:>12}{:>12}{:>12}{:>8}  of the rounds",
                    "direct", "bare", "pillion", "ratio"
                );
            }
            let label = format!("{}, {}", row.metric.label, row.metric.unit);
            let cell = |value: Option<f64>, sign: &str| {
                value.map_or("-".to_owned(), |value| {
                    let digits = if value.abs() < 100.0 { 2 } else { 0 };
                    let sign = if value < 0.0 { "" } else { sign };
                    format!("{sign}{value:.digits$}")
                })
            };
            let sign = if row.metric.added { "+" } else { "" };
            let ratios = row.ratios();
            let _ = writeln!(
                text,
                "  {label:<42}{:>12}{:>12}{:>12}{:>8}  {}",
                cell(median(&row.direct), ""),
                cell(median(&row.told(&row.bare)), sign),
                cell(median(&row.told(&row.pillion)), sign),
                cell(median(&ratios), ""),
                spread(&ratios),
            );
        }
        for note in &self.notes {
            let _ = writeln!(text, "\n{note}");
        }
        text
    }

    pub(crate) fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "upstream": row.upstream,
                    "metric": row.metric.name,
                    "unit": row.metric.unit,
                    "added": row.metric.added,
                    "direct": median(&row.direct),
                    "bare": median(&row.told(&row.bare)),
                    "pillion": median(&row.told(&row.pillion)),
                    "ratio": median(&row.ratios()),
                    "rounds": {
                        "direct": row.direct,
                        "bare": row.bare,
                        "pillion": row.pillion,
                    },
                })
            })
            .collect();
        json!({ "rows": rows, "notes": self.notes })
    }
}

impl Row {
    /// What is told of a way's rounds: the values, or what each adds to the direct way's.
    fn told(&self, rounds: &[f64]) -> Vec<f64> {
        if !self.metric.added {
            return rounds.to_vec();
        }
        rounds
            .iter()
            .zip(&self.direct)
            .map(|(value, direct)| value - direct)
            .collect()
    }

    /// Pillion's cost in bare proxies, by round.
    fn ratios(&self) -> Vec<f64> {
        self.told(&self.pillion)
            .iter()
            .zip(self.told(&self.bare))
            .filter(|(_, bare)| *bare > 0.0)
            .map(|(pillion, bare)| pillion / bare)
            .collect()
    }
}

/// Least and most, where there is more than one.
fn spread(ratios: &[f64]) -> String {
    if ratios.len() < 2 {
        return String::new();
    }
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let most = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{least:.2} to {most:.2}")
}

pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}
