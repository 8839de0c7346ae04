//! What of a text is personal, and of which class.
//!
//! One pass looks for what a detector could begin with: a digit, an `@`, a colon within hex digits. All
//! else is passed over many bytes at once. At a digit the whole cluster of digits is read, and each detector
//! looks at it; words are looked up only there. Whoever tells by a checksum is believed first.
//! <https://www.iso.org/standard/70484.html> (cards), <https://www.itu.int/rec/T-REC-E.164> (telephones),
//! <https://adilet.zan.kz/rus/docs/V1300008740> (IIN and BIN; all read 2026-11).

mod address;
mod around;
mod chars;
mod cluster;
mod documents;
mod english;
pub(super) mod escapes;
mod house;
mod lexicon;
mod network;
pub(super) mod normal;
mod numbers;
mod own;
mod phone;
mod words;

use std::ops::Range;

pub use own::{BadPattern, Detectors};

use self::cluster::Cluster;
use self::words::{Cue, Lexicon, Word, Words};
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
    words: Words,
}

impl Look<'_> {
    fn hit(&mut self, hit: Hit) {
        self.hits.push(hit);
    }

    /// The word before `at` that `index` others lie behind.
    fn word(&self, at: usize, index: usize) -> Option<Word> {
        self.words(at).nth(index)
    }

    /// The words before `at`, the nearest first.
    fn words(&self, at: usize) -> impl Iterator<Item = Word> {
        self.words.before(self.lexicon, self.text, at)
    }

    /// Whether one of the nearest `count` words before `at` says so.
    fn says(&self, at: usize, cue: Cue, count: usize) -> bool {
        self.words(at).take(count).any(|word| word.cue.has(cue))
    }
}

/// Whether a byte may begin what is looked for: a digit, a colon, an `@`; or a character that may be a digit
/// or an `@` of another width or script.
#[expect(
    clippy::needless_bitwise_bool,
    reason = "a loop over it is widened by the compiler only without branches"
)]
const fn is_start(byte: u8) -> bool {
    (byte.wrapping_sub(b'0') <= b':' - b'0')
        | (byte == b'@')
        | (byte & !2 == 0xd9)
        | (byte.wrapping_sub(0xef) <= 1)
}

/// The same, for single bytes.
const STARTS: [bool; 256] = {
    let mut starts = [false; 256];
    let mut byte = u8::MAX;
    loop {
        starts[byte as usize] = is_start(byte);
        if byte == 0 {
            break starts;
        }
        byte -= 1;
    }
};

/// As many bytes are passed over at once.
const STRIDE: usize = 16;

/// The next place from `at` on where something may begin.
pub(super) fn next_start(bytes: &[u8], at: usize) -> Option<usize> {
    let mut rest = bytes.get(at..)?;
    while let Some((stride, more)) = rest.split_first_chunk::<STRIDE>() {
        if stride
            .iter()
            .fold(0, |any, byte| any | u8::from(is_start(*byte)))
            > 0
        {
            break;
        }
        rest = more;
    }
    let next = rest.iter().position(|byte| STARTS[usize::from(*byte)])?;
    Some(bytes.len() - rest.len() + next)
}

/// All that could be personal in `text`, by the built-in detectors.
fn built_in(lexicon: &Lexicon, text: &str) -> Vec<Hit> {
    let bytes = text.as_bytes();
    let Some(mut at) = next_start(bytes, 0) else {
        return Vec::new();
    };
    let mut look = Look {
        text,
        lexicon,
        hits: Vec::new(),
        words: Words::default(),
    };
    let mut cluster = Cluster::default();
    loop {
        let next = match bytes[at] {
            b'0'..=b'9' => {
                // `%40` is an `@`, too.
                if bytes[at..].starts_with(b"40") && bytes[..at].ends_with(b"%") {
                    network::email(&mut look, at - 1, at + 2);
                }
                digits(&mut look, &mut cluster, at)
            }
            b'@' => {
                network::email(&mut look, at, at + 1);
                at + 1
            }
            b':' => colon(&mut look, at),
            _ => match chars::char_at(text, at) {
                Some(c) if chars::digit(c).is_some() => digits(&mut look, &mut cluster, at),
                Some(c @ ('\u{ff20}' | '\u{fe6b}')) => {
                    let after = at + c.len_utf8();
                    network::email(&mut look, at, after);
                    after
                }
                c => at + c.map_or(1, char::len_utf8),
            },
        };
        match next_start(bytes, next) {
            Some(next) => at = next,
            None => return look.hits,
        }
    }
}

/// An address of the network may lie around the colon at `at`. Returns where to go on.
fn colon(look: &mut Look<'_>, at: usize) -> usize {
    let bytes = look.text.as_bytes();
    let before = bytes[..at].last().is_some_and(u8::is_ascii_hexdigit);
    let after = bytes.get(at + 1);
    if after.is_some_and(|b| *b == b':' || before && b.is_ascii_hexdigit()) {
        network::v6(look, at)
    } else {
        at + 1
    }
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
    let mut asked: Vec<Hit> = asked(hits, classes).cloned().collect();
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

/// Which of `classes` there are, each as if it alone were asked for.
pub(super) fn present(hits: &[Hit], classes: Classes) -> Classes {
    asked(hits, classes).map(|hit| hit.class).collect()
}

/// Those of `classes`, but for what only looks like a telephone number.
fn asked(hits: &[Hit], classes: Classes) -> impl Iterator<Item = &Hit> {
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
    let is_taken = move |hit: &Hit| {
        hit.class == Class::PHONE && hit.certainty < Certainty::Checked && {
            let at = sure.partition_point(|span| span.end <= hit.span.start);
            sure[at..]
                .iter()
                .take(4)
                .any(|span| overlap(span, &hit.span))
        }
    };
    let asked = hits.iter();
    asked.filter(move |hit| classes.has(hit.class) && !is_taken(hit))
}

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

#[cfg(test)]
pub(super) mod tests;
