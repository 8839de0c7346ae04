//! Responses.

use serde_json::{Value, json};

use super::{Finish, Frames, Script, Tag, arguments};

/// Writes events with their numbers.
#[derive(Default)]
struct Writer {
    frames: Frames,
    output: Vec<Value>,
}

impl Writer {
    fn event(&mut self, tag: Tag, kind: &str, mut event: Value) {
        event["type"] = kind.into();
        event["sequence_number"] = self.frames.len().into();
        let text = format!("event: {kind}\ndata: {event}\n\n");
        self.frames.push((tag, text.into_bytes()));
    }

    fn added(&mut self, tag: Tag, item: &Value) {
        let event = json!({ "output_index": self.output.len(), "item": item });
        self.event(tag, "response.output_item.added", event);
    }

    fn done(&mut self, tag: Tag, item: Value) {
        let event = json!({ "output_index": self.output.len(), "item": item });
        self.event(tag, "response.output_item.done", event);
        self.output.push(item);
    }
}

pub(super) fn frames(script: &Script) -> Frames {
    let mut writer = Writer::default();
    for kind in ["response.created", "response.in_progress"] {
        let response = json!({ "response": response(&[], "in_progress", Finish::Stop) });
        writer.event(Tag::Around, kind, response);
    }
    if let Some(thought) = script.thought {
        let item =
            |summary: Value| json!({ "id": "rs_1", "type": "reasoning", "summary": summary });
        let at =
            json!({ "item_id": "rs_1", "output_index": writer.output.len(), "summary_index": 0 });
        let part = json!({ "type": "summary_text", "text": thought });
        writer.added(Tag::Around, &item(json!([])));
        let empty = json!({ "type": "summary_text", "text": "" });
        let prefix = "response.reasoning_summary";
        writer.event(
            Tag::Around,
            &format!("{prefix}_part.added"),
            with(&at, "part", empty),
        );
        writer.event(
            Tag::Thought,
            &format!("{prefix}_text.delta"),
            with(&at, "delta", thought.into()),
        );
        writer.event(
            Tag::Thought,
            &format!("{prefix}_text.done"),
            with(&at, "text", thought.into()),
        );
        writer.event(
            Tag::Around,
            &format!("{prefix}_part.done"),
            with(&at, "part", part.clone()),
        );
        writer.done(Tag::Around, item(json!([part])));
    }
    if !script.texts.is_empty() {
        message(&mut writer, script);
    }
    for (number, (id, name, pieces)) in script.calls.iter().enumerate() {
        let item = |status: &str, arguments: &str| {
            json!({ "id": format!("fc_{number}"), "type": "function_call", "status": status,
                    "call_id": id, "name": name, "arguments": arguments })
        };
        let whole = arguments_text(pieces);
        let at = json!({ "item_id": format!("fc_{number}"), "output_index": writer.output.len() });
        writer.added(Tag::CallBegan, &item("in_progress", ""));
        let prefix = "response.function_call_arguments";
        for piece in if pieces.is_empty() { &["{}"] } else { *pieces } {
            let event = with(&at, "delta", (*piece).into());
            writer.event(Tag::CallPart, &format!("{prefix}.delta"), event);
        }
        let event = with(&at, "arguments", whole.clone().into());
        writer.event(Tag::CallDone, &format!("{prefix}.done"), event);
        writer.done(Tag::Around, item("completed", &whole));
    }
    let (kind, status) = match script.finish {
        Finish::Stop => ("response.completed", "completed"),
        Finish::Length | Finish::Filtered => ("response.incomplete", "incomplete"),
    };
    let response = response(&writer.output, status, script.finish);
    writer.event(Tag::Around, kind, json!({ "response": response }));
    writer.frames
}

fn message(writer: &mut Writer, script: &Script) {
    let text = script.texts.concat();
    let part = |text: &str| json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] });
    let item = |status: &str, content: Value| json!({ "id": "msg_1", "type": "message", "status": status, "role": "assistant", "content": content });
    let at = json!({ "item_id": "msg_1", "output_index": writer.output.len(), "content_index": 0 });
    writer.added(Tag::Around, &item("in_progress", json!([])));
    writer.event(
        Tag::Around,
        "response.content_part.added",
        with(&at, "part", part("")),
    );
    for piece in &script.texts {
        let mut event = with(&at, "delta", (*piece).into());
        event["logprobs"] = json!([]);
        writer.event(Tag::Text, "response.output_text.delta", event);
    }
    let mut event = with(&at, "text", text.clone().into());
    event["logprobs"] = json!([]);
    writer.event(Tag::Around, "response.output_text.done", event);
    writer.event(
        Tag::Around,
        "response.content_part.done",
        with(&at, "part", part(&text)),
    );
    let status = match script.finish {
        Finish::Stop => "completed",
        Finish::Length | Finish::Filtered => "incomplete",
    };
    writer.done(Tag::Around, item(status, json!([part(&text)])));
}

fn with(at: &Value, name: &str, value: Value) -> Value {
    let mut event = at.clone();
    event[name] = value;
    event
}

fn arguments_text(pieces: &[&str]) -> String {
    if pieces.is_empty() {
        return arguments(pieces).to_string();
    }
    pieces.concat()
}

fn response(output: &[Value], status: &str, finish: Finish) -> Value {
    let details = match finish {
        Finish::Stop => Value::Null,
        Finish::Length => json!({ "reason": "max_output_tokens" }),
        Finish::Filtered => json!({ "reason": "content_filter" }),
    };
    let usage = (status != "in_progress").then(|| {
        json!({ "input_tokens": 9, "input_tokens_details": { "cached_tokens": 0 }, "output_tokens": 3,
                "output_tokens_details": { "reasoning_tokens": 0 }, "total_tokens": 12 })
    });
    json!({
        "id": "resp_1", "object": "response", "created_at": 1_795_000_000, "status": status,
        "background": false, "error": null, "incomplete_details": details, "instructions": null,
        "max_output_tokens": null, "metadata": {}, "model": "upstream-model", "output": output,
        "parallel_tool_calls": true, "previous_response_id": null, "store": false,
        "temperature": 1.0, "text": { "format": { "type": "text" } }, "tool_choice": "auto",
        "tools": [], "top_p": 1.0, "truncation": "disabled", "usage": usage
    })
}

/// The last frame's answer.
pub(super) fn plain(script: &Script) -> String {
    let frames = frames(script);
    let (_, last) = frames.last().unwrap();
    let last = std::str::from_utf8(last).unwrap();
    let (_, data) = last.trim_end().split_once("data: ").unwrap();
    let event: Value = serde_json::from_str(data).unwrap();
    event["response"].to_string()
}
