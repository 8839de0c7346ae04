//! The raw bytes of a connection, scanned for what hyper hides.
//!
//! hyper resolves an ambiguous frame silently: of `Content-Length` beside `Transfer-Encoding` it
//! drops the first, of two equal `Content-Length` it keeps one, and `identity, chunked` it takes
//! for `chunked`. A proxy in front may have read the same bytes the other way, so all of them are
//! refused. The [`Scanner`] finds each head, names its fault, and skips the body by its length.
//! It leaves to hyper what hyper refuses by itself, and never allocates, buffers or does I/O.
//!
//! <https://www.rfc-editor.org/rfc/rfc9112#section-6> (read 2026-08)

/// A request whose end could be read in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    LengthAndEncoding,
    RepeatedLength,
    /// A `Transfer-Encoding` that is not exactly one `chunked`.
    Encoding,
}

/// Why the bytes after some head are not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Where this request ends cannot be known, so it is not served.
    Violation(Violation),
    /// Served as the last of its connection: the length of its body is not counted here.
    Chunked,
    /// HTTP/2, or a head that hyper refuses.
    Foreign,
}

/// The scan is over: nothing follows the head number `head` that may be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    /// Counts the heads of the connection from zero.
    pub(super) head: u64,
    pub(super) why: Why,
}

/// The state between two bytes of one connection.
#[derive(Debug)]
pub(super) struct Scanner {
    place: Place,
    /// Heads that have ended.
    heads: u64,
    /// The fields of the head under way.
    fields: Fields,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// Before a head; empty lines do not begin one.
    Between,
    /// In the request line, of which so many bytes equal [`PREFACE`].
    RequestLine(Option<usize>),
    LineStart,
    /// A line of nothing but `\r` so far.
    LineStartCr,
    Name(Field, usize),
    Value(Field, Value),
    /// In a line that does not matter.
    Line,
    Body(u64),
    Over,
}

#[derive(Debug, Clone, Copy)]
enum Field {
    Length,
    Encoding,
}

#[derive(Debug, Clone, Copy)]
enum Value {
    Before,
    /// A length.
    Digits(u64),
    /// So many bytes of `chunked`.
    Token(usize),
    /// White space at the end of what `Digits` or `Token` had read: a length, or a whole `chunked`.
    After(u64),
    Unusable,
}

#[derive(Debug, Clone, Copy, Default)]
struct Fields {
    lengths: u32,
    encodings: u32,
    /// The last length.
    length: Option<u64>,
    /// Some `Transfer-Encoding` was not `chunked`.
    strange: bool,
    preface: bool,
}

/// The request line with which an HTTP/2 connection begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";
const CHUNKED: &[u8] = b"chunked";

impl Scanner {
    pub(super) fn new() -> Self {
        Self {
            place: Place::Between,
            heads: 0,
            fields: Fields::default(),
        }
    }

    /// Whether a head is awaited that the client owes us: the first one of the connection, or
    /// one that has begun.
    pub(super) fn head_is_open(&self) -> bool {
        match self.place {
            Place::Between => self.heads == 0,
            Place::Body(_) | Place::Over => false,
            Place::RequestLine(_)
            | Place::LineStart
            | Place::LineStartCr
            | Place::Name(..)
            | Place::Value(..)
            | Place::Line => true,
        }
    }

    #[cfg(test)]
    pub(super) fn is_between_requests(&self) -> bool {
        matches!(self.place, Place::Between)
    }

    #[cfg(test)]
    pub(super) fn heads(&self) -> u64 {
        self.heads
    }

    /// Takes the next bytes of the connection. Returns at most one [`Ending`] in its life; from
    /// then on every byte is let through unseen.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Option<Ending> {
        while let Some(&byte) = bytes.first() {
            match self.place {
                Place::Over => return None,
                Place::Body(left) => {
                    let skipped = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    bytes = &bytes[skipped..];
                    self.place = match left - skipped as u64 {
                        0 => Place::Between,
                        left => Place::Body(left),
                    };
                    continue;
                }
                Place::Line => {
                    // Without an end here, the line goes on in the next bytes.
                    let end = memchr::memchr(b'\n', bytes)?;
                    bytes = &bytes[end + 1..];
                    self.place = Place::LineStart;
                    continue;
                }
                Place::Between => match byte {
                    b'\r' | b'\n' => {}
                    _ => {
                        self.fields = Fields::default();
                        self.place = Place::RequestLine(same(PREFACE, Some(0), byte));
                    }
                },
                Place::RequestLine(matched) => self.request_line(matched, byte),
                Place::LineStart | Place::LineStartCr => {
                    if let Some(ending) = self.line_start(byte) {
                        return Some(ending);
                    }
                }
                Place::Name(field, at) => self.name(field, at, byte),
                Place::Value(field, value) => self.value(field, value, byte),
            }
            bytes = &bytes[1..];
        }
        None
    }

    fn request_line(&mut self, matched: Option<usize>, byte: u8) {
        self.place = match byte {
            b'\n' => {
                self.fields.preface = matched == Some(PREFACE.len());
                Place::LineStart
            }
            b'\r' => Place::RequestLine(matched),
            _ => Place::RequestLine(same(PREFACE, matched, byte)),
        };
    }

    fn line_start(&mut self, byte: u8) -> Option<Ending> {
        self.place = match (self.place, byte) {
            (_, b'\n') => return self.end_head(),
            // A lone `\r`: hyper refuses this head.
            (Place::LineStartCr, _) => return Some(self.end(Why::Foreign)),
            (_, b'\r') => Place::LineStartCr,
            (_, b'c' | b'C') => Place::Name(Field::Length, 1),
            (_, b't' | b'T') => Place::Name(Field::Encoding, 1),
            _ => Place::Line,
        };
        None
    }

    fn name(&mut self, field: Field, at: usize, byte: u8) {
        let name: &[u8] = match field {
            Field::Length => b"content-length",
            Field::Encoding => b"transfer-encoding",
        };
        self.place = match name.get(at) {
            None if byte == b':' => Place::Value(field, Value::Before),
            Some(&next) if byte.to_ascii_lowercase() == next => Place::Name(field, at + 1),
            _ if byte == b'\n' => Place::LineStart,
            _ => Place::Line,
        };
    }

    fn value(&mut self, field: Field, value: Value, byte: u8) {
        if byte == b'\n' {
            self.place = Place::LineStart;
            return self.end_value(field, value);
        }
        let next = match (field, value, byte) {
            (_, Value::Before, b' ' | b'\t' | b'\r') => Value::Before,
            (_, Value::Digits(n) | Value::After(n), b' ' | b'\t' | b'\r') => Value::After(n),
            (_, Value::Token(at), b' ' | b'\t' | b'\r') if at == CHUNKED.len() => Value::After(0),
            (Field::Length, Value::Before, b'0'..=b'9') => Value::Digits(u64::from(byte - b'0')),
            (Field::Length, Value::Digits(n), b'0'..=b'9') => n
                .checked_mul(10)
                .and_then(|n| n.checked_add(u64::from(byte - b'0')))
                .map_or(Value::Unusable, Value::Digits),
            (Field::Encoding, Value::Before, _) => token(Some(0), byte),
            (Field::Encoding, Value::Token(at), _) => token(Some(at), byte),
            _ => Value::Unusable,
        };
        self.place = Place::Value(field, next);
    }

    fn end_value(&mut self, field: Field, value: Value) {
        match field {
            Field::Length => {
                self.fields.lengths += 1;
                self.fields.length = match value {
                    Value::Digits(n) | Value::After(n) => Some(n),
                    Value::Before | Value::Token(_) | Value::Unusable => None,
                };
            }
            Field::Encoding => {
                self.fields.encodings += 1;
                self.fields.strange |= match value {
                    Value::After(_) => false,
                    Value::Token(at) => at != CHUNKED.len(),
                    Value::Before | Value::Digits(_) | Value::Unusable => true,
                };
            }
        }
    }

    fn end_head(&mut self) -> Option<Ending> {
        let fields = self.fields;
        let why = match (fields.lengths, fields.encodings, fields.length) {
            _ if fields.preface => Why::Foreign,
            (1.., 1.., _) => Why::Violation(Violation::LengthAndEncoding),
            (2.., 0, _) => Why::Violation(Violation::RepeatedLength),
            (0, 1, _) if !fields.strange => Why::Chunked,
            (0, 1.., _) => Why::Violation(Violation::Encoding),
            (1, 0, None) => Why::Foreign,
            (_, _, length) => {
                self.heads += 1;
                self.place = match length {
                    None | Some(0) => Place::Between,
                    Some(length) => Place::Body(length),
                };
                return None;
            }
        };
        Some(self.end(why))
    }

    fn end(&mut self, why: Why) -> Ending {
        self.place = Place::Over;
        Ending {
            head: self.heads,
            why,
        }
    }
}

/// One more byte of `text`, in its own case.
fn same(text: &[u8], matched: Option<usize>, byte: u8) -> Option<usize> {
    matched
        .filter(|&at| text.get(at) == Some(&byte))
        .map(|at| at + 1)
}

/// One more byte of `chunked`, in any case.
fn token(matched: Option<usize>, byte: u8) -> Value {
    same(CHUNKED, matched, byte.to_ascii_lowercase()).map_or(Value::Unusable, Value::Token)
}

#[cfg(test)]
mod tests;
