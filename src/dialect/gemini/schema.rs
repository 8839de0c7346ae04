//! JSON Schemas as Gemini takes them in `parametersJsonSchema` and `responseJsonSchema`.
//!
//! They are real JSON Schemas there, and go as they came but for a few keywords that are refused.
//! <https://ai.google.dev/gemini-api/docs/structured-output> (read 2026-11), and what pydantic-ai
//! takes out (`profiles/google.py`, read 2026-11).

use std::borrow::Cow;

use memchr::memmem;
use serde_json::value::RawValue;

use crate::wire::edit::Object;
use crate::wire::json::{Cursor, Invalid, Kind};

/// Keywords that are refused, and without which a schema admits no less.
const REFUSED: &[&str] = &[
    "$schema",
    "$comment",
    "discriminator",
    "examples",
    "exclusiveMinimum",
    "exclusiveMaximum",
];

/// Keywords whose members are schemas, by names that mean nothing here.
const NAMED: &[&str] = &[
    "properties",
    "patternProperties",
    "dependentSchemas",
    "$defs",
    "definitions",
];

/// Keywords whose value is a schema, or a list of them.
const NESTED: &[&str] = &[
    "items",
    "prefixItems",
    "additionalItems",
    "additionalProperties",
    "unevaluatedItems",
    "unevaluatedProperties",
    "propertyNames",
    "contains",
    "anyOf",
    "oneOf",
    "allOf",
    "not",
    "if",
    "then",
    "else",
];

/// `schema` without what is refused: the same text where there is nothing of it. `None` for the empty
/// schema, which says nothing.
pub(super) fn accepted(schema: &RawValue) -> Option<Cow<'_, RawValue>> {
    let text = schema.get();
    if text
        .trim_matches(['{', '}', ' ', '\n', '\r', '\t'])
        .is_empty()
    {
        return None;
    }
    let holds = |word: &&str| memmem::find(text.as_bytes(), word.as_bytes()).is_some();
    if !REFUSED.iter().chain(&["const"]).any(holds) {
        return Some(Cow::Borrowed(schema));
    }
    let mut out = String::with_capacity(text.len());
    // What is no schema at all is the provider's to refuse.
    let written = write(text, &mut Cursor::new(text), &mut out).is_ok();
    match RawValue::from_string(out) {
        Ok(rewritten) if written => Some(Cow::Owned(rewritten)),
        Ok(_) | Err(_) => Some(Cow::Borrowed(schema)),
    }
}

/// Writes the schema, or the list of schemas, that comes next.
fn write<'a>(text: &'a str, cursor: &mut Cursor<'a>, out: &mut String) -> Result<(), Invalid> {
    match cursor.kind()? {
        Kind::Object => object(text, cursor, out),
        Kind::Array => {
            out.push('[');
            let mut comma = "";
            cursor.array(|cursor| {
                out.push_str(std::mem::replace(&mut comma, ","));
                write(text, cursor, out)
            })?;
            out.push(']');
            Ok(())
        }
        Kind::String | Kind::Number | Kind::Bool | Kind::Null => verbatim(text, cursor, out),
    }
}

fn object<'a>(text: &'a str, cursor: &mut Cursor<'a>, out: &mut String) -> Result<(), Invalid> {
    let start = cursor.position();
    let mut comma = "";
    out.push('{');
    cursor.object(|cursor, key| {
        let name = &*key.decode();
        if REFUSED.contains(&name) {
            return Ok::<(), Invalid>(());
        }
        if name == "const" {
            if Object::read(&mut Cursor::at(text, start))?
                .get("enum")
                .is_none()
            {
                out.push_str(std::mem::replace(&mut comma, ","));
                out.push_str("\"enum\":[");
                verbatim(text, cursor, out)?;
                out.push(']');
            }
            return Ok(());
        }
        out.push_str(std::mem::replace(&mut comma, ","));
        out.push_str(&text[key.span()]);
        out.push(':');
        if NESTED.contains(&name) {
            write(text, cursor, out)
        } else if NAMED.contains(&name) && cursor.kind()? == Kind::Object {
            named(text, cursor, out)
        } else {
            verbatim(text, cursor, out)
        }
    })?;
    out.push('}');
    Ok(())
}

fn named<'a>(text: &'a str, cursor: &mut Cursor<'a>, out: &mut String) -> Result<(), Invalid> {
    let mut comma = "";
    out.push('{');
    cursor.object(|cursor, key| {
        out.push_str(std::mem::replace(&mut comma, ","));
        out.push_str(&text[key.span()]);
        out.push(':');
        write(text, cursor, out)
    })?;
    out.push('}');
    Ok(())
}

fn verbatim(text: &str, cursor: &mut Cursor<'_>, out: &mut String) -> Result<(), Invalid> {
    out.push_str(&text[cursor.skip()?]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_loses_the_keywords_that_are_refused_and_nothing_else() {
        let table = [
            // Nothing to take out: not a byte is touched.
            (
                "{ \"type\" : \"object\", \"title\":\"T\", \"additionalProperties\":false }",
                Some("{ \"type\" : \"object\", \"title\":\"T\", \"additionalProperties\":false }"),
            ),
            ("{}", None),
            (" { } ", None),
            (
                r#"{"$schema":"x","type":"object","properties":{"n":{"type":"number","exclusiveMinimum":0,"minimum":1.50}}}"#,
                Some(r#"{"type":"object","properties":{"n":{"type":"number","minimum":1.50}}}"#),
            ),
            // A property may bear the name of a keyword, and a value may be one.
            (
                r#"{"properties":{"const":{"const":"a"},"examples":{"type":"string","default":{"const":1}}},"required":["const"]}"#,
                Some(
                    r#"{"properties":{"const":{"enum":["a"]},"examples":{"type":"string","default":{"const":1}}},"required":["const"]}"#,
                ),
            ),
            (
                r#"{"enum":["a","b"],"const":"a"}"#,
                Some(r#"{"enum":["a","b"]}"#),
            ),
            (
                r##"{"anyOf":[{"const":1},{"$ref":"#/$defs/x"}],"$defs":{"x":{"items":{"examples":[1],"not":{"discriminator":{}}}}}}"##,
                Some(
                    r##"{"anyOf":[{"enum":[1]},{"$ref":"#/$defs/x"}],"$defs":{"x":{"items":{"not":{}}}}}"##,
                ),
            ),
            // No schema: as it came.
            (r#"["const"]"#, Some(r#"["const"]"#)),
        ];
        for (schema, expected) in table {
            let raw: &RawValue = serde_json::from_str(schema).unwrap();
            let accepted = accepted(raw);
            assert_eq!(accepted.as_deref().map(RawValue::get), expected, "{schema}");
        }
    }
}
