//! Messages.

use serde_json::{Value, json};

use super::{Finish, Script, Tag, arguments};

/// One event as the API frames it.
pub(super) fn sse(event: &Value) -> Vec<u8> {
    format!(
        "event: {}\ndata: {event}\n\n",
        event["type"].as_str().unwrap()
    )
    .into_bytes()
}

/// The events of a stream.
pub(super) fn frames(script: &Script) -> Vec<(Tag, Value)> {
    let message = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "upstream-model",
        "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": { "input_tokens": 9, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 1 }
    });
    let mut frames = vec![
        (
            Tag::Around,
            json!({ "type": "message_start", "message": message }),
        ),
        (Tag::Around, json!({ "type": "ping" })),
    ];
    let mut index = 0;
    if let Some(thought) = script.thought {
        let block = json!({ "type": "thinking", "thinking": "", "signature": "" });
        let deltas = [
            json!({ "type": "thinking_delta", "thinking": thought }),
            json!({ "type": "signature_delta", "signature": "c2lnbmVk" }),
        ];
        frames.push((Tag::Around, start(index, &block)));
        frames.extend(deltas.map(|delta| (Tag::Thought, piece(index, &delta))));
        frames.push((Tag::Around, stop(index)));
        index += 1;
    }
    if !script.texts.is_empty() {
        frames.push((
            Tag::Around,
            start(index, &json!({ "type": "text", "text": "" })),
        ));
        for text in &script.texts {
            let delta = json!({ "type": "text_delta", "text": text });
            frames.push((Tag::Text, piece(index, &delta)));
        }
        frames.push((Tag::Around, stop(index)));
        index += 1;
    }
    for (id, name, pieces) in &script.calls {
        let block = json!({ "type": "tool_use", "id": id, "name": name, "input": {} });
        frames.push((Tag::CallBegan, start(index, &block)));
        // An empty piece comes first, and without arguments it is the only one.
        for text in [&[""], *pieces].concat() {
            let delta = json!({ "type": "input_json_delta", "partial_json": text });
            frames.push((Tag::CallPart, piece(index, &delta)));
        }
        frames.push((Tag::CallDone, stop(index)));
        index += 1;
    }
    let delta = json!({ "stop_reason": stop_reason(script), "stop_sequence": null });
    frames.push((
        Tag::Around,
        json!({ "type": "message_delta", "delta": delta, "usage": { "output_tokens": 3 } }),
    ));
    frames.push((Tag::Around, json!({ "type": "message_stop" })));
    frames
}

fn start(index: u64, block: &Value) -> Value {
    json!({ "type": "content_block_start", "index": index, "content_block": block })
}

fn piece(index: u64, delta: &Value) -> Value {
    json!({ "type": "content_block_delta", "index": index, "delta": delta })
}

fn stop(index: u64) -> Value {
    json!({ "type": "content_block_stop", "index": index })
}

fn stop_reason(script: &Script) -> &'static str {
    match script.finish {
        Finish::Stop if script.calls.is_empty() => "end_turn",
        Finish::Stop => "tool_use",
        Finish::Length => "max_tokens",
        Finish::Filtered => "refusal",
    }
}

pub(super) fn plain(script: &Script) -> String {
    let mut content = Vec::new();
    if let Some(thought) = script.thought {
        content.push(json!({ "type": "thinking", "thinking": thought, "signature": "c2lnbmVk" }));
    }
    if !script.texts.is_empty() {
        content.push(json!({ "type": "text", "text": script.texts.concat() }));
    }
    for (id, name, pieces) in &script.calls {
        content.push(
            json!({ "type": "tool_use", "id": id, "name": name, "input": arguments(pieces) }),
        );
    }
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "upstream-model",
        "content": content, "stop_reason": stop_reason(script), "stop_sequence": null,
        "usage": { "input_tokens": 9, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 3 }
    })
    .to_string()
}
