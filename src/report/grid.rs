//! Aligned columns for people.

use std::io::{self, Write};

/// A table in which each column is as wide as its widest cell.
#[derive(Debug)]
pub(super) struct Grid {
    /// How many columns, from the left, hold names; the others hold figures, which end at the right.
    names: usize,
    rows: Vec<Vec<String>>,
}

impl Grid {
    pub(super) fn new<'a>(names: usize, head: impl IntoIterator<Item = &'a str>) -> Self {
        let head = head.into_iter().map(str::to_uppercase).collect();
        Self {
            names,
            rows: vec![head],
        }
    }

    pub(super) fn row(&mut self, mut cells: Vec<String>) {
        for cell in &mut cells {
            *cell = harmless(cell);
        }
        self.rows.push(cells);
    }

    /// # Errors
    /// Those of `out`.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column| {
            let cells = self.rows.iter().filter_map(move |row| row.get(column));
            let lengths = cells.map(|cell: &String| cell.chars().count());
            lengths.max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).enumerate();
            let cells = cells.map(|(column, (cell, width))| {
                let width = *width;
                if column < self.names {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Text of a record as a terminal may be shown it: whoever can write records must not steer one.
pub(super) fn harmless(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// `1234567` as `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut told = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            told.push(',');
        }
        told.push(digit);
    }
    told
}

/// `-` for what is not known.
pub(super) fn or_dash<T>(value: Option<T>, told: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), told)
}

pub(super) fn millis(time: Option<u64>) -> String {
    or_dash(time, |ms| format!("{} ms", count(ms)))
}

pub(super) fn percent(share: Option<f64>) -> String {
    or_dash(share, |share| format!("{:.1}%", share * 100.0))
}
