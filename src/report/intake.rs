//! From the lines of files and logs to the records that count: those of a span, each once.

use std::collections::HashSet;

use serde::Serialize;

use super::row::{Line, Row, line};

/// Which records are taken: those from `since` on and before `until`, as texts like the records'.
#[derive(Debug, Clone, Default)]
pub struct Span {
    pub since: Option<String>,
    pub until: Option<String>,
}

impl Span {
    pub fn holds(&self, time: &str) -> bool {
        let since = self.since.as_deref();
        let until = self.until.as_deref();
        since.is_none_or(|since| since <= time) && until.is_none_or(|until| time < until)
    }
}

/// The lines that were read, by what they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Lines {
    /// Records that count.
    pub records: u64,
    /// Records of another time.
    pub outside: u64,
    /// Records that were read before, as a collector stores some twice and a copy lies beside its original.
    pub repeated: u64,
    /// What is no record.
    pub other: u64,
    /// What begins as a record does, and is none.
    pub broken: u64,
    /// Of the broken ones, a file's last, which was cut.
    pub torn: u64,
}

impl Lines {
    /// What a person should know of those that do not count.
    pub fn notes(self) -> Vec<String> {
        noted(&[
            (
                self.torn,
                "last lines of files are cut: those records are not in here",
            ),
            (
                self.broken - self.torn,
                "lines begin as records do and cannot be read",
            ),
            (self.other, "lines are no audit records"),
            (self.outside, "records are of another time"),
            (
                self.repeated,
                "records stand there more than once: each of them counts once",
            ),
        ])
    }
}

/// Each that there are some of.
pub(super) fn noted(said: &[(u64, &str)]) -> Vec<String> {
    let some = said.iter().filter(|(count, _)| *count > 0);
    some.map(|(count, said)| format!("{count} {said}"))
        .collect()
}

/// Takes lines in.
#[derive(Debug)]
pub(super) struct Intake {
    span: Span,
    pub(super) lines: Lines,
    /// The marks of the records that were taken.
    taken: HashSet<u64>,
}

impl Intake {
    pub(super) fn new(span: Span) -> Self {
        Self {
            span,
            lines: Lines::default(),
            taken: HashSet::new(),
        }
    }

    /// Counts a line, which is without its line feed, and which may be a file's last and have had none.
    /// Returns the record, if it is one that counts.
    pub(super) fn take<'a>(&mut self, text: &'a [u8], is_unended: bool) -> Option<Box<Row<'a>>> {
        let lines = &mut self.lines;
        match line(text) {
            Line::Record(row) if !self.span.holds(row.time) => lines.outside += 1,
            Line::Record(row) if mark(&row).is_some_and(|mark| !self.taken.insert(mark)) => {
                lines.repeated += 1;
            }
            Line::Record(row) => {
                lines.records += 1;
                return Some(row);
            }
            Line::Broken => {
                lines.broken += 1;
                lines.torn += u64::from(is_unended);
            }
            Line::Other => lines.other += u64::from(!text.is_empty()),
        }
        None
    }
}

/// What tells a sealed record from every other one, in an eighth of the room: its number and the beginning of
/// its hash. One of a million is taken for another once in forty million reports.
fn mark(row: &Row<'_>) -> Option<u64> {
    let hash = row.hash?;
    let hash = hash.get(..16).filter(|_| hash.len() == 64)?;
    Some(u64::from_str_radix(hash, 16).ok()? ^ row.seq?)
}
