//! JSON schemas as Claude takes them, wherever it runs.
//!
//! A tool's schema goes as it came, byte for byte, but for a `type` that is missing. Where the form
//! of an answer is bound to a schema the APIs refuse keywords that they cannot bind; these move into
//! the description, where the model at least reads them.
//! `docs/en/build-with-claude/structured-outputs` at platform.claude.com (read 2026-11).

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::chat::Unsupported;
use crate::wire::edit::Object;
use crate::wire::json::Cursor;

/// Keywords that bind no answer.
const MOVED: &[&str] = &[
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "not",
];

const FORMATS: &[&str] = &[
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "uri",
    "ipv4",
    "ipv6",
    "uuid",
];

/// Keywords whose members are schemas.
const MAPS: &[&str] = &["properties", "$defs", "definitions"];
/// Keywords that are a schema, or a list of schemas.
const NESTED: &[&str] = &["items", "prefixItems", "anyOf", "allOf"];

/// The schema of a tool's arguments.
///
/// # Errors
/// It is no object.
pub fn of_arguments(schema: Option<&RawValue>) -> Result<Cow<'_, RawValue>, Unsupported> {
    let Some(given) = schema else {
        return Ok(Cow::Owned(made(
            r#"{"type":"object","properties":{}}"#.into(),
        )?));
    };
    let text = given.get();
    let object = Object::read(&mut Cursor::new(text)).map_err(|_| no_object())?;
    if object.get("type").is_some() {
        return Ok(Cow::Borrowed(given));
    }
    // It begins with a brace, or it would not have been read.
    let rest = text.trim_start().strip_prefix('{').unwrap_or_default();
    let typed = match object.len() {
        0 => r#"{"type":"object","properties":{}}"#.to_owned(),
        _ => format!(r#"{{"type":"object",{rest}"#),
    };
    Ok(Cow::Owned(made(typed)?))
}

/// `schema` as an answer can be bound to it: itself, if it already is.
///
/// # Errors
/// It is no object.
pub fn binding(schema: Cow<'_, RawValue>) -> Result<Cow<'_, RawValue>, Unsupported> {
    let mut tree: Value = serde_json::from_str(schema.get()).map_err(|_| no_object())?;
    if !tree.is_object() {
        return Err(no_object());
    }
    if narrow(&mut tree) {
        Ok(Cow::Owned(made(tree.to_string())?))
    } else {
        Ok(schema)
    }
}

fn made(text: String) -> Result<Box<RawValue>, Unsupported> {
    RawValue::from_string(text).map_err(|_| no_object())
}

fn no_object() -> Unsupported {
    Unsupported::invalid("tools", "A JSON schema must be an object.")
}

/// Takes out what cannot be bound, here and below; tells whether there was any.
fn narrow(schema: &mut Value) -> bool {
    let Value::Object(map) = schema else {
        return false;
    };
    let mut changed = false;
    if map.contains_key("$ref") {
        let before = map.len();
        map.retain(|key, _| matches!(&**key, "$ref" | "$defs" | "definitions"));
        changed |= map.len() != before;
    }
    changed |= describe(map);
    if map.contains_key("oneOf") && !map.contains_key("anyOf") {
        let variants = map.shift_remove("oneOf");
        map.extend(variants.map(|variants| ("anyOf".to_owned(), variants)));
        changed = true;
    }
    if is_object(map) && map.get("additionalProperties") != Some(&Value::Bool(false)) {
        map.insert("additionalProperties".into(), Value::Bool(false));
        changed = true;
    }
    for (key, value) in map {
        match value {
            Value::Object(members) if MAPS.contains(&&**key) => {
                for member in members.values_mut() {
                    changed |= narrow(member);
                }
            }
            Value::Array(items) if NESTED.contains(&&**key) => {
                for item in items {
                    changed |= narrow(item);
                }
            }
            value if NESTED.contains(&&**key) => changed |= narrow(value),
            _ => {}
        }
    }
    changed
}

/// Moves keywords into the description.
fn describe(map: &mut Map<String, Value>) -> bool {
    let mut words = String::new();
    let mut tell = |name: &str, value: &Value| {
        let comma = if words.is_empty() { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(words, "{comma}{name}: {value}");
    };
    for name in MOVED {
        if let Some(value) = map.shift_remove(*name) {
            tell(name, &value);
        }
    }
    let format = map.get("format").and_then(Value::as_str);
    if format.is_some_and(|format| !FORMATS.contains(&format))
        && let Some(value) = map.shift_remove("format")
    {
        tell("format", &value);
    }
    if words.is_empty() {
        return false;
    }
    let before = map.get("description").and_then(Value::as_str);
    let description = match before {
        Some(before) if !before.is_empty() => format!("{before}\n({words})"),
        _ => format!("({words})"),
    };
    map.insert("description".into(), Value::String(description));
    true
}

fn is_object(map: &Map<String, Value>) -> bool {
    match map.get("type") {
        Some(Value::Array(types)) => types.iter().any(|one| one == "object"),
        Some(one) => one == "object",
        None => map.contains_key("properties"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.into()).unwrap()
    }

    #[test]
    fn arguments_keep_their_schema_to_the_byte() {
        for (schema, expected) in [
            (
                r#"{ "type" : "object", "z": 1.0e2, "a": {} }"#,
                r#"{ "type" : "object", "z": 1.0e2, "a": {} }"#,
            ),
            ("{}", r#"{"type":"object","properties":{}}"#),
            (" { } ", r#"{"type":"object","properties":{}}"#),
            (
                r#"{"properties":{"a":{"type":"string"}}}"#,
                r#"{"type":"object","properties":{"a":{"type":"string"}}}"#,
            ),
        ] {
            let schema = raw(schema);
            assert_eq!(of_arguments(Some(&schema)).unwrap().get(), expected);
        }
        assert_eq!(
            of_arguments(None).unwrap().get(),
            r#"{"type":"object","properties":{}}"#
        );
        for schema in ["true", "[]", "\"x\"", "null"] {
            let error = of_arguments(Some(&raw(schema))).unwrap_err();
            assert_eq!(error.code, Unsupported::INVALID, "{schema}");
        }
    }

    #[test]
    fn what_cannot_be_bound_is_told_in_the_description() {
        for (schema, expected) in [
            (
                r#"{"type":"object","properties":{"a":{"type":"integer","minimum":0,"description":"Age.","maximum":9}},"required":["a"],"additionalProperties":false}"#,
                r#"{"type":"object","properties":{"a":{"type":"integer","description":"Age.\n(minimum: 0, maximum: 9)"}},"required":["a"],"additionalProperties":false}"#,
            ),
            (
                r#"{"type":["object","null"],"properties":{"minimum":{"type":"string","pattern":"^a$","format":"regex"},"d":{"type":"string","format":"date"}}}"#,
                r#"{"type":["object","null"],"properties":{"minimum":{"type":"string","description":"(pattern: \"^a$\", format: \"regex\")"},"d":{"type":"string","format":"date"}},"additionalProperties":false}"#,
            ),
            (
                r##"{"$defs":{"x":{"type":"object","additionalProperties":{"type":"string"}}},"type":"array","items":{"$ref":"#/$defs/x","description":"gone"},"minItems":1}"##,
                r##"{"$defs":{"x":{"type":"object","additionalProperties":false}},"type":"array","items":{"$ref":"#/$defs/x"},"description":"(minItems: 1)"}"##,
            ),
            (
                r#"{"oneOf":[{"type":"string","maxLength":3},{"type":"null"}]}"#,
                r#"{"anyOf":[{"type":"string","description":"(maxLength: 3)"},{"type":"null"}]}"#,
            ),
        ] {
            let schema = raw(schema);
            let bound = binding(Cow::Borrowed(&*schema)).unwrap();
            assert_eq!(bound.get(), expected);
            let again = raw(expected);
            assert!(matches!(
                binding(Cow::Borrowed(&*again)).unwrap(),
                Cow::Borrowed(_)
            ));
        }
    }
}
