//! Ids of traces and spans: numbers, written in lower-case hexadecimal.

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};

use serde::{Serialize, Serializer};

use crate::snapshot::Percent;

/// Of a trace that we begin these bits decide whether it is kept: those that W3C wants to be random.
const CHANCE: u32 = 56;

/// 32 digits, not all zero. <https://www.w3.org/TR/trace-context/#trace-id> (read 2026-11)
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceId(NonZeroU128);

impl TraceId {
    pub fn try_new(text: &str) -> Option<Self> {
        NonZeroU128::new(digits(text, 32)?).map(Self)
    }

    pub(super) fn random() -> Self {
        Self(NonZeroU128::new(fastrand::u128(..)).unwrap_or(NonZeroU128::MIN))
    }

    /// Whether it is one of so many.
    pub(super) fn is_of(self, share: Percent) -> bool {
        let drawn = self.0.get() & ((1 << CHANCE) - 1);
        drawn * u128::from(Percent::PARTS) < u128::from(share.parts()) << CHANCE
    }
}

/// 16 digits, not all zero. <https://www.w3.org/TR/trace-context/#parent-id> (read 2026-11)
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SpanId(NonZeroU64);

impl SpanId {
    pub(super) fn try_new(text: &str) -> Option<Self> {
        let number = u64::try_from(digits(text, 16)?).ok()?;
        NonZeroU64::new(number).map(Self)
    }

    pub(super) fn random() -> Self {
        Self(NonZeroU64::new(fastrand::u64(..)).unwrap_or(NonZeroU64::MIN))
    }
}

/// So many lower-case digits, and nothing else.
pub(super) fn digits(text: &str, count: usize) -> Option<u128> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_number = text.len() == count && text.bytes().all(is_digit);
    u128::from_str_radix(text, 16).ok().filter(|_| is_number)
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for SpanId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_all_of_its_digits() {
        for text in [
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "00000000000000000000000000000001",
        ] {
            assert_eq!(TraceId::try_new(text).unwrap().to_string(), text);
            assert_eq!(
                SpanId::try_new(&text[16..]).unwrap().to_string(),
                text[16..]
            );
        }
        for bad in [
            "",
            "4bf92f",
            "00000000000000000000000000000000",
            "4BF92F3577B34DA6A3CE929D0E0E4736",
            "4bf92f3577b34da6a3ce929d0e0e473g",
            "+bf92f3577b34da6a3ce929d0e0e4736",
            "4bf92f3577b34da6a3ce929d0e0e47360",
        ] {
            assert_eq!(TraceId::try_new(bad), None, "{bad}");
        }
        assert_eq!(SpanId::try_new("0000000000000000"), None);
    }

    #[test]
    fn a_share_is_drawn_by_the_random_bits_of_the_id() {
        let share = |hundredths| Percent::try_new(hundredths).unwrap();
        let quarter = (1_u128 << CHANCE) / 4;
        for (random, is_of) in [(0, true), (quarter - 1, true), (quarter, false)] {
            // What lies above says nothing.
            let id = TraceId(NonZeroU128::new(u128::MAX << CHANCE | random).unwrap());
            assert_eq!(id.is_of(share(25)), is_of, "{id}");
            assert!(id.is_of(share(100)));
            assert!(!id.is_of(share(0)));
        }
        let last = TraceId(NonZeroU128::MAX);
        assert!(last.is_of(share(100)) && !last.is_of(share(99)));
    }
}
