//! The runs of all inputs, put together.

use std::collections::{HashMap, HashSet};

use super::noted::Unseen;
use super::{Fault, Problem, Verifier, Whole};
use crate::proof::chain::Digest;

impl Verifier {
    /// Puts the runs together, and tells what does not fit.
    pub(super) fn link(&mut self) -> Vec<Whole> {
        let repeated = self.repeated();
        let kept: Vec<usize> = (0..self.runs.len())
            .filter(|at| !repeated.contains(at))
            .collect();
        let ends: HashMap<Digest, usize> = kept
            .iter()
            .map(|&at| (self.runs[at].last.hash, at))
            .collect();
        let mut next: HashMap<usize, usize> = HashMap::new();
        let mut roots = Vec::new();
        for &at in &kept {
            let run = &self.runs[at];
            let before = run.prev.and_then(|prev| ends.get(&prev).copied());
            // What comes later in the same input was not before it, unless a collector has mixed them up.
            let may_be_later = self.collected.is_some();
            let before =
                before.filter(|&before| may_be_later || self.runs[before].input != run.input);
            let Some(before) = before else {
                roots.push(at);
                self.judge_root(at);
                continue;
            };
            let (seq, input, line) = (run.first.seq, run.input, run.first_line);
            if next.insert(before, at).is_some() {
                let found = run.prev.map(|prev| prev.to_string());
                let message = "follows a line that another one follows too";
                self.tell_run(at, Fault::Forked, message, None, found);
            }
            self.number(before, seq, input, line);
        }
        let wholes = roots.into_iter().map(|root| self.whole(root, &next));
        let wholes = wholes.collect();
        self.judge_jumps();
        self.judge_heads();
        wholes
    }

    /// Copies of what is there: the same file twice, a segment beside its compressed self, a backup.
    fn repeated(&mut self) -> HashSet<usize> {
        let mut longest: HashMap<Digest, usize> = HashMap::new();
        let mut repeated = HashSet::new();
        for at in 0..self.runs.len() {
            let first = self.runs[at].first.hash;
            let Some(&other) = longest.get(&first) else {
                longest.insert(first, at);
                continue;
            };
            let length = |at: usize| self.runs[at].last.seq;
            let (kept, copy) = if length(at) > length(other) {
                (at, other)
            } else {
                (other, at)
            };
            longest.insert(first, kept);
            repeated.insert(copy);
            if self.runs[kept].input == self.runs[copy].input {
                let later = at.max(other);
                let message = "stands here again: lines were added";
                self.tell_run(later, Fault::Forked, message, None, Some(first.to_string()));
                continue;
            }
            let name = |at: usize| &self.inputs[self.runs[at].input].name;
            let note = format!("{} repeats what is in {}", name(copy), name(kept));
            self.notes.push(note);
        }
        repeated
    }

    /// A run that follows no other.
    fn judge_root(&mut self, at: usize) {
        let run = &self.runs[at];
        let Some(prev) = run.prev.filter(|_| !run.excused) else {
            return;
        };
        let (seq, found) = (run.first.seq, Some(prev.to_string()));
        if let Some(before) = run.instead_of {
            let message = "does not follow the line before it: lines were removed, added or moved";
            let expected = Some(before.to_string());
            self.tell_run(at, Fault::Unlinked, message, expected, found);
        } else if let Some(segment) = self.noted.removed(prev) {
            let name = &self.inputs[run.input].name;
            let note = format!("{name} begins at seq {seq}: {segment} was older than `retention`");
            self.notes.push(note);
        } else if self.partial {
            let name = &self.inputs[run.input].name;
            let note = format!("{name} begins at seq {seq}: what was before it is not at hand");
            self.notes.push(note);
        } else {
            let message =
                format!("begins at seq {seq}, and what it follows is in none of the files");
            let expected = Some("a file that ends with the hash that was found here".to_owned());
            self.tell_run(at, Fault::MissingSegment, &message, expected, found);
        }
    }

    /// Missing numbers are those of records that were lost, where that was noted, wherever the note was.
    fn judge_jumps(&mut self) {
        for jump in std::mem::take(&mut self.jumps) {
            let name = &self.inputs[jump.input].name;
            let lost = self.noted.gap(jump.instance.as_deref(), jump.after);
            match lost {
                Some((lost, why)) if jump.after + lost + 1 == jump.seq => {
                    let line = jump.line;
                    let note =
                        format!("{name}:{line}: {lost} records were lost before this one: {why}");
                    self.notes.push(note);
                }
                _ => self.problems.push(Problem {
                    file: name.clone(),
                    line: Some(jump.line),
                    what: Fault::Gap,
                    message: "has not the number that follows: records were lost before it".into(),
                    expected: Some(format!("seq {}", jump.after.saturating_add(1))),
                    found: Some(format!("seq {}", jump.seq)),
                    order: jump.input + 1,
                }),
            }
        }
    }

    fn whole(&self, root: usize, next: &HashMap<usize, usize>) -> Whole {
        let mut files = Vec::new();
        let mut last = root;
        // No run comes twice: each has at most one before it.
        let mut at = Some(root);
        while let Some(run) = at {
            let name = &self.inputs[self.runs[run].input].name;
            if files.last() != Some(name) {
                files.push(name.clone());
            }
            last = run;
            at = next.get(&run).copied().filter(|&run| run != root);
        }
        Whole {
            instance: self.runs[root].instance.clone(),
            files,
            first_seq: self.runs[root].first.seq,
            last_seq: self.runs[last].last.seq,
            head: self.runs[last].last.hash.to_string(),
        }
    }

    /// What was noted as written must be there.
    fn judge_heads(&mut self) {
        for Unseen { told, instance } in self.noted.unseen() {
            let of_instance = |run: &&super::Run| run.instance == instance;
            let last = self.runs.iter().filter(of_instance);
            let last = last.max_by_key(|run| run.last.seq);
            let expected = Some(format!("seq {} with hash {}", told.seq, told.hash));
            let whose = instance.as_deref().unwrap_or("an instance without a name");
            let problem = match last {
                Some(run) => Problem {
                    file: self.inputs[run.input].name.clone(),
                    line: Some(run.last_line),
                    what: Fault::CutTail,
                    message: format!(
                        "the chain of {whose} ends here, and its head of {} is not in it",
                        told.time
                    ),
                    expected,
                    found: Some(format!("seq {} with hash {}", run.last.seq, run.last.hash)),
                    order: usize::MAX,
                },
                None => Problem {
                    file: told.file,
                    line: None,
                    what: Fault::MissingPod,
                    message: format!(
                        "no file holds the records of {whose}, whose head was told at {}",
                        told.time
                    ),
                    expected,
                    found: None,
                    order: usize::MAX,
                },
            };
            self.problems.push(problem);
        }
    }

    fn tell_run(
        &mut self,
        at: usize,
        what: Fault,
        message: &str,
        expected: Option<String>,
        found: Option<String>,
    ) {
        let run = &self.runs[at];
        self.problems.push(Problem {
            file: self.inputs[run.input].name.clone(),
            line: Some(run.first_line),
            what,
            message: message.to_owned(),
            expected,
            found,
            order: run.input + 1,
        });
    }
}
