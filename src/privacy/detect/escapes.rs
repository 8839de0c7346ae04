//! JSON's escapes in a text that is not JSON as a whole: `Client: {"tel":"\u002b77011234567"}`.
//!
//! Whoever pastes JSON into a prompt pastes its escapes, too: every letter of a street may be one, and the `n`
//! of a line's end touches the number behind it. What they stand for is looked at, in the places of the text.

use memchr::memchr;

/// A text with what its escapes stand for, and where that was.
pub(in crate::privacy) struct Unescaped {
    pub(in crate::privacy) text: String,
    /// Where an escape ended: here, and in the text as it came.
    ends: Vec<(usize, usize)>,
}

impl Unescaped {
    /// `None` where there is no escape. Escapes may be escaped in their turn.
    pub(in crate::privacy) fn of(text: &str) -> Option<Self> {
        let (mut out, mut ends) = (String::new(), Vec::new());
        let (mut done, mut at) = (0, 0);
        while let Some(slash) = memchr(b'\\', &text.as_bytes()[at..]).map(|found| at + found) {
            let slashes = text[slash..].bytes().take_while(|b| *b == b'\\').count();
            at = slash + slashes;
            let Some((c, end)) = sign(text, at) else {
                continue;
            };
            out.push_str(&text[done..slash]);
            out.push(c);
            ends.push((out.len(), end));
            (done, at) = (end, end);
        }
        if ends.is_empty() {
            return None;
        }
        out.push_str(&text[done..]);
        Some(Self { text: out, ends })
    }

    /// Where in the text as it came is what is at `at` here.
    pub(in crate::privacy) fn place(&self, at: usize) -> usize {
        let before = self.ends.partition_point(|(here, _)| *here <= at);
        match before.checked_sub(1).and_then(|last| self.ends.get(last)) {
            Some((here, there)) => there + (at - here),
            None => at,
        }
    }
}

/// What stands behind backslashes at `at`, and where it ends.
fn sign(text: &str, at: usize) -> Option<(char, usize)> {
    let c = match text.as_bytes().get(at)? {
        b'n' | b'r' => '\n',
        b't' => '\t',
        b'"' => '"',
        b'/' => '/',
        b'u' => return unicode(text, at),
        _ => return None,
    };
    Some((c, at + 1))
}

/// `u002b`; a pair of surrogates is one character.
fn unicode(text: &str, at: usize) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 5)?.strip_prefix('u')?;
        let all = digits.bytes().all(|b| b.is_ascii_hexdigit());
        all.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    };
    let (one, end) = (unit(at)?, at + 5);
    if let Some(c) = char::from_u32(one) {
        return Some((c, end));
    }
    let rest = text.get(end..)?;
    let low = end + rest.bytes().take_while(|b| *b == b'\\').count();
    let pair = unit(low).filter(|two| low > end && one < 0xdc00 && (0xdc00..0xe000).contains(two));
    match pair.and_then(|two| char::from_u32(0x1_0000 + ((one - 0xd800) << 10) + (two - 0xdc00))) {
        Some(c) => Some((c, low + 5)),
        None => Some((char::REPLACEMENT_CHARACTER, end)),
    }
}
