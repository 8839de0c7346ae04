//! `ConverseStream`.

use serde_json::json;

use super::eventstream::event;
use super::{Finish, Frames, Script, Tag};

pub(super) fn frames(script: &Script) -> Frames {
    let mut frames = vec![(
        Tag::Around,
        event("messageStart", &json!({ "p": "abc", "role": "assistant" })),
    )];
    let mut index = 0;
    let delta = |index: u64, delta: serde_json::Value| {
        let payload = json!({ "contentBlockIndex": index, "delta": delta, "p": "abcdef" });
        event("contentBlockDelta", &payload)
    };
    let stop = |index: u64| event("contentBlockStop", &json!({ "contentBlockIndex": index }));
    if let Some(thought) = script.thought {
        for piece in [
            json!({ "text": thought }),
            json!({ "signature": "c2lnbmVk" }),
        ] {
            frames.push((
                Tag::Thought,
                delta(index, json!({ "reasoningContent": piece })),
            ));
        }
        frames.push((Tag::Around, stop(index)));
        index += 1;
    }
    if !script.texts.is_empty() {
        for text in &script.texts {
            frames.push((Tag::Text, delta(index, json!({ "text": text }))));
        }
        frames.push((Tag::Around, stop(index)));
        index += 1;
    }
    for (id, name, pieces) in &script.calls {
        let begin = json!({ "toolUse": { "toolUseId": id, "name": name } });
        let payload = json!({ "contentBlockIndex": index, "start": begin });
        frames.push((Tag::CallBegan, event("contentBlockStart", &payload)));
        for piece in *pieces {
            let more = json!({ "toolUse": { "input": piece } });
            frames.push((Tag::CallPart, delta(index, more)));
        }
        frames.push((Tag::CallDone, stop(index)));
        index += 1;
    }
    let reason = match script.finish {
        Finish::Stop if script.calls.is_empty() => "end_turn",
        Finish::Stop => "tool_use",
        Finish::Length => "max_tokens",
        Finish::Filtered => "content_filtered",
    };
    frames.push((
        Tag::Around,
        event("messageStop", &json!({ "stopReason": reason })),
    ));
    let usage = json!({ "inputTokens": 9, "outputTokens": 3, "totalTokens": 12 });
    let metadata = json!({ "usage": usage, "metrics": { "latencyMs": 400 } });
    frames.push((Tag::Around, event("metadata", &metadata)));
    frames
}
