//! A record as it is written here, read by what is known of its form: the members in their order, and no
//! blank between them.
//!
//! Whatever is not so is left to the reader that takes any JSON. Nothing can be mistaken for the name of
//! the next member: a quotation mark inside a text is escaped.

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::LazyLock;

use memchr::memchr2;
use memchr::memmem::Finder;

use super::row::{BEGINNING, MEMBERS, Row, Tokens, counted};

/// Behind a list or an object comes the name of the next member: what its end is found by.
static ENDS: LazyLock<Vec<[Finder<'static>; 2]>> = LazyLock::new(|| {
    let ends = MEMBERS.iter().map(|name| {
        let end = |close: &str| Finder::new(format!("{close},\"{name}\":").as_bytes()).into_owned();
        [end("]"), end("}")]
    });
    ends.collect()
});

/// The form is another than ours.
pub(super) struct Other;

type Result<T> = std::result::Result<T, Other>;

/// The record that `text` is.
pub(super) fn read(text: &str) -> Result<Row<'_>> {
    let mut rest = Rest {
        text,
        at: BEGINNING.len(),
    };
    let mut row = Row::default();
    for (place, name) in MEMBERS.iter().enumerate().skip(1) {
        let value = rest.member(name, place).ok_or(Other)?;
        match place {
            1 => row.time = word(value).ok_or(Other)?,
            4 => row.key = maybe(value)?,
            5 => row.team = maybe(value)?,
            6 => row.service = maybe(value)?,
            7 => row.environment = maybe(value)?,
            9 => row.route = maybe(value)?,
            10 => row.rule = maybe(value)?,
            11 => row.surface = plain(value)?,
            12 => row.stream = read_as(value)?,
            14 => row.attempts = value,
            16 => row.outcome = word(value).ok_or(Other)?,
            17 => row.reason = maybe(value)?,
            18 => row.target = maybe(value)?,
            19 => row.provider = maybe(value)?,
            20 => row.model = maybe(value)?,
            21 => row.first_token_ms = read_as(value)?,
            22 => row.total_ms = read_as(value)?,
            23 => row.usage = tokens(value)?,
            24 => row.cost = plain(value)?,
            25 => row.currency = plain(value)?,
            26 => row.found = found(value)?,
            31 => row.seq = read_as(value)?,
            33 => row.hash = plain(value)?,
            _ => {}
        }
    }
    if &text[rest.at..] == "}" {
        Ok(row)
    } else {
        Err(Other)
    }
}

/// What is left of a record.
struct Rest<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Rest<'a> {
    /// The value of the next member, which is called `name`.
    fn member(&mut self, name: &str, place: usize) -> Option<&'a str> {
        let rest = self.text[self.at..].strip_prefix(",\"")?;
        let value = rest.strip_prefix(name)?.strip_prefix("\":")?;
        let bytes = value.as_bytes();
        let length = match bytes.first()? {
            b'"' => {
                let end = memchr2(b'"', b'\\', &bytes[1..])? + 1;
                (bytes[end] == b'"').then_some(end + 1)?
            }
            b'[' => ENDS.get(place + 1)?[0].find(bytes)? + 1,
            b'{' => ENDS.get(place + 1)?[1].find(bytes)? + 1,
            _ => bytes.iter().position(|byte| matches!(byte, b',' | b'}'))?,
        };
        self.at += ",\"\":".len() + name.len() + length;
        Some(&value[..length])
    }
}

fn word(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.strip_suffix('"')
}

/// A text, or null.
fn plain(value: &str) -> Result<Option<&str>> {
    match value {
        "null" => Ok(None),
        value => word(value).map(Some).ok_or(Other),
    }
}

fn maybe(value: &str) -> Result<Option<Cow<'_, str>>> {
    Ok(plain(value)?.map(Cow::Borrowed))
}

/// A number, true or false, or null.
fn read_as<T: FromStr>(value: &str) -> Result<Option<T>> {
    match value {
        "null" => Ok(None),
        value => value.parse().map(Some).map_err(|_| Other),
    }
}

fn tokens(value: &str) -> Result<Option<Tokens>> {
    if value == "null" {
        return Ok(None);
    }
    let inner = value.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
    let mut members = inner.ok_or(Other)?.split(',');
    let mut member = |name: &str| {
        let rest = members.next()?.strip_prefix('"')?.strip_prefix(name)?;
        rest.strip_prefix("\":")
    };
    let mut count = |name| read_as(member(name).ok_or(Other)?).map(counted);
    let mut tokens = Tokens {
        prompt: count("prompt")?,
        cached: count("cached")?,
        cache_write: count("cache_write")?,
        reasoning: count("reasoning")?,
        completion: count("completion")?,
        ..Tokens::default()
    };
    let estimated = member("estimated").ok_or(Other)?;
    tokens.estimated = read_as(estimated)?.ok_or(Other)?;
    match members.next() {
        None => Ok(Some(tokens)),
        Some(_) => Err(Other),
    }
}

fn found(value: &str) -> Result<Option<&str>> {
    if value == "null" {
        return Ok(None);
    }
    let found = value.strip_prefix("{\"found\":").ok_or(Other)?;
    let end = found.find('}').ok_or(Other)?;
    if found.starts_with('{') {
        Ok(Some(&found[..=end]))
    } else {
        Err(Other)
    }
}
