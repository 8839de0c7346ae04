//! Numbers that carry a checksum: payment cards, Kazakhstan's IIN and BIN, IBANs.

use super::chars::{
    char_at, digit, is_blank, is_dash, is_invisible, is_letter, latin, visible_before,
};
use super::cluster::{Cluster, Gap, Group, begins, ends, is_fraction};
use super::words::{Cue, Lexicon};
use super::{Certainty, Hit, Look};
use crate::privacy::Class;

/// The numbers of `groups[first..]` that bear a checksum.
pub(super) fn find(look: &mut Look<'_>, cluster: &Cluster, first: usize) {
    let group = cluster.groups[first];
    // Between groups are no letters.
    if first == 0 && group.len() >= 2 {
        iban(look, group.start);
    }
    if cluster.count(first) < 12 {
        return;
    }
    if !starts(look, group.start, Cue::PERSON.or(Cue::CARD)) {
        return;
    }
    if let Some(hit) = person(look, cluster, first) {
        look.hit(hit);
    }
    if let Some(hit) = card(look, cluster, first) {
        look.hit(hit);
    }
}

/// Whether a number starts here: nothing touches it, or a word that names it does.
fn starts(look: &Look<'_>, at: usize, cue: Cue) -> bool {
    begins(look.text, at) || word_before(look.lexicon, look.text, at).has(cue)
}

/// What the word says that ends at `at`, of letters alone.
fn word_before(lexicon: &Lexicon, text: &str, at: usize) -> Cue {
    let mut start = at;
    while let Some((c, before)) = visible_before(text, start) {
        if !is_letter(c) || at - before > 24 {
            break;
        }
        start = before;
    }
    lexicon.cue(&text[start..at])
}

/// An IIN or a BIN: twelve digits, by a date and a checksum.
fn person(look: &Look<'_>, cluster: &Cluster, first: usize) -> Option<Hit> {
    let last = cluster.last_of(first, 12)?;
    let (start, end) = (cluster.groups[first].start, cluster.groups[last].end);
    let digits = cluster.digits(first, last);
    let class = class_of(digits)?;
    if !ends(look.text, end) || is_fraction(look.text, start, end) || has_plus(look.text, start) {
        return None;
    }
    let named = || look.says(start, Cue::PERSON, 3);
    let alone = first == last
        || (cluster.gaps(first, last).all(Gap::is_plain)
            && (cluster.groups[first].len() == 6 && last - first <= 3 || named()));
    alone.then_some(Hit::new(class, start..end, Certainty::Checked))
}

/// What twelve digits are by their checksum and the date that they begin with. An IIN starts with a
/// birthday and the century; a BIN with a month of registration, and the kind of business.
pub(super) fn class_of(digits: &[u8]) -> Option<Class> {
    let month = digits[2] * 10 + digits[3];
    let day = digits[4] * 10 + digits[5];
    if !(1..=12).contains(&month) || !is_checked(digits) {
        return None;
    }
    let longest = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if (1..=longest).contains(&day) && digits[6] <= 6 {
        return Some(Class::IIN);
    }
    ((4..=6).contains(&digits[4]) && digits[5] <= 4).then_some(Class::BIN)
}

/// The last digit is the sum of the others by weight, modulo 11; by other weights where that is 10.
fn is_checked(digits: &[u8]) -> bool {
    let sum = |weights: [u32; 11]| {
        let products = weights.iter().zip(digits);
        products.map(|(w, d)| w * u32::from(*d)).sum::<u32>() % 11
    };
    let mut control = sum([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    if control == 10 {
        control = sum([3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2]);
    }
    digits
        .get(11)
        .is_some_and(|last| u32::from(*last) == control)
}

fn has_plus(text: &str, start: usize) -> bool {
    visible_before(text, start).is_some_and(|(c, _)| matches!(c, '+' | '\u{ff0b}'))
}

/// A payment card: the checksum of Luhn, and a known prefix with its length, or a word that names it.
fn card(look: &Look<'_>, cluster: &Cluster, first: usize) -> Option<Hit> {
    let start = cluster.groups[first].start;
    if cluster.groups[first].len() < 4 || has_plus(look.text, start) {
        return None;
    }
    (13..=19).rev().find_map(|length| {
        let last = cluster.last_of(first, length)?;
        let digits = cluster.digits(first, last);
        let end = cluster.groups[last].end;
        let named = || look.says(start, Cue::CARD, 4);
        if !luhn(digits) || !ends(look.text, end) || !is_issued(digits) && !named() {
            return None;
        }
        if first == last {
            let mut near = look.words(start).take(2);
            let is_other = near.any(|word| word.cue.has(Cue::OTHER) && !word.cue.has(Cue::MARK));
            if is_fraction(look.text, start, end) || (length == 13 || is_other) && !named() {
                return None;
            }
        } else if !is_cut_well(cluster, first, last) && !named() {
            return None;
        }
        Some(Hit::new(Class::CARD, start..end, Certainty::Checked))
    })
}

/// Whether the groups are those that cards are written in, and no longer row of numbers is around.
fn is_cut_well(cluster: &Cluster, first: usize, last: usize) -> bool {
    let gap = cluster.groups[first + 1].gap;
    if !gap.is_plain() || cluster.gaps(first, last).any(|other| other != gap) {
        return false;
    }
    let shape: Vec<usize> = cluster.shape(first, last).collect();
    let fours = shape[..shape.len() - 1].iter().all(|&length| length == 4) && shape[0] == 4;
    let is_four = |group: Option<&Group>, gap: Option<Gap>| {
        group.is_some_and(|group| group.len() == 4) && gap == Some(cluster.groups[first + 1].gap)
    };
    let before = first.checked_sub(1).and_then(|at| cluster.groups.get(at));
    let after = cluster.groups.get(last + 1);
    let in_a_row = is_four(before, Some(cluster.groups[first].gap))
        || is_four(after, after.map(|group| group.gap));
    (fours && !in_a_row) || matches!(shape[..], [4, 6, 4 | 5] | [6, 10 | 13] | [8, 8])
}

/// Whether some network of cards has numbers of this length that start so.
fn is_issued(digits: &[u8]) -> bool {
    let lead = |count: usize| {
        digits[..count]
            .iter()
            .fold(0_u32, |n, d| n * 10 + u32::from(*d))
    };
    let (two, three, four) = (lead(2), lead(3), lead(4));
    match digits.len() {
        14 => matches!(two, 36 | 38 | 39) || (300..=305).contains(&three),
        15 => matches!(two, 34 | 37),
        length => {
            digits[0] == 4 && matches!(length, 13 | 16 | 19)
                || length == 16
                    && ((51..=55).contains(&two)
                        || (2221..=2720).contains(&four)
                        || (3528..=3589).contains(&four)
                        || matches!(four, 8600 | 9860 | 9417))
                || length >= 16
                    && ((2200..=2204).contains(&four)
                        || matches!(two, 62 | 65)
                        || (644..=649).contains(&three)
                        || four == 6011)
                || matches!(four, 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763)
        }
    }
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits.iter().rev().enumerate().fold(0, |sum, (at, digit)| {
        let digit = u32::from(*digit);
        sum + match (at % 2, digit) {
            (0, digit) => digit,
            (_, digit @ 0..=4) => digit * 2,
            (_, digit) => digit * 2 - 9,
        }
    });
    sum.is_multiple_of(10)
}

/// The length of an IBAN by its country, <https://www.swift.com/standards/data-standards/iban> (read 2026-11).
const LENGTHS: &[(u8, &str)] = &[
    (15, "NO"),
    (16, "BE"),
    (18, "DK FI FK FO GL NL SD"),
    (19, "MK SI"),
    (20, "AT BA EE KZ LT LU MN XK"),
    (21, "CH CR HR LI LV"),
    (22, "BG BH DE GB GE IE ME RS VA"),
    (23, "AE GI IL IQ OM SO TL"),
    (24, "AD CZ ES MD PK RO SA SE SK TN VG"),
    (25, "LY PT ST"),
    (26, "IS TR"),
    (27, "BI DJ FR GR IT MC MR SM"),
    (28, "AL AZ BY CY DO GT HU LB NI PL SV"),
    (29, "BR EG PS QA UA"),
    (30, "JO KW MU YE"),
    (31, "MT SC"),
    (32, "LC"),
    (33, "RU"),
];

/// The same by the letters of a country; 0 where it has none.
const LENGTH_OF: [[u8; 26]; 26] = {
    let mut lengths = [[0; 26]; 26];
    let mut row = 0;
    while row < LENGTHS.len() {
        let (length, countries) = LENGTHS[row];
        let letters = countries.as_bytes();
        let mut at = 0;
        while at < letters.len() {
            lengths[(letters[at] - b'A') as usize][(letters[at + 1] - b'A') as usize] = length;
            at += 3;
        }
        row += 1;
    }
    lengths
};

fn length_of(country: [char; 2]) -> Option<usize> {
    let [first, second] = country.map(|letter| (letter as usize).wrapping_sub('A' as usize));
    let length = *LENGTH_OF.get(first)?.get(second)?;
    (length > 0).then_some(usize::from(length))
}

/// An IBAN whose check digits are at `at`: two letters of a country before, its length, modulo 97.
fn iban(look: &mut Look<'_>, at: usize) {
    // `KZ 86 125K`: a blank may follow the country.
    let letters = visible_before(look.text, at)
        .filter(|(c, _)| is_blank(*c))
        .map_or(at, |(_, before)| before);
    let Some((second, before)) = country_letter(look.text, letters) else {
        return;
    };
    let Some((first, start)) = country_letter(look.text, before) else {
        return;
    };
    // A longer word is no country, nor are most of two letters.
    if !begins(look.text, start) {
        return;
    }
    let Some(length) = length_of([first, second]) else {
        return;
    };
    let (mut remainder, mut count, mut end) = (0, 4, at);
    let mut next = at;
    let mut checks = [0; 2];
    let mut seen = 0;
    while count < length || seen < 2 {
        let Some(c) = char_at(look.text, next) else {
            return;
        };
        next += c.len_utf8();
        if is_invisible(c) || (is_blank(c) || is_dash(c)) && next - end <= 3 {
            continue;
        }
        match (digit(c), latin(c)) {
            (Some(value), _) if seen < 2 => {
                checks[seen] = value;
                seen += 1;
            }
            (Some(value), _) => {
                remainder = (remainder * 10 + u32::from(value)) % 97;
                count += 1;
            }
            (None, Some(letter)) if seen == 2 => {
                remainder = letter_onto(remainder, letter);
                count += 1;
            }
            _ => return,
        }
        end = next;
    }
    remainder = letter_onto(letter_onto(remainder, first), second);
    for check in checks {
        remainder = (remainder * 10 + u32::from(check)) % 97;
    }
    if remainder == 1 && ends(look.text, end) {
        look.hit(Hit::new(Class::IBAN, start..end, Certainty::Checked));
    }
}

/// A letter counts as two digits: A is 10.
fn letter_onto(remainder: u32, letter: char) -> u32 {
    (remainder * 100 + u32::from(letter) - u32::from('A') + 10) % 97
}

fn country_letter(text: &str, at: usize) -> Option<(char, usize)> {
    let (c, before) = visible_before(text, at)?;
    latin(c).map(|letter| (letter, before))
}
