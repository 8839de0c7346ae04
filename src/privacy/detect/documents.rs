//! Numbers of passports and contracts, which only the words around them tell.

use super::chars::{
    char_at, char_before, digit, is_blank, is_capital, is_dash, is_inner, is_invisible, is_letter,
    latin, visible_before,
};
use super::cluster::{Cluster, begins, ends};
use super::words::{Cue, Shape, Word};
use super::{Certainty, Hit, Look};
use crate::privacy::Class;

/// The longest number of a contract, in bytes.
const LONGEST: usize = 48;

pub(super) fn find(look: &mut Look<'_>, cluster: &Cluster, first: usize) {
    passport(look, cluster, first);
    contract(look, cluster, first);
}

/// Kazakhstan's `N12345678` by itself; Russia's `45 09 123456`, and others, behind their word.
fn passport(look: &mut Look<'_>, cluster: &Cluster, first: usize) {
    let group = cluster.groups[first];
    let count = cluster.count(first);
    // Letters stand before the first group alone.
    let lettered = first == 0 && (5..=9).contains(&group.len());
    if !(lettered || count == 4 || count >= 8) {
        return;
    }
    let letters = letters_before(look.text, group.start);
    let named = |at: usize| look.says(at, Cue::PASSPORT, 6);
    let start = letters.start;
    if !begins(look.text, start) {
        return;
    }
    let not_more = ends(look.text, group.end);
    if letters.count == 1 && letters.first == Some('N') && group.len() == 8 && not_more {
        let other = look.says(start, Cue::OTHER.or(Cue::CONTRACT), 2);
        if !letters.spaced && !other || named(start) {
            look.hit(Hit::new(
                Class::PASSPORT,
                start..group.end,
                Certainty::Formed,
            ));
        }
        return;
    }
    let foreign = (1..=3).contains(&letters.count) && (5..=9).contains(&group.len());
    if foreign && not_more && named(start) {
        look.hit(Hit::new(Class::PASSPORT, start..group.end, Certainty::Told));
        return;
    }
    if letters.count > 0 {
        return;
    }
    let alone = |count: usize| group.len() == count && not_more;
    let last = cluster
        .last_of(first, 10)
        .or_else(|| cluster.last_of(first, 9));
    let last = last.filter(|last| {
        let shape: Vec<usize> = cluster.shape(first, *last).collect();
        matches!(shape[..], [10 | 9] | [4, 6] | [2, 2, 6] | [2, 7])
    });
    if last.is_none() && group.len() == 4 {
        // `45 09 № 123456`, `серия 4509 номер 123456`
        series(look, cluster, first);
        return;
    }
    let end = match last {
        Some(last) => cluster.groups[last].end,
        None if alone(8) => group.end,
        None => return series(look, cluster, first),
    };
    if ends(look.text, end) && named(group.start) {
        look.hit(Hit::new(Class::PASSPORT, group.start..end, Certainty::Told));
    }
}

/// A series of four digits, then a mark or the word "number", then six.
fn series(look: &mut Look<'_>, cluster: &Cluster, first: usize) {
    let Some(last) = cluster.last_of(first, 4) else {
        return;
    };
    if last + 1 != cluster.groups.len() || last - first > 1 {
        return;
    }
    let (start, mut at) = (cluster.groups[first].start, cluster.groups[last].end);
    let mut marks = 0;
    while let Some(c) = char_at(look.text, at) {
        let passes = is_blank(c) || matches!(c, '№' | ',' | '.' | ':' | '#' | '/');
        if passes {
            marks += 1;
            at += c.len_utf8();
        } else if is_letter(c) {
            match look.lexicon.word(look.text, at) {
                Some(word) if word.cue.has(Cue::MARK) => at = word.end,
                _ => return,
            }
        } else {
            break;
        }
        if marks > 6 {
            return;
        }
    }
    let from = at;
    while let Some(c) = char_at(look.text, at).filter(|c| digit(*c).is_some()) {
        at += c.len_utf8();
    }
    let count = look.text[from..at].chars().count();
    if count == 6 && look.says(start, Cue::PASSPORT, 6) {
        look.hit(Hit::new(Class::PASSPORT, start..at, Certainty::Told));
    }
}

struct Letters {
    start: usize,
    count: usize,
    first: Option<char>,
    spaced: bool,
}

/// Up to three capital letters right before a number, or a blank before it.
fn letters_before(text: &str, at: usize) -> Letters {
    let mut letters = Letters {
        start: at,
        count: 0,
        first: None,
        spaced: false,
    };
    // What most numbers have before them.
    if let [.., b'!'..=b'@' | b'a'..=b'z'] | [.., b'!'..=b'@' | b'a'..=b'z', b' '] =
        text.as_bytes()[..at]
    {
        return letters;
    }
    let mut end = at;
    if let Some((_, before)) = visible_before(text, end).filter(|(c, _)| is_blank(*c)) {
        end = before;
        letters.spaced = true;
    }
    let mut start = end;
    while let Some((c, before)) = visible_before(text, start) {
        if !is_capital(c) || latin(c).is_none() || letters.count == 3 {
            break;
        }
        letters.count += 1;
        letters.first = latin(c);
        start = before;
    }
    // A word in capitals is none.
    let more = visible_before(text, start).is_some_and(|(c, _)| is_inner(c));
    if letters.count == 0 || more {
        return Letters {
            start: at,
            count: 0,
            first: None,
            spaced: false,
        };
    }
    letters.start = start;
    letters
}

/// The number of a contract: any token with a digit behind a word for one, and a mark between.
fn contract(look: &mut Look<'_>, cluster: &Cluster, first: usize) {
    let group = cluster.groups[first];
    // Within a token: its first digits look for its meaning.
    if first > 0 && group.gap.blanks == 0 && group.gap.brackets == 0 {
        return;
    }
    // A number names no contract.
    if cluster.follows_number(first) {
        return;
    }
    let start = token_start(look.text, group.start);
    if look.text[start..group.start]
        .chars()
        .any(|c| digit(c).is_some())
    {
        return;
    }
    let number = start;
    let start = series_start(look, start);
    let near = look.word(start, 0);
    let told = near.is_some_and(|word| word.cue.has(Cue::CONTRACT));
    // Right behind a word that says nothing of a number.
    let plain = |word: Word| {
        !word.cue.has(Cue::MARK) && matches!(look.text.as_bytes()[word.end..start], [] | [b' '])
    };
    if !told && near.is_some_and(plain) {
        return;
    }
    let marked = mark_before(look, start, near);
    if !marked && !told {
        return;
    }
    let end = token_end(look.text, number);
    let length = look.text[start..end].chars().count();
    if end - start > LONGEST || length < 2 {
        return;
    }
    let is_contract = if marked {
        names_contract(look, start) || follows_contract(look, end)
    } else {
        // `договор 45-К/2023`, but not `договор 2023 года`
        let shaped = look.text[start..end].contains(['/', '-', '\\', '_']) || length >= 6;
        let numbered = look
            .word(start, 1)
            .is_some_and(|word| word.cue.has(Cue::MARK));
        (shaped || numbered)
            && !is_date(look.text, start, end)
            && look.text[near.map_or(start, |word| word.end)..start]
                .chars()
                .all(|c| is_blank(c) || matches!(c, ':' | '(' | '«' | '"' | '='))
    };
    if is_contract && !is_date(look.text, start, end) {
        look.hit(Hit::new(Class::CONTRACT, start..end, Certainty::Told));
    }
}

/// `№ АА 1234567`: the letters before a number of a contract, where the mark is before them.
fn series_start(look: &Look<'_>, start: usize) -> usize {
    let letters = letters_before(look.text, start);
    let is_marked = || mark_before(look, letters.start, look.word(letters.start, 0));
    let is_series = letters.spaced && letters.count > 0 && is_marked();
    if is_series { letters.start } else { start }
}

fn joins_token(c: char) -> bool {
    matches!(c, '/' | '\\' | '_' | '.' | '–') || is_dash(c)
}

fn token_start(text: &str, at: usize) -> usize {
    let mut start = at;
    let mut end = at;
    while let Some(c) = char_before(text, end) {
        if at - end > LONGEST || !(is_inner(c) || joins_token(c) || is_invisible(c)) {
            break;
        }
        end -= c.len_utf8();
        if is_inner(c) {
            start = end;
        }
    }
    // `договор№45`, `No.45`: the mark is no part of it.
    let written = &text[start..at];
    let mut marks = ["no.", "n."].iter();
    match marks.find(|mark| written.eq_ignore_ascii_case(mark)) {
        Some(mark) => start + mark.len(),
        None => start,
    }
}

fn token_end(text: &str, at: usize) -> usize {
    let (mut end, mut next) = (at, at);
    while let Some(c) = char_at(text, next) {
        if next - at > LONGEST || !(is_inner(c) || joins_token(c) || is_invisible(c)) {
            break;
        }
        next += c.len_utf8();
        if is_inner(c) {
            end = next;
        }
    }
    end
}

/// Whether `№`, `#`, `No.` or a word for "number" stands right before. `near` is the word before it.
fn mark_before(look: &Look<'_>, start: usize, near: Option<Word>) -> bool {
    let text = look.text;
    let mut at = start;
    while let Some((c, left)) = visible_before(text, at) {
        if matches!(c, '№' | '#') {
            return true;
        }
        let passes = is_blank(c) || is_dash(c) || matches!(c, '.' | ':' | '«' | '"' | '=');
        if !passes || start - left > 6 {
            break;
        }
        at = left;
    }
    near.is_some_and(|word| word.cue.has(Cue::MARK) && word.end == at)
}

/// Whether the nearest word that decides says that it is a contract: dates and small words do not.
fn names_contract(look: &Look<'_>, start: usize) -> bool {
    for word in look.words(start) {
        if look.text[word.end..start].contains([';', '!', '?']) {
            return false;
        }
        if word.cue.has(Cue::CONTRACT) {
            return true;
        }
        if word.cue.has(Cue::OTHER) || (word.cue.has(Cue::CLAUSE) && word.end - word.start > 2) {
            return false;
        }
    }
    false
}

/// `№ 12-34 шарт`: the word may follow.
fn follows_contract(look: &Look<'_>, end: usize) -> bool {
    let mut at = end;
    for _ in 0..2 {
        while let Some(c) =
            char_at(look.text, at).filter(|c| is_blank(*c) || matches!(c, '»' | '"'))
        {
            at += c.len_utf8();
        }
        let Some(word) = look.lexicon.word(look.text, at) else {
            return false;
        };
        if word.cue.has(Cue::CONTRACT) {
            return true;
        }
        if word.shape == Shape::Number {
            return false;
        }
        at = word.end;
    }
    false
}

/// `12.03.2024`, `2024`, `2024-03-12`
fn is_date(text: &str, start: usize, end: usize) -> bool {
    let token = &text[start..end];
    let mut parts = token.split(['.', '-', '/']);
    let parts: [&str; 4] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let number = |part: &str| part.parse::<u32>().ok().filter(|_| part.is_ascii());
    let year = |part: &str| {
        number(part).is_some_and(|year| (1900..2100).contains(&year) && part.len() == 4)
    };
    let small = |part: &str| number(part).is_some_and(|n| n <= 31) && part.len() <= 2;
    match parts {
        [only, "", "", ""] => year(only),
        [one, two, three, ""] if !three.is_empty() => {
            small(two) && (small(one) && (year(three) || small(three)) || year(one) && small(three))
        }
        _ => false,
    }
}
