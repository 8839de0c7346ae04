//! `streamGenerateContent`: calls come whole, usage with every chunk.

use serde_json::{Value, json};

use super::{Finish, Frames, Script, Tag, arguments};

pub(super) fn frames(script: &Script) -> Frames {
    let mut frames = vec![(Tag::Around, chunk(&[json!({ "text": "" })], None))];
    if let Some(thought) = script.thought {
        let part = json!({ "text": thought, "thought": true });
        frames.push((Tag::Thought, chunk(&[part], None)));
    }
    for text in &script.texts {
        frames.push((Tag::Text, chunk(&[json!({ "text": text })], None)));
    }
    for (_, name, pieces) in &script.calls {
        let call = json!({ "name": name, "args": arguments(pieces) });
        let part = json!({ "functionCall": call, "thoughtSignature": "c2lnbmVk" });
        frames.push((Tag::CallPart, chunk(&[part], None)));
    }
    let reason = match script.finish {
        Finish::Stop => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::Filtered => "SAFETY",
    };
    frames.push((Tag::Around, chunk(&[json!({ "text": "" })], Some(reason))));
    frames
}

fn chunk(parts: &[Value], finish: Option<&str>) -> Vec<u8> {
    let mut candidate = json!({ "content": { "parts": parts, "role": "model" }, "index": 0 });
    let mut usage = json!({ "promptTokenCount": 9, "totalTokenCount": 9 });
    if let Some(reason) = finish {
        candidate["finishReason"] = reason.into();
        usage = json!({ "promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12 });
    }
    let chunk = json!({
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": "upstream-model",
        "responseId": "r1"
    });
    format!("data: {chunk}\r\n\r\n").into_bytes()
}
