//! Answers that an SDK reads, and those that it fails at.

use serde_json::json;

use super::*;
use crate::recordings::{self, OPENAI};

fn body(message: &Value) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
    })
}

fn call(id: &str, arguments: &Value) -> Value {
    let function = json!({ "name": "f", "arguments": arguments });
    json!({ "id": id, "type": "function", "function": function })
}

fn calls(calls: &[Value]) -> Value {
    body(&json!({ "role": "assistant", "content": null, "tool_calls": calls }))
}

#[test]
fn a_plain_answer_is_read_or_refused() {
    let hello = body(&json!({ "role": "assistant", "content": "Hello!" }));
    let changed = |pointer: &str, value: Value| {
        let mut changed = hello.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed
    };
    let mut counted = hello.clone();
    counted["usage"] = json!({ "prompt_tokens": 1 });
    for (answer, wrong) in [
        (hello.clone(), None),
        (
            calls(&[call("a", &json!("{}")), call("b", &json!("{}"))]),
            None,
        ),
        (
            json!({ "error": { "message": "x" } }),
            Some("an error came with status 200"),
        ),
        (
            changed("/object", json!("text")),
            Some("`object` is not chat.completion"),
        ),
        (
            changed("/created", json!("1")),
            Some("`created` is missing, or not of its type"),
        ),
        (changed("/choices", json!([])), Some("there are no choices")),
        (
            changed("/choices/0/message/role", Value::Null),
            Some("the message has not the role assistant"),
        ),
        (
            changed("/choices/0/message/content", json!([])),
            Some("`content` is neither text nor null"),
        ),
        (
            changed("/choices/0/finish_reason", json!("end_turn")),
            Some("the finish reason is none that the SDKs know"),
        ),
        (counted, Some("the usage has no completion_tokens")),
        (
            calls(&[call("", &json!("{}"))]),
            Some("a tool call has no id, or no name"),
        ),
        (
            calls(&[call("a", &json!("{}")), call("a", &json!("{}"))]),
            Some("two tool calls have the same id"),
        ),
        (
            calls(&[call("a", &json!({}))]),
            Some("the arguments of a tool call are not text"),
        ),
        (
            calls(&[call("a", &json!("{"))]),
            Some("the arguments of a tool call are not JSON"),
        ),
    ] {
        let read = plain(answer.to_string().as_bytes());
        assert_eq!(read.err().as_deref(), wrong, "{answer}");
    }
    assert!(plain(b"<html>").is_err());
    let fields: Vec<String> = plain(hello.to_string().as_bytes())
        .unwrap()
        .fields
        .into_iter()
        .collect();
    assert!(
        fields.contains(&"choices.message.role".to_owned()),
        "{fields:?}"
    );
}

fn chunk(delta: &Value, finish: Option<&str>) -> String {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
    let chunk = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [choice],
    });
    format!("data: {chunk}\n\n")
}

fn fragment(fragment: &Value) -> String {
    chunk(&json!({ "tool_calls": [fragment] }), None)
}

#[test]
fn a_stream_is_read_or_refused() {
    const DONE: &str = "data: [DONE]\n\n";
    let role = chunk(&json!({ "role": "assistant", "content": "" }), None);
    let hello = chunk(&json!({ "content": "Hello!" }), None);
    let end = chunk(&json!({}), Some("stop")) + DONE;
    let begun = |index: u64| {
        let function = json!({ "name": "f", "arguments": "" });
        fragment(&json!({ "index": index, "id": "a", "type": "function", "function": function }))
    };
    let more = |text: &str| fragment(&json!({ "index": 0, "function": { "arguments": text } }));
    let other = hello.replace("chatcmpl-1", "chatcmpl-2");
    for (text, wrong) in [
        (format!("{role}{hello}{end}"), None),
        (format!(": keep-alive\n\n{role}{hello}{end}"), None),
        (
            format!("{role}{}{}{}{end}", begun(0), more("{\"a\":"), more("1}")),
            None,
        ),
        (format!("{hello}{end}"), Some("the first event has no role")),
        (format!("{role}{role}{end}"), Some("the role comes twice")),
        (
            format!("{role}{other}{end}"),
            Some("the id changes within the stream"),
        ),
        (
            format!("{role}{hello}{DONE}"),
            Some("the stream has no finish"),
        ),
        (
            format!("{role}{}", chunk(&json!({}), Some("stop"))),
            Some("the stream has no [DONE]"),
        ),
        (
            format!("{role}{end}{hello}"),
            Some("an event follows [DONE]"),
        ),
        (
            format!("{role}data: {{\"error\":{{\"code\":\"stream_broken\"}}}}\n\n"),
            Some("the stream ended with an error (stream_broken)"),
        ),
        (
            format!("id: 1\n{role}{end}"),
            Some("an event has more than its data"),
        ),
        (
            format!("retry: 1\n\n{role}{end}"),
            Some("a line is no data line"),
        ),
        (
            format!("{role}data: {{\n\n{end}"),
            Some("an event is not JSON"),
        ),
        (
            format!("{role}data: [DONE]\n"),
            Some("the last event has no blank line behind it"),
        ),
        (
            format!("{role}{}{end}", begun(1)),
            Some("the indexes of the tool calls have a gap"),
        ),
        (
            format!("{role}{}{}{end}", begun(0), begun(0)),
            Some("id or name of a tool call come twice"),
        ),
        (
            format!("{role}{}{}{end}", begun(0), more("{")),
            Some("the arguments of a tool call are not JSON"),
        ),
        (
            format!("{role}{}{end}", fragment(&json!({ "function": {} }))),
            Some("a fragment of a tool call has no index"),
        ),
    ] {
        let read = stream(text.as_bytes());
        assert_eq!(read.err().as_deref(), wrong, "{text}");
    }
    let called = format!("{role}{}{}{end}", begun(0), more("{}"));
    let reading = stream(called.as_bytes()).unwrap();
    assert_eq!(reading.calls[0].arguments, "{}");
    assert_eq!(reading.finish, "stop");
}

#[test]
fn an_event_is_meaningful_once_it_holds_what_is_waited_for() {
    for (delta, meaningful) in [
        (json!({ "role": "assistant", "content": "" }), false),
        (json!({ "content": "H" }), true),
        (json!({ "refusal": "No" }), true),
        (json!({ "reasoning_content": "Hm" }), true),
        (json!({ "tool_calls": [{}] }), true),
        (json!({}), false),
    ] {
        let frame = json!({ "choices": [{ "delta": delta }] }).to_string();
        assert_eq!(is_meaningful(frame.as_bytes()), meaningful, "{delta}");
    }
    assert!(!is_meaningful(b"[DONE]"));
}

/// What OpenAI itself has sent is read: strictness that its own answers do not meet is none.
#[test]
fn what_openai_really_sends_is_read() {
    let Some(samples) = recordings::samples(OPENAI, |name| name.starts_with("openai-chat-")) else {
        return;
    };
    let mut refused = Vec::new();
    let mut read = 0;
    for (name, sample) in samples {
        let response = &sample["response"];
        if response["status"] != 200 {
            continue;
        }
        let result = match response["sse_text"].as_str() {
            Some(text) => stream(text.as_bytes()),
            None => plain(response["body"].to_string().as_bytes()),
        };
        match result {
            Ok(_) => read += 1,
            Err(why) => refused.push(format!("{name}: {why}")),
        }
    }
    refused.sort();
    assert!(read > 20, "{read} read; {refused:#?}");
    // Two that no probe asks for, and one recording that ends early.
    assert_eq!(
        refused,
        [
            "openai-chat-stream-moderation: an event has no choices",
            "openai-chat-stream-n2: a choice has no index, or no delta",
            "openai-chat-stream-text-vercel: the stream has no [DONE]",
        ]
    );
}
