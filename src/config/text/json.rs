//! Positions and duplicate keys of a JSON text.
//!
//! `serde_json` says what is wrong with a text but not where its keys are, so a text that it has
//! accepted is walked once more. The walk may rely on that: it never judges syntax.

use serde_json::Value;

use super::Marks;
use crate::config::path::{Lines, Path, Position};

/// `None` after a problem that ends the reading.
pub(super) fn mark(text: &str, marks: &mut Marks<'_>) -> Option<()> {
    let root = Path::root();
    if let Err(error) = serde_json::from_str::<Value>(text) {
        let position = Position {
            line: error.line(),
            column: error.column().max(1),
        };
        let whole = error.to_string();
        let message = whole.rsplit_once(" at line ").map_or(&*whole, |(m, _)| m);
        marks.problem(&root, position, format!("is not JSON: {message}"), None);
        return None;
    }
    let mut walk = Walk {
        text,
        lines: Lines::of(text),
        at: 0,
        marks,
    };
    walk.skip_space();
    if walk.peek() != Some(b'{') {
        let position = walk.lines.position(walk.at);
        marks.problem(&root, position, "is not an object of keys", None);
        return None;
    }
    walk.value(&root);
    Some(())
}

struct Walk<'a, 'm> {
    text: &'a str,
    lines: Lines<'a>,
    at: usize,
    marks: &'a mut Marks<'m>,
}

impl Walk<'_, '_> {
    /// Recursion ends where `serde_json`'s own limit of 128 levels does.
    fn value(&mut self, path: &Path) {
        match self.peek() {
            Some(b'{') => self.entries(b'}', |walk, _| {
                let position = walk.lines.position(walk.at);
                let path = path.key(walk.string());
                let first = walk.marks.begins(&path, position);
                walk.skip_space();
                walk.at += 1; // the colon
                walk.skip_space();
                let within = walk.marks.twin;
                walk.marks.twin |= !first;
                walk.value(&path);
                walk.marks.twin = within;
            }),
            Some(b'[') => self.entries(b']', |walk, index| {
                let path = path.index(index);
                let position = walk.lines.position(walk.at);
                walk.marks.begins(&path, position);
                walk.value(&path);
            }),
            Some(b'"') => {
                self.string();
            }
            Some(_) | None => {
                let rest = self.text.as_bytes().iter().skip(self.at);
                self.at += rest
                    .take_while(|b| !matches!(b, b',' | b'}' | b']') && !b.is_ascii_whitespace())
                    .count();
            }
        }
    }

    fn entries(&mut self, end: u8, mut entry: impl FnMut(&mut Self, usize)) {
        self.at += 1;
        for index in 0.. {
            self.skip_space();
            match self.peek() {
                None => return,
                Some(b) if b == end => {
                    self.at += 1;
                    return;
                }
                Some(_) => entry(self, index),
            }
            self.skip_space();
            if self.peek() == Some(b',') {
                self.at += 1;
            }
        }
    }

    /// The text of the string that begins here, its escapes undone.
    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
        let raw = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_str(raw).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}
