//! A line's seal: its number, the hash of the line before, its own.

use std::fmt;
use std::io::Write as _;

use ring::digest;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

const SEQ: &[u8] = b",\"seq\":";
const PREV: &[u8] = b",\"prev\":";
const HASH: &[u8] = b",\"hash\":";
/// The member `hash` and the brace behind it.
const SEAL: usize = HASH.len() + 64 + 3;

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// From 64 lower-case digits.
    pub fn try_new(hex: &[u8]) -> Option<Self> {
        let digit = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let mut hash = [0; 32];
        if hex.len() != 2 * hash.len() {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(hash))
    }

    /// Of a line that ends where its `hash` would begin.
    fn of(open: &[u8]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(open);
        context.update(b"}");
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Self(hash)
    }

    fn hex(self) -> [u8; 64] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        hex
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hex().iter().try_for_each(|&digit| {
            let digit = char::from(digit);
            write!(f, "{digit}")
        })
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hex = String::deserialize(deserializer)?;
        Self::try_new(hex.as_bytes()).ok_or_else(|| D::Error::custom("is no SHA-256"))
    }
}

/// The last line of a chain, as far as it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub seq: u64,
    pub hash: Digest,
}

/// A chain that grows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Chain {
    head: Option<Head>,
}

impl Chain {
    /// The chain that ended so: what is sealed next follows it.
    pub fn after(head: Head) -> Self {
        Self { head: Some(head) }
    }

    pub fn head(&self) -> Option<Head> {
        self.head
    }

    /// Appends a line to `out`, with its line feed: `bare`, which is a JSON object, sealed as number `seq`.
    pub fn seal(&mut self, bare: &[u8], seq: u64, out: &mut Vec<u8>) {
        let start = out.len();
        let open = bare.strip_suffix(b"}").unwrap_or(bare);
        out.extend_from_slice(open);
        out.extend_from_slice(SEQ);
        // A vector takes whatever is written to it.
        let _ = write!(out, "{seq}");
        out.extend_from_slice(PREV);
        match self.head {
            Some(head) => quote(head.hash, out),
            None => out.extend_from_slice(b"null"),
        }
        let hash = Digest::of(&out[start..]);
        out.extend_from_slice(HASH);
        quote(hash, out);
        out.extend_from_slice(b"}\n");
        self.head = Some(Head { seq, hash });
    }
}

fn quote(hash: Digest, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(&hash.hex());
    out.push(b'"');
}

/// A line that bears a seal, good or not.
#[derive(Debug, Clone, Copy)]
pub struct Sealed<'a> {
    /// Up to its `hash`.
    open: &'a [u8],
    pub seq: u64,
    pub prev: Option<Digest>,
    /// As the line says it.
    pub hash: Digest,
}

impl<'a> Sealed<'a> {
    /// `line` is without its line feed.
    pub fn read(line: &'a [u8]) -> Option<Self> {
        let (open, seal) = line.split_at(line.len().checked_sub(SEAL)?);
        let hash = Digest::try_new(unquote(seal.strip_prefix(HASH)?.strip_suffix(b"}")?)?)?;
        let (rest, prev) = if let Some(rest) = open.strip_suffix(b"null") {
            (rest, None)
        } else {
            let (rest, prev) = open.split_at(open.len().checked_sub(66)?);
            (rest, Some(Digest::try_new(unquote(prev)?)?))
        };
        let rest = rest.strip_suffix(PREV)?;
        let digits = rest.iter().rev().take_while(|b| b.is_ascii_digit()).count();
        let (rest, digits) = rest.split_at(rest.len() - digits);
        rest.strip_suffix(SEQ)?;
        Some(Self {
            open,
            seq: str::from_utf8(digits).ok()?.parse().ok()?,
            prev,
            hash,
        })
    }

    /// What its bytes come to: another hash than it says, and it was changed.
    pub fn computed(&self) -> Digest {
        Digest::of(self.open)
    }

    pub fn head(&self) -> Head {
        Head {
            seq: self.seq,
            hash: self.hash,
        }
    }
}

fn unquote(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(bare: &[&str]) -> Vec<u8> {
        let mut chain = Chain::default();
        let mut out = Vec::new();
        for (seq, bare) in (1..).zip(bare) {
            chain.seal(bare.as_bytes(), seq, &mut out);
        }
        out
    }

    #[test]
    fn a_line_is_sealed_behind_all_it_says() {
        // By `printf '{"a":1,"seq":1,"prev":null}' | sha256sum`.
        const FIRST: &str = "7ba1c7a8c0c7d8e2d0292f3f951027ba3bccd4bbb44183c85090098bc56364df";
        let lines = String::from_utf8(sealed(&[r#"{"a":1}"#, r#"{"a":2}"#])).unwrap();
        let lines: Vec<&str> = lines.lines().collect();
        assert!(lines[0].starts_with(r#"{"a":1,"seq":1,"prev":null,"hash":""#));
        let first = Sealed::read(lines[0].as_bytes()).unwrap();
        assert_eq!(first.hash.to_string(), FIRST);
        assert_eq!(
            lines[1].split(",\"hash\"").next().unwrap(),
            format!(r#"{{"a":2,"seq":2,"prev":"{}""#, first.hash)
        );
    }

    #[test]
    fn any_changed_byte_shows() {
        let line = sealed(&[r#"{"a":1}"#]);
        let line = line.strip_suffix(b"\n").unwrap();
        let good = Sealed::read(line).unwrap();
        assert_eq!(good.computed(), good.hash);
        for at in 0..line.len() {
            let mut line = line.to_owned();
            line[at] ^= 1;
            let shows = Sealed::read(&line).is_none_or(|seal| seal.computed() != seal.hash);
            assert!(shows, "{}", String::from_utf8_lossy(&line));
        }
    }

    #[test]
    fn what_bears_no_seal_is_told() {
        for line in [
            "",
            "{}",
            r#"{"a":1,"seq":1,"prev":null,"hash":null}"#,
            &format!(r#"{{"a":1,"seq":x,"prev":null,"hash":"{:064}"}}"#, 0),
            &format!(r#"{{"a":1,"seq":1,"prev":"","hash":"{:064}"}}"#, 0),
            &format!(r#"{{"a":1,"seq":1,"prev":null,"hash":"{:063}A"}}"#, 0),
        ] {
            assert!(Sealed::read(line.as_bytes()).is_none(), "{line}");
        }
    }
}
