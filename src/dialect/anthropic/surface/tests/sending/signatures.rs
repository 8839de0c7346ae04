//! Whose signatures and ids a target sees, and what goes with those it does not.

use serde_json::{Value, json};

use super::{BEDROCK, VERTEX, parsed, sent, sent_to};
use crate::chat::thought;
use crate::dialect::anthropic::surface::{Form, seal_of_call};

/// The messages that are sent of these.
fn history(messages: &Value, form: Form<'_>) -> Value {
    let body = json!({"model": "a", "max_tokens": 1, "messages": messages}).to_string();
    parsed(&sent(&body, form).0)["messages"].clone()
}

#[test]
fn a_target_sees_what_it_signed_and_no_other_did() {
    let mine = thought::seal("claude/opus", "sig=");
    let other = thought::seal("gemini/g", "sig=");
    let of_call = seal_of_call("gemini/g", "sig=");
    let thinking =
        |signature: &str| json!({"type": "thinking", "thinking": "t", "signature": signature});
    let redacted = |data: &str| json!({"type": "redacted_thinking", "data": data});
    let text = json!({"type": "text", "text": "x"});
    for (came, expected) in [
        (
            vec![thinking("bare"), text.clone()],
            vec![thinking("bare"), text.clone()],
        ),
        (
            vec![thinking(&mine), text.clone()],
            vec![thinking("sig="), text.clone()],
        ),
        (vec![thinking(&other), text.clone()], vec![text.clone()]),
        (vec![thinking(""), text.clone()], vec![text.clone()]),
        (
            vec![thinking(&thought::seal("claude/opus", "")), text.clone()],
            vec![text.clone()],
        ),
        (
            vec![json!({"type": "thinking", "thinking": "t"}), text.clone()],
            vec![text.clone()],
        ),
        (vec![text.clone(), thinking(&of_call)], vec![text.clone()]),
        (
            vec![
                redacted("b3Bh"),
                redacted(&mine),
                redacted(&other),
                text.clone(),
            ],
            vec![redacted("b3Bh"), redacted("sig="), text.clone()],
        ),
        (
            vec![
                text.clone(),
                thinking(&other),
                text.clone(),
                thinking(&mine),
            ],
            vec![text.clone(), text.clone(), thinking("sig=")],
        ),
    ] {
        let messages = |blocks: &[Value]| json!([{"role": "user", "content": "q"}, {"content": blocks, "role": "assistant"}]);
        for form in [Form::Direct, BEDROCK, VERTEX] {
            assert_eq!(
                history(&messages(&came), form),
                messages(&expected),
                "{came:?}"
            );
        }
    }
}

#[test]
fn a_message_that_nothing_is_left_of_goes() {
    let other =
        json!([{"type": "thinking", "thinking": "t", "signature": thought::seal("gemini/g", "s")}]);
    let user = json!({"role": "user", "content": "q"});
    let gone = json!({"role": "assistant", "content": other});
    for (came, expected) in [
        (json!([user, gone, user]), json!([user, user])),
        (json!([gone, user]), json!([user])),
        (json!([user, gone]), json!([user])),
        (
            json!([user, {"role": "assistant", "content": []}]),
            json!([user, {"role": "assistant", "content": []}]),
        ),
    ] {
        assert_eq!(history(&came, Form::Direct), expected);
    }
}

#[test]
fn ids_that_another_provider_made_fit_on_both_sides() {
    let messages = |call: &str| {
        json!([
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": call, "name": "f", "input": {"id": "a.b"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call, "content": [{"type": "text", "text": "x"}]}]},
        ])
    };
    for (id, expected) in [
        ("toolu_1-A", "toolu_1-A"),
        ("functions.f:0", "functions_f_0"),
    ] {
        assert_eq!(history(&messages(id), Form::Direct), messages(expected));
    }
}

#[test]
fn a_model_that_thinks_by_a_budget_thinks_on_behind_instructions_among_its_results() {
    let messages = json!([
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "s="}, {"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]},
        {"role": "system", "content": "reminder"},
    ]);
    let thinking = json!({"type": "enabled", "budget_tokens": 1024});
    let body =
        json!({"model": "a", "max_tokens": 2000, "thinking": thinking, "messages": messages})
            .to_string();
    let (out, dropped) = sent_to("claude-sonnet-4-5", &body, VERTEX).unwrap();
    assert_eq!(parsed(&out)["thinking"], thinking);
    assert_eq!(parsed(&out)["messages"].as_array().unwrap().len(), 3);
    assert!(dropped.is_empty(), "{dropped:?}");
}

#[test]
fn a_model_that_thinks_by_a_budget_goes_on_without_where_its_thinking_is_gone() {
    let call = json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}});
    let result =
        json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1"}]});
    let thought =
        |signature: &str| json!({"type": "thinking", "thinking": "t", "signature": signature});
    let other = thought::seal("gemini/g", "sig=");
    let enabled = json!({"type": "enabled", "budget_tokens": 2048});
    for (model, blocks, last, on) in [
        (
            "claude-sonnet-4-5",
            vec![thought("bare"), call.clone()],
            &result,
            true,
        ),
        (
            "claude-sonnet-4-5",
            vec![thought(&other), call.clone()],
            &result,
            false,
        ),
        ("claude-sonnet-4-5", vec![call.clone()], &result, false),
        (
            "claude-sonnet-4-5",
            vec![call.clone()],
            &json!({"role": "user", "content": "and?"}),
            true,
        ),
        (
            "claude-opus-4-8",
            vec![thought(&other), call.clone()],
            &result,
            true,
        ),
    ] {
        let messages = json!([{"role": "user", "content": "q"}, {"role": "assistant", "content": blocks}, last]);
        let body =
            json!({"model": "a", "max_tokens": 9, "thinking": enabled, "messages": messages});
        for form in [Form::Direct, BEDROCK, VERTEX] {
            let (out, dropped) = sent_to(model, &body.to_string(), form).unwrap();
            let expected = if on {
                enabled.clone()
            } else {
                json!({"type": "disabled"})
            };
            assert_eq!(parsed(&out)["thinking"], expected, "{model} {messages}");
            assert_eq!(dropped.contains(&"thinking".to_owned()), !on);
        }
    }
}
