//! Where a key is: its path in the tree, and where the operator wrote it.
//!
//! A [`Path`] is made by those who walk the tree, a [`Position`] by the second pass over the text.
//! Never here: what a key means.

use std::collections::BTreeMap;
use std::fmt;

/// `routes.fast.targets[0]`. Its order is that of its steps, so a tree sorts below its root.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl Path {
    pub(super) fn root() -> Self {
        Self::default()
    }

    pub(super) fn key(&self, name: impl Into<String>) -> Self {
        self.with(Step::Key(name.into()))
    }

    pub(super) fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The key of the root that it is or is below.
    pub(super) fn first(&self) -> Option<&str> {
        match self.0.first()? {
            Step::Key(name) => Some(name),
            Step::Index(_) => None,
        }
    }

    /// Its first steps.
    pub(super) fn up_to(&self, count: usize) -> Self {
        Self(self.0.iter().take(count).cloned().collect())
    }

    /// What holds this; nothing holds the root.
    pub(super) fn parent(&self) -> Option<Self> {
        let (_, rest) = self.0.split_last()?;
        Some(Self(rest.to_vec()))
    }

    /// Whether it is `above`, or something in it.
    pub(super) fn is_in(&self, above: &Self) -> bool {
        self.0.starts_with(&above.0)
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = Vec::with_capacity(self.0.len() + 1);
        steps.extend_from_slice(&self.0);
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(name) => {
                    if at > 0 {
                        f.write_str(".")?;
                    }
                    if is_bare(name) {
                        f.write_str(name)?;
                    } else {
                        write!(f, "{name:?}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether a name can stand in a path without quotes.
fn is_bare(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// A place in the operator's text, both counted from 1 as editors do; columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// Where each key and each item of a list begins.
pub(super) type Positions = BTreeMap<Path, Position>;

/// Byte offsets of one text, as positions.
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let starts = std::iter::once(0)
            .chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1))
            .collect();
        Self { text, starts }
    }

    /// An offset past the end, or within a character, counts as the last whole character before it.
    pub(super) fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self
            .starts
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or(0);
        let end = self.text.floor_char_boundary(offset);
        let column = self.text.get(start..end).map_or(0, |t| t.chars().count()) + 1;
        Position { line, column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_the_operator_would_write_it() {
        let models = Path::root()
            .key("models")
            .key("inside/qwen3")
            .key("context");
        assert_eq!(models.to_string(), r#"models."inside/qwen3".context"#);
        let target = Path::root()
            .key("routes")
            .key("support-chat")
            .key("targets");
        assert_eq!(
            target.index(2).to_string(),
            "routes.support-chat.targets[2]"
        );
        assert_eq!(target.index(2).parent(), Some(target));
        assert_eq!(Path::root().parent(), None);
    }

    #[test]
    fn columns_are_characters_not_bytes() {
        let lines = Lines::of("a\nключ = 1\n");
        let at = |offset| {
            let Position { line, column } = lines.position(offset);
            (line, column)
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(2), (2, 1));
        assert_eq!(at(2 + "ключ ".len()), (2, 6));
        assert_eq!(at(1000), (3, 1));
    }
}
