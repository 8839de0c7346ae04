//! A skip-parser for JSON: one walk over the text, no tree, no copy.
//!
//! Bodies and stream frames are forwarded as they came, with only what we own replaced; so what is
//! needed is where a value lies, not the value. A [`Cursor`] walks objects and arrays member by
//! member, checks the syntax of everything it passes (RFC 8259, <https://www.rfc-editor.org/rfc/rfc8259>,
//! read 2026-11), and skips the rest. It never recurses, so depth cannot overflow the stack.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;

/// How deep values may nest: what `serde_json` allows, so that nothing passes here that a parser
/// behind us would refuse for its depth.
pub const MAX_DEPTH: u8 = 127;

/// Text that is not JSON, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid {
    /// Byte offset of the first byte that does not fit.
    pub at: usize,
    pub what: &'static str,
}

/// Strings up to so many bytes are read byte by byte.
const SHORT: usize = 24;

type Result<T, E = Invalid> = std::result::Result<T, E>;

/// What kind of value comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

/// A string as it stands in the text, without its quotes.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    raw: &'a str,
    start: usize,
    escaped: bool,
}

impl<'a> Text<'a> {
    /// What it says; borrowed unless it holds an escape.
    pub fn decode(self) -> Cow<'a, str> {
        if self.escaped {
            Cow::Owned(unescape(self.raw))
        } else {
            Cow::Borrowed(self.raw)
        }
    }

    /// Whether it says `text`.
    pub fn says(self, text: &str) -> bool {
        if self.escaped {
            unescape(self.raw) == text
        } else {
            self.raw == text
        }
    }

    /// As it stands in the text, escapes and all.
    pub fn raw(self) -> &'a str {
        self.raw
    }

    pub fn is_empty(self) -> bool {
        self.raw.is_empty()
    }

    /// Where it stands, with its quotes.
    pub fn span(self) -> Range<usize> {
        self.start..self.start + self.raw.len() + 2
    }
}

/// A position in a JSON text.
#[derive(Debug)]
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
    depth: u8,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
        }
    }

    /// A cursor before the value that starts at `at`, a place that an earlier walk has found.
    pub fn at(text: &'a str, at: usize) -> Self {
        Self { text, at, depth: 0 }
    }

    /// Where the next value starts, or the end of the text.
    pub fn position(&mut self) -> usize {
        self.space();
        self.at
    }

    /// The kind of the next value, told by its first byte.
    pub fn kind(&mut self) -> Result<Kind> {
        self.space();
        match self.peek() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(_) => self.fail("no JSON value starts like this"),
            None => self.fail("ends where a value should be"),
        }
    }

    /// Walks the members of the object that comes next. `each` is given the key, with the cursor
    /// before the value; a value it leaves untouched is skipped. Returns the object's span.
    pub fn object<E: From<Invalid>>(
        &mut self,
        mut each: impl FnMut(&mut Self, Text<'a>) -> Result<(), E>,
    ) -> Result<Range<usize>, E> {
        let start = self.enter(b'{', "an object should start here")?;
        let mut first = true;
        while self.more(b'}', first)? {
            first = false;
            let key = self.string()?;
            self.expect(b':', "a key is followed by `:`")?;
            self.space();
            let before = self.at;
            each(self, key)?;
            if self.at == before {
                self.skip()?;
            }
        }
        self.depth -= 1;
        Ok(start..self.at)
    }

    /// Walks the items of the array that comes next, as [`object`](Self::object) does members.
    pub fn array<E: From<Invalid>>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<Range<usize>, E> {
        let start = self.enter(b'[', "an array should start here")?;
        let mut first = true;
        while self.more(b']', first)? {
            first = false;
            self.space();
            let before = self.at;
            each(self)?;
            if self.at == before {
                self.skip()?;
            }
        }
        self.depth -= 1;
        Ok(start..self.at)
    }

    /// The string that comes next.
    pub fn string(&mut self) -> Result<Text<'a>> {
        self.space();
        if self.peek() != Some(b'"') {
            return self.fail("a string should start here");
        }
        let start = self.at;
        let escaped = self.skip_string()?;
        Ok(Text {
            raw: &self.text[start + 1..self.at - 1],
            start,
            escaped,
        })
    }

    /// The string that comes next, or `None` after skipping a value of another kind.
    pub fn string_or_skip(&mut self) -> Result<Option<Text<'a>>> {
        if self.kind()? == Kind::String {
            return self.string().map(Some);
        }
        self.skip()?;
        Ok(None)
    }

    /// The whole number that comes next, or `None` after skipping anything else.
    pub fn integer_or_skip(&mut self) -> Result<Option<u64>> {
        let span = self.skip()?;
        Ok(self.text[span].parse().ok())
    }

    /// Passes over the value that comes next and returns where it stands.
    pub fn skip(&mut self) -> Result<Range<usize>> {
        self.space();
        let start = self.at;
        // One bit per open level: 1 for an object. 127 levels fit, so there is no stack to overflow.
        let mut objects: u128 = 0;
        let mut open: u8 = 0;
        loop {
            match self.kind()? {
                kind @ (Kind::Object | Kind::Array) => {
                    if self.depth + open >= MAX_DEPTH {
                        return self.fail("nests too deep");
                    }
                    self.at += 1;
                    open += 1;
                    objects = objects << 1 | u128::from(kind == Kind::Object);
                    let close = if kind == Kind::Object { b'}' } else { b']' };
                    self.space();
                    if self.peek() == Some(close) {
                        self.at += 1;
                        open -= 1;
                        objects >>= 1;
                    } else {
                        if kind == Kind::Object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                Kind::String => {
                    self.skip_string()?;
                }
                Kind::Number => self.skip_number()?,
                Kind::Bool if self.peek() == Some(b't') => self.literal("true")?,
                Kind::Bool => self.literal("false")?,
                Kind::Null => self.literal("null")?,
            }
            // A value ended: close what ends with it, then go on to the next one.
            loop {
                if open == 0 {
                    return Ok(start..self.at);
                }
                let in_object = objects & 1 == 1;
                self.space();
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        if in_object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(b'}') if in_object => self.at += 1,
                    Some(b']') if !in_object => self.at += 1,
                    Some(_) => return self.fail("`,` or the end of this list should be here"),
                    None => return self.fail("ends in the middle of a value"),
                }
                open -= 1;
                objects >>= 1;
            }
        }
    }

    /// Checks that nothing but white space is left.
    pub fn end(&mut self) -> Result<()> {
        self.space();
        if self.at == self.text.len() {
            Ok(())
        } else {
            self.fail("goes on after the value's end")
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn fail<T>(&self, what: &'static str) -> Result<T> {
        Err(Invalid { at: self.at, what })
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<()> {
        self.space();
        if self.peek() != Some(byte) {
            return self.fail(what);
        }
        self.at += 1;
        Ok(())
    }

    fn enter(&mut self, open: u8, what: &'static str) -> Result<usize> {
        self.expect(open, what)?;
        if self.depth == MAX_DEPTH {
            return self.fail("nests too deep");
        }
        self.depth += 1;
        Ok(self.at - 1)
    }

    /// Whether another member follows; passes the comma or the closing byte.
    fn more(&mut self, close: u8, first: bool) -> Result<bool> {
        self.space();
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            Some(_) if first => Ok(true),
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(_) => self.fail("`,` or the end of this list should be here"),
            None => self.fail("ends in the middle of a value"),
        }
    }

    fn key(&mut self) -> Result<()> {
        self.space();
        if self.peek() != Some(b'"') {
            return self.fail("a key should start here");
        }
        self.skip_string()?;
        self.expect(b':', "a key is followed by `:`")
    }

    fn literal(&mut self, word: &str) -> Result<()> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return self.fail("no JSON value starts like this");
        }
        self.at += word.len();
        Ok(())
    }

    /// Passes the string at the cursor; tells whether it holds an escape.
    fn skip_string(&mut self) -> Result<bool> {
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

    fn skip_number(&mut self) -> Result<()> {
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

/// Checks one whole text: any value, and nothing after it.
///
/// # Errors
/// Where it stops being JSON.
pub fn check(text: &str) -> Result<()> {
    let mut cursor = Cursor::new(text);
    cursor.skip()?;
    cursor.end()
}

/// `text` as a JSON string, with its quotes.
pub fn quote(text: &str) -> String {
    // A string always serialises; the empty one stands for the impossible.
    serde_json::to_string(text).unwrap_or_else(|_| "\"\"".into())
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

/// Undoes the escapes of a string that [`Cursor`] has checked.
fn unescape(raw: &str) -> String {
    let quoted = format!("\"{raw}\"");
    serde_json::from_str(&quoted).unwrap_or_else(|_| raw.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees(text: &str) {
        let ours = check(text).is_ok();
        let theirs = serde_json::from_str::<serde_json::Value>(text).is_ok();
        assert_eq!(ours, theirs, "{text:?}: {:?}", check(text));
    }

    #[test]
    fn accepts_and_refuses_what_serde_json_does() {
        for text in [
            "{}",
            "[]",
            "null",
            "true",
            "false",
            "0",
            "-0",
            "1.5e+3",
            "\"\"",
            " [ 1 , 2 ] ",
            "{\"a\":[{}]}",
            "\"\\u00e9\\ud83d\\ude00\"",
            "[[],{},[{}]]",
            "{\"a\":{\"b\":[1,{\"c\":null}]},\"d\":\"e\"}",
            "",
            "{",
            "[1,]",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "01",
            "1.",
            ".5",
            "1e",
            "+1",
            "-",
            "tru",
            "nul",
            "\"a",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\ud800\\u0041\"",
            "\"\n\"",
            "[1 2]",
            "{\"a\" 1}",
            "{a:1}",
            "1 2",
            "[}",
            "{]",
            "{\"a\":[}",
            "\u{feff}{}",
            "nan",
        ] {
            agrees(text);
        }
    }

    #[test]
    fn agrees_with_serde_json_on_damaged_documents() {
        let whole = r#"{"model":"x","n":[1,-2.5e3,true,null,{"k":"v\n\u00e9"}],"o":{"p":[[]]}}"#;
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let mut bytes = whole.as_bytes().to_vec();
            for _ in 0..rng.usize(1..4) {
                let at = rng.usize(..bytes.len());
                match rng.u8(..3) {
                    0 => drop(bytes.remove(at)),
                    1 => bytes[at] = *rng.choice(br#"{}[],:"\0e-nt"#).unwrap(),
                    _ => bytes.insert(at, *rng.choice(br#"{}[],:"\0e-nt"#).unwrap()),
                }
            }
            if let Ok(text) = std::str::from_utf8(&bytes) {
                agrees(text);
            }
        }
    }

    #[test]
    fn depth_is_limited_and_never_overflows() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(check(&nested(127)).is_ok());
        assert_eq!(check(&nested(128)).unwrap_err().what, "nests too deep");
        assert!(check(&"{\"a\":".repeat(1_000_000)).is_err());
        let inside = format!("{{\"a\":{}}}", nested(127));
        let walked = Cursor::new(&inside).object(|_, _| Ok::<(), Invalid>(()));
        assert_eq!(walked.unwrap_err().what, "nests too deep");
    }

    #[test]
    fn a_walk_finds_keys_and_spans() {
        let text = r#" {"a": "x\"y", "mod\u0065l" : [1, {"b":2}] , "c":-1.5} "#;
        let mut seen = Vec::new();
        let mut cursor = Cursor::new(text);
        cursor
            .object(|cursor, key| {
                let span = cursor.skip()?;
                seen.push((key.decode().into_owned(), text[span].to_owned()));
                Ok::<(), Invalid>(())
            })
            .unwrap();
        cursor.end().unwrap();
        let expected = [
            ("a", r#""x\"y""#),
            ("model", r#"[1, {"b":2}]"#),
            ("c", "-1.5"),
        ];
        assert_eq!(
            seen,
            expected.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn a_string_decodes_to_what_it_says() {
        let text = r#""a\"\\\/\b\f\n\r\t\u0416\ud83d\ude00""#;
        let decoded = Cursor::new(text).string().unwrap().decode().into_owned();
        assert_eq!(decoded, "a\"\\/\u{8}\u{c}\n\r\t\u{416}\u{1f600}");
    }
}
