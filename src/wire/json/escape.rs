//! Strings with their escapes, and without them.

use memchr::memchr;

use super::token::plain;

/// `text` as a JSON string, with its quotes.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16 + 2);
    out.push('"');
    let mut rest = text;
    loop {
        let (plain, more) = rest.split_at(plain(rest.as_bytes()));
        out.push_str(plain);
        let Some(&special) = more.as_bytes().first() else {
            break;
        };
        match special {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            control => {
                out.push_str("\\u00");
                for digit in [control >> 4, control & 0x0f] {
                    out.extend(char::from_digit(digit.into(), 16));
                }
            }
        }
        rest = &more[1..];
    }
    out.push('"');
    out
}

/// Undoes the escapes of a string that [`Cursor`] has checked.
pub(super) fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        let (c, length) = match escape.as_bytes().first() {
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'n') => ('\n', 1),
            Some(b'r') => ('\r', 1),
            Some(b't') => ('\t', 1),
            Some(b'u') => numbered(escape),
            Some(other) => (char::from(*other), 1),
            None => break,
        };
        out.push(c);
        rest = &escape[length..];
    }
    out.push_str(rest);
    out
}

/// The character that `u0416` or `ud83d\ude00` names, and the length of that.
fn numbered(escape: &str) -> (char, usize) {
    let unit = |at: usize| {
        let digits = escape.get(at..at + 4)?;
        u32::from_str_radix(digits, 16).ok()
    };
    let first = unit(1).unwrap_or_default();
    let (number, length) = match (first, unit(7)) {
        (0xD800..=0xDBFF, Some(second)) => {
            let low = second.wrapping_sub(0xDC00) & 0x3FF;
            (0x1_0000 + ((first - 0xD800) << 10 | low), 11)
        }
        _ => (first, 5),
    };
    // The cursor has refused what names no character.
    (char::from_u32(number).unwrap_or_default(), length)
}
