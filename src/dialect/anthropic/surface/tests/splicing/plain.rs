//! Answers in one piece.

use bytes::Bytes;
use serde_json::{Value, json};

use super::accumulated;
use crate::chat::Usage;
use crate::dialect::anthropic::surface::{Splicer, splice_answer};
use crate::outcome::Class;

fn message(content: &Value, stop_reason: &str) -> String {
    json!({
        "model": "claude-x", "id": "msg_1", "type": "message", "role": "assistant", "content": content,
        "stop_reason": stop_reason, "stop_sequence": null,
        "usage": {"input_tokens": 3, "output_tokens": 2, "output_tokens_details": {"thinking_tokens": 1}},
    })
    .to_string()
}

fn contents() -> Vec<(Value, &'static str)> {
    vec![
        (json!([{"type": "text", "text": "x\ny"}]), "end_turn"),
        (
            json!([
                {"type": "thinking", "thinking": "", "signature": "s"},
                {"type": "redacted_thinking", "data": "d"},
                {"type": "text", "text": "x"},
                {"type": "server_tool_use", "id": "s", "name": "w", "input": {"q": 1}},
                {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"x": 1}]},
                {"type": "tool_use", "id": "a", "name": "f", "input": {"x": [1, {}]}},
                {"type": "tool_use", "id": "b", "name": "f", "input": {}},
            ]),
            "tool_use",
        ),
        (json!([]), "refusal"),
        (json!([]), "pause_turn"),
    ]
}

#[test]
fn a_plain_answer_passes_as_it_came_but_for_the_model() {
    for (content, reason) in contents() {
        let body = message(&content, reason);
        let usage = Usage {
            prompt: Some(3),
            reasoning: Some(1),
            completion: Some(2),
            ..Usage::default()
        };
        let came = Bytes::from(body.clone());
        assert_eq!(
            splice_answer(&came, Some("mine")),
            Ok((body.replace("claude-x", "mine").into(), usage))
        );
        assert_eq!(splice_answer(&came, None), Ok((came.clone(), usage)));
    }
}

#[test]
fn a_plain_answer_is_the_same_message_as_a_stream() {
    for (content, reason) in contents() {
        let mut expected: Value = serde_json::from_str(&message(&content, reason)).unwrap();
        let mut splicer = Splicer::new(Some("mine".into()));
        splicer
            .whole(serde_json::to_string_pretty(&expected).unwrap().as_bytes())
            .unwrap();
        assert!(splicer.done());
        expected["model"] = "mine".into();
        let stream = String::from_utf8(splicer.output()).unwrap();
        assert_eq!(accumulated(&stream), expected);
    }
}

#[test]
fn a_plain_body_that_is_no_answer_is_broken_or_the_error_it_names() {
    let error =
        |kind: &str| json!({"type": "error", "error": {"type": kind, "message": "m"}}).to_string();
    for (body, expected) in [
        (String::new(), Class::Broken),
        ("<html>".into(), Class::Broken),
        ("[]".into(), Class::Broken),
        ("{}".into(), Class::Broken),
        (message(&json!([]), "end_turn"), Class::Broken),
        (
            message(&json!([{"type": "text", "text": ""}]), "end_turn"),
            Class::Broken,
        ),
        (
            message(
                &json!([{"type": "tool_use", "id": "a", "name": "f", "input": "{}"}]),
                "tool_use",
            ),
            Class::Broken,
        ),
        (message(&json!("x"), "end_turn"), Class::Broken),
        (
            message(&json!([{"type": "text", "text": "x"}]), "end_turn")[..40].to_owned(),
            Class::Broken,
        ),
        (error("overloaded_error"), Class::Overloaded),
        (error("api_error"), Class::Broken),
    ] {
        let refused = splice_answer(&Bytes::from(body.clone()), Some("mine"));
        assert_eq!(
            refused.map_err(|failure| failure.class),
            Err(expected),
            "{body}"
        );
        let mut splicer = Splicer::new(None);
        let refused = splicer.whole(body.as_bytes());
        assert_eq!(
            refused.map_err(|failure| failure.class),
            Err(expected),
            "{body}"
        );
    }
}
