//! The words before a number, which say what it is.
//!
//! A number alone says little: `45-12` may be anything, and behind `договор №` it is a contract. The
//! words are read backwards from it, only where a number is, and each is looked up once.

use std::cell::Cell;
use std::sync::LazyLock;

use super::chars::{
    char_at, char_before, digit, is_capital, is_dash, is_inner, is_invisible, is_letter,
    plain_after, plain_before, small,
};

/// What a word says of the number that follows it, or precedes it. A set: `г` may be many things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cue(u32);

impl Cue {
    pub(super) const PHONE: Self = Self(1);
    pub(super) const CONTRACT: Self = Self(1 << 1);
    pub(super) const PASSPORT: Self = Self(1 << 2);
    pub(super) const CARD: Self = Self(1 << 3);
    /// What is no personal number: an order, an invoice, a parcel.
    pub(super) const OTHER: Self = Self(1 << 4);
    pub(super) const VERSION: Self = Self(1 << 5);
    /// A part of a document.
    pub(super) const CLAUSE: Self = Self(1 << 6);
    /// The word "number".
    pub(super) const MARK: Self = Self(1 << 7);
    pub(super) const STREET: Self = Self(1 << 8);
    /// A street whose name may be a number: a quarter.
    pub(super) const QUARTER: Self = Self(1 << 9);
    pub(super) const HOUSE: Self = Self(1 << 10);
    /// A part of a house: a flat, an office.
    pub(super) const UNIT: Self = Self(1 << 11);
    /// What a place is: a city, a region.
    pub(super) const TOWN: Self = Self(1 << 12);
    /// A place by its name.
    pub(super) const PLACE: Self = Self(1 << 13);
    /// A small word within the name of a street.
    pub(super) const WITHIN: Self = Self(1 << 14);
    /// A word that may stand with a number as an amount follows it.
    pub(super) const UNITS: Self = Self(1 << 15);
    /// A word for a number of a person or a business.
    pub(super) const PERSON: Self = Self(1 << 16);

    /// A street in English, whose name stands before it.
    pub(super) const ROAD: Self = Self(1 << 17);

    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn has(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }
}

/// How a word is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Small,
    Capital,
    Number,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) cue: Cue,
    pub(super) shape: Shape,
}

impl Word {
    const NONE: Self = Self {
        start: 0,
        end: 0,
        cue: Cue(0),
        shape: Shape::Small,
    };
}

/// The longest word that is looked up, in bytes.
const LONGEST: usize = 40;

/// Words that mean something, and what: whole ones, or the beginnings of some.
pub(super) struct Lexicon {
    entries: Vec<Entry>,
    /// By the first two letters: where its entries lie.
    index: Vec<(u16, u16)>,
}

struct Entry {
    stem: &'static str,
    /// The third letter, which tells most words apart; `None` where there is none.
    third: Option<char>,
    /// Whether any ending may follow.
    open: bool,
    cue: Cue,
}

impl std::fmt::Debug for Lexicon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lexicon({})", self.entries.len())
    }
}

impl Lexicon {
    /// The one that there is: made when it is first asked for, and shared by all configurations.
    pub(super) fn built_in() -> &'static Self {
        static BUILT_IN: LazyLock<Lexicon> = LazyLock::new(Lexicon::new);
        &BUILT_IN
    }

    fn new() -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        for (cue, words) in super::lexicon::WORDS {
            for word in words.split_ascii_whitespace() {
                let (stem, open) = match word.strip_suffix('*') {
                    Some(stem) => (stem, true),
                    None => (word, false),
                };
                entries.push(Entry {
                    stem,
                    third: stem.chars().nth(2),
                    open,
                    cue: *cue,
                });
            }
        }
        let place = |entry: &Entry| {
            let mut letters = entry.stem.chars();
            slot(letters.next(), letters.next())
        };
        entries.sort_by_key(place);
        let mut index = vec![(0, 0); SLOTS];
        for (at, entry) in entries.iter().enumerate() {
            let at = u16::try_from(at).unwrap_or(u16::MAX);
            let (from, to): &mut (u16, u16) = &mut index[place(entry)];
            if *to == 0 {
                *from = at;
            }
            *to = at + 1;
        }
        Self { entries, index }
    }

    /// What `word` says. It is given as it stands.
    pub(super) fn cue(&self, word: &str) -> Cue {
        let mut letters = folded(word);
        let (from, to) = self.index[slot(letters.next(), letters.next())];
        // Most words have no entry that begins as they do.
        if from == to || word.len() > LONGEST {
            return Cue::default();
        }
        let third = letters.next();
        let entries = &self.entries[usize::from(from)..usize::from(to)];
        let mut near = entries
            .iter()
            .filter(|entry| entry.third == third || entry.third.is_none() && entry.open)
            .peekable();
        if near.peek().is_none() {
            return Cue::default();
        }
        let mut written = [0_u8; LONGEST * 2];
        let mut length = 0;
        for c in folded(word) {
            let Some(room) = written.get_mut(length..length + c.len_utf8()) else {
                return Cue::default();
            };
            length += c.encode_utf8(room).len();
        }
        let written = &written[..length];
        let fits = near.filter(|entry| {
            let (stem, open) = (entry.stem.as_bytes(), entry.open);
            written.starts_with(stem) && (open || written.len() == stem.len())
        });
        fits.fold(Cue::default(), |all, entry| all.or(entry.cue))
    }

    /// The word that starts at `at`, if one does.
    pub(super) fn word(&self, text: &str, at: usize) -> Option<Word> {
        let first = char_at(text, at)?;
        if !is_inner(first) {
            return None;
        }
        let mut end = plain_after(text, at);
        while let Some(c) = char_at(text, end) {
            let next = end + c.len_utf8();
            let joins = || is_dash(c) && char_at(text, next).is_some_and(is_letter);
            if !is_inner(c) && !is_invisible(c) && !joins() {
                break;
            }
            end = plain_after(text, next);
        }
        Some(self.seen(text, at, end, first))
    }

    fn seen(&self, text: &str, start: usize, end: usize, first: char) -> Word {
        let shape = if digit(first).is_some() {
            Shape::Number
        } else if is_capital(first) {
            Shape::Capital
        } else {
            Shape::Small
        };
        let cue = if shape == Shape::Number {
            Cue::default()
        } else {
            self.cue(&text[start..end])
        };
        Word {
            start,
            end,
            cue,
            shape,
        }
    }
}

/// The letters of a word as the lexicon has them.
fn folded(word: &str) -> impl Iterator<Item = char> {
    let visible = word.chars().filter(|c| !is_invisible(*c));
    visible.map(|c| if is_dash(c) { '-' } else { small(c) })
}

/// Places of the index.
const SLOTS: usize = 1 << 12;

fn slot(first: Option<char>, second: Option<char>) -> usize {
    let bits = |c: Option<char>| c.map_or(0, u32::from) as usize;
    (bits(first) & 63) << 6 | bits(second) & 63
}

/// How many words are read before a place, and how many bytes, at most.
const MOST: usize = 10;
const REACH: usize = 140;
/// Places for words that were read.
const KEPT: usize = 64;

/// Words that were read, each at a place by its end. A word is told by its end alone, so the numbers of a
/// line, which ask for the same words one after the other, read them once.
#[derive(Debug)]
pub(super) struct Words([Cell<Word>; KEPT]);

impl Default for Words {
    fn default() -> Self {
        // No word ends at 0.
        Self([const { Cell::new(Word::NONE) }; KEPT])
    }
}

impl Words {
    /// The words before `at`, the nearest first, to the beginning of the line. They are read as they are
    /// asked for: most numbers are told by the nearest one.
    pub(super) fn before<'w>(
        &'w self,
        lexicon: &'w Lexicon,
        text: &'w str,
        at: usize,
    ) -> impl Iterator<Item = Word> + 'w {
        let least = at.saturating_sub(REACH);
        let mut end = at;
        let words = std::iter::from_fn(move || {
            let word = self.last(lexicon, text, end, least)?;
            end = word.start;
            (end >= least).then_some(word)
        });
        words.take(MOST)
    }

    /// The last word that ends at `end` or before, in the same line and behind `least`.
    fn last(&self, lexicon: &Lexicon, text: &str, end: usize, least: usize) -> Option<Word> {
        let mut end = end;
        // What lies between two words.
        let closing = loop {
            match char_before(text, end)? {
                '\n' => return None,
                c if is_inner(c) => break c,
                _ if end <= least => return None,
                c => end -= c.len_utf8(),
            }
        };
        let place = &self.0[end % KEPT];
        let known = place.get();
        if known.end == end {
            return Some(known);
        }
        // What is longer than the reach is seen by nobody.
        let floor = end.saturating_sub(REACH + 1);
        let mut start = end - closing.len_utf8();
        let mut first = closing;
        loop {
            let run = plain_before(text, start, floor);
            if run < start {
                start = run;
                first = char_at(text, start)?;
            }
            let Some(c) = char_before(text, start).filter(|_| start > floor) else {
                break;
            };
            let joins = || {
                (is_dash(c) && is_letter(first) || is_invisible(c))
                    && char_before(text, start - c.len_utf8()).is_some_and(is_inner)
            };
            if !(is_inner(c) || joins()) {
                break;
            }
            start -= c.len_utf8();
            first = c;
        }
        let word = lexicon.seen(text, start, end, first);
        place.set(word);
        Some(word)
    }
}
