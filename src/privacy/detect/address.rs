//! Postal addresses: a street and a house number, with what stands around them.
//!
//! A street without a number is no address of anybody. The number is found first, and the street is
//! looked for before it (`ул. Абая, 10`, `Абай көшесі 10`, `Abay avenue 10`) or behind it
//! (`221B Baker Street`); then the flat, the town and the postcode next to them are taken in.

use super::around::{joins, skip, unit, widen_left, widen_right};
use super::chars::{char_at, digit, is_blank, is_capital, is_dash};
use super::cluster::Cluster;
use super::english::{american, is_flat, side};
use super::house::{DIGITS, digits_end, house_end};
use super::words::{Cue, Shape, Word};
use super::{Certainty, Hit, Look};
use crate::privacy::Class;

/// Words of a street's name, at most.
const NAME: usize = 5;
/// Digits of a house's number that stands before its street, at most.
const AMERICAN: usize = 5;
/// What a small word says that may stand before the number of a house.
const NEAR: Cue = Cue::STREET
    .or(Cue::QUARTER)
    .or(Cue::ROAD)
    .or(Cue::WITHIN)
    .or(Cue::HOUSE)
    .or(Cue::MARK);
pub(super) fn find(look: &mut Look<'_>, cluster: &Cluster, first: usize) {
    let group = cluster.groups[first];
    if group.len() > AMERICAN || !cluster.begins(first) {
        return;
    }
    let text = look.text;
    let house = house_end(text, group.end);
    if group.len() > DIGITS {
        if let Some(end) = street_behind(look, house) {
            let end = widen_right(look, end);
            look.hit(Hit::new(Class::ADDRESS, group.start..end, Certainty::Told));
        }
        return;
    }
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
        // `841 David Dam Apt. 329`: a street, whatever its kind is called.
        if count > 0 && (is_flat(&text[at..]) || american(text, at).is_some()) {
            return Some(at);
        }
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
