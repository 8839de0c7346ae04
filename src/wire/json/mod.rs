//! A skip-parser for JSON: one walk over the text, no tree, no copy.
//!
//! Bodies and stream frames are forwarded as they came, with only what we own replaced; so what is
//! needed is where a value lies, not the value. A [`Cursor`] walks objects and arrays member by
//! member, checks the syntax of everything it passes (RFC 8259, <https://www.rfc-editor.org/rfc/rfc8259>,
//! read 2026-11), and skips the rest. It never recurses, so depth cannot overflow the stack.

mod escape;
mod token;

use std::borrow::Cow;
use std::ops::Range;

pub use self::escape::quote;
use self::escape::unescape;

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

/// Where a string stands, with its quotes. What is only passed over is not cut out.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: usize,
    end: usize,
    escaped: bool,
}

impl Place {
    fn of(self, text: &str) -> Text<'_> {
        Text {
            raw: &text[self.start + 1..self.end - 1],
            start: self.start,
            escaped: self.escaped,
        }
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
        Ok(self.place()?.of(self.text))
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
        self.pass(|_, _| {})
    }

    /// Passes over the value that comes next, as [`skip`](Self::skip) does, and shows `each` the strings
    /// in it at whatever depth, with the key that they are a member by.
    pub fn strings(
        &mut self,
        mut each: impl FnMut(Option<Text<'a>>, Text<'a>),
    ) -> Result<Range<usize>> {
        let text = self.text;
        self.pass(|key, string| each(key.map(|key| key.of(text)), string.of(text)))
    }

    fn pass(&mut self, mut each: impl FnMut(Option<Place>, Place)) -> Result<Range<usize>> {
        self.space();
        let start = self.at;
        let mut key = None;
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
                        let in_object = kind == Kind::Object;
                        key = if in_object { Some(self.key()?) } else { None };
                        continue;
                    }
                }
                Kind::String => {
                    let string = self.place()?;
                    each(key, string);
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
                        key = if in_object { Some(self.key()?) } else { None };
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

    fn key(&mut self) -> Result<Place> {
        self.space();
        if self.peek() != Some(b'"') {
            return self.fail("a key should start here");
        }
        let key = self.place()?;
        self.expect(b':', "a key is followed by `:`")?;
        Ok(key)
    }

    /// Passes the string at the cursor.
    fn place(&mut self) -> Result<Place> {
        let start = self.at;
        let escaped = self.skip_string()?;
        Ok(Place {
            start,
            end: self.at,
            escaped,
        })
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

#[cfg(test)]
mod tests;
