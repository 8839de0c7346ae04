//! The table of keys as a JSON Schema, so that editors complete and check as `load` does.
//! <https://json-schema.org/draft/2020-12> (read 2026-11)
//!
//! It says what a schema can: rules between keys stay with `resolve`.

use serde_json::{Map, Value, json};

use super::keys;
use super::layers;
use super::shape::{Key, Presence, Shape};

/// The JSON Schema of the configuration, draft 2020-12.
pub fn schema() -> Value {
    let mut schema = table(keys::ROOT);
    if let Value::Object(members) = &mut schema {
        members.insert(
            "$schema".into(),
            "https://json-schema.org/draft/2020-12/schema".into(),
        );
        members.insert("title".into(), "Pillion configuration".into());
    }
    schema
}

fn table(keys: &[Key]) -> Value {
    let required = keys
        .iter()
        .filter(|key| matches!(key.presence, Presence::Required));
    let required: Vec<_> = required.map(|key| key.name).collect();
    let properties: Map<_, _> = keys
        .iter()
        .map(|key| (key.name.to_owned(), property(key)))
        .collect();
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = of(&key.shape);
    schema["description"] = key.help.into();
    if let Presence::Default(text) = key.presence {
        // In the type that the shape takes, as a variable of the environment would be.
        let default = layers::from_text(&key.shape, text);
        schema["default"] = serde_json::to_value(default).unwrap_or_else(|_| text.into());
    }
    schema
}

fn of(shape: &Shape) -> Value {
    match shape {
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Integer {
            least,
            most: u64::MAX,
        } => json!({ "type": "integer", "minimum": least }),
        Shape::Integer { least, most } => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Shape::Decimal { least, most } => {
            json!({ "type": "number", "minimum": least, "maximum": most })
        }
        Shape::Text | Shape::PrivateText | Shape::File => {
            json!({ "type": "string", "minLength": 1 })
        }
        Shape::Word(words) => json!({ "enum": words }),
        Shape::Duration { zero: true } => pattern("^[0-9]+(ms|s|m|h|d)$"),
        Shape::Duration { zero: false } => pattern("^0*[1-9][0-9]*(ms|s|m|h|d)$"),
        Shape::DurationOrOff => pattern("^(off|0*[1-9][0-9]*(ms|s|m|h|d))$"),
        Shape::DurationRange => {
            pattern("^0*[1-9][0-9]*(ms|s|m|h|d)(\\.\\.0*[1-9][0-9]*(ms|s|m|h|d))?$")
        }
        Shape::Size => json!({ "anyOf": [
            { "type": "integer", "minimum": 1 },
            pattern("^0*[1-9][0-9]*(B|[kK]B|[MG]B|[KMG]iB)?$"),
        ] }),
        Shape::Percent => pattern(r"^0*(100(\.0{1,2})?|[0-9]{1,2}(\.[0-9]{1,2})?)%$"),
        Shape::Date => pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
        Shape::Address => pattern("^([0-9.]+|\\[[0-9A-Fa-f:.%]+\\]):[0-9]{1,5}$"),
        Shape::Url => pattern("^https?://[^@?#]+$"),
        Shape::Reference => pattern("^(env:[A-Za-z0-9_]+|[A-Za-z0-9_-]+:.+|aws|google)$"),
        Shape::Hash => pattern("^sha256:[0-9A-Fa-f]{64}$"),
        Shape::HashOrPod => pattern("^(pod|sha256:[0-9A-Fa-f]{64})$"),
        Shape::SharedState => pattern("^rediss?://[^?#]+$"),
        Shape::SourceUrl => pattern("^[a-z0-9+]+:.+$"),
        Shape::PublicKey => pattern("^(\\s|.){43,}$"),
        Shape::List {
            of: item,
            least,
            most,
        } => {
            let mut schema = json!({ "type": "array", "items": of(item) });
            if *least > 0 {
                schema["minItems"] = (*least).into();
            }
            if *most < usize::MAX {
                schema["maxItems"] = (*most).into();
            }
            schema
        }
        Shape::Map { of: entry, .. } => {
            json!({ "type": "object", "additionalProperties": of(entry) })
        }
        Shape::Table(keys) => table(keys),
        Shape::AnyOf(shapes) => json!({ "anyOf": shapes.iter().map(of).collect::<Vec<_>>() }),
    }
}

fn pattern(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}
