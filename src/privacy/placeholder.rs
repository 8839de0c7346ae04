//! What stands in the place of a value: `[EMAIL_1]`, also as a model may write it back.
//!
//! Brackets, capitals and a number: models repeat it faithfully, JSON and Markdown leave it alone. What
//! comes back may still be in small letters, with a blank or a dash for the `_`, with blanks within the
//! brackets, with Markdown's backslashes, or with JSON's `\u005b` for a bracket.

use memchr::memchr2;

/// The longest that may stand between the brackets, in bytes: name, number and their escapes.
const LONGEST: usize = 120;
/// Backslashes before a bracket, at most: Markdown's own, in JSON.
const SLASHES: usize = 3;

/// What starts at a place of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Perhaps a placeholder, of which the rest is to come.
    Begun,
    /// A placeholder by its form.
    Whole {
        start: usize,
        end: usize,
        name: String,
    },
    /// None; look on from here.
    Nothing { next: usize },
}

/// The next place from `at` on where one may start.
pub(super) fn next(text: &str, at: usize) -> Option<usize> {
    let rest = text.as_bytes().get(at..)?;
    memchr2(b'[', b'\\', rest).map(|place| at + place)
}

/// Reads what starts at `at`, a place that [`next`] has found. `begins` tells whether the beginning of
/// a name may become one that is known.
pub(super) fn read(text: &str, at: usize, begins: impl Fn(&str) -> bool) -> Reading {
    let bytes = text.as_bytes();
    let (mut place, slashes) = match mark(bytes, at, b'[', b"u005b") {
        Mark::Cut => return Reading::Begun,
        Mark::Not(next) => return Reading::Nothing { next },
        Mark::Is { end, slashes } => (end, slashes),
    };
    // The backslashes of `\u005b` are its own; before a bracket, where the other bracket has some, too.
    let bracket = at + slashes;
    let escaped = bytes.get(bracket) != Some(&b'[');
    let inner = place;
    let nothing = Reading::Nothing { next: inner };
    let mut name = String::new();
    loop {
        let Some(&byte) = bytes.get(place) else {
            return if begins(&known_form(&name)) {
                Reading::Begun
            } else {
                nothing
            };
        };
        if place - inner > LONGEST {
            return nothing;
        }
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'-' | b' ' => {
                name.push(char::from(byte));
                place += 1;
            }
            b'\\' | b']' => match mark(bytes, place, b']', b"u005d") {
                Mark::Is { end, slashes } => {
                    let start = if escaped || slashes > 0 { at } else { bracket };
                    let name = known_form(&name);
                    return Reading::Whole { start, end, name };
                }
                Mark::Cut if begins(&known_form(&name)) => return Reading::Begun,
                Mark::Cut => return nothing,
                Mark::Not(_) => match mark(bytes, place, b'_', b"u005f") {
                    Mark::Is { end, .. } => {
                        name.push('_');
                        place = end;
                    }
                    Mark::Cut if begins(&known_form(&name)) => return Reading::Begun,
                    Mark::Cut | Mark::Not(_) => return nothing,
                },
            },
            _ => return nothing,
        }
    }
}

enum Mark {
    Is { end: usize, slashes: usize },
    Cut,
    Not(usize),
}

/// A sign at `at`, perhaps behind backslashes, or by its number in JSON.
fn mark(bytes: &[u8], at: usize, sign: u8, escape: &[u8]) -> Mark {
    let rest = &bytes[at..];
    let slashes = rest.iter().take_while(|byte| **byte == b'\\').count();
    if slashes > SLASHES {
        // The last of them may still begin one.
        return Mark::Not(at + slashes - SLASHES);
    }
    let behind = &rest[slashes..];
    let Some(first) = behind.first() else {
        return if slashes > 0 {
            Mark::Cut
        } else {
            Mark::Not(at)
        };
    };
    if *first == sign {
        let end = at + slashes + 1;
        return Mark::Is { end, slashes };
    }
    if slashes > 0 {
        let count = behind.len().min(escape.len());
        if behind[..count].eq_ignore_ascii_case(&escape[..count]) {
            if count < escape.len() {
                return Mark::Cut;
            }
            let end = at + slashes + escape.len();
            return Mark::Is { end, slashes };
        }
    }
    Mark::Not(at + slashes.max(1))
}

/// What is between the brackets as it is kept: `email 1` is `EMAIL_1`.
fn known_form(inner: &str) -> String {
    let mut name = String::with_capacity(inner.len());
    for c in inner.trim_matches(' ').chars() {
        match c {
            '_' | '-' | ' ' if name.ends_with('_') => {}
            '_' | '-' | ' ' => name.push('_'),
            c => name.push(c.to_ascii_uppercase()),
        }
    }
    name
}
