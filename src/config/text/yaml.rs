//! A YAML text as a figment provider, by the events of `saphyr-parser`.
//! <https://yaml.org/spec/1.2.2/#103-core-schema> (read 2026-11)
//!
//! Plain scalars follow the core schema less octal and hexadecimal: `yes` and `1:30` are text.
//! Anchors, aliases, tags and further documents are refused: a configuration says what it says
//! where it says it, and a few lines cannot unfold into gigabytes.

use std::borrow::Cow;

use figment::value::{Dict, Empty, Map, Value};
use figment::{Error, Metadata, Profile, Provider};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput};

use super::Marks;
use crate::config::path::{Path, Position};

/// Levels of maps and lists; a real configuration has about eight.
const DEEPEST: usize = 64;

/// The keys of one YAML text.
pub(in crate::config) struct Document(Dict);

impl Document {
    pub(in crate::config) fn of(keys: Dict) -> Self {
        Self(keys)
    }
}

impl Provider for Document {
    fn metadata(&self) -> Metadata {
        Metadata::named("YAML text")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Profile::Default.collect(self.0.clone()))
    }
}

/// `None` after a problem that ends the reading.
pub(super) fn read(text: &str, marks: &mut Marks<'_>) -> Option<Document> {
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        marks,
    };
    let root = Path::root();
    let keys = loop {
        let (event, span) = reader.next(&root)?;
        match event {
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            Event::StreamEnd => return Some(Document(Dict::new())),
            event => match reader.value(event, span, &root, 0)? {
                Value::Dict(_, keys) => break keys,
                Value::Empty(..) => break Dict::new(),
                _ => return reader.refuse(&root, span.start, "is not a map of keys", None),
            },
        }
    };
    loop {
        let (event, span) = reader.next(&root)?;
        match event {
            Event::DocumentEnd => {}
            Event::StreamEnd => return Some(Document(keys)),
            _ => {
                let hint = Some("write one configuration in a file");
                return reader.refuse(&root, span.start, "holds a second document", hint);
            }
        }
    }
}

struct Reader<'a, 'm> {
    events: Parser<'a, StrInput<'a>>,
    marks: &'a mut Marks<'m>,
}

impl<'a> Reader<'a, '_> {
    fn value(&mut self, event: Event<'a>, span: Span, path: &Path, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return self.refuse(path, span.start, "is nested too deeply", None);
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_extras(anchor, tag.is_some(), span, path)?;
                Some(scalar(text, style))
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_extras(anchor, tag.is_some(), span, path)?;
                self.list(path, depth)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_extras(anchor, tag.is_some(), span, path)?;
                self.map(path, depth)
            }
            Event::Alias(_) => {
                let hint = Some("write the value out");
                self.refuse(path, span.start, "is an alias (`*name`)", hint)
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => self.refuse(path, span.start, "has no value", None),
        }
    }

    fn list(&mut self, path: &Path, depth: usize) -> Option<Value> {
        let mut items = Vec::new();
        loop {
            let path = path.index(items.len());
            let (event, span) = self.next(&path)?;
            if event == Event::SequenceEnd {
                return Some(items.into());
            }
            self.marks.begins(&path, position(span.start));
            items.push(self.value(event, span, &path, depth + 1)?);
        }
    }

    fn map(&mut self, path: &Path, depth: usize) -> Option<Value> {
        let mut entries = Dict::new();
        loop {
            let (event, span) = self.next(path)?;
            let name = match event {
                Event::MappingEnd => return Some(entries.into()),
                Event::Scalar(name, _, anchor, tag) => {
                    self.refuse_extras(anchor, tag.is_some(), span, path)?;
                    name.into_owned()
                }
                _ => return self.refuse(path, span.start, "has a key that is not text", None),
            };
            let path = path.key(&*name);
            let first = self.marks.begins(&path, position(span.start));
            let within = self.marks.twin;
            self.marks.twin |= !first;
            let (event, span) = self.next(&path)?;
            let value = self.value(event, span, &path, depth + 1)?;
            self.marks.twin = within;
            if first {
                entries.insert(name, value);
            }
        }
    }

    fn next(&mut self, path: &Path) -> Option<(Event<'a>, Span)> {
        match self.events.next_event() {
            Some(Ok(event)) => Some(event),
            Some(Err(error)) => {
                let message = format!("is not YAML: {}", error.info());
                self.refuse(&Path::root(), *error.marker(), &message, None)
            }
            None => self.refuse(path, Marker::new(0, 1, 0), "ends too early", None),
        }
    }

    fn refuse_extras(&mut self, anchor: usize, tag: bool, span: Span, path: &Path) -> Option<()> {
        if anchor != 0 {
            let hint = Some("write the value out where it is used");
            return self.refuse(path, span.start, "has an anchor (`&name`)", hint);
        }
        if tag {
            let hint = Some("put text that begins with `!` into quotes");
            return self.refuse(path, span.start, "has a tag (`!name`)", hint);
        }
        Some(())
    }

    fn refuse<T>(
        &mut self,
        path: &Path,
        at: Marker,
        message: &str,
        hint: Option<&str>,
    ) -> Option<T> {
        self.marks.problem(path, position(at), message, hint);
        None
    }
}

fn position(marker: Marker) -> Position {
    Position {
        line: marker.line().max(1),
        column: marker.col() + 1,
    }
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return text.into_owned().into();
    }
    match &*text {
        "" | "~" | "null" | "Null" | "NULL" => Empty::None.into(),
        "true" | "True" | "TRUE" => true.into(),
        "false" | "False" | "FALSE" => false.into(),
        plain => number(plain).unwrap_or_else(|| text.into_owned().into()),
    }
}

fn number(plain: &str) -> Option<Value> {
    let digits = plain.strip_prefix(['-', '+']).unwrap_or(plain);
    // Rust reads `inf` and `NaN` as numbers; the core schema has a digit in each.
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Ok(number) = plain.parse::<u64>() {
        return Some(number.into());
    }
    if let Ok(number) = plain.parse::<i64>() {
        return Some(number.into());
    }
    plain.parse::<f64>().ok().map(Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::text::{Format, parse};

    fn value_of(plain: &str) -> Value {
        scalar(plain.into(), ScalarStyle::Plain)
    }

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for text in [
            "5%",
            "30s",
            "2027-06-30",
            "sha256:00ff",
            "gpt-4o",
            "yes",
            "off",
            "1:30",
            "0x10",
            "0o17",
            "inf",
            ".inf",
            "NaN",
            "1.2.3",
            "127.0.0.1:4100",
            "-",
            ".",
        ] {
            assert_eq!(value_of(text).as_str(), Some(text), "{text}");
        }
        for (text, number) in [("0", 0_u64), ("007", 7), ("+12", 12)] {
            assert_eq!(value_of(text).to_u128(), Some(number.into()), "{text}");
        }
        assert_eq!(value_of("-3").to_i128(), Some(-3));
        for (text, number) in [("1.5", 1.5), ("1e3", 1000.0), (".5", 0.5), ("-2.", -2.0)] {
            assert_eq!(value_of(text).to_f64(), Some(number), "{text}");
        }
        for text in ["", "~", "null"] {
            assert_eq!(value_of(text), Value::from(Empty::None), "{text}");
        }
        assert_eq!(value_of("True").to_bool(), Some(true));
        assert_eq!(
            scalar("true".into(), ScalarStyle::DoubleQuoted).as_str(),
            Some("true")
        );
    }

    #[test]
    fn what_a_configuration_may_not_hold_is_refused_with_its_place() {
        let deep = format!("a: {}", "[".repeat(100));
        for (text, said) in [
            ("a: &x 1\n", "f:1:4: a: has an anchor"),
            ("a: 1\nb: *x\n", "unknown anchor"),
            ("a: !!str 1\n", "f:1:4: a: has a tag"),
            ("a: 1\n---\nb: 2\n", "second document"),
            ("- a\n- b\n", "f:1:1: is not a map of keys"),
            ("? [a]\n: 1\n", "f:1:3: has a key that is not text"),
            ("a: [1, 2\nb: 3\n", "f:2:2: is not YAML"),
            (&deep, "nested too deeply"),
        ] {
            let problems = parse(Format::Yaml, "f", text).err().unwrap();
            assert_eq!(problems.len(), 1, "{text}");
            assert!(
                problems[0].to_string().contains(said),
                "{text}: {}",
                problems[0]
            );
        }
    }
}
