//! E-mail addresses, told by their `@`, and addresses of the network.

use core::net::Ipv6Addr;

use super::chars::{
    char_at, char_before, is_blank, is_inner, is_invisible, narrow, visible_before,
};
use super::cluster::Cluster;
use super::words::Cue;
use super::{Certainty, Hit, Look};
use crate::privacy::Class;

/// The longest part before the `@`, and the longest domain, in bytes: 64 and 253 letters are allowed.
const LONGEST_NAME: usize = 128;
const LONGEST: usize = 256;

/// Names of files, which `icon@2x.png` has behind its `@`.
const FILES: [&str; 16] = [
    "png", "jpg", "jpeg", "gif", "svg", "webp", "js", "ts", "css", "json", "html", "map", "yaml",
    "yml", "zip", "rs",
];

/// The e-mail address around the `@` that stands from `at` to `after`.
pub(super) fn email(look: &mut Look<'_>, at: usize, after: usize) {
    let text = look.text;
    // `name @ example.com`
    let spaced =
        char_before(text, at).is_some_and(is_blank) && char_at(text, after).is_some_and(is_blank);
    let (local_end, domain_start) = if spaced {
        (
            at - blank_len(char_before(text, at)),
            after + blank_len(char_at(text, after)),
        )
    } else {
        (at, after)
    };
    let Some(end) = domain(text, domain_start) else {
        return;
    };
    let Some(start) = local_part(text, local_end) else {
        return;
    };
    // `git@github.com:owner/name.git`
    if &text[start..local_end] == "git" && matches!(char_at(text, end), Some(':' | '/')) {
        return;
    }
    look.hit(Hit::new(Class::EMAIL, start..end, Certainty::Formed));
}

fn blank_len(c: Option<char>) -> usize {
    c.map_or(0, char::len_utf8)
}

/// Where the name before the `@` starts.
fn local_part(text: &str, end: usize) -> Option<usize> {
    let (mut start, mut at, mut last) = (end, end, '.');
    while let Some((c, before)) = visible_before(text, at) {
        let c = narrow(c);
        let fits = is_inner(c) || "._%+-'&=~!#$*^{}|".contains(c);
        // Two dots in a row are the end of another sentence.
        if !fits || (c == '.' && last == '.') || end - before > LONGEST_NAME {
            break;
        }
        (at, last) = (before, c);
        // It does not begin with a mark.
        if is_inner(c) || c == '_' || c == '+' {
            start = before;
        }
    }
    // `'name@example.com'`, but `o'neil@example.com`.
    let quote = text[start..end].rfind('\'').map(|at| start + at);
    if let Some(quote) = quote.filter(|at| !char_before(text, *at).is_some_and(is_inner)) {
        start = quote + 1;
    }
    // In a query, `to=name@example.com`; in a URL, `%20name@example.com`.
    let name = &text[start..end];
    if let Some(cut) = name.rfind(['=', '&', '|', '{', '}', '#']) {
        start += cut + 1;
    }
    if text[start..end].starts_with("20") && text[..start].ends_with('%') {
        start += 2;
    }
    let ends_well = visible_before(text, end).is_some_and(|(c, _)| c != '.');
    (start < end && ends_well).then_some(start)
}

/// Where the domain ends that starts at `start`: two labels at least, the last one of letters.
fn domain(text: &str, start: usize) -> Option<usize> {
    let (mut at, mut label) = (start, start);
    let mut labels = 0;
    let mut end = None;
    loop {
        let c = char_at(text, at).map(narrow);
        let inner = c.is_some_and(|c| is_inner(c) || c == '-' || is_invisible(c));
        if inner && at - start < LONGEST {
            at += char_at(text, at).map_or(1, char::len_utf8);
            continue;
        }
        let name = text[label..at].trim_end_matches('-');
        if name.is_empty() || name.starts_with('-') {
            break;
        }
        labels += 1;
        let top = name.len() - glued(name);
        if labels > 1 && is_top(&name[..top]) {
            end = Some(label + top);
        }
        if !matches!(c, Some('.' | '\u{3002}')) {
            break;
        }
        at += char_at(text, at).map_or(1, char::len_utf8);
        label = at;
    }
    end
}

/// How much of the end of a label is a number that nobody set apart from it, as behind the first column of
/// `name@example.com77011234567`: more digits than versions and machines have.
fn glued(label: &str) -> usize {
    const FEWEST: usize = 5;
    let digits = label.len() - label.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    if digits < FEWEST { 0 } else { digits }
}

/// Whether a name may be that of a top-level domain.
fn is_top(name: &str) -> bool {
    let mut count = 0;
    let letters = name.chars().filter(|c| !is_invisible(*c)).all(|c| {
        count += 1;
        narrow(c).is_alphabetic()
    });
    let file = FILES.iter().any(|file| name.eq_ignore_ascii_case(file));
    (letters && count >= 2 && !file) || name.starts_with("xn--")
}

/// An IPv4 address in the four groups from `first` on.
pub(super) fn v4(look: &mut Look<'_>, cluster: &Cluster, first: usize) {
    let groups = &cluster.groups[first..];
    let Some([one, rest @ ..]) = groups.get(..4) else {
        return;
    };
    if !rest.iter().all(|group| group.gap.is_dot()) || (first > 0 && one.gap.is_dot()) {
        return;
    }
    if groups.get(4).is_some_and(|fifth| fifth.gap.is_dot()) {
        return;
    }
    let mut small = true;
    for at in first..first + 4 {
        let digits = cluster.digits(at, at);
        if digits.len() > 3 {
            return;
        }
        let value = digits.iter().fold(0_u32, |n, d| n * 10 + u32::from(*d));
        if value > 255 || (digits.len() > 1 && digits[0] == 0) {
            return;
        }
        // Of nobody: a machine itself, any address, a mask.
        if at == first && matches!(value, 0 | 127 | 255) {
            return;
        }
        small &= value < 32;
    }
    let (start, end) = (one.start, rest[2].end);
    let text = look.text;
    let touches =
        visible_before(text, start).is_some_and(|(c, _)| is_inner(c) || c == '.' || c == '_');
    let goes_on = char_at(text, end).is_some_and(|c| is_inner(c) || c == '_');
    if touches || goes_on {
        return;
    }
    if look.says(start, Cue::VERSION.or(Cue::CLAUSE), 2) {
        return;
    }
    // `1.2.3.4 Payment terms`: the number of a heading.
    if small && heads_line(text, start) && char_at(text, end).is_some_and(is_blank) {
        return;
    }
    look.hit(Hit::new(Class::IP, start..end, Certainty::Formed));
}

/// Whether nothing stands before it in its line.
fn heads_line(text: &str, start: usize) -> bool {
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    text[line..start].chars().all(|c| is_blank(c) || c == '#')
}

/// `17:00`, `9:05:30`.
fn is_time(run: &str) -> bool {
    let is_part =
        |part: &str| matches!(part.len(), 1..=2) && part.bytes().all(|byte| byte.is_ascii_digit());
    run.split(':').all(is_part)
}

/// The IPv6 address around the colon at `at`. Returns where to go on.
pub(super) fn v6(look: &mut Look<'_>, at: usize) -> usize {
    let bytes = look.text.as_bytes();
    let fits = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b':' || *byte == b'.';
    let hex = bytes[..at]
        .iter()
        .rev()
        .take(4)
        .take_while(|byte| byte.is_ascii_hexdigit());
    let start = at - hex.count();
    let length = bytes[start..]
        .iter()
        .take(64)
        .take_while(|byte| fits(byte))
        .count();
    let mut run = &look.text[start..start + length];
    run = run.trim_end_matches('.');
    // What is no address is looked at by the others, but for the time of a day: a number behind it does
    // not begin with its minutes.
    let next = if is_time(run) { start + length } else { at + 1 };
    if run.ends_with(':') && !run.ends_with("::") {
        run = &run[..run.len() - 1];
    }
    let end = start + run.len();
    if run.len() < 6 || run.bytes().filter(|byte| *byte == b':').count() < 2 {
        return next;
    }
    let touched = |c: Option<char>| c.is_some_and(|c| is_inner(c) || c == '_' || c == ':');
    if touched(char_before(look.text, start)) || touched(char_at(look.text, end)) {
        return next;
    }
    // `a::b` is code; an address has digits, and more than a few.
    let enough = run.bytes().any(|byte| byte.is_ascii_digit())
        && run.bytes().filter(u8::is_ascii_hexdigit).count() >= 5;
    if enough && run.parse::<Ipv6Addr>().is_ok() {
        look.hit(Hit::new(Class::IP, start..end, Certainty::Formed));
        return end.max(at + 1);
    }
    next
}
