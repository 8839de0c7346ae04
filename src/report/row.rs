//! One audit record, read from its line: what a report goes by, borrowed, and nothing else.
//!
//! A million of them are read in a second or two, so there is no tree and no copy. A line is walked once, what is not
//! asked for is passed over, and one that is just as we write it is read by [`quick`].

use std::borrow::Cow;

use memchr::memchr_iter;

use super::quick;
use crate::chat::Usage;
use crate::wire::json::{Cursor, Invalid, Kind, Text};

/// What every record begins with.
pub(super) const BEGINNING: &str = r#"{"kind":"pillion.audit""#;

/// A record. What is null there is `None`.
#[derive(Debug, Clone, Default)]
pub struct Row<'a> {
    /// RFC 3339 in UTC, to the millisecond: such texts compare as the instants do.
    pub time: &'a str,
    pub key: Option<Cow<'a, str>>,
    pub team: Option<Cow<'a, str>>,
    pub service: Option<Cow<'a, str>>,
    pub environment: Option<Cow<'a, str>>,
    pub route: Option<Cow<'a, str>>,
    pub rule: Option<Cow<'a, str>>,
    pub surface: Option<&'a str>,
    pub stream: Option<bool>,
    pub outcome: &'a str,
    pub reason: Option<Cow<'a, str>>,
    pub target: Option<Cow<'a, str>>,
    pub provider: Option<Cow<'a, str>>,
    pub model: Option<Cow<'a, str>>,
    pub first_token_ms: Option<u64>,
    pub total_ms: Option<u64>,
    pub usage: Option<Tokens>,
    /// A decimal.
    pub cost: Option<&'a str>,
    pub currency: Option<&'a str>,
    /// The JSON of the attempts, an array.
    pub attempts: &'a str,
    /// The JSON of what was found of personal data, an object.
    pub found: Option<&'a str>,
    pub seq: Option<u64>,
    pub hash: Option<&'a str>,
}

/// Tokens of one record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    pub prompt: Option<u64>,
    pub cached: Option<u64>,
    pub cache_write: Option<u64>,
    pub reasoning: Option<u64>,
    pub completion: Option<u64>,
    pub estimated: bool,
    /// What of prompt and completion was sound.
    pub audio_input: Option<u64>,
    pub audio_output: Option<u64>,
}

/// One attempt of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempt<'a> {
    pub target: Cow<'a, str>,
    pub class: Cow<'a, str>,
    pub ms: u64,
    pub first_token_ms: Option<u64>,
}

/// What a line of a file, or of a log, is.
#[derive(Debug)]
pub enum Line<'a> {
    Record(Box<Row<'a>>),
    /// Nothing of ours: another log's, or an empty one.
    Other,
    /// It begins as a record does, and is none.
    Broken,
}

/// Reads a line, without its line feed. What a log puts before a record is passed over.
pub fn line(text: &[u8]) -> Line<'_> {
    let Ok(text) = std::str::from_utf8(text) else {
        return Line::Other;
    };
    let text = text.trim_end_matches('\r');
    let record = if text.starts_with(BEGINNING) {
        text
    } else if let Some(at) = text.find(BEGINNING) {
        &text[at..]
    } else if text.len() > 8 && BEGINNING.starts_with(text) {
        return Line::Broken;
    } else {
        return Line::Other;
    };
    if let Ok(row) = quick::read(record) {
        return Line::Record(Box::new(row));
    }
    match read(record) {
        Ok(row) => Line::Record(Box::new(row)),
        Err(_) => Line::Broken,
    }
}

/// The members of a record, in the order in which they are written.
pub(super) const MEMBERS: [&str; 34] = [
    "kind",
    "time",
    "id",
    "trace_id",
    "key",
    "team",
    "service",
    "environment",
    "instance",
    "route",
    "rule",
    "surface",
    "stream",
    "plan",
    "attempts",
    "status",
    "outcome",
    "reason",
    "target",
    "provider",
    "model",
    "first_token_ms",
    "total_ms",
    "usage",
    "cost",
    "currency",
    "privacy",
    "residency",
    "dropped",
    "content",
    "config_version",
    "seq",
    "prev",
    "hash",
];

/// Finds members by their place in the usual order: almost always it is the next one.
struct Order<'k> {
    members: &'k [&'static str],
    next: usize,
}

impl<'k> Order<'k> {
    fn of(members: &'k [&'static str]) -> Self {
        Self { members, next: 0 }
    }

    /// Which of the members `key` is.
    fn place(&mut self, key: &str) -> Option<usize> {
        let is_next = self.members.get(self.next).is_some_and(|next| *next == key);
        let place = if is_next {
            self.next
        } else {
            self.members.iter().position(|member| *member == key)?
        };
        self.next = place + 1;
        Some(place)
    }
}

fn read(text: &str) -> Result<Row<'_>, Invalid> {
    let mut row = Row::default();
    let mut cursor = Cursor::new(text);
    let mut order = Order::of(&MEMBERS);
    cursor.object(|cursor, key| {
        match order.place(key.raw()) {
            Some(1) => row.time = plain(cursor)?.unwrap_or_default(),
            Some(4) => row.key = word(cursor)?,
            Some(5) => row.team = word(cursor)?,
            Some(6) => row.service = word(cursor)?,
            Some(7) => row.environment = word(cursor)?,
            Some(9) => row.route = word(cursor)?,
            Some(10) => row.rule = word(cursor)?,
            Some(11) => row.surface = plain(cursor)?,
            Some(12) => row.stream = truth(text, cursor)?,
            Some(14) => row.attempts = &text[cursor.skip()?],
            Some(16) => row.outcome = plain(cursor)?.unwrap_or_default(),
            Some(17) => row.reason = word(cursor)?,
            Some(18) => row.target = word(cursor)?,
            Some(19) => row.provider = word(cursor)?,
            Some(20) => row.model = word(cursor)?,
            Some(21) => row.first_token_ms = cursor.integer_or_skip()?,
            Some(22) => row.total_ms = cursor.integer_or_skip()?,
            Some(23) => row.usage = tokens(text, cursor)?,
            Some(24) => row.cost = plain(cursor)?,
            Some(25) => row.currency = plain(cursor)?,
            Some(26) => row.found = found(text, cursor)?,
            Some(31) => row.seq = cursor.integer_or_skip()?,
            Some(33) => row.hash = plain(cursor)?,
            _ => {}
        }
        Ok::<(), Invalid>(())
    })?;
    cursor.end()?;
    Ok(row)
}

/// A text, or `None` where there is null.
fn word<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Cow<'a, str>>, Invalid> {
    Ok(cursor.string_or_skip()?.map(Text::decode))
}

/// A text of our own words, which has no escapes.
fn plain<'a>(cursor: &mut Cursor<'a>) -> Result<Option<&'a str>, Invalid> {
    Ok(cursor.string_or_skip()?.map(Text::raw))
}

fn truth(text: &str, cursor: &mut Cursor<'_>) -> Result<Option<bool>, Invalid> {
    Ok(match &text[cursor.skip()?] {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    })
}

fn tokens(text: &str, cursor: &mut Cursor<'_>) -> Result<Option<Tokens>, Invalid> {
    if cursor.kind()? != Kind::Object {
        cursor.skip()?;
        return Ok(None);
    }
    let count = |cursor: &mut Cursor<'_>| Ok::<_, Invalid>(counted(cursor.integer_or_skip()?));
    let mut tokens = Tokens::default();
    cursor.object(|cursor, key| {
        match key.raw() {
            "prompt" => tokens.prompt = count(cursor)?,
            "cached" => tokens.cached = count(cursor)?,
            "cache_write" => tokens.cache_write = count(cursor)?,
            "reasoning" => tokens.reasoning = count(cursor)?,
            "completion" => tokens.completion = count(cursor)?,
            "audio_input" => tokens.audio_input = count(cursor)?,
            "audio_output" => tokens.audio_output = count(cursor)?,
            "estimated" => tokens.estimated = truth(text, cursor)?.unwrap_or_default(),
            _ => {}
        }
        Ok::<(), Invalid>(())
    })?;
    Ok(Some(tokens))
}

/// What no provider can have counted is in no sum.
pub(super) fn counted(said: Option<u64>) -> Option<u64> {
    said.filter(|tokens| *tokens < Usage::MOST)
}

fn found<'a>(text: &'a str, cursor: &mut Cursor<'a>) -> Result<Option<&'a str>, Invalid> {
    if cursor.kind()? != Kind::Object {
        cursor.skip()?;
        return Ok(None);
    }
    let mut found = None;
    cursor.object(|cursor, key| {
        if key.raw() == "found" && cursor.kind()? == Kind::Object {
            found = Some(&text[cursor.skip()?]);
        }
        Ok::<(), Invalid>(())
    })?;
    Ok(found)
}

impl<'a> Row<'a> {
    /// Shows `each` the attempts, in order.
    pub fn attempts(&self, mut each: impl FnMut(Attempt<'a>)) {
        let walked = Cursor::new(self.attempts).array(|cursor| {
            let mut attempt = Attempt::default();
            cursor.object(|cursor, key| {
                match key.raw() {
                    "target" => attempt.target = word(cursor)?.unwrap_or_default(),
                    "class" => attempt.class = word(cursor)?.unwrap_or_default(),
                    "ms" => attempt.ms = cursor.integer_or_skip()?.unwrap_or_default(),
                    "first_token_ms" => attempt.first_token_ms = cursor.integer_or_skip()?,
                    _ => {}
                }
                Ok::<(), Invalid>(())
            })?;
            each(attempt);
            Ok::<(), Invalid>(())
        });
        // They were passed over once, so they are JSON; no attempts stand for the impossible.
        drop(walked);
    }

    /// Whether more than one target was asked.
    pub fn fell_back(&self) -> bool {
        // Most requests have one attempt, which need not be read for this.
        if memchr_iter(b'{', self.attempts.as_bytes()).nth(1).is_none() {
            return false;
        }
        let mut first: Option<Cow<'_, str>> = None;
        let mut others = false;
        self.attempts(|attempt| match &first {
            Some(first) => others |= *first != attempt.target,
            None => first = Some(attempt.target),
        });
        others
    }

    /// Shows `each` the classes of personal data that were found.
    pub fn classes(&self, mut each: impl FnMut(&str)) {
        let Some(found) = self.found else { return };
        let walked = Cursor::new(found).object(|cursor, class| {
            if cursor.integer_or_skip()?.is_some_and(|count| count > 0) {
                each(&class.decode());
            }
            Ok::<(), Invalid>(())
        });
        drop(walked);
    }
}

#[cfg(test)]
mod tests;
