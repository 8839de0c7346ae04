//! Values that were found once, found again where they would not be.
//!
//! `Договор № 45-К/2023` says what `45-К/2023` is, and a later `по 45-К/2023` does not.

use std::collections::HashMap;
use std::ops::Range;

use zeroize::Zeroizing;

use super::class::{Class, Classes};
use super::vault::Vault;

/// What is shorter, in bytes, is not looked for: it would be found in anything.
const SHORTEST: usize = 5;
/// By as many first bytes the values are again apart.
const KEY: usize = 4;
/// Bits of the table that says where a value may begin.
const BITS: usize = 1 << 14;

#[derive(Default)]
pub(super) struct Again {
    values: HashMap<[u8; KEY], Vec<(Class, Zeroizing<String>)>>,
    may_begin: Vec<u64>,
}

impl Again {
    pub(super) fn of(vault: &Vault, classes: Classes) -> Self {
        let mut again = Self::default();
        for (class, value) in vault.entries() {
            let Some(&key) = value.as_bytes().first_chunk::<KEY>() else {
                continue;
            };
            if value.len() < SHORTEST || !classes.has(class) {
                continue;
            }
            if again.may_begin.is_empty() {
                again.may_begin = vec![0; BITS / 64];
            }
            let bit = slot(key);
            again.may_begin[bit / 64] |= 1 << (bit % 64);
            let values = again.values.entry(key).or_default();
            values.push((class, Zeroizing::new(value.to_owned())));
        }
        for values in again.values.values_mut() {
            values.sort_by(|(_, one), (_, other)| other.len().cmp(&one.len()).then(one.cmp(other)));
        }
        again
    }

    /// The places within `range` of `text` where such a value stands by itself.
    pub(super) fn find(
        &self,
        text: &str,
        range: Range<usize>,
        places: &mut Vec<(Range<usize>, Class)>,
    ) {
        if self.values.is_empty() {
            return;
        }
        let bytes = &text.as_bytes()[..range.end];
        let mut at = range.start;
        while let Some(&key) = bytes.get(at..).and_then(<[u8]>::first_chunk::<KEY>) {
            let bit = slot(key);
            let found = (self.may_begin[bit / 64] & (1 << (bit % 64)) != 0)
                .then(|| self.value_at(text, at, range.end, key))
                .flatten();
            match found {
                Some((end, class)) => {
                    places.push((at..end, class));
                    at = end;
                }
                None => at += 1,
            }
        }
    }

    fn value_at(
        &self,
        text: &str,
        at: usize,
        most: usize,
        key: [u8; KEY],
    ) -> Option<(usize, Class)> {
        let alone = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
        let rest = text.get(at..most)?;
        let fitting = self.values.get(&key)?.iter().find(|(_, value)| {
            rest.starts_with(value.as_str())
                && alone(text[at + value.len()..].chars().next())
                && alone(text[..at].chars().next_back())
        });
        fitting.map(|(class, value)| (at + value.len(), *class))
    }
}

fn slot(key: [u8; KEY]) -> usize {
    let hash = u32::from_le_bytes(key).wrapping_mul(0x9e37_79b1);
    (hash >> 18) as usize
}
