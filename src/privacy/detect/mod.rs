//! What of a text is personal, and of which class.
//!
//! One pass looks for what a detector could begin with: a digit, an `@`, a colon within hex digits. All
//! else is passed over byte by byte. At a digit the whole cluster of digits is read, and each detector
//! looks at it; words are looked up only there. Whoever tells by a checksum is believed first.
//! <https://www.iso.org/standard/70484.html> (cards), <https://www.itu.int/rec/T-REC-E.164> (telephones),
//! <https://adilet.zan.kz/rus/docs/V1300008740> (IIN and BIN; all read 2026-11).

mod address;
mod chars;
mod cluster;
mod documents;
mod english;
pub(super) mod escapes;
mod lexicon;
mod network;
pub(super) mod normal;
mod numbers;
mod own;
mod phone;
mod words;

use std::cell::RefCell;
use std::ops::Range;

pub use own::{BadPattern, Detectors};

use self::cluster::Cluster;
use self::words::{Before, Cue, Lexicon, Word};
use super::{Class, Classes};

/// A piece of text that is personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    pub class: Class,
    /// In bytes of the text.
    pub span: Range<usize>,
    certainty: Certainty,
}

/// By what it was told; the later the surer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Certainty {
    /// By words around it.
    Told,
    /// By its form.
    Formed,
    /// By its checksum.
    Checked,
    /// By the operator's pattern.
    Own,
}

impl Hit {
    fn new(class: Class, span: Range<usize>, certainty: Certainty) -> Self {
        Self {
            class,
            span,
            certainty,
        }
    }
}

/// One look at one text.
struct Look<'a> {
    text: &'a str,
    lexicon: &'a Lexicon,
    hits: Vec<Hit>,
    /// The words before a place that was asked for last.
    before: RefCell<Before>,
}

impl Look<'_> {
    fn hit(&mut self, hit: Hit) {
        self.hits.push(hit);
    }

    /// The word before `at` that `index` others lie behind.
    fn word(&self, at: usize, index: usize) -> Option<Word> {
        let mut before = self.before.borrow_mut();
        before.word(self.lexicon, self.text, at, index)
    }

    /// The words before `at`, the nearest first.
    fn words(&self, at: usize) -> impl Iterator<Item = Word> {
        let mut index = 0;
        std::iter::from_fn(move || {
            index += 1;
            self.word(at, index - 1)
        })
    }

    /// Whether one of the nearest `count` words before `at` says so.
    fn says(&self, at: usize, cue: Cue, count: usize) -> bool {
        self.words(at).take(count).any(|word| word.cue.has(cue))
    }
}

/// What a byte may begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Nothing,
    Digit,
    /// A character that may be a digit or an `@` of another width.
    Wide,
    At,
    Colon,
    Percent,
}

const STARTS: [Start; 256] = {
    let mut starts = [Start::Nothing; 256];
    let mut at = b'0';
    while at <= b'9' {
        starts[at as usize] = Start::Digit;
        at += 1;
    }
    starts[b'@' as usize] = Start::At;
    starts[b':' as usize] = Start::Colon;
    starts[b'%' as usize] = Start::Percent;
    // The first bytes of digits of other widths and scripts.
    starts[0xd9] = Start::Wide;
    starts[0xdb] = Start::Wide;
    starts[0xef] = Start::Wide;
    starts[0xf0] = Start::Wide;
    starts
};

/// All that could be personal in `text`, by the built-in detectors.
fn built_in(lexicon: &Lexicon, text: &str) -> Vec<Hit> {
    let mut look = Look {
        text,
        lexicon,
        hits: Vec::new(),
        before: RefCell::default(),
    };
    let mut cluster = Cluster::default();
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match STARTS[usize::from(byte)] {
            Start::Nothing => at += 1,
            Start::Digit => at = digits(&mut look, &mut cluster, at),
            Start::Wide => match chars::char_at(text, at) {
                Some(c) if chars::digit(c).is_some() => at = digits(&mut look, &mut cluster, at),
                Some('\u{ff20}' | '\u{fe6b}') => {
                    network::email(&mut look, at, at + 3);
                    at += 3;
                }
                c => at += c.map_or(1, char::len_utf8),
            },
            Start::At => {
                network::email(&mut look, at, at + 1);
                at += 1;
            }
            Start::Percent => {
                if bytes[at..].starts_with(b"%40") {
                    network::email(&mut look, at, at + 3);
                }
                at += 1;
            }
            Start::Colon => {
                let near =
                    |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_hexdigit() || *b == b':');
                let inner =
                    at > 0 && bytes[at - 1].is_ascii_hexdigit() || bytes.get(at + 1) == Some(&b':');
                at = if inner && near(bytes.get(at + 1)) {
                    network::v6(&mut look, at)
                } else {
                    at + 1
                };
            }
        }
    }
    look.hits
}

/// What is in the cluster of digits that starts at `at`. Returns where to go on.
fn digits(look: &mut Look<'_>, cluster: &mut Cluster, at: usize) -> usize {
    let next = cluster.read(look.text, at);
    for first in 0..cluster.groups.len() {
        numbers::find(look, cluster, first);
        phone::find(look, cluster, first);
        network::v4(look, cluster, first);
        documents::find(look, cluster, first);
        address::find(look, cluster, first);
    }
    next
}

/// What is left of `hits` where only `classes` are asked for: none lies over another, in order. Of two
/// that do, the surer one gives its class to both, then the longer one.
pub(super) fn resolve(hits: &[Hit], classes: Classes) -> Vec<Hit> {
    // A number that has the checksum of another class is no telephone number.
    let mut sure: Vec<&Range<usize>> = hits
        .iter()
        .filter(|hit| {
            hit.certainty == Certainty::Checked
                || hit.certainty == Certainty::Formed
                    && matches!(hit.class, Class::IP | Class::EMAIL)
        })
        .map(|hit| &hit.span)
        .collect();
    sure.sort_by_key(|span| (span.end, span.start));
    let is_taken = |hit: &Hit| {
        hit.class == Class::PHONE && hit.certainty < Certainty::Checked && {
            let at = sure.partition_point(|span| span.end <= hit.span.start);
            sure[at..]
                .iter()
                .take(4)
                .any(|span| overlap(span, &hit.span))
        }
    };
    let mut asked: Vec<Hit> = hits
        .iter()
        .filter(|hit| classes.has(hit.class) && !is_taken(hit))
        .cloned()
        .collect();
    asked.sort_by_key(|hit| (hit.span.start, hit.span.end, hit.class));
    let mut kept: Vec<Hit> = Vec::with_capacity(asked.len());
    for hit in asked {
        match kept.last_mut() {
            Some(last) if overlap(&last.span, &hit.span) => {
                let rank = |hit: &Hit| (hit.certainty, hit.span.len());
                if rank(&hit) > rank(last) {
                    last.class = hit.class;
                    last.certainty = hit.certainty;
                }
                last.span.end = last.span.end.max(hit.span.end);
            }
            _ => kept.push(hit),
        }
    }
    kept
}

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

#[cfg(test)]
mod tests;
