//! Postal addresses: a street and a house number, with what stands around them.
//!
//! A street without a number is no address of anybody. The number is found first, and the street is
//! looked for before it (`ул. Абая, 10`, `Абай көшесі 10`, `Abay avenue 10`) or behind it
//! (`221B Baker Street`); then the flat, the town and the postcode next to them are taken in.

use super::chars::{char_at, digit, is_blank, is_capital, is_dash, is_letter};
use super::cluster::Cluster;
use super::english::{british, side};
use super::house::{BEHIND, digits_end, house_end, letters_end};
use super::words::{Cue, Shape, Word};
use super::{Certainty, Hit, Look};
use crate::privacy::Class;

/// Digits of a house number, at most.
const DIGITS: usize = 4;
/// Words of a street's name, at most.
const NAME: usize = 5;
/// What a small word says that may stand before the number of a house.
const NEAR: Cue = Cue::STREET
    .or(Cue::QUARTER)
    .or(Cue::ROAD)
    .or(Cue::WITHIN)
    .or(Cue::HOUSE)
    .or(Cue::MARK);
/// Parts that are taken in on either side, at most.
const PARTS: usize = 8;

pub(super) fn find(look: &mut Look<'_>, cluster: &Cluster, first: usize) {
    let group = cluster.groups[first];
    if group.len() > DIGITS || !cluster.begins(first) {
        return;
    }
    let text = look.text;
    let house = house_end(text, group.end);
    // Most words before a number have to do with no address. Numbers may lie between, of which the first
    // group is the farthest.
    let lead = if cluster.follows_number(first) {
        cluster.groups[0].start
    } else {
        group.start
    };
    let near = look.word(lead, 0);
    let near = near.filter(|near| near.shape != Shape::Small || near.cue.has(NEAR));
    let before = near.and_then(|_| street_before(look, group.start));
    let span = match before {
        Some(start) if !is_amount(look, house) => Some((start, house)),
        Some(_) | None => street_behind(look, house)
            .map(|end| (group.start, end))
            .or_else(|| {
                flat_only(
                    look,
                    near.filter(|_| lead == group.start)?,
                    group.start,
                    house,
                )
            }),
    };
    if let Some((start, end)) = span {
        let whole = widen_right(look, end);
        // `2016 Anna Lane` signs a text, as a rule.
        if start == group.start && whole == end && is_year(text, start) {
            return;
        }
        let end = whole;
        let start = widen_left(look, start);
        look.hit(Hit::new(Class::ADDRESS, start..end, Certainty::Told));
    }
}

/// Whether only what may lie between parts of an address lies there. A full stop only behind a word
/// that is cut short.
fn joins(text: &str, left: &Word, to: usize) -> bool {
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

/// Where the street begins whose house number is at `at`.
fn street_before(look: &Look<'_>, at: usize) -> Option<usize> {
    let text = look.text;
    let mut words = look.words(at);
    let mut right = at;
    let near = loop {
        let word = words.next()?;
        if !joins(text, &word, right) {
            return None;
        }
        if !word.cue.has(Cue::HOUSE.or(Cue::MARK)) || word.cue.has(Cue::STREET) {
            break word;
        }
        right = word.start;
    };
    let is_street = near.cue.has(Cue::STREET.or(Cue::QUARTER).or(Cue::ROAD));
    if near.shape == Shape::Small && !is_street && !near.cue.has(Cue::WITHIN) {
        return None;
    }
    let is_house = || {
        let house = house_end(text, digits_end(text, at));
        right != at || unit(look, skip(text, house, 3), 1).is_some()
    };
    if is_year(text, at) && !is_house() {
        return None;
    }
    if is_street {
        return named_before(text, &near, words, is_house);
    }
    // `ул. Кабанбай батыра, 53`
    let (mut right, mut named) = (near.end, false);
    for (count, word) in std::iter::once(near)
        .chain(words)
        .take(NAME + 1)
        .enumerate()
    {
        if !joins(text, &word, right.max(word.end)) {
            return None;
        }
        if count > 0 && word.cue.has(Cue::STREET.or(Cue::QUARTER)) {
            return (named || word.cue.has(Cue::QUARTER)).then_some(word.start);
        }
        named |= word.shape == Shape::Capital;
        let small_number = word.shape == Shape::Number && word.end - word.start <= 8;
        if word.shape == Shape::Small && !word.cue.has(Cue::WITHIN) && !small_number {
            return None;
        }
        right = word.start;
    }
    None
}

/// `Абай көшесі 10`, `Абая ул., 10`, `Abay Avenue 10`, `8 мкр, 12`: the name stands before.
fn named_before(
    text: &str,
    street: &Word,
    before: impl Iterator<Item = Word>,
    is_house: impl Fn() -> bool,
) -> Option<usize> {
    let mut start = None;
    let mut right = street.start;
    for word in before.take(3) {
        let gap = &text[word.end..right];
        let touches = gap
            .chars()
            .all(|c| is_blank(c) || is_dash(c) || matches!(c, '.' | '«' | '»' | '"'));
        let written = &text[word.start..word.end];
        let quarter = street.cue.has(Cue::QUARTER) && word.shape == Shape::Number && is_house()
            || is_ordinal(&word, written);
        let small = word.cue.has(Cue::WITHIN) && word.shape == Shape::Small;
        let is_name = word.shape == Shape::Capital || quarter || small;
        // A full stop ends a sentence, but not an initial.
        let stops = gap.contains('.') && text[word.start..word.end].chars().count() > 2;
        if !touches || !is_name || stops || word.cue.has(Cue::TOWN) && word.shape != Shape::Capital
        {
            break;
        }
        if !small {
            start = Some(word.start);
        }
        right = word.start;
    }
    start
}

/// `5th`
fn is_ordinal(word: &Word, written: &str) -> bool {
    let ends = ["th", "st", "nd", "rd"];
    word.shape == Shape::Number && ends.iter().any(|end| written.ends_with(end))
}

/// `Wall Street 2008`, `3-й квартал 2024`
fn is_year(text: &str, at: usize) -> bool {
    let number = &text[at..digits_end(text, at)];
    number.len() == 4 && (number.starts_with("19") || number.starts_with("20"))
}

/// `221B Baker Street`: where the street ends.
fn street_behind(look: &Look<'_>, at: usize) -> Option<usize> {
    let text = look.text;
    let mut at = at;
    for count in 0..NAME {
        let blank = char_at(text, at).filter(|c| is_blank(*c) || (*c == '.' && count > 0))?;
        at += blank.len_utf8();
        if blank == '.' {
            at += char_at(text, at).filter(|c| is_blank(*c))?.len_utf8();
        }
        // Neither a name nor `5th`.
        char_at(text, at).filter(|c| is_capital(*c) || digit(*c).is_some())?;
        let word = look.lexicon.word(text, at)?;
        let written = &text[word.start..word.end];
        if word.shape != Shape::Capital && !is_ordinal(&word, written) {
            return None;
        }
        if count > 0 && word.cue.has(Cue::ROAD) {
            let dot = char_at(text, word.end) == Some('.');
            let end = word.end + usize::from(dot && written.len() <= 4);
            return Some(side(text, end));
        }
        at = word.end;
    }
    None
}

/// `дом 5, кв. 12`, `Абая 10, кв. 5`: no street is named as one, but a flat follows.
fn flat_only(look: &Look<'_>, near: Word, at: usize, house: usize) -> Option<(usize, usize)> {
    let mut near = near;
    if !joins(look.text, &near, at) {
        return None;
    }
    if near.shape == Shape::Small && near.cue.has(Cue::WITHIN) {
        // `Кабанбай батыра 53, кв. 5`
        let name = look.word(at, 1)?;
        near = joins(look.text, &name, near.start).then_some(name)?;
    }
    if near.shape != Shape::Capital && !near.cue.has(Cue::HOUSE) {
        return None;
    }
    let end = unit(look, skip(look.text, house, 3), 2)?;
    Some((near.start, end))
}

/// Passes over commas, full stops and blanks.
fn skip(text: &str, at: usize, most: usize) -> usize {
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
fn unit(look: &Look<'_>, at: usize, least: usize) -> Option<usize> {
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
fn widen_right(look: &Look<'_>, end: usize) -> usize {
    let text = look.text;
    let mut end = end;
    for _ in 0..PARTS {
        let next = skip(text, end, 3);
        let comma = text[end..next].contains(',');
        if let Some(to) = unit(look, next, 1) {
            end = to;
            continue;
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
fn widen_left(look: &Look<'_>, start: usize) -> usize {
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

/// Whether it is so much of something: `15 GB`, `12 %`.
fn is_amount(look: &Look<'_>, end: usize) -> bool {
    let next = skip(look.text, end, 1);
    if char_at(look.text, next) == Some('%') {
        return true;
    }
    let word = look
        .lexicon
        .word(look.text, next)
        .filter(|_| next == end || look.text[end..next].trim().is_empty());
    word.is_some_and(|word| word.cue.has(Cue::UNITS) && !word.cue.has(Cue::UNIT))
}
