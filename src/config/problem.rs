//! What is wrong with a configuration, said so that the operator can act.
//!
//! A [`Report`] gathers every problem of a text; nothing here stops at the first. It never prints
//! a value that could be a secret: whoever writes a message sees to that.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::layers::COMMAND_LINE;
use super::path::{Path, Position, Positions};
use crate::nearest::nearest;

/// One thing that is wrong, or in a list of warnings: one that is allowed and probably not meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `routes.fast.targets[0]`; empty when it is the text as a whole.
    pub path: String,
    /// Line and column, from 1, of the key or of the nearest one above it that was written.
    pub at: Option<(usize, usize)>,
    /// Who said so: the file's name, the environment variable, or the command line.
    pub file: String,
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem of the text as a whole, such as that it cannot be read.
    pub(super) fn of_text(file: &str, message: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            at: None,
            file: file.to_owned(),
            message: message.into(),
            hint: None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.at {
            write!(f, ":{line}:{column}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Which layer had the last word on a key.
#[derive(Debug, Default)]
pub(super) struct Origins {
    /// The texts, the one with the last word at the end.
    pub(super) written: Vec<Written>,
    /// Keys that a layer above the texts set, and the name of what set them.
    pub(super) overrides: BTreeMap<Path, String>,
}

/// What a text is called, and where its keys are.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) by: Writer,
    pub(super) name: Arc<str>,
    pub(super) positions: Positions,
}

/// Whose text it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    /// The sidecar's own.
    Own,
    Central,
}

impl Written {
    /// It does not count that it says this, or something in it.
    pub(super) fn forget(&mut self, path: &Path) {
        let below = self.positions.range(path..);
        let below = below.map(|(at, _)| at).take_while(|at| at.is_in(path));
        let below: Vec<_> = below.cloned().collect();
        for at in below {
            self.positions.remove(&at);
        }
    }

    /// Where it says the key, or the nearest one above it that it says.
    pub(super) fn place(&self, path: &Path) -> String {
        let mut nearest = Some(path.clone());
        while let Some(path) = nearest {
            if let Some(at) = self.positions.get(&path) {
                return format!("{}:{}:{}", self.name, at.line, at.column);
            }
            nearest = path.parent();
        }
        self.name.to_string()
    }
}

impl Origins {
    /// Of this very key; `None` where nobody wrote it.
    pub(super) fn exactly(&self, path: &Path) -> Option<Origin<'_>> {
        if let Some(name) = self.overrides.get(path) {
            return Some(Origin::Named(name));
        }
        let mut texts = self.written.iter().rev();
        texts.find_map(|text| Some(Origin::Text(text, *text.positions.get(path)?)))
    }

    /// Of the key itself, else of the nearest one above it.
    fn of(&self, path: &Path) -> (&str, Option<Position>) {
        let mut nearest = Some(path.clone());
        while let Some(path) = nearest {
            match self.exactly(&path) {
                Some(Origin::Named(name)) => return (name, None),
                Some(Origin::Text(text, position)) => return (&text.name, Some(position)),
                None => nearest = path.parent(),
            }
        }
        // Nobody wrote any of it: the one who should have is the one who says what there is.
        (self.written.last().map_or("", |text| &text.name), None)
    }

    /// Problems of one text stand together, and in its order.
    fn rank(&self, problem: &Problem) -> (bool, Option<usize>, Option<(usize, usize)>) {
        let text = self
            .written
            .iter()
            .position(|text| *text.name == *problem.file);
        (problem.at.is_none(), text, problem.at)
    }
}

/// Who had the last word on a key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin<'a> {
    /// A variable, or the command line.
    Named(&'a str),
    Text(&'a Written, Position),
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(COMMAND_LINE) => f.write_str("flag"),
            Self::Named(variable) => write!(f, "env:{variable}"),
            Self::Text(text, at) => {
                let kind = match text.by {
                    Writer::Own => "file",
                    Writer::Central => "central",
                };
                write!(f, "{kind}:{}:{}:{}", text.name, at.line, at.column)
            }
        }
    }
}

/// Every problem and warning found so far.
#[derive(Debug)]
pub(super) struct Report {
    origins: Origins,
    /// Whether nothing can be missing, since it is not all there is.
    of_part: bool,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Report {
    pub(super) fn new(origins: Origins) -> Self {
        Self {
            origins,
            of_part: false,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Of something that is a part of a configuration.
    pub(super) fn of_part(origins: Origins) -> Self {
        Self {
            of_part: true,
            ..Self::new(origins)
        }
    }

    /// A key that must be there is not.
    pub(super) fn missing(&mut self, path: &Path, hint: String) {
        if !self.of_part {
            self.problem_with_hint(path, "is missing", hint);
        }
    }

    pub(super) fn problem(&mut self, path: &Path, message: impl Into<String>) {
        let problem = self.make(path, message.into(), None);
        self.problems.push(problem);
    }

    pub(super) fn problem_with_hint(
        &mut self,
        path: &Path,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let problem = self.make(path, message.into(), Some(hint.into()));
        self.problems.push(problem);
    }

    /// `asked` is not one of `known`: names the nearest, when one is near.
    pub(super) fn unknown<'a>(
        &mut self,
        path: &Path,
        message: impl Into<String>,
        asked: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) {
        let asks = self.problems.len() < MOST_HINTS;
        let hint = asks.then(|| nearest(asked, known)).flatten();
        let hint = hint.map(|name| format!("did you mean `{name}`?"));
        let problem = self.make(path, message.into(), hint);
        self.problems.push(problem);
    }

    pub(super) fn warning(&mut self, path: &Path, message: impl Into<String>) {
        let warning = self.make(path, message.into(), None);
        self.warnings.push(warning);
    }

    /// A problem with a key in the text of `by`, whoever has the last word on it.
    pub(super) fn problem_of(
        &mut self,
        by: Writer,
        path: &Path,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        let problem = self.make_of(by, path, message.into(), hint);
        self.problems.push(problem);
    }

    /// As [`problem_of`](Self::problem_of), of something that is allowed.
    pub(super) fn warning_of(&mut self, by: Writer, path: &Path, message: impl Into<String>) {
        let warning = self.make_of(by, path, message.into(), None);
        self.warnings.push(warning);
    }

    /// What was found before there were paths to speak of.
    pub(super) fn extend(&mut self, problems: Vec<Problem>, warnings: Vec<Problem>) {
        self.problems.extend(problems);
        self.warnings.extend(warnings);
    }

    pub(super) fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Problems, then warnings; each in the order of the texts, with those that have no place last.
    pub(super) fn into_parts(mut self) -> (Vec<Problem>, Vec<Problem>) {
        for list in [&mut self.problems, &mut self.warnings] {
            list.sort_by_key(|problem| self.origins.rank(problem));
        }
        (self.problems, self.warnings)
    }

    fn make_of(&self, by: Writer, path: &Path, message: String, hint: Option<String>) -> Problem {
        let mut texts = self.origins.written.iter();
        let text = texts.find(|text| text.by == by);
        let position = text.and_then(|text| text.positions.get(path));
        Problem {
            path: path.to_string(),
            at: position.map(|at| (at.line, at.column)),
            file: text.map_or_else(String::new, |text| text.name.to_string()),
            message,
            hint,
        }
    }

    fn make(&self, path: &Path, message: String, hint: Option<String>) -> Problem {
        let (file, position) = self.origins.of(path);
        Problem {
            path: path.to_string(),
            at: position.map(|at| (at.line, at.column)),
            file: file.to_owned(),
            message,
            hint,
        }
    }
}

/// Who has more problems than this has another than a mistyped name, and to look for one in each of a
/// hundred thousand would take seconds.
const MOST_HINTS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_compilers_write_them() {
        let path = Path::root()
            .key("routes")
            .key("fast")
            .key("targets")
            .index(0);
        let origins = Origins {
            written: vec![Written {
                by: Writer::Own,
                name: "pillion.yaml".into(),
                positions: Positions::from([(
                    path.clone(),
                    Position {
                        line: 12,
                        column: 7,
                    },
                )]),
            }],
            overrides: BTreeMap::from([(Path::root().key("listen"), "PILLION_LISTEN".into())]),
        };
        let mut report = Report::new(origins);
        report.problem(&Path::root().key("listen"), "is not an address");
        report.unknown(
            &path,
            "no provider is named `opnai`",
            "opnai",
            ["azure", "openai"],
        );
        report.problem(&path.key("weight"), "is missing");
        let said: Vec<_> = report
            .into_parts()
            .0
            .iter()
            .map(Problem::to_string)
            .collect();
        assert_eq!(
            said,
            [
                "pillion.yaml:12:7: routes.fast.targets[0]: no provider is named `opnai`; did you mean `openai`?",
                "pillion.yaml:12:7: routes.fast.targets[0].weight: is missing",
                "PILLION_LISTEN: listen: is not an address",
            ]
        );
    }

    #[test]
    fn of_a_hundred_thousand_unknown_keys_the_first_have_a_name_offered() {
        let mut report = Report::new(Origins::default());
        for _ in 0..=MOST_HINTS {
            report.unknown(&Path::root(), "is no key", "rutes", ["routes"]);
        }
        let problems = report.into_parts().0;
        let hints = problems.iter().filter(|problem| problem.hint.is_some());
        assert_eq!(hints.count(), MOST_HINTS);
    }

    #[test]
    fn what_is_forgotten_of_a_text_is_all_below_it_and_nothing_beside() {
        let path = |names: &[&str]| {
            let names = names.iter();
            names.fold(Path::root(), |path, name| path.key(*name))
        };
        let at = Position { line: 1, column: 1 };
        let all = [
            path(&["a"]),
            path(&["b"]),
            path(&["b"]).index(0),
            path(&["b", "c"]),
            path(&["b", "c", "d"]),
            path(&["bb"]),
        ];
        let mut written = Written {
            by: Writer::Own,
            name: "f".into(),
            positions: all.iter().map(|path| (path.clone(), at)).collect(),
        };
        written.forget(&path(&["b", "c"]));
        assert_eq!(written.positions.len(), 4);
        written.forget(&path(&["b"]));
        let left: Vec<_> = written.positions.keys().map(ToString::to_string).collect();
        assert_eq!(left, ["a", "bb"]);
    }
}
