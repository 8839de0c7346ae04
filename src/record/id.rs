//! A request's own identifier, held inline.

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
}
