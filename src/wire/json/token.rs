//! The smallest things: strings, numbers and words, passed over and checked.

use memchr::memchr2;

use super::{Cursor, Result};

/// Strings up to so many bytes are read byte by byte.
const SHORT: usize = 24;

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
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        self.at += 1;
        // Most strings are keys and words, for which a wide search costs more than it saves.
        let start = self.at;
        for (length, &byte) in bytes[start..].iter().take(SHORT).enumerate() {
            match byte {
                b'"' => {
                    self.at = start + length + 1;
                    return Ok(false);
                }
                b'\\' | 0..0x20 => break,
                _ => {}
            }
        }
        loop {
            let rest = &bytes[self.at..];
            let Some(length) = memchr2(b'"', b'\\', rest) else {
                self.at = bytes.len();
                return self.fail("ends in the middle of a string");
            };
            if let Some(bad) = control(&rest[..length]) {
                self.at += bad;
                return self.fail("a control character in a string must be escaped");
            }
            self.at += length + 1;
            if rest[length] == b'"' {
                return Ok(escaped);
            }
            escaped = true;
            self.escape()?;
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

/// The first control character. The least byte of the whole is found first, by a loop the compiler
/// can widen, since almost every string has none.
fn control(bytes: &[u8]) -> Option<usize> {
    let least = bytes.iter().copied().min()?;
    if least < 0x20 {
        bytes.iter().position(|&byte| byte < 0x20)
    } else {
        None
    }
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}
