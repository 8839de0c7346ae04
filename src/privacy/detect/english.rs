//! What addresses in English end with: the side of a town, a British postcode.

use super::cluster::ends;

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
