//! Characters as people write numbers: digits of any width, what separates them, what cannot be seen.

/// What an ASCII byte, or the first byte of a character, may begin.
pub(super) fn char_at(text: &str, at: usize) -> Option<char> {
    match text.as_bytes().get(at) {
        Some(&byte) if byte < 0x80 => Some(char::from(byte)),
        Some(_) => text.get(at..)?.chars().next(),
        None => None,
    }
}

pub(super) fn char_before(text: &str, at: usize) -> Option<char> {
    match text.as_bytes().get(at.wrapping_sub(1)) {
        Some(&byte) if byte < 0x80 => Some(char::from(byte)),
        Some(_) => text.get(..at)?.chars().next_back(),
        None => None,
    }
}

/// The last visible character before `at`, and where it starts.
pub(super) fn visible_before(text: &str, mut at: usize) -> Option<(char, usize)> {
    loop {
        let c = char_before(text, at)?;
        at -= c.len_utf8();
        if !is_invisible(c) {
            return Some((c, at));
        }
    }
}

/// Full-width, Arabic, Persian and mathematical digits count, too.
pub(super) fn digit(c: char) -> Option<u8> {
    if c < '\u{0660}' {
        return c.is_ascii_digit().then_some(c as u8 & 0x0f);
    }
    let zero = match c {
        '\u{ff10}'..='\u{ff19}' => '\u{ff10}',
        '\u{0660}'..='\u{0669}' => '\u{0660}',
        '\u{06f0}'..='\u{06f9}' => '\u{06f0}',
        '\u{1d7ce}'..='\u{1d7ff}' => {
            return u8::try_from((u32::from(c) - 0x1d7ce) % 10).ok();
        }
        _ => return None,
    };
    u8::try_from(u32::from(c) - u32::from(zero)).ok()
}

/// Characters of no width, which copying brings along.
pub(super) fn is_invisible(c: char) -> bool {
    if c < '\u{200b}' {
        return c == '\u{00ad}';
    }
    matches!(
        c,
        '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{2069}'
            | '\u{fe0f}'
            | '\u{feff}'
    )
}

/// A blank within a line, of any width.
pub(super) fn is_blank(c: char) -> bool {
    matches!(
        c,
        ' ' | '\t' | '\u{00a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

pub(super) fn is_dash(c: char) -> bool {
    matches!(
        c,
        '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}'
    )
}

/// A full-width sign of ASCII as that sign.
pub(super) fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        c => digit(c).map_or(c, |digit| char::from(b'0' + digit)),
    }
}

/// The small letter of a capital one, as far as it is one letter.
pub(super) fn small(c: char) -> char {
    match c {
        'a'..='z' | '\u{0430}'..='\u{044f}' => c,
        'A'..='Z' => c.to_ascii_lowercase(),
        '\u{0410}'..='\u{042f}' => char::from_u32(u32::from(c) + 0x20).unwrap_or(c),
        c => c.to_lowercase().next().unwrap_or(c),
    }
}

/// Whether it is a capital letter. Cyrillic is known without a table.
pub(super) fn is_capital(c: char) -> bool {
    match c {
        '\0'..='\u{7f}' => c.is_ascii_uppercase(),
        '\u{0400}'..='\u{042f}' => true,
        '\u{0430}'..='\u{045f}' => false,
        c => c.is_uppercase(),
    }
}

/// The Latin capital that a letter is, or looks like.
pub(super) fn latin(c: char) -> Option<char> {
    Some(match narrow(c) {
        c @ 'A'..='Z' => c,
        c @ 'a'..='z' => c.to_ascii_uppercase(),
        'А' => 'A',
        'В' => 'B',
        'Е' => 'E',
        'К' => 'K',
        'М' => 'M',
        'Н' => 'H',
        'О' => 'O',
        'Р' => 'P',
        'С' => 'C',
        'Т' => 'T',
        'У' => 'Y',
        'Х' => 'X',
        _ => return None,
    })
}

/// A letter of any script. Cyrillic and the marks of common text are known without a table.
pub(super) fn is_letter(c: char) -> bool {
    match c {
        '\0'..='\u{7f}' => c.is_ascii_alphabetic(),
        '\u{0400}'..='\u{0481}' | '\u{048a}'..='\u{052f}' => true,
        '\u{2000}'..='\u{2070}'
        | '\u{20a0}'..='\u{20cf}'
        | '\u{2116}'
        | '\u{00ab}'
        | '\u{00bb}'
        | '\u{00a0}' => false,
        c => c.is_alphabetic(),
    }
}

/// A letter or a digit, of any script.
pub(super) fn is_inner(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric();
    }
    is_letter(c) || digit(c).is_some()
}

/// Where the letters and digits start that end at `at`, as far as they are plain ones, and not before
/// `floor`: ASCII and the Cyrillic of Russian, which need no decoding.
pub(super) fn plain_before(text: &str, at: usize, floor: usize) -> usize {
    let bytes = text.as_bytes();
    let mut start = at;
    while start > floor {
        match bytes[..start] {
            [.., byte] if byte.is_ascii_alphanumeric() => start -= 1,
            [.., 0xd0 | 0xd1, _] => start -= 2,
            _ => break,
        }
    }
    start
}

/// Where such letters and digits end that start at `at`.
pub(super) fn plain_after(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let mut end = at;
    loop {
        match bytes[end..] {
            [byte, ..] if byte.is_ascii_alphanumeric() => end += 1,
            [0xd0 | 0xd1, _, ..] => end += 2,
            _ => return end,
        }
    }
}
