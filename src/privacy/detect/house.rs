//! The number of a house as it is written, and where it ends.

use super::chars::{char_at, digit, is_dash, is_letter};

/// Digits of a house number, at most.
pub(super) const DIGITS: usize = 4;
/// Words that stand behind their number: a house, a flat, a floor, an office.
pub(super) const BEHIND: [&str; 5] = ["үй", "пәтер", "қабат", "кеңсе", "дом"];

/// Behind the letter and the fraction of a house number: `10А`, `53/1`, `12-3`, `10/2Б`, `5к2`, `52-үй`.
pub(super) fn house_end(text: &str, at: usize) -> usize {
    let mut end = at;
    for _ in 0..3 {
        let Some(c) = char_at(text, end) else { break };
        let next = end + c.len_utf8();
        let after = char_at(text, next);
        if is_letter(c) {
            // One letter, or one before a number; never the beginning of a word.
            let number = after.is_some_and(|c| digit(c).is_some());
            if after.is_some_and(is_letter) {
                break;
            }
            end = if number { digits_end(text, next) } else { next };
        } else if (c == '/' || is_dash(c)) && after.is_some_and(|c| digit(c).is_some()) {
            end = digits_end(text, next);
        } else {
            let behind = || BEHIND.iter().any(|word| text[next..].starts_with(word));
            if is_dash(c) && behind() {
                end = letters_end(text, next);
            }
            break;
        }
    }
    end
}

pub(super) fn letters_end(text: &str, at: usize) -> usize {
    let letters = text[at..].chars().take_while(|c| is_letter(*c));
    at + letters.map(char::len_utf8).sum::<usize>()
}

pub(super) fn digits_end(text: &str, mut at: usize) -> usize {
    while let Some(c) = char_at(text, at).filter(|c| digit(*c).is_some()) {
        at += c.len_utf8();
    }
    at
}
