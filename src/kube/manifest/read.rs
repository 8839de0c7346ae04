//! The objects of a text, with the place of each of their members.
//!
//! YAML by the events of `saphyr-parser`; values as kubectl reads them (`scalar`), aliases and merges (`<<`)
//! written out.

use std::collections::{BTreeMap, HashMap};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Map, Value};

use super::scalar::plain;
use super::{Document, Format, Note, Position};
use crate::kube::Pointer;
use crate::kube::json::Tree;

/// Levels of maps and lists; a workload has about fifteen.
const DEEPEST: usize = 100;
/// Values, those counted that aliases repeat: a few lines must not unfold into gigabytes.
const MOST: usize = 500_000;

/// Objects in JSON, one after the other. `None` where it is none: JSON is YAML, but not all of it to every
/// parser. What is wrong with it is told as of YAML, with its place.
pub(super) fn json(text: &str) -> Option<Vec<Document>> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let mut objects = serde_json::Deserializer::from_str(text).into_iter::<Tree<MOST>>();
    let mut read = Vec::new();
    let mut from = 0;
    while let Some(object) = objects.next() {
        let Tree(value) = object.ok()?;
        let end = objects.byte_offset();
        read.push(Document {
            text: text.get(from..end)?.trim_start().to_owned(),
            format: Format::Json,
            value: Some(value),
            positions: BTreeMap::new(),
            changed: false,
        });
        from = end;
    }
    Some(read)
}

/// # Errors
/// It is not YAML, or holds what no manifest holds.
pub(super) fn yaml(text: &str) -> Result<Vec<Document>, Note> {
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        anchors: HashMap::new(),
        positions: BTreeMap::new(),
        values: 0,
    };
    let mut found: Vec<(usize, Option<Value>, BTreeMap<Pointer, Position>)> = Vec::new();
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => break,
            Event::DocumentStart(_) => found.push((span.start.index(), None, BTreeMap::new())),
            Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
            event => {
                let value = reader.value(event, span, &Pointer::root(), 0)?;
                if let Some((_, last, positions)) = found.last_mut() {
                    *last = Some(value).filter(|value| !value.is_null());
                    *positions = std::mem::take(&mut reader.positions);
                }
                reader.anchors.clear();
            }
        }
    }
    // What stands before the first one (comments, directives) is of the first.
    let starts: Vec<_> = found.iter().skip(1).map(|(start, ..)| *start).collect();
    let mut texts = cut(text, &starts).into_iter();
    if found.is_empty() {
        found.push((0, None, BTreeMap::new()));
    }
    let documents = found.into_iter().map(|(_, value, positions)| Document {
        text: texts.next().unwrap_or_default().to_owned(),
        format: Format::Yaml,
        value,
        positions,
        changed: false,
    });
    Ok(documents.collect())
}

/// A text in pieces, of which all but the first begin at these characters.
fn cut<'a>(text: &'a str, starts: &[usize]) -> Vec<&'a str> {
    let mut starts = starts.iter().copied().peekable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for (nth, (byte, _)) in text.char_indices().enumerate() {
        while starts.next_if(|start| *start == nth).is_some() {
            pieces.push(&text[from..byte]);
            from = byte;
        }
    }
    pieces.push(&text[from..]);
    pieces
}

const TOO_LARGE: &str = "is nested too deeply, or too large";

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    /// With how many values each is.
    anchors: HashMap<usize, (Value, usize)>,
    positions: BTreeMap<Pointer, Position>,
    values: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Note> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(Note {
                at: Some(position(*error.marker())),
                path: String::new(),
                message: format!("is not YAML: {}", error.info()),
            }),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn value(
        &mut self,
        event: Event<'a>,
        span: Span,
        at: &Pointer,
        depth: usize,
    ) -> Result<Value, Note> {
        let before = self.values;
        self.values += 1;
        if depth > DEEPEST || self.values > MOST {
            return Err(wrong(span, at, TOO_LARGE));
        }
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = if style == ScalarStyle::Plain {
                    plain(&text)
                } else {
                    text.as_ref().into()
                };
                let value = match tag.as_deref() {
                    None => value,
                    Some(tag) => tagged(tag, &text, value)
                        .ok_or_else(|| wrong(span, at, "has a tag that no manifest has"))?,
                };
                (value, anchor)
            }
            Event::SequenceStart(anchor, _) => (self.list(at, depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.map(at, depth)?, anchor),
            Event::Alias(anchor) => {
                let Some((value, size)) = self.anchors.get(&anchor) else {
                    return Err(wrong(span, at, "is an alias of something that holds it"));
                };
                self.values += size;
                if self.values > MOST {
                    return Err(wrong(span, at, TOO_LARGE));
                }
                (value.clone(), 0)
            }
            _ => return Err(wrong(span, at, "has no value")),
        };
        if anchor != 0 {
            let size = self.values - before;
            self.anchors.insert(anchor, (value.clone(), size));
        }
        Ok(value)
    }

    fn list(&mut self, at: &Pointer, depth: usize) -> Result<Value, Note> {
        let mut items = Vec::new();
        loop {
            let at = at.index(items.len());
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(items.into());
            }
            self.positions.insert(at.clone(), position(span.start));
            items.push(self.value(event, span, &at, depth + 1)?);
        }
    }

    fn map(&mut self, at: &Pointer, depth: usize) -> Result<Value, Note> {
        let mut members = Map::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let (name, style) = match event {
                Event::MappingEnd => break,
                Event::Scalar(name, style, ..) => (name, style),
                _ => return Err(wrong(span, at, "has a key that is not text")),
            };
            let below = at.key(&name);
            let (event, value_span) = self.next()?;
            let value = self.value(event, value_span, &below, depth + 1)?;
            if name == "<<" && style == ScalarStyle::Plain {
                merged.push(value);
                continue;
            }
            if members.contains_key(&*name) {
                return Err(wrong(span, &below, "is written twice"));
            }
            self.positions.insert(below, position(span.start));
            members.insert(name.into_owned(), value);
        }
        for value in merged {
            merge(value, &mut members);
        }
        Ok(members.into())
    }
}

/// What is said itself goes before what is merged, and of a list of maps the first before the next.
fn merge(value: Value, members: &mut Map<String, Value>) {
    match value {
        Value::Object(more) => {
            for (name, value) in more {
                members.entry(name).or_insert(value);
            }
        }
        Value::Array(all) => all.into_iter().for_each(|value| merge(value, members)),
        _ => {}
    }
}

/// By a tag of the core schema; `None` for another.
fn tagged(tag: &Tag, text: &str, value: Value) -> Option<Value> {
    match (tag.handle.as_str(), tag.suffix.as_str()) {
        // `! text` is text.
        ("tag:yaml.org,2002:", "str") | ("", "!") | ("!", "") => Some(text.into()),
        ("tag:yaml.org,2002:", "int" | "float" | "bool" | "null") => Some(if value.is_string() {
            plain(text)
        } else {
            value
        }),
        _ => None,
    }
}

fn position(marker: Marker) -> Position {
    (marker.line().max(1), marker.col() + 1)
}

fn wrong(span: Span, at: &Pointer, message: &str) -> Note {
    Note {
        at: Some(position(span.start)),
        path: at.to_string(),
        message: message.to_owned(),
    }
}
