//! A plain message as the events of a stream, for a caller who asked for one.

use std::ops::Range;

use super::plain::message;
use crate::outcome::{Failure, broken};
use crate::wire::edit::{Edits, Object};
use crate::wire::json::{Cursor, quote};

/// The JSON of each event that `answer` comes to.
pub(super) fn as_frames(answer: &str) -> Result<Vec<String>, Failure> {
    let answer = answer.replace(['\n', '\r'], " ");
    let text = answer.as_str();
    let top = message(text)?;
    let content = top
        .get("content")
        .filter(|span| text.as_bytes()[span.start] == b'[')
        .ok_or_else(|| broken("the answer has no content"))?;
    let or_null = |key: &str| top.get(key).map_or("null", |span| &text[span]);
    let mut frames = vec![start(text, &top, content.clone())];
    let mut index = 0;
    Cursor::at(text, content.start).array(|cursor| {
        let block = Object::read(cursor)?;
        frames.push(format!(
            "{{\"type\":\"content_block_start\",\"index\":{index},\"content_block\":{}}}",
            emptied(text, &block)
        ));
        for delta in deltas(text, &block) {
            frames.push(format!(
                "{{\"type\":\"content_block_delta\",\"index\":{index},\"delta\":{delta}}}"
            ));
        }
        frames.push(format!(
            "{{\"type\":\"content_block_stop\",\"index\":{index}}}"
        ));
        index += 1;
        Ok::<(), Failure>(())
    })?;
    let details = top.get("stop_details").map_or_else(String::new, |span| {
        format!(",\"stop_details\":{}", &text[span])
    });
    frames.push(format!(
        "{{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":{},\"stop_sequence\":{}{details}}},\"usage\":{}}}",
        or_null("stop_reason"),
        or_null("stop_sequence"),
        top.get("usage").map_or("{\"output_tokens\":0}", |span| &text[span]),
    ));
    frames.push("{\"type\":\"message_stop\"}".into());
    Ok(frames)
}

/// The message as it was before it said anything.
fn start(text: &str, top: &Object<'_>, content: Range<usize>) -> String {
    let mut edits = Edits::default();
    edits.replace(content, "[]");
    for key in ["stop_reason", "stop_sequence"] {
        if let Some(span) = top.get(key) {
            edits.replace(span, "null");
        }
    }
    if let Some(span) = top.get("stop_details") {
        edits.replace(span, "null");
    }
    format!(
        "{{\"type\":\"message_start\",\"message\":{}}}",
        edited(text, top, edits)
    )
}

/// The members of a block that come in pieces, and what they are as long as none has come.
fn pieces(kind: &str) -> &'static [(&'static str, &'static str)] {
    match kind {
        "\"text\"" => &[("text", "\"\"")],
        "\"thinking\"" => &[("thinking", "\"\""), ("signature", "\"\"")],
        "\"tool_use\"" | "\"server_tool_use\"" | "\"mcp_tool_use\"" => &[("input", "{}")],
        // All others come whole.
        _ => &[],
    }
}

fn kind<'a>(text: &'a str, block: &Object<'_>) -> &'a str {
    block.get("type").map_or("", |span| &text[span])
}

fn emptied(text: &str, block: &Object<'_>) -> String {
    let mut edits = Edits::default();
    for (key, empty) in pieces(kind(text, block)) {
        if let Some(span) = block.get(key) {
            edits.replace(span, *empty);
        }
    }
    edited(text, block, edits)
}

fn deltas(text: &str, block: &Object<'_>) -> Vec<String> {
    let pieces = pieces(kind(text, block)).iter();
    let said = pieces.filter_map(|(key, empty)| Some((*key, *empty, &text[block.get(key)?])));
    said.filter(|(_, empty, value)| value != empty)
        .map(|(key, _, value)| match key {
            "input" => format!(
                "{{\"type\":\"input_json_delta\",\"partial_json\":{}}}",
                quote(value)
            ),
            key => format!("{{\"type\":\"{key}_delta\",\"{key}\":{value}}}"),
        })
        .collect()
}

/// One object of the text with the edits made.
fn edited(text: &str, object: &Object<'_>, mut edits: Edits<'_>) -> String {
    let mut out = String::with_capacity(text.len());
    // Puts them in order.
    edits.apply(text, |_| {});
    edits.apply_within(text, object.span.clone(), |piece| out.push_str(piece));
    out
}
