//! A small value that fits a JSON Schema, for `response_format`.
//!
//! Knows objects, strings, numbers, integers, booleans, arrays, null, `enum`, `const`, `anyOf`,
//! `oneOf`, `allOf`'s first, local `$ref`, and the least lengths and values. Of all else
//! (`pattern`, `format`, …) it knows nothing: such a schema may get a value that does not fit.

use serde_json::{Map, Value, json};

/// A schema that refers to itself must end somewhere.
const MAX_DEPTH: usize = 16;

/// No array gets more members than this, whatever `minItems` asks.
const MAX_ITEMS: u64 = 16;

/// No string gets longer than this, whatever `minLength` asks.
const MAX_LENGTH: u64 = 4096;

pub(super) fn fitting(schema: &Value) -> Value {
    value(schema, schema, MAX_DEPTH)
}

fn value(schema: &Value, root: &Value, depth: usize) -> Value {
    let Some(depth) = depth.checked_sub(1) else {
        return Value::Null;
    };
    if let Some(constant) = schema.get("const") {
        return constant.clone();
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    if let Some(target) = schema["$ref"]
        .as_str()
        .and_then(|path| path.strip_prefix('#'))
    {
        return root
            .pointer(target)
            .map_or(Value::Null, |target| value(target, root, depth));
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema[key].as_array().and_then(|some| some.first()) {
            return value(first, root, depth);
        }
    }
    match kind(schema) {
        "object" => object(schema, root, depth),
        "array" => array(schema, root, depth),
        "integer" => json!(schema["minimum"].as_i64().unwrap_or(1)),
        "number" => json!(schema["minimum"].as_f64().unwrap_or(1.5)),
        "boolean" => json!(true),
        "null" => Value::Null,
        _ => string(schema),
    }
}

/// The first of its types; a schema that names none is what its other keys make of it.
fn kind(schema: &Value) -> &str {
    let named = &schema["type"];
    let first = named.as_array().and_then(|types| types.first());
    match first.unwrap_or(named).as_str() {
        Some(kind) => kind,
        None if schema["properties"].is_object() => "object",
        None if schema["items"].is_object() => "array",
        None => "string",
    }
}

fn object(schema: &Value, root: &Value, depth: usize) -> Value {
    let members: Map<_, _> = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, member)| (name.clone(), value(member, root, depth)))
        .collect();
    Value::Object(members)
}

fn array(schema: &Value, root: &Value, depth: usize) -> Value {
    // At the last level an empty array fits where a null would not.
    let least = u64::from(depth > 0);
    let count = schema["minItems"].as_u64().unwrap_or(least).min(MAX_ITEMS);
    (0..count)
        .map(|_| value(&schema["items"], root, depth))
        .collect()
}

fn string(schema: &Value) -> Value {
    let text = "simulated";
    let least = schema["minLength"].as_u64().unwrap_or(0).min(MAX_LENGTH);
    let most = schema["maxLength"].as_u64().unwrap_or(MAX_LENGTH);
    let length = usize::try_from(most.min(least.max(text.len() as u64))).unwrap_or(text.len());
    let fitting: String = text.chars().cycle().take(length).collect();
    Value::String(fitting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_fits() {
        for (schema, fits) in [
            (json!({"type": "string"}), json!("simulated")),
            (json!({"type": "string", "maxLength": 3}), json!("sim")),
            (json!({"type": "integer", "minimum": 5}), json!(5)),
            (json!({"type": ["boolean", "null"]}), json!(true)),
            (json!({"enum": ["low", "high"]}), json!("low")),
            (
                json!({"anyOf": [{"type": "null"}, {"type": "string"}]}),
                json!(null),
            ),
            (
                json!({"type": "array", "items": {"type": "number"}, "minItems": 2}),
                json!([1.5, 1.5]),
            ),
            (
                json!({
                    "type": "object",
                    "properties": {
                        "city": {"$ref": "#/$defs/City"},
                        "tags": {"type": "array", "items": {"const": "a"}},
                    },
                    "$defs": {"City": {"type": "object", "properties": {"zip": {"type": "integer"}}}},
                }),
                json!({"city": {"zip": 1}, "tags": ["a"]}),
            ),
            (json!(null), json!("simulated")),
        ] {
            assert_eq!(fitting(&schema), fits, "{schema}");
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"type": "array", "items": {"$ref": "#"}});
        assert!(fitting(&schema).is_array());
    }
}
