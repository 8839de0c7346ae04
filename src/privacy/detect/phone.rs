//! Telephone numbers: international ones, and as they are written in Kazakhstan, Russia and elsewhere.

use super::chars::{char_at, digit, is_blank, visible_before};
use super::cluster::{Cluster, Gap, begins, ends, is_fraction};
use super::words::{Cue, Shape};
use super::{Certainty, Hit, Look};
use crate::privacy::Class;

/// Digits that a number has at least.
const SHORTEST: usize = 6;
/// Digits of an extension, at most.
const EXTENSION: usize = 6;

/// The telephone number that starts with `groups[first]`, if one does.
pub(super) fn find(look: &mut Look<'_>, cluster: &Cluster, first: usize) {
    if cluster.count(first) < SHORTEST {
        return;
    }
    let group = cluster.groups[first];
    let (start, plus) = opening(look.text, group.start);
    // `call_883098` names a call.
    let named = visible_before(look.text, start).is_some_and(|(c, _)| c == '_');
    if !plus && (named || !begins(look.text, start)) {
        return;
    }
    let Some((last, certainty)) = read(look, cluster, first, plus) else {
        return;
    };
    let number_end = cluster.groups[last].end;
    let end = glued(look.text, number_end);
    if !ends(look.text, end) {
        return;
    }
    if !plus && (is_fraction(look.text, group.start, end) || is_amount(look, end)) {
        return;
    }
    let end = if end == number_end {
        extension(look, end)
    } else {
        end
    };
    // A bracket that is not closed within it is around it.
    let around = look.text[start..end].starts_with('(') && !look.text[start..end].contains(')');
    let start = start + usize::from(around);
    look.hit(Hit::new(Class::PHONE, start..end, certainty));
}

/// Where it starts, with the brackets and the plus before its first digit.
fn opening(text: &str, at: usize) -> (usize, bool) {
    let mut start = at;
    if let Some(('(' | '\u{ff08}', before)) = visible_before(text, start) {
        start = before;
    }
    let after_blank = visible_before(text, start).filter(|(c, _)| is_blank(*c));
    let near = after_blank.map_or(start, |(_, before)| before);
    match visible_before(text, near) {
        Some(('+' | '\u{ff0b}', before)) => {
            // `(+7 701) …`
            let bracket = visible_before(text, before).filter(|(c, _)| *c == '(');
            (bracket.map_or(before, |(_, at)| at), true)
        }
        _ => (start, false),
    }
}

fn read(
    look: &Look<'_>,
    cluster: &Cluster,
    first: usize,
    plus: bool,
) -> Option<(usize, Certainty)> {
    let group = cluster.groups[first];
    let start = group.start;
    if plus {
        return Some((international(cluster, first, 0)?, Certainty::Formed));
    }
    // `00 49 30 …`
    let digits = cluster.digits(first, cluster.groups.len() - 1);
    let abroad = digits.starts_with(&[0, 0]) && group.len() != 3;
    if let Some(last) = abroad.then(|| international(cluster, first, 2)).flatten() {
        let well = last > first || look.says(start, Cue::PHONE, 4);
        return well.then_some((last, Certainty::Formed));
    }
    let eleven = eleven(cluster, first).filter(|last| *last > first || !is_other(look, start));
    if let Some(last) = eleven {
        return Some((last, Certainty::Formed));
    }
    if let Some(last) = grouped(cluster, first) {
        return (!is_other(look, start)).then_some((last, Certainty::Formed));
    }
    let numbered = look.says(start, Cue::MARK, 3) && !look.says(start, Cue::PASSPORT, 3);
    if numbered && mobile(cluster, first) && !is_other(look, start) {
        return Some((cluster.last_of(first, 10)?, Certainty::Told));
    }
    if look.says(start, Cue::PHONE, 5) && !is_other(look, start) {
        return Some((called(cluster, first)?, Certainty::Told));
    }
    None
}

/// Whether the word before says that it is something else.
fn is_other(look: &Look<'_>, start: usize) -> bool {
    let mut near = look
        .words(start)
        .filter(|word| !word.cue.has(Cue::MARK))
        .take(2);
    let other = Cue::OTHER.or(Cue::CONTRACT).or(Cue::PERSON);
    let says_other = near
        .by_ref()
        .take_while(|word| !word.cue.has(Cue::PHONE))
        .any(|word| word.cue.has(other));
    // `№ 87011234567`
    let number = {
        let blank = visible_before(look.text, start).filter(|(c, _)| is_blank(*c));
        let at = blank.map_or(start, |(_, at)| at);
        matches!(visible_before(look.text, at), Some(('№' | '#', _)))
    };
    says_other || number && !look.says(start, Cue::PHONE, 2)
}

/// Whether what follows says that it is so much of something.
fn is_amount(look: &Look<'_>, end: usize) -> bool {
    let mut at = end;
    while let Some(c) = char_at(look.text, at).filter(|c| is_blank(*c)) {
        at += c.len_utf8();
    }
    if let Some('₸' | '₽' | '$' | '€' | '£' | '%' | '°') = char_at(look.text, at) {
        return true;
    }
    let word = look.lexicon.word(look.text, at);
    word.is_some_and(|word| word.shape != Shape::Number && word.cue.has(Cue::UNITS))
}

/// A number with its country's code, behind `skip` digits; the last group of it.
fn international(cluster: &Cluster, first: usize, skip: usize) -> Option<usize> {
    let all = cluster.digits(first, cluster.groups.len() - 1);
    let digits = all.get(skip..)?;
    let lead = |count: usize| -> Option<u32> {
        let digits = digits.get(..count)?;
        Some(digits.iter().fold(0, |n, d| n * 10 + u32::from(*d)))
    };
    let (prefix, (least, most)) =
        (1..=3).find_map(|count| Some((count, national(lead(count)?)?)))?;
    // `+41 (0)46 102 13 65`
    let trunk = usize::from(digits.get(prefix) == Some(&0));
    let shortest = (skip + prefix + least).max(7 + skip);
    let longest = skip + prefix + trunk + most;
    (shortest..=longest).rev().find_map(|count| {
        let end = cluster.last_of(first, count)?;
        cluster.gaps(first, end).all(is_loose).then_some(end)
    })
}

/// Codes of countries: the first and the last of a row.
type Codes = &'static [(u32, u32)];

/// How many digits follow a country's code: at least, and at most; and the codes, as ranges.
/// <https://www.itu.int/pub/T-SP-E.164D> (read 2026-11).
const LENGTHS: &[(usize, usize, Codes)] = &[
    (
        10,
        10,
        &[
            (1, 1),
            (7, 7),
            (30, 30),
            (52, 52),
            (57, 58),
            (63, 63),
            (90, 92),
            (98, 98),
        ],
    ),
    (
        9,
        9,
        &[
            (27, 27),
            (33, 34),
            (40, 40),
            (48, 48),
            (66, 66),
            (93, 94),
            (420, 421),
        ],
    ),
    (
        8,
        10,
        &[(20, 20), (51, 51), (60, 60), (82, 82), (84, 84), (95, 95)],
    ),
    (
        7,
        9,
        &[
            (31, 32),
            (41, 41),
            (46, 47),
            (53, 53),
            (56, 56),
            (61, 61),
            (64, 65),
        ],
    ),
    (8, 9, &[(36, 36), (45, 45), (992, 996), (998, 998)]),
    (8, 11, &[(39, 39)]),
    (7, 12, &[(43, 43)]),
    (9, 10, &[(44, 44), (81, 81)]),
    (7, 11, &[(49, 49)]),
    (10, 11, &[(54, 55), (86, 86)]),
    (8, 12, &[(62, 62)]),
    (7, 9, &[(370, 378), (380, 387), (389, 389)]),
    (7, 10, &[(350, 359), (960, 968), (970, 977)]),
    (
        6,
        10,
        &[
            (211, 299),
            (422, 423),
            (500, 509),
            (590, 599),
            (670, 692),
            (850, 856),
            (880, 880),
            (886, 886),
        ],
    ),
];

fn national(code: u32) -> Option<(usize, usize)> {
    let row = LENGTHS.iter().find(|(_, _, codes)| {
        let mut codes = codes.iter();
        codes.any(|(first, last)| (*first..=*last).contains(&code))
    });
    row.map(|(least, most, _)| (*least, *most))
}

/// Between the groups of a telephone number.
fn is_loose(gap: Gap) -> bool {
    gap.width() <= 3 && gap.dots <= 1
}

/// `8 701 123 45 67`, `7(727)250-12-34`: eleven digits with the prefix of Kazakhstan and Russia.
fn eleven(cluster: &Cluster, first: usize) -> Option<usize> {
    let last = cluster.last_of(first, 11)?;
    let digits = cluster.digits(first, last);
    let lead = cluster.groups[first].len();
    // 87 011 234 567 is an amount.
    let well = matches!(lead, 1 | 4 | 5 | 7 | 11) || lead == 8;
    (matches!(digits[0], 7 | 8)
        && is_area(&digits[1..4], digits[0])
        && well
        && cluster.gaps(first, last).all(is_loose))
    .then_some(last)
}

/// Area codes and those of mobile networks within +7.
fn is_area(code: &[u8], prefix: u8) -> bool {
    match *code {
        [7, second, third] => match second {
            0 => third <= 8,
            1 | 2 | 4 | 6 | 7 => true,
            _ => third == 0 || prefix == 8 && second == 5,
        },
        [9, ..] | [8, 0, 0] | [8, 1..=7, _] | [3, 0 | 3..=6 | 8 | 9, _] | [4, 0..=2 | 6..=9, _] => {
            true
        }
        _ => false,
    }
}

/// National numbers that are told by how they are grouped.
fn grouped(cluster: &Cluster, first: usize) -> Option<usize> {
    let groups = &cluster.groups[first..];
    let bracketed = groups.get(1).is_some_and(|group| group.gap.brackets > 0);
    if bracketed {
        // `(727) 250-12-34`, `(415) 555-2671`, `(07700) 502 254`
        let eleven = cluster.last_of(first, 11);
        let british = eleven.filter(|last| cluster.digits(first, *last).starts_with(&[0]));
        let last = british.or_else(|| cluster.last_of(first, 10))?;
        let area = groups[0].len();
        return ((3..=5).contains(&area) && cluster.gaps(first, last).all(is_loose))
            .then_some(last);
    }
    let take = groups.len().min(5);
    let shape: Vec<usize> = cluster.shape(first, first + take - 1).collect();
    let is_dashed = |last: usize| {
        let mut gaps = cluster.gaps(first, last);
        let one = gaps.next();
        one.is_some_and(|gap| gap.dashes == 1 || gap.is_dot()) && gaps.all(|gap| Some(gap) == one)
    };
    let digits = cluster.digits(first, first + take - 1);
    match shape[..] {
        // `701 123 45 67`
        [3, 3, 2, 2, ..] if matches!(digits[0], 7 | 9) && is_area(&digits[..3], 8) => {
            Some(first + 3)
        }
        // `415-555-2671`, `1-415-555-2671`
        [3, 3, 4, ..] if is_dashed(first + 2) && digits[0] >= 2 && digits[3] >= 2 => {
            Some(first + 2)
        }
        [1, 3, 3, 4, ..] if digits[0] == 1 && digits[1] >= 2 && digits[4] >= 2 => Some(first + 3),
        // `020 7946 0958`, `07700 900123`, `07700 900 123`
        [3, 4, 4, ..] | [4, 3, 3 | 4, ..] | [5, 3, 3, ..] if is_trunk(digits) => Some(first + 2),
        [5, 6, ..] if is_trunk(digits) => Some(first + 1),
        _ => None,
    }
}

/// One zero, which stands for the country's own code.
fn is_trunk(digits: &[u8]) -> bool {
    matches!(digits, [0, second, ..] if *second > 0)
}

/// `номер 701 123 4567`: ten digits that begin with the code of a mobile network.
fn mobile(cluster: &Cluster, first: usize) -> bool {
    cluster.last_of(first, 10).is_some_and(|last| {
        let code = &cluster.digits(first, last)[..3];
        let shape: Vec<usize> = cluster.shape(first, last).collect();
        matches!(shape[..], [10] | [3, 3, 4] | [3, 7])
            && code[0] == 7
            && is_area(code, 8)
            && cluster.gaps(first, last).all(is_loose)
    })
}

/// What follows the word "telephone": six to fifteen digits.
fn called(cluster: &Cluster, first: usize) -> Option<usize> {
    let groups = &cluster.groups[first..];
    // A date is no telephone number.
    let shape: Vec<usize> = groups.iter().take(3).map(|group| group.len()).collect();
    if matches!(shape[..], [2, 2, 4] | [4, 2, 2]) && groups[1].gap.blanks == 0 {
        return None;
    }
    (SHORTEST..=15).rev().find_map(|count| {
        let last = cluster.last_of(first, count)?;
        let mut gaps = cluster.gaps(first, last);
        let loose = count <= 12 && gaps.all(|gap| is_loose(gap) && gap.width() <= 2);
        (last == first || loose).then_some(last)
    })
}

/// `x582`, as Americans write an extension: behind it.
fn glued(text: &str, end: usize) -> usize {
    let behind = text.get(end..).unwrap_or_default();
    let Some(number) = behind.strip_prefix(['x', 'X']) else {
        return end;
    };
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=EXTENSION).contains(&digits) {
        end + 1 + digits
    } else {
        end
    }
}

/// `доб. 123`, `ext. 5`: the extension behind a number belongs to it.
fn extension(look: &Look<'_>, end: usize) -> usize {
    let mut at = end;
    while let Some(c) = char_at(look.text, at).filter(|c| is_blank(*c) || matches!(c, ',' | '(')) {
        at += c.len_utf8();
    }
    let rest = look.text.get(at..).unwrap_or_default();
    let words = ["доб", "вн", "ext", "ішкі", "x", "extension", "добавочный"];
    let Some(word) = look.lexicon.word(look.text, at) else {
        return end;
    };
    let written = &rest[..word.end - at];
    let known = words
        .iter()
        .any(|known| written.eq_ignore_ascii_case(known));
    if !known {
        return end;
    }
    at = word.end;
    while let Some(c) = char_at(look.text, at).filter(|c| is_blank(*c) || *c == '.') {
        at += c.len_utf8();
    }
    let from = at;
    while let Some(c) = char_at(look.text, at).filter(|c| digit(*c).is_some()) {
        at += c.len_utf8();
    }
    if at == from || at - from > EXTENSION {
        return end;
    }
    at
}
