//! Digits that stand together: groups of them, with a blank, a dash, a dot or a bracket between.
//!
//! `8 (701) 123-45-67` is one cluster of five groups. What a cluster is, the detectors say: each looks
//! at the groups from one on, as long as they make a number of its kind.

use super::chars::{
    char_at, char_before, digit, is_blank, is_dash, is_inner, is_invisible, visible_before,
};

/// Digits that are read as one cluster, at most. What goes on is read again from some groups before.
const MOST: usize = 512;
/// As many groups are read again: more than any number is written in.
const AGAIN: usize = 12;
/// Characters between two groups, at most.
const WIDEST: u8 = 3;

/// What lies between two groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Gap {
    pub(super) blanks: u8,
    pub(super) dashes: u8,
    pub(super) dots: u8,
    pub(super) brackets: u8,
}

impl Gap {
    pub(super) const NONE: Self = Self {
        blanks: 0,
        dashes: 0,
        dots: 0,
        brackets: 0,
    };

    fn add(&mut self, c: char) -> bool {
        let place = match c {
            '.' | '\u{ff0e}' => &mut self.dots,
            '(' | ')' | '[' | ']' => &mut self.brackets,
            c if is_blank(c) => &mut self.blanks,
            c if is_dash(c) => &mut self.dashes,
            _ => return false,
        };
        *place += 1;
        self.width() <= WIDEST
    }

    pub(super) fn width(self) -> u8 {
        self.blanks + self.dashes + self.dots + self.brackets
    }

    /// One sign of one kind, as within a number that is cut into groups; a dash may have blanks around.
    pub(super) fn is_plain(self) -> bool {
        self.width() == 1 && self.brackets == 0
            || (self.dashes == 1 && self.blanks == 2 && self.width() == 3)
    }

    pub(super) fn is_dot(self) -> bool {
        self.dots == 1 && self.width() == 1
    }
}

/// Digits with nothing between them that could be seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    /// Where its digits are among the cluster's.
    pub(super) from: usize,
    pub(super) to: usize,
    /// Where it is in the text.
    pub(super) start: usize,
    pub(super) end: usize,
    /// What lies between it and the one before.
    pub(super) gap: Gap,
}

impl Group {
    pub(super) fn len(self) -> usize {
        self.to - self.from
    }
}

#[derive(Debug, Default)]
pub(super) struct Cluster {
    digits: Vec<u8>,
    pub(super) groups: Vec<Group>,
    /// A letter or a digit touches the first group.
    touched: bool,
}

impl Cluster {
    /// Reads what starts with the digit at `at`. Returns where to go on.
    pub(super) fn read(&mut self, text: &str, at: usize) -> usize {
        self.digits.clear();
        self.groups.clear();
        self.touched = !begins(text, at);
        let mut at = at;
        let mut gap = Gap::NONE;
        loop {
            let (start, from) = (at, self.digits.len());
            let mut end = at;
            while let Some(c) = char_at(text, at) {
                if let Some(value) = digit(c) {
                    self.digits.push(value);
                    end = at + c.len_utf8();
                } else if !is_invisible(c) {
                    break;
                }
                at += c.len_utf8();
            }
            self.groups.push(Group {
                from,
                to: self.digits.len(),
                start,
                end,
                gap,
            });
            gap = Gap::NONE;
            let mut next = at;
            let more = loop {
                let Some(c) = char_at(text, next) else {
                    break false;
                };
                if digit(c).is_some() {
                    break true;
                }
                if !is_invisible(c) && !gap.add(c) {
                    break false;
                }
                next += c.len_utf8();
            };
            if !more {
                return end;
            }
            if self.digits.len() >= MOST {
                let again = self.groups.len().saturating_sub(AGAIN).max(1);
                return self.groups.get(again).map_or(end, |group| group.start);
            }
            at = next;
        }
    }

    pub(super) fn digits(&self, first: usize, last: usize) -> &[u8] {
        match (self.groups.get(first), self.groups.get(last)) {
            (Some(first), Some(last)) => self.digits.get(first.from..last.to).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Whether a number may begin with a group: no letter or digit touches it. Between groups lies what
    /// is neither.
    pub(super) fn begins(&self, first: usize) -> bool {
        first > 0 || !self.touched
    }

    /// Whether the word before a group is the group before, a number and no more.
    pub(super) fn follows_number(&self, first: usize) -> bool {
        first > 1 || first == 1 && !self.touched
    }

    /// How many digits there are from the group `first` on.
    pub(super) fn count(&self, first: usize) -> usize {
        match (self.groups.get(first), self.groups.last()) {
            (Some(first), Some(last)) => last.to - first.from,
            _ => 0,
        }
    }

    /// The last group of those from `first` on that have `count` digits together, if they do.
    pub(super) fn last_of(&self, first: usize, count: usize) -> Option<usize> {
        let from = self.groups.get(first)?.from;
        let rest = self.groups.get(first..)?;
        let at = rest.iter().position(|group| group.to - from >= count)?;
        (rest[at].to - from == count).then_some(first + at)
    }

    pub(super) fn gaps(&self, first: usize, last: usize) -> impl Iterator<Item = Gap> {
        let inner = self.groups.get(first + 1..=last).unwrap_or_default();
        inner.iter().map(|group| group.gap)
    }

    /// The lengths of the groups.
    pub(super) fn shape(&self, first: usize, last: usize) -> impl Iterator<Item = usize> {
        let groups = self.groups.get(first..=last).unwrap_or_default();
        groups.iter().map(|group| group.len())
    }
}

/// Whether a number may begin at `at`: no letter or digit touches it.
pub(super) fn begins(text: &str, at: usize) -> bool {
    visible_before(text, at).is_none_or(|(c, _)| !is_inner(c))
}

/// Whether a number may end at `at`.
pub(super) fn ends(text: &str, mut at: usize) -> bool {
    while let Some(c) = char_at(text, at) {
        if !is_invisible(c) {
            return !is_inner(c);
        }
        at += c.len_utf8();
    }
    true
}

/// Whether a decimal fraction follows, or the number is one.
pub(super) fn is_fraction(text: &str, start: usize, end: usize) -> bool {
    let follows = matches!(char_at(text, end), Some('.' | ','))
        && char_at(text, end + 1).is_some_and(|c| digit(c).is_some());
    let precedes = matches!(char_before(text, start), Some('.' | ','))
        && char_before(text, start - 1).is_some_and(|c| digit(c).is_some());
    follows || precedes
}
