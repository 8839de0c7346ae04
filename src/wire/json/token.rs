//! The smallest things: strings, numbers and words, passed over and checked.

use super::{Cursor, Result};

impl Cursor<'_> {
    pub(super) fn literal(&mut self, word: &str) -> Result<()> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return self.fail("no JSON value starts like this");
        }
        self.at += word.len();
        Ok(())
    }

    /// Passes the string at the cursor; tells whether it holds an escape.
    pub(super) fn skip_string(&mut self) -> Result<bool> {
        let mut escaped = false;
        self.at += 1;
        loop {
            self.at += plain(&self.text.as_bytes()[self.at..]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    self.at += 1;
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => {
                    return self.fail("a control character in a string must be escaped");
                }
                None => return self.fail("ends in the middle of a string"),
            }
        }
    }

    /// Passes the escape whose backslash the cursor is behind.
    fn escape(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                match self.hex()? {
                    0xDC00..=0xDFFF => self.fail("half of a surrogate pair"),
                    0xD800..=0xDBFF => {
                        if !self.text.as_bytes()[self.at..].starts_with(b"\\u") {
                            return self.fail("half of a surrogate pair");
                        }
                        self.at += 2;
                        match self.hex()? {
                            0xDC00..=0xDFFF => Ok(()),
                            _ => self.fail("half of a surrogate pair"),
                        }
                    }
                    _ => Ok(()),
                }
            }
            _ => self.fail("no such escape"),
        }
    }

    fn hex(&mut self) -> Result<u16> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let Some(digits) = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit)) else {
            return self.fail("`\\u` takes four hex digits");
        };
        self.at += 4;
        Ok(digits
            .iter()
            .fold(0, |value, &digit| value << 4 | u16::from(hex_value(digit))))
    }

    pub(super) fn skip_number(&mut self) -> Result<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start {
            self.fail("a digit should be here")
        } else {
            Ok(())
        }
    }
}

/// How many bytes go by before a quote, a backslash or a control character.
///
/// Eight at a time, as one number: a byte of it that is taken below zero borrows its highest bit, and the
/// lowest such byte is told exactly (<https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord>,
/// read 2026-11).
pub(super) fn plain(bytes: &[u8]) -> usize {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHEST: u64 = EACH << 7;
    const CONTROLS: u64 = EACH * 0x20;
    const QUOTES: u64 = EACH * b'"' as u64;
    const SLASHES: u64 = EACH * b'\\' as u64;
    let (eights, rest) = bytes.as_chunks::<8>();
    for (count, eight) in eights.iter().enumerate() {
        let eight = u64::from_le_bytes(*eight);
        let control = eight.wrapping_sub(CONTROLS) & !eight;
        let quote = (eight ^ QUOTES).wrapping_sub(EACH) & !(eight ^ QUOTES);
        let slash = (eight ^ SLASHES).wrapping_sub(EACH) & !(eight ^ SLASHES);
        let found = (control | quote | slash) & HIGHEST;
        if found != 0 {
            return count * 8 + (found.trailing_zeros() / 8) as usize;
        }
    }
    let is_plain = |byte: &&u8| !matches!(**byte, b'"' | b'\\' | 0..0x20);
    eights.len() * 8 + rest.iter().take_while(is_plain).count()
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}
