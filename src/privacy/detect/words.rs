//! The words before a number, which say what it is.
//!
//! A number alone says little: `45-12` may be anything, and behind `договор №` it is a contract. The
//! words are read backwards from it, only where a number is, and each is looked up once.

use super::chars::{char_at, char_before, digit, is_dash, is_invisible, is_letter, small};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Shape {
    #[default]
    Small,
    Capital,
    Number,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Word {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) cue: Cue,
    pub(super) shape: Shape,
}

/// The longest word that is looked up, in bytes.
const LONGEST: usize = 40;

/// Words that mean something, and what: whole ones, or the beginnings of some.
pub(super) struct Lexicon {
    entries: Vec<(&'static str, bool, Cue)>,
    /// By the first two letters: where its entries lie.
    index: Vec<(u16, u16)>,
}

impl std::fmt::Debug for Lexicon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lexicon({})", self.entries.len())
    }
}

impl Lexicon {
    pub(super) fn new() -> Self {
        let mut entries: Vec<(&str, bool, Cue)> = Vec::new();
        for (cue, words) in super::lexicon::WORDS {
            for word in words.split_ascii_whitespace() {
                let (stem, open) = match word.strip_suffix('*') {
                    Some(stem) => (stem, true),
                    None => (word, false),
                };
                entries.push((stem, open, *cue));
            }
        }
        let place = |word: &str| {
            let mut letters = word.chars();
            slot(letters.next(), letters.next())
        };
        entries.sort_by_key(|(word, ..)| place(word));
        let mut index = vec![(0, 0); SLOTS];
        for (at, (word, ..)) in entries.iter().enumerate() {
            let at = u16::try_from(at).unwrap_or(u16::MAX);
            let (from, to): &mut (u16, u16) = &mut index[place(word)];
            if *to == 0 {
                *from = at;
            }
            *to = at + 1;
        }
        Self { entries, index }
    }

    /// What `word` says. It is given as it stands.
    pub(super) fn cue(&self, word: &str) -> Cue {
        let fold = |c: char| if is_dash(c) { '-' } else { small(c) };
        let mut letters = word.chars().filter(|c| !is_invisible(*c)).map(fold);
        let (from, to) = self.index[slot(letters.next(), letters.next())];
        // Most words have no entry that begins as they do.
        if from == to || word.len() > LONGEST {
            return Cue::default();
        }
        let mut folded = [0_u8; LONGEST * 2];
        let mut length = 0;
        for c in word.chars().filter(|c| !is_invisible(*c)).map(fold) {
            let Some(room) = folded.get_mut(length..length + c.len_utf8()) else {
                return Cue::default();
            };
            length += c.encode_utf8(room).len();
        }
        let Ok(folded) = std::str::from_utf8(&folded[..length]) else {
            return Cue::default();
        };
        let entries = &self.entries[usize::from(from)..usize::from(to)];
        let fits = entries.iter().filter(|(stem, open, _)| {
            folded.starts_with(stem) && (*open || folded.len() == stem.len())
        });
        fits.fold(Cue::default(), |all, (_, _, cue)| all.or(*cue))
    }

    /// The word that starts at `at`, if one does.
    pub(super) fn word(&self, text: &str, at: usize) -> Option<Word> {
        let first = char_at(text, at)?;
        if !is_letter(first) && digit(first).is_none() {
            return None;
        }
        let mut end = at;
        while let Some(c) = char_at(text, end) {
            let next = end + c.len_utf8();
            let joins = is_dash(c) && char_at(text, next).is_some_and(is_letter);
            if !is_letter(c) && digit(c).is_none() && !is_invisible(c) && !joins {
                break;
            }
            end = next;
        }
        Some(self.seen(text, at, end, first))
    }

    fn seen(&self, text: &str, start: usize, end: usize, first: char) -> Word {
        let shape = if digit(first).is_some() {
            Shape::Number
        } else if first.is_uppercase() {
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

/// Places of the index.
const SLOTS: usize = 1 << 12;

fn slot(first: Option<char>, second: Option<char>) -> usize {
    let bits = |c: Option<char>| c.map_or(0, u32::from) as usize;
    (bits(first) & 63) << 6 | bits(second) & 63
}

/// How many words are read, and how many bytes, at most.
const MOST: usize = 10;
const REACH: usize = 140;

/// The words before a place of the text, the nearest first, to the beginning of its line. They are read
/// as they are asked for: most numbers are told by the nearest one.
#[derive(Debug, Default)]
pub(super) struct Before {
    at: usize,
    words: [Word; MOST],
    count: usize,
    /// Where the next one ends, at most.
    end: usize,
    /// No other word comes.
    done: bool,
}

impl Before {
    /// The word that `index` others lie behind, before `at`.
    pub(super) fn word(
        &mut self,
        lexicon: &Lexicon,
        text: &str,
        at: usize,
        index: usize,
    ) -> Option<Word> {
        if self.at != at {
            (self.at, self.end, self.count, self.done) = (at, at, 0, false);
        }
        while self.count <= index && self.count < MOST && !self.done {
            match self.next(lexicon, text) {
                Some(word) => {
                    self.end = word.start;
                    self.words[self.count] = word;
                    self.count += 1;
                }
                None => self.done = true,
            }
        }
        self.words[..self.count].get(index).copied()
    }

    fn next(&self, lexicon: &Lexicon, text: &str) -> Option<Word> {
        let least = self.at.saturating_sub(REACH);
        let mut end = self.end;
        // What lies between two words.
        let closing = loop {
            match char_before(text, end)? {
                '\n' => return None,
                c if is_letter(c) || digit(c).is_some() => break c,
                _ if end <= least => return None,
                c => end -= c.len_utf8(),
            }
        };
        let mut start = end - closing.len_utf8();
        let mut first = closing;
        while let Some(c) = char_before(text, start) {
            let inner = is_letter(c) || digit(c).is_some();
            let joins = || {
                (is_dash(c) && is_letter(first) || is_invisible(c))
                    && char_before(text, start - c.len_utf8())
                        .is_some_and(|c| is_letter(c) || digit(c).is_some())
            };
            if start <= least || !(inner || joins()) {
                break;
            }
            start -= c.len_utf8();
            first = c;
        }
        (start >= least).then(|| lexicon.seen(text, start, end, first))
    }
}
