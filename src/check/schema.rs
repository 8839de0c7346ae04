//! Whether a value satisfies a JSON Schema, for the schemas of the probes.
//!
//! Knows `type`, `properties`, `required`, `additionalProperties: false`, `items` and `enum`, which
//! is all that [`super::probe`] writes.

use serde_json::Value;

/// # Errors
/// The first thing that is wrong, with its place: `customer.tier is missing`.
pub(super) fn satisfies(value: &Value, schema: &Value) -> Result<(), String> {
    check(value, schema, "")
}

fn check(value: &Value, schema: &Value, at: &str) -> Result<(), String> {
    let named = if at.is_empty() { "the value" } else { at };
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        _ => true,
    };
    if !fits {
        return Err(format!("{named} is not of type {}", schema["type"]));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        return Err(format!("{named} is none of {}", schema["enum"]));
    }
    let below = |key: &str| {
        if at.is_empty() {
            key.to_owned()
        } else {
            format!("{at}.{key}")
        }
    };
    for key in schema["required"].as_array().into_iter().flatten() {
        let key = key.as_str().unwrap_or_default();
        if value.get(key).is_none() {
            return Err(format!("{} is missing", below(key)));
        }
    }
    for (key, member) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(key) {
            Some(known) => check(member, known, &below(key))?,
            None if schema["additionalProperties"] == false => {
                return Err(format!("{} is not in the schema", below(key)));
            }
            None => {}
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        check(item, &schema["items"], &format!("{at}[{index}]"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        let schema = json!({
            "type": "object",
            "properties": {
                "customer": {
                    "type": "object",
                    "properties": { "tier": { "type": "string", "enum": ["basic", "plus"] } },
                    "required": ["tier"],
                },
                "items": { "type": "array", "items": { "type": "integer" } },
            },
            "required": ["customer"],
            "additionalProperties": false,
        });
        for (value, wrong) in [
            (
                json!({ "customer": { "tier": "plus", "more": 1 }, "items": [1, 2] }),
                None,
            ),
            (json!("text"), Some("the value is not of type \"object\"")),
            (json!({ "items": [] }), Some("customer is missing")),
            (json!({ "customer": {} }), Some("customer.tier is missing")),
            (
                json!({ "customer": { "tier": "gold" } }),
                Some("customer.tier is none of [\"basic\",\"plus\"]"),
            ),
            (
                json!({ "customer": { "tier": "plus" }, "items": [1, 1.5] }),
                Some("items[1] is not of type \"integer\""),
            ),
            (
                json!({ "customer": { "tier": "plus" }, "x": 1 }),
                Some("x is not in the schema"),
            ),
        ] {
            let found = satisfies(&value, &schema).err();
            assert_eq!(found.as_deref(), wrong, "{value}");
        }
    }
}
