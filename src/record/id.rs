//! Identifiers held inline: a request's own, and the caller's trace.

use std::fmt;
use std::io::Write as _;

use jiff::Timestamp;

/// `req_` and 32 lower-case hex digits: 48 bits of unix milliseconds, then 80 random bits. Sorted
/// by text, requests are sorted by time. Unique, not secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestId(Hex<36>);

impl RequestId {
    pub(super) fn at(time: Timestamp) -> Self {
        let millis = u64::try_from(time.as_millisecond()).unwrap_or_default() & 0xffff_ffff_ffff;
        let mut text = *b"req_00000000000000000000000000000000";
        let (high, low) = (fastrand::u16(..), fastrand::u64(..));
        // It cannot fail: 12, 4 and 16 digits are what there is room for.
        let _ = write!(&mut text[4..], "{millis:012x}{high:04x}{low:016x}");
        Self(Hex(text))
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    #[cfg(test)]
    pub(super) fn fixed(text: &[u8; 36]) -> Self {
        Self(Hex(*text))
    }
}

/// The trace id of a W3C `traceparent`: 32 lower-case hex digits, not all zero.
/// <https://www.w3.org/TR/trace-context/#trace-id> (read 2026-11)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TraceId(Hex<32>);

impl TraceId {
    pub(super) fn try_new(text: &str) -> Option<Self> {
        let digits: [u8; 32] = text.as_bytes().try_into().ok()?;
        let hex = digits
            .iter()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        let zero = digits.iter().all(|digit| *digit == b'0');
        (hex && !zero).then_some(Self(Hex(digits)))
    }

    pub(super) fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// ASCII, by construction.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Hex<const N: usize>([u8; N]);

impl<const N: usize> Hex<N> {
    fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_hex_and_sort_by_time() {
        let at = |millis| RequestId::at(Timestamp::from_millisecond(millis).unwrap());
        let (early, late) = (at(1_700_000_000_000), at(1_700_000_000_001));
        assert!(early.as_str().starts_with("req_018bcfe56800"));
        assert!(early.as_str() < late.as_str());
        assert_eq!(early.as_str().len(), 36);
        assert!(early.as_str()[4..].bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(at(0), at(0));
    }

    #[test]
    fn a_trace_id_is_what_the_standard_says_or_nothing() {
        let good = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(TraceId::try_new(good).unwrap().as_str(), good);
        for bad in [
            "",
            "4bf92f",
            "00000000000000000000000000000000",
            "4BF92F3577B34DA6A3CE929D0E0E4736",
            "4bf92f3577b34da6a3ce929d0e0e473g",
            "4bf92f3577b34da6a3ce929d0e0e47360",
        ] {
            assert_eq!(TraceId::try_new(bad), None, "{bad}");
        }
    }
}
