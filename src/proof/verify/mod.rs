//! Whether files of records are whole and unchanged: as many as there are, of any pods, in any order.
//!
//! Each input is read once, line by line, into runs: lines that follow each other (`input`). At the end
//! the runs of all inputs are put together by their hashes, and held against what was noted of the chains
//! (`link`, `noted`). Never here: opening files.

mod input;
mod link;
mod noted;

use std::collections::HashSet;
use std::io::{self, BufRead};

use serde::Serialize;

use self::input::{Input, Jump, Run};
use self::noted::Noted;
use super::chain::Digest;

/// What this many are wrong with is not looked at any further.
const MOST: usize = 1000;

/// What is to be checked, and what was found so far.
#[derive(Debug, Default)]
pub struct Verifier {
    partial: bool,
    /// Where inputs are what a collector has stored, the lines that were read.
    collected: Option<HashSet<Digest>>,
    inputs: Vec<Input>,
    runs: Vec<Run>,
    jumps: Vec<Jump>,
    noted: Noted,
    problems: Vec<Problem>,
    notes: Vec<String>,
}

/// What is wrong at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub file: String,
    /// Counted from 1; absent where a whole file or its end is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    pub what: Fault,
    pub message: String,
    pub expected: Option<String>,
    pub found: Option<String>,
    /// Of which input.
    #[serde(skip)]
    order: usize,
}

/// What may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A line does not come to its hash.
    Changed,
    /// A line is no sealed record.
    Unsealed,
    /// A line does not follow the one before it.
    Unlinked,
    /// What a file goes on from is not among the files.
    MissingSegment,
    /// Two lines follow the same one.
    Forked,
    /// Numbers are missing, though the chain holds: records were lost before they were written.
    Gap,
    /// A file ends before the head that was noted of it.
    CutTail,
    /// Of an instance whose head was noted there is no file.
    MissingPod,
}

/// One chain, from its first line to its last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Whole {
    pub instance: Option<String>,
    /// In the order in which they were written.
    pub files: Vec<String>,
    pub first_seq: u64,
    pub last_seq: u64,
    pub head: String,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Report {
    pub ok: bool,
    pub files: usize,
    pub records: u64,
    pub chains: Vec<Whole>,
    /// The first is the first in the order of the files.
    pub problems: Vec<Problem>,
    pub notes: Vec<String>,
}

impl Verifier {
    /// With `partial`, what came before the files need not be there.
    pub fn new(partial: bool) -> Self {
        Self {
            partial,
            ..Self::default()
        }
    }

    /// The inputs are what a collector has stored: lines of any number of instances among others, in any
    /// order, some of them twice, and notes of what was lost.
    #[must_use]
    pub fn collected(mut self) -> Self {
        self.collected = Some(HashSet::new());
        self
    }

    /// The heads of chains that must be among the files, and what else was noted. To be given before
    /// the files: notes as they lie beside a file, or what instances have told the centre.
    pub fn heads(&mut self, name: &str, text: &[u8]) {
        if let Err(why) = self.noted.heads(text) {
            self.notes.push(format!("{name}: {why}"));
        }
    }

    /// What was noted beside a file: it explains what is missing, and demands nothing.
    pub fn notes(&mut self, name: &str, text: &[u8]) {
        if let Err(why) = self.noted.notes(text) {
            self.notes.push(format!("{name}: {why}"));
        }
    }

    /// Reads one input to its end. `mixed`: it may hold lines that are none of ours.
    ///
    /// # Errors
    /// Those of the input.
    pub fn read(&mut self, name: &str, mixed: bool, from: &mut dyn BufRead) -> io::Result<()> {
        self.inputs.push(Input::new(name));
        self.read_lines(mixed || self.collected.is_some(), from)
    }

    pub fn finish(mut self) -> Report {
        let chains = self.link();
        self.problems
            .sort_by_key(|problem| (problem.order, problem.line.unwrap_or(u64::MAX)));
        Report {
            ok: self.problems.is_empty(),
            files: self.inputs.len(),
            records: self.inputs.iter().map(|input| input.records).sum(),
            chains,
            problems: self.problems,
            notes: self.notes,
        }
    }
}

#[cfg(test)]
mod tests;
