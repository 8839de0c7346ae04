//! Values that were found once, found again where they would not be.
//!
//! `Договор № 45-К/2023` says what `45-К/2023` is, and a later `по 45-К/2023` does not.

use std::collections::HashMap;
use std::ops::Range;

use super::class::Classes;
use super::detect::next_start;
use super::vault::Vault;

/// What is shorter, in bytes, is not looked for: it would be found in anything.
const SHORTEST: usize = 5;
/// By as many bytes the values are told apart.
const KEY: usize = 4;
/// Bits of the table that says where a value may be.
const BITS: usize = 1 << 14;

/// The values of a vault, as they are looked for: by what they have at their first digit or `@`, since all
/// else in a text is passed over quickly. Only what an operator's pattern finds may have neither: where there
/// is such a value, all are looked for by how they begin, at each place.
#[derive(Default)]
pub(super) struct Again<'v> {
    /// By the bytes from the anchor on.
    values: HashMap<[u8; KEY], Vec<Value<'v>>>,
    may_begin: Vec<u64>,
    /// Those that end before as many bytes.
    short: Vec<Value<'v>>,
    /// The anchor of each is its beginning.
    everywhere: bool,
}

#[derive(Clone, Copy)]
struct Value<'v> {
    text: &'v str,
    /// Where in it the anchor is: the byte by which it is looked for.
    offset: usize,
    /// Which one of the vault's it is.
    entry: usize,
}

impl<'v> Again<'v> {
    pub(super) fn of(vault: &'v Vault, classes: Classes) -> Self {
        let values = || {
            let values = vault.entries();
            values.filter(|(_, class, text)| text.len() >= SHORTEST && classes.has(*class))
        };
        let anchor = |text: &str| next_start(text.as_bytes(), 0);
        let mut again = Self {
            everywhere: values().any(|(_, _, text)| anchor(text).is_none()),
            ..Self::default()
        };
        for (entry, _, text) in values() {
            let offset = anchor(text).filter(|_| !again.everywhere);
            let offset = offset.unwrap_or_default();
            let value = Value {
                text,
                offset,
                entry,
            };
            match text.as_bytes()[offset..].first_chunk::<KEY>() {
                Some(key) => {
                    if again.may_begin.is_empty() {
                        again.may_begin = vec![0; BITS / 64];
                    }
                    let bit = slot(*key);
                    again.may_begin[bit / 64] |= 1 << (bit % 64);
                    again.values.entry(*key).or_default().push(value);
                }
                None => again.short.push(value),
            }
        }
        // The one that starts first, then the longest.
        let rank = |value: &Value<'v>| {
            let first = (usize::MAX - value.offset, usize::MAX - value.text.len());
            (first, value.text)
        };
        again.short.sort_by_key(rank);
        for values in again.values.values_mut() {
            values.sort_by_key(rank);
        }
        again
    }

    /// The places within `range` of `text` where such a value stands by itself, and which.
    pub(super) fn find(
        &self,
        text: &str,
        range: Range<usize>,
        places: &mut Vec<(Range<usize>, usize)>,
    ) {
        let bytes = &text.as_bytes()[..range.end];
        let mut from = range.start;
        let mut at = from;
        while !self.is_empty() {
            let next = if self.everywhere {
                (at < bytes.len()).then_some(at)
            } else {
                next_start(bytes, at)
            };
            let Some(place) = next else { break };
            if let Some((span, entry)) = self.value_at(text, place, from..range.end) {
                (from, at) = (span.end, span.end);
                places.push((span, entry));
                continue;
            }
            at = place + 1;
            // Within a number no value starts, nor does it have its anchor there.
            if bytes[place].is_ascii_digit() {
                let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit());
                at += digits.count();
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.values.is_empty() && self.short.is_empty()
    }

    /// The value whose anchor is at `place`, as far as it lies within `range`.
    fn value_at(
        &self,
        text: &str,
        place: usize,
        range: Range<usize>,
    ) -> Option<(Range<usize>, usize)> {
        let bytes = &text.as_bytes()[..range.end];
        let key = bytes.get(place..).and_then(<[u8]>::first_chunk::<KEY>);
        let key = key.filter(|key| {
            let bit = slot(**key);
            let words = self.may_begin.get(bit / 64);
            words.is_some_and(|word| word & (1 << (bit % 64)) != 0)
        });
        let long = key.and_then(|key| self.values.get(key));
        let long = long.into_iter().flatten();
        let values = long.chain(&self.short);
        let mut fitting = values.filter_map(|value| {
            let start = place.checked_sub(value.offset)?;
            let end = start + value.text.len();
            let fits = range.start <= start
                && bytes[start..].starts_with(value.text.as_bytes())
                && alone(text[end..].chars().next())
                && alone(text[..start].chars().next_back());
            fits.then_some((start..end, value.entry))
        });
        let first = fitting.next()?;
        // Of one list the first is the best already.
        Some(fitting.fold(first, |best, other| {
            let rank = |(span, _): &(Range<usize>, usize)| (span.start, usize::MAX - span.end);
            if rank(&other) < rank(&best) {
                other
            } else {
                best
            }
        }))
    }
}

/// Whether a value may end beside `c`.
fn alone(c: Option<char>) -> bool {
    !c.is_some_and(char::is_alphanumeric)
}

fn slot(key: [u8; KEY]) -> usize {
    let hash = u32::from_le_bytes(key).wrapping_mul(0x9e37_79b1);
    (hash >> 18) as usize
}
