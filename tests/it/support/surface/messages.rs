//! Messages: blocks in order, one open at a time, and an end or an error.
//!
//! <https://platform.claude.com/docs/en/api/messages-streaming> (read 2026-11)

use serde_json::Value;

use super::{Finish, Told, compact, named};

/// What `error.type` may be.
pub(super) const ERRORS: [&str; 11] = [
    "invalid_request_error",
    "authentication_error",
    "billing_error",
    "permission_error",
    "not_found_error",
    "conflict_error",
    "request_too_large",
    "rate_limit_error",
    "timeout_error",
    "api_error",
    "overloaded_error",
];

fn empty() -> Told {
    Told {
        thought: String::new(),
        text: String::new(),
        calls: Vec::new(),
        ids: Vec::new(),
        finish: Finish::Broken,
        usage: None,
        model: String::new(),
        error: None,
    }
}

fn finish(reason: &Value) -> Finish {
    match reason.as_str() {
        Some("end_turn" | "stop_sequence" | "pause_turn" | "compaction") => Finish::Stop,
        Some("tool_use") => Finish::Calls,
        Some("max_tokens" | "model_context_window_exceeded") => Finish::Length,
        Some("refusal") => Finish::Filter,
        _ => panic!("the stop reason {reason}"),
    }
}

fn check_message(message: &Value) {
    assert_eq!(message["type"], "message", "{message}");
    assert_eq!(message["role"], "assistant", "{message}");
    let id = message["id"].as_str().unwrap_or_default();
    assert!(id.starts_with("msg_"), "{message}");
    assert!(message["content"].is_array(), "{message}");
    assert!(message["usage"]["input_tokens"].is_u64(), "{message}");
    assert!(message["usage"]["output_tokens"].is_u64(), "{message}");
    for member in ["stop_reason", "stop_sequence"] {
        assert!(message.get(member).is_some(), "{member}: {message}");
    }
}

/// One block, whole.
fn block(told: &mut Told, block: &Value, whole: &Value) {
    let text = |name: &str| {
        block[name]
            .as_str()
            .unwrap_or_else(|| panic!("{name}: {whole}"))
    };
    match text("type") {
        "text" => told.text += text("text"),
        "thinking" => {
            text("signature");
            told.thought += text("thinking");
        }
        "redacted_thinking" => assert!(!text("data").is_empty(), "{whole}"),
        "tool_use" => {
            assert!(block["input"].is_object(), "{whole}");
            assert!(
                !text("id").is_empty() && !text("name").is_empty(),
                "{whole}"
            );
            told.ids.push(text("id").to_owned());
            told.calls
                .push((text("name").to_owned(), block["input"].to_string()));
        }
        // What the provider ran itself; only its own model's answers have it.
        _ => {}
    }
}

pub(super) fn plain(message: &Value) -> Told {
    check_message(message);
    let mut told = empty();
    for each in message["content"].as_array().unwrap() {
        block(&mut told, each, message);
    }
    told.finish = finish(&message["stop_reason"]);
    message["model"]
        .as_str()
        .unwrap()
        .clone_into(&mut told.model);
    let usage = &message["usage"];
    told.usage = Some((
        usage["input_tokens"].as_u64().unwrap(),
        usage["output_tokens"].as_u64().unwrap(),
    ));
    told
}

/// The block that is open.
struct Open {
    block: Value,
    /// Of its arguments.
    pieces: String,
}

pub(super) fn stream(text: &str) -> Told {
    let events = named(text);
    let mut told = empty();
    let mut open: Option<Open> = None;
    let mut next = 0;
    let mut started = false;
    let mut stopping = false;
    let mut over = false;
    for (name, event) in &events {
        assert!(!over, "behind the end: {text}");
        assert!(
            started || matches!(&**name, "message_start" | "ping"),
            "{name}: {text}"
        );
        match &**name {
            "message_start" => {
                assert!(!started, "begun twice: {text}");
                started = true;
                let message = &event["message"];
                check_message(message);
                message["model"]
                    .as_str()
                    .unwrap()
                    .clone_into(&mut told.model);
                told.usage = Some((message["usage"]["input_tokens"].as_u64().unwrap(), 0));
            }
            "ping" => {}
            "content_block_start" => {
                assert!(open.is_none() && !stopping, "{event}: {text}");
                assert_eq!(event["index"], next, "{text}");
                let block = event["content_block"].clone();
                open = Some(Open {
                    block,
                    pieces: String::new(),
                });
            }
            "content_block_delta" => {
                assert_eq!(event["index"], next, "{text}");
                let open = open
                    .as_mut()
                    .unwrap_or_else(|| panic!("nothing is open: {text}"));
                delta(open, &event["delta"], text);
            }
            "content_block_stop" => {
                assert_eq!(event["index"], next, "{text}");
                let Open {
                    block: mut whole,
                    pieces,
                } = open
                    .take()
                    .unwrap_or_else(|| panic!("nothing is open: {text}"));
                if !pieces.is_empty() {
                    whole["input"] = serde_json::from_str(&pieces)
                        .unwrap_or_else(|_| panic!("half a call {pieces:?}: {text}"));
                }
                block(&mut told, &whole, &Value::from(text));
                next += 1;
            }
            "message_delta" => {
                assert!(open.is_none() && !stopping, "{text}");
                stopping = true;
                told.finish = finish(&event["delta"]["stop_reason"]);
                let usage = &event["usage"];
                let output = usage["output_tokens"]
                    .as_u64()
                    .unwrap_or_else(|| panic!("{text}"));
                let before = told.usage.map_or(0, |(input, _)| input);
                told.usage = Some((usage["input_tokens"].as_u64().unwrap_or(before), output));
            }
            "message_stop" => {
                assert!(stopping, "no stop reason: {text}");
                over = true;
            }
            "error" => {
                let error = &event["error"];
                let kind = error["type"].as_str().unwrap_or_default();
                assert!(ERRORS.contains(&kind), "{text}");
                assert!(error["message"].is_string(), "{text}");
                let code = error["details"]["error_code"].as_str();
                told.error = Some(code.unwrap_or_else(|| panic!("{text}")).to_owned());
                told.finish = Finish::Broken;
                if let Some(Open { block: cut, .. }) =
                    open.take().filter(|open| open.pieces.is_empty())
                {
                    block(&mut told, &cut, &Value::from(text));
                }
                over = true;
            }
            other => panic!("the event {other}: {text}"),
        }
    }
    assert!(over, "a silent end: {text}");
    for (_, arguments) in &mut told.calls {
        *arguments = compact(arguments);
    }
    told
}

fn delta(open: &mut Open, delta: &Value, text: &str) {
    let kind = delta["type"].as_str().unwrap_or_default();
    let (of, member) = match kind {
        "text_delta" => ("text", "text"),
        "thinking_delta" => ("thinking", "thinking"),
        "signature_delta" => ("thinking", "signature"),
        "input_json_delta" => {
            let of = open.block["type"].as_str().unwrap_or_default();
            assert!(matches!(of, "tool_use" | "server_tool_use"), "{text}");
            open.pieces += delta["partial_json"]
                .as_str()
                .unwrap_or_else(|| panic!("{text}"));
            return;
        }
        "citations_delta" | "compaction_delta" => return,
        other => panic!("the delta {other}: {text}"),
    };
    assert_eq!(open.block["type"], of, "{text}");
    let more = delta[member].as_str().unwrap_or_else(|| panic!("{text}"));
    let so_far = open.block[member].as_str().unwrap_or_default();
    open.block[member] = format!("{so_far}{more}").into();
}
