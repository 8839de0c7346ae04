//! What passes as it came.

use serde_json::json;

use super::{VERTEX, parsed, sent, sent_to};
use crate::chat::{Request, Surface};
use crate::dialect::Receiver;
use crate::dialect::anthropic::surface::{Form, splice_request};
use crate::facts::Families;

#[test]
fn only_the_model_changes() {
    let body = r#"{ "model" : "mine", "messages":[{"role":"user","content":[ {"type":"text","text":"x"} ]},
        {"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"EqQB+/=="},{"type":"redacted_thinking","data":"b3Bh"},
        {"type":"tool_use","id":"toolu_1","name":"f","input":{ "x":1e400 }}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1"}]},
        {"role":"user","content":"x"}], "brand_new":{"b":1,"a":2}, "thinking":{"type":"adaptive","block_binding":{}}, "max_tokens":1 }"#;
    let (out, dropped) = sent(body, Form::Direct);
    assert_eq!(out, body.replace("\"mine\"", "\"claude-opus-4-8\""));
    assert!(dropped.is_empty());
}

#[test]
fn what_is_left_empty_goes_as_a_whole() {
    for (field, model, expected) in [
        (
            json!({"system": "x-anthropic-billing-header: a;"}),
            "claude-opus-4-8",
            json!({}),
        ),
        (
            json!({"system": "x-anthropic-billing-header: a;\nhi"}),
            "claude-opus-4-8",
            json!({"system": "hi"}),
        ),
        (
            json!({"system": ""}),
            "claude-opus-4-8",
            json!({"system": ""}),
        ),
        (
            json!({"system": [{"type": "text", "text": "x-anthropic-billing-header: a;"}]}),
            "claude-opus-4-8",
            json!({}),
        ),
        (
            json!({"output_config": {"task_budget": {}}}),
            "claude-opus-4-8",
            json!({}),
        ),
        (
            json!({"output_config": {"effort": "low"}}),
            "claude-3-haiku-20240307",
            json!({}),
        ),
        (
            json!({"output_config": {"effort": "low"}}),
            "claude-opus-4-8",
            json!({"output_config": {"effort": "low"}}),
        ),
    ] {
        let mut body = json!({"model": "m", "messages": [], "max_tokens": 1});
        body.as_object_mut()
            .unwrap()
            .extend(field.as_object().unwrap().clone());
        let (out, _) = sent_to(model, &body.to_string(), VERTEX).unwrap();
        let mut out = parsed(&out);
        for own in ["anthropic_version", "messages", "max_tokens"] {
            assert!(out.as_object_mut().unwrap().remove(own).is_some());
        }
        assert_eq!(out, expected, "{field}");
    }
}

#[test]
fn large_parts_are_shared_with_what_came() {
    let body = format!(
        "{{\"messages\":[],\"x\":\"{}\",\"model\":\"m\"}}",
        "y".repeat(4096)
    );
    let request = Request::read(Surface::Messages, body.into()).unwrap();
    let facts = Families::built_in().of("claude-opus-4-8");
    let to = Receiver {
        id: "a/b",
        model: "b",
        facts: &facts,
    };
    let spliced = splice_request(&request, to, Form::Direct).unwrap();
    assert_eq!(spliced.pieces[0].as_ptr(), request.body.as_ptr());
}
