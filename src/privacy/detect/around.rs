//! What stands around a street and its house: the flat, the town, the country and the postcode.

use super::Look;
use super::chars::{char_at, digit, is_blank, is_dash, is_letter};
use super::english::{american, british};
use super::house::{BEHIND, DIGITS, digits_end, house_end, letters_end};
use super::words::{Cue, Shape, Word};

/// Parts that are taken in on either side, at most.
const PARTS: usize = 8;

/// Whether only what may lie between parts of an address lies there. A full stop only behind a word
/// that is cut short.
pub(super) fn joins(text: &str, left: &Word, to: usize) -> bool {
    let gap = &text[left.end..to];
    let fits = |c: char| {
        is_blank(c)
            || is_dash(c)
            || matches!(c, ',' | '№' | '«' | '»' | '"' | '“' | '”' | '(' | ':' | '.')
    };
    if gap.len() > 8 || !gap.chars().all(fits) {
        return false;
    }
    let is_short = || {
        let letters = text[left.start..left.end].chars().count();
        letters <= 2 || letters <= 5 && left.cue != Cue::default()
    };
    !gap.contains('.') || is_short()
}

/// Passes over commas, full stops and blanks.
pub(super) fn skip(text: &str, at: usize, most: usize) -> usize {
    let mut end = at;
    for _ in 0..most {
        match char_at(text, end) {
            Some(c) if is_blank(c) || matches!(c, ',' | '.' | '/' | '(' | '\n') => {
                end += c.len_utf8();
            }
            _ => break,
        }
    }
    end
}

/// Where the flat, the office or the building ends that starts at `at`: its word and its number.
pub(super) fn unit(look: &Look<'_>, at: usize, least: usize) -> Option<usize> {
    let text = look.text;
    let word = look.lexicon.word(text, at)?;
    // `к2`, `кв5`, `10-үй`
    let letters = letters_end(text, at) - at;
    if word.shape == Shape::Number {
        let digits = digits_end(text, at);
        if digits - at > DIGITS {
            return None;
        }
        let mut next = digits;
        while let Some(c) = char_at(text, next).filter(|c| is_blank(*c) || is_dash(*c)) {
            next += c.len_utf8();
        }
        let behind = look.lexicon.word(text, next)?;
        let known = behind.cue.has(Cue::UNIT.or(Cue::HOUSE));
        return (known && behind.end - behind.start > 2 && next - digits <= 3)
            .then_some(behind.end);
    }
    let head = &text[at..at + letters];
    if !look.lexicon.cue(head).has(Cue::UNIT.or(Cue::HOUSE)) || head.chars().count() < least {
        return None;
    }
    // `15 үй`: the word stands behind its number.
    if BEHIND.contains(&head) && !text[..at].ends_with([',', '\n']) {
        return Some(word.end);
    }
    let mut from = at + letters;
    for _ in 0..4 {
        match char_at(text, from) {
            Some(c) if is_blank(c) || matches!(c, '.' | '№' | '#' | ':') => from += c.len_utf8(),
            _ => break,
        }
    }
    let first = char_at(text, from)?;
    if digit(first).is_some() {
        return Some(house_end(text, digits_end(text, from)));
    }
    let next = from + first.len_utf8();
    let single = first.is_uppercase() && !char_at(text, next).is_some_and(is_letter);
    (single && letters > 2).then_some(digits_end(text, next))
}

/// Takes in what belongs to an address behind `end`.
pub(super) fn widen_right(look: &Look<'_>, end: usize) -> usize {
    let text = look.text;
    let mut end = end;
    for _ in 0..PARTS {
        let next = skip(text, end, 3);
        let comma = text[end..next].contains(',');
        if let Some(to) = unit(look, next, 1) {
            end = to;
            continue;
        }
        if let Some(to) = american(text, end) {
            return to;
        }
        if next == end || text[end..next].contains('\n') && !comma {
            break;
        }
        match place(look, next, comma) {
            Some(to) => end = to,
            None => break,
        }
    }
    end
}

/// A town, a country or a postcode at `at`.
fn place(look: &Look<'_>, at: usize, comma: bool) -> Option<usize> {
    let text = look.text;
    let word = look.lexicon.word(text, at)?;
    if word.shape == Shape::Number {
        let digits = digits_end(text, at);
        return (matches!(digits - at, 5 | 6) && digits == word.end).then_some(digits);
    }
    if let Some(end) = british(text, at) {
        return Some(end);
    }
    if word.cue.has(Cue::PLACE) && word.shape == Shape::Capital {
        return Some(word.end);
    }
    if word.cue.has(Cue::TOWN) && comma || word.cue.has(Cue::TOWN) && word.end - word.start > 6 {
        let name = skip(text, word.end, 2);
        let named = look
            .lexicon
            .word(text, name)
            .filter(|word| word.shape == Shape::Capital);
        let kazakh = word.end - word.start > 6 && word.shape == Shape::Small;
        return named.map(|word| word.end).or(kazakh.then_some(word.end));
    }
    if !comma || word.shape != Shape::Capital {
        return None;
    }
    // `Springfield, IL 62704`; `Алматинская область`
    let mut last = word;
    for _ in 0..3 {
        let next = skip(text, last.end, 2);
        let word = look.lexicon.word(text, next)?;
        if word.cue.has(Cue::TOWN) && word.end - word.start > 6 {
            return Some(word.end);
        }
        if let Some(end) = british(text, next) {
            return Some(end);
        }
        if word.shape == Shape::Number {
            let digits = digits_end(text, next);
            return (digits - next == 5 && digits == word.end).then_some(digits);
        }
        if word.shape != Shape::Capital {
            return None;
        }
        last = word;
    }
    None
}

/// Takes in the town, the country and the postcode before `start`.
pub(super) fn widen_left(look: &Look<'_>, start: usize) -> usize {
    let text = look.text;
    let mut start = start;
    for part in 0..PARTS {
        let Some(near) = look.word(start, 0) else {
            break;
        };
        if !joins(text, &near, start) {
            break;
        }
        let behind = look
            .word(start, 1)
            .filter(|word| joins(text, word, near.start));
        if near.shape == Shape::Number {
            let postcode = matches!(near.end - near.start, 5 | 6)
                && text[near.start..near.end]
                    .bytes()
                    .all(|b| b.is_ascii_digit());
            let flat = behind.filter(|word| {
                word.cue.has(Cue::UNIT) && word.shape == Shape::Capital
                    || word.cue.has(Cue::UNIT) && word.end - word.start > 3
            });
            start = match flat {
                Some(flat) => flat.start,
                None if postcode => near.start,
                None => break,
            };
        } else if part == 0 && near.cue.has(Cue::STREET) && !text[near.end..start].contains(',') {
            // `ул. Жибек Жолы`: the last word looked like a street of its own.
            start = near.start;
        } else if let Some(town) = behind.filter(|word| {
            word.cue.has(Cue::TOWN)
                && near.shape == Shape::Capital
                && !text[word.end..near.start].contains(',')
        }) {
            start = town.start;
        } else if let Some(town) = behind.and_then(|name| town_of_two(look, start, &near, &name)) {
            start = town.start;
        } else if near.cue.has(Cue::TOWN) && behind.is_some_and(|word| word.shape == Shape::Capital)
        {
            start = behind.map_or(start, |word| word.start);
        } else if near.cue.has(Cue::PLACE) && near.shape == Shape::Capital {
            start = near.start;
        } else {
            break;
        }
    }
    start
}

/// `пос. Отеген батыра`: the word for a town, before the two of its name that end before `at`.
fn town_of_two(look: &Look<'_>, at: usize, near: &Word, name: &Word) -> Option<Word> {
    let town = look.word(at, 2)?;
    let named = near.shape == Shape::Capital || near.cue.has(Cue::WITHIN);
    (named
        && name.shape == Shape::Capital
        && town.cue.has(Cue::TOWN)
        && joins(look.text, &town, name.start)
        && !look.text[town.end..near.start].contains(','))
    .then_some(town)
}
