//! The fields of a request that the response object repeats.

use std::fmt::Write as _;

use crate::wire::json::{Cursor, Invalid};

/// Members of the response object, as JSON without braces: each as it stood in the request, on one
/// line, or as it is when nothing was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Echo(String);

/// In the order in which they are written. A sampling value that nobody set is the provider's own
/// and not known here.
const FIELDS: [(&str, &str); 16] = [
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("prompt_cache_key", "null"),
    ("reasoning", "{\"effort\":null,\"summary\":null}"),
    ("safety_identifier", "null"),
    ("service_tier", "\"default\""),
    ("temperature", "null"),
    ("text", "{\"format\":{\"type\":\"text\"}}"),
    ("tool_choice", "\"auto\""),
    ("tools", "[]"),
    ("top_p", "null"),
    ("truncation", "\"disabled\""),
    ("user", "null"),
];

/// Reads them from a request's body.
pub fn echo(body: &str) -> Echo {
    let mut set = [None; FIELDS.len()];
    // The body was read before; of one that is no object nothing is repeated.
    let _ = Cursor::new(body).object(|cursor, key| {
        let raw = &body[cursor.skip()?];
        let known = FIELDS.iter().position(|(name, _)| key.says(name));
        if let (Some(at), true) = (known, raw != "null") {
            set[at] = Some(raw);
        }
        Ok::<(), Invalid>(())
    });
    let mut members = String::new();
    for ((name, default), set) in FIELDS.iter().zip(set) {
        let comma = if members.is_empty() { "" } else { "," };
        // Writing to a string does not fail.
        let _ = write!(members, "{comma}\"{name}\":");
        let value = set.unwrap_or(default);
        if value.contains(['\n', '\r']) {
            // A line end can only stand between two tokens, and would end the event.
            members.push_str(&value.replace(['\n', '\r'], " "));
        } else {
            members.push_str(value);
        }
    }
    Echo(members)
}

impl Echo {
    pub(super) fn members(&self) -> &str {
        &self.0
    }
}
