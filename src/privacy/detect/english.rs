//! What addresses in English end with: the side of a town, a flat, an American town, a British postcode.

use super::chars::is_blank;
use super::cluster::ends;

/// Words of a town's name, at most.
const NAME: usize = 4;
/// Between the lines of an address, at most: a comma, the end of a line, what the next one is set in by.
const BETWEEN: usize = 12;

/// What is behind the comma, the blanks and the end of a line that may lie between parts of an address.
fn behind(text: &str) -> &str {
    let apart = |c: &char| is_blank(*c) || matches!(c, ',' | '\r' | '\n' | '>');
    let between: usize = text.chars().take_while(apart).map(char::len_utf8).sum();
    if between > BETWEEN {
        ""
    } else {
        &text[between..]
    }
}

/// Whether a flat follows that no word but one for an address has: `Apt. 329`, `Suite 468`.
pub(super) fn is_flat(text: &str) -> bool {
    let rest = behind(text);
    ["Apt", "Apartment", "Suite", "Ste"].iter().any(|word| {
        let number = rest
            .strip_prefix(word)
            .map(|rest| rest.trim_start_matches(['.', ' ', '#']));
        number.is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
    })
}

/// `Port Sandra, NC 81867`, also in the next line: behind the town that follows `at`.
pub(super) fn american(text: &str, at: usize) -> Option<usize> {
    let mut rest = behind(&text[at..]);
    for _ in 0..NAME {
        rest.strip_prefix(|c: char| c.is_ascii_uppercase())?;
        let letters = |c: char| !(c.is_ascii_alphabetic() || matches!(c, '.' | '\'' | '-'));
        rest = &rest[rest.find(letters)?..];
        if let Some(end) = state(behind(rest)) {
            return Some(text.len() - end.len());
        }
        rest = rest.strip_prefix(' ')?;
    }
    None
}

/// What is behind `NC 81867`.
fn state(text: &str) -> Option<&str> {
    let (code, rest) = text.split_at_checked(2)?;
    let (zip, mut rest) = rest.strip_prefix(' ')?.split_at_checked(5)?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((more, behind)) = rest
        .strip_prefix('-')
        .and_then(|rest| rest.split_at_checked(4))
        && digits(more)
    {
        rest = behind;
    }
    let fits = code.bytes().all(|byte| byte.is_ascii_uppercase()) && digits(zip) && ends(rest, 0);
    fits.then_some(rest)
}

/// `Pennsylvania Avenue NW`: behind the side of the town that stands at `at`.
pub(super) fn side(text: &str, at: usize) -> usize {
    const SIDES: [&str; 8] = ["NW", "NE", "SW", "SE", "N", "S", "E", "W"];
    let named = text[at..].strip_prefix(' ').and_then(|rest| {
        let side = SIDES.iter().find(|side| rest.starts_with(**side))?;
        ends(text, at + 1 + side.len()).then_some(1 + side.len())
    });
    at + named.unwrap_or_default()
}

/// `NW1 6XE`
pub(super) fn british(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes().get(at..)?;
    let outward = bytes
        .iter()
        .take(5)
        .take_while(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let outward = outward.count();
    let inward = bytes.get(outward + 1..outward + 4)?;
    let fits = (2..=4).contains(&outward)
        && bytes[0].is_ascii_uppercase()
        && bytes[..outward].iter().any(u8::is_ascii_digit)
        && bytes[outward] == b' '
        && inward[0].is_ascii_digit()
        && inward[1].is_ascii_uppercase()
        && inward[2].is_ascii_uppercase()
        && !bytes
            .get(outward + 4)
            .is_some_and(u8::is_ascii_alphanumeric);
    fits.then_some(at + outward + 4)
}
