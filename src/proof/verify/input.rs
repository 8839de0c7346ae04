//! One input, read into runs.

use std::collections::HashMap;
use std::io::{self, BufRead, Read as _};

use memchr::memmem;
use serde::Deserialize;

use super::{Fault, MOST, Problem, Verifier};
use crate::proof::chain::{Digest, Head, Sealed};

/// The longest line that is read as one.
const LONGEST: u64 = 64 << 20;
/// How a record begins.
const OURS: &[u8] = b"{\"kind\":\"pillion.audit\",";
/// How a note begins.
const NOTE: &[u8] = b"{\"kind\":\"pillion.audit.";

#[derive(Debug)]
pub(super) struct Input {
    pub(super) name: String,
    /// Lines that bear a seal.
    pub(super) records: u64,
}

/// Lines of one input that follow each other.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) input: usize,
    pub(super) first_line: u64,
    pub(super) last_line: u64,
    pub(super) first: Head,
    pub(super) last: Head,
    /// What its first line follows.
    pub(super) prev: Option<Digest>,
    /// The end of the run that it interrupts.
    pub(super) instead_of: Option<Digest>,
    /// The line before it is broken, and was told of: what it follows is not looked into.
    pub(super) excused: bool,
    pub(super) instance: Option<String>,
}

/// Numbers that are missing within a chain.
#[derive(Debug)]
pub(super) struct Jump {
    pub(super) instance: Option<String>,
    /// The last number before them.
    pub(super) after: u64,
    /// The one behind them, and where that is.
    pub(super) seq: u64,
    pub(super) input: usize,
    pub(super) line: u64,
}

/// Where in an input we are.
#[derive(Default)]
struct Place {
    number: u64,
    /// The runs of this input, by their last lines.
    ends: HashMap<Digest, usize>,
    /// The run that was last added to.
    current: Option<usize>,
    /// The line before was broken: whatever this one follows is taken as it.
    excused: bool,
    foreign: u64,
    /// Lines that were read before.
    again: u64,
}

impl Input {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            records: 0,
        }
    }
}

impl Verifier {
    pub(super) fn read_lines(&mut self, mixed: bool, from: &mut dyn BufRead) -> io::Result<()> {
        let mut place = Place::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = (&mut *from).take(LONGEST).read_until(b'\n', &mut line)?;
            if length == 0 {
                break;
            }
            place.number += 1;
            let line = if let Some(line) = line.strip_suffix(b"\n") {
                line
            } else if length as u64 == LONGEST {
                // No record of ours is so long; the rest of it is none either.
                from.skip_until(b'\n')?;
                &line
            } else {
                let name = self.name();
                let note = format!(
                    "{name}:{}: the last line is torn ({length} bytes)",
                    place.number
                );
                self.notes.push(note);
                break;
            };
            let line = if !mixed {
                line
            } else if let Some(line) = behind(line, OURS) {
                line
            } else {
                let note = behind(line, NOTE).filter(|_| self.collected.is_some());
                if note.is_none_or(|note| self.noted.notes(note).is_err()) {
                    place.foreign += 1;
                }
                continue;
            };
            if self.is_again(line) {
                place.again += 1;
                continue;
            }
            self.read_line(line, &mut place);
            if self.problems.len() >= MOST {
                self.notes
                    .push(format!("{}: not read to its end", self.name()));
                break;
            }
        }
        if place.foreign > 0 {
            let note = format!("{}: {} lines are no records", self.name(), place.foreign);
            self.notes.push(note);
        }
        if place.again > 0 {
            let note = format!("{}: {} lines came twice", self.name(), place.again);
            self.notes.push(note);
        }
        Ok(())
    }

    /// Whether a collector was sent this line before, by its hash: the line itself must come to it.
    fn is_again(&mut self, line: &[u8]) -> bool {
        let Some(known) = &mut self.collected else {
            return false;
        };
        let sealed = Sealed::read(line).filter(|sealed| sealed.computed() == sealed.hash);
        sealed.is_some_and(|sealed| !known.insert(sealed.hash))
    }

    fn read_line(&mut self, line: &[u8], place: &mut Place) {
        let Some(sealed) = Sealed::read(line).filter(|_| line.starts_with(OURS)) else {
            self.tell(place.number, Fault::Unsealed, "is no sealed record", None);
            place.excused = true;
            return;
        };
        if let Some(input) = self.inputs.last_mut() {
            input.records += 1;
        }
        let computed = sealed.computed();
        let (head, number) = (sealed.head(), place.number);
        if computed != sealed.hash {
            let hashes = Some((computed.to_string(), sealed.hash.to_string()));
            let message = "was changed: it does not come to its hash";
            self.tell(number, Fault::Changed, message, hashes);
            place.excused = true;
            return;
        }
        self.noted.see(head);
        let excused = std::mem::take(&mut place.excused);
        match followed(sealed.prev, place, excused) {
            Some(at) => {
                place.current = Some(at);
                place.ends.remove(&self.runs[at].last.hash);
                place.ends.insert(head.hash, at);
                if !excused {
                    self.number(at, head.seq, self.inputs.len() - 1, number);
                }
                let run = &mut self.runs[at];
                run.last = head;
                run.last_line = number;
            }
            None => self.begin(line, &sealed, place, excused),
        }
    }

    fn begin(&mut self, line: &[u8], sealed: &Sealed<'_>, place: &mut Place, excused: bool) {
        #[derive(Deserialize)]
        struct Whose {
            instance: Option<String>,
        }
        let whose: Option<Whose> = serde_json::from_slice(line).ok();
        let head = sealed.head();
        let instance = whose.and_then(|whose| whose.instance);
        let current = place.current.map(|at| &self.runs[at]);
        let is_of_same = current.is_some_and(|run| run.instance == instance);
        if sealed.prev.is_none() && is_of_same {
            let note = format!("{}:{}: a chain begins anew", self.name(), place.number);
            self.notes.push(note);
        }
        self.runs.push(Run {
            input: self.inputs.len() - 1,
            first_line: place.number,
            last_line: place.number,
            first: head,
            last: head,
            prev: sealed.prev,
            instead_of: place.current.map(|at| self.runs[at].last.hash),
            excused,
            instance,
        });
        place.current = Some(self.runs.len() - 1);
        place.ends.insert(head.hash, self.runs.len() - 1);
    }

    /// A line numbered `seq` follows the end of a run.
    pub(super) fn number(&mut self, at: usize, seq: u64, input: usize, line: u64) {
        let run = &self.runs[at];
        if seq != run.last.seq.saturating_add(1) {
            self.jumps.push(Jump {
                instance: run.instance.clone(),
                after: run.last.seq,
                seq,
                input,
                line,
            });
        }
    }

    fn name(&self) -> &str {
        self.inputs.last().map_or("", |input| &input.name)
    }

    /// `hashes` are what was expected and what was found.
    fn tell(&mut self, line: u64, what: Fault, message: &str, hashes: Option<(String, String)>) {
        let (expected, found) = hashes.unzip();
        self.problems.push(Problem {
            file: self.name().to_owned(),
            line: Some(line),
            what,
            message: message.to_owned(),
            expected,
            found,
            order: self.inputs.len(),
        });
    }
}

/// The run that a line goes on with. Where the line before it was broken, that is the one of that line.
fn followed(prev: Option<Digest>, place: &Place, excused: bool) -> Option<usize> {
    let known = place.ends.get(&prev?).copied();
    known.or_else(|| place.current.filter(|_| excused))
}

/// What begins so in a line: a log may have put a time or the name of a pod before it.
fn behind<'a>(line: &'a [u8], beginning: &[u8]) -> Option<&'a [u8]> {
    let at = memmem::find(line, beginning)?;
    let line = &line[at..];
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}
