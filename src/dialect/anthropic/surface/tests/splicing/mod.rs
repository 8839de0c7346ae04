//! Answers passed on within the dialect.

mod broken;
mod calls;
mod plain;
mod streams;

use serde_json::{Value, json};

use super::writing::accumulated;
use crate::chat::Usage;
use crate::dialect::anthropic::surface::Splicer;
use crate::outcome::Class;

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":1}}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

fn frame(data: &str) -> String {
    let value: Value = serde_json::from_str(data).unwrap();
    format!(
        "event: {}\ndata: {data}\n\n",
        value["type"].as_str().unwrap()
    )
}

fn frames(data: &[&str]) -> String {
    data.iter().map(|data| frame(data)).collect()
}

fn begin(index: u64, block: &Value) -> String {
    json!({"type": "content_block_start", "index": index, "content_block": block}).to_string()
}

fn tool(index: u64, id: &str) -> String {
    begin(
        index,
        &json!({"type": "tool_use", "id": id, "name": "f", "input": {}}),
    )
}

fn words(index: u64) -> String {
    begin(index, &json!({"type": "text", "text": ""}))
}

fn piece(index: u64, key: &str, text: &str) -> String {
    let kind = match key {
        "partial_json" => "input_json_delta".to_owned(),
        key => format!("{key}_delta"),
    };
    json!({"type": "content_block_delta", "index": index, "delta": {"type": kind, key: text}})
        .to_string()
}

fn close(index: u64) -> String {
    json!({"type": "content_block_stop", "index": index}).to_string()
}

fn reason(reason: &str) -> String {
    json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null}, "usage": {"output_tokens": 7}}).to_string()
}

/// A whole stream: what `events` say between a start and an end.
fn stream(events: &[String], end: &str) -> String {
    let mut all = vec![START.to_owned()];
    all.extend_from_slice(events);
    all.extend([reason(end), STOP.to_owned()]);
    all.iter().map(|data| frame(data)).collect()
}

/// What comes of a stream, in these pieces.
fn spliced<'c>(chunks: impl IntoIterator<Item = &'c [u8]>) -> Result<(String, Usage), Class> {
    let mut splicer = Splicer::new(Some("mine".into()));
    for chunk in chunks {
        splicer.feed(chunk).map_err(|failure| failure.class)?;
    }
    splicer.end().map_err(|failure| failure.class)?;
    assert!(splicer.done() && splicer.released() && splicer.arrived());
    Ok((
        String::from_utf8(splicer.output()).unwrap(),
        splicer.usage(),
    ))
}
