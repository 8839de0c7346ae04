//! Requests passed on within the dialect.

use serde_json::{Value, json};

use crate::chat::{Request, Surface, Unsupported, thought};
use crate::dialect::Receiver;
use crate::dialect::anthropic::surface::{Form, cloud_betas, seal_of_call, splice_request};
use crate::facts::Families;

const BEDROCK: Form<'_> = Form::InCloud {
    version: "bedrock-2023-05-31",
    stream_in_body: false,
    betas: &["context-1m-2025-08-07"],
};
const VERTEX: Form<'_> = Form::InCloud {
    version: "vertex-2023-10-16",
    stream_in_body: true,
    betas: &[],
};

/// What is sent of `body` to a model, and the names of what is dropped.
fn sent_to(model: &str, body: &str, form: Form<'_>) -> Result<(String, Vec<String>), Unsupported> {
    let request = Request::read(Surface::Messages, body.to_owned().into()).unwrap();
    let facts = Families::built_in().of(model);
    let to = Receiver {
        id: "claude/opus",
        model,
        facts: &facts,
    };
    let spliced = splice_request(&request, to, form)?;
    let body = String::from_utf8(spliced.pieces.concat()).unwrap();
    let dropped = spliced.dropped.iter().map(ToString::to_string).collect();
    Ok((body, dropped))
}

fn sent(body: &str, form: Form<'_>) -> (String, Vec<String>) {
    sent_to("claude-opus-4-8", body, form).unwrap()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The messages that are sent of these.
fn history(messages: &Value, form: Form<'_>) -> Value {
    let body = json!({"model": "a", "max_tokens": 1, "messages": messages}).to_string();
    parsed(&sent(&body, form).0)["messages"].clone()
}

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
fn a_cloud_is_told_what_it_knows() {
    let mark = json!({"type": "ephemeral", "ttl": "1h", "scope": "global"});
    let bare = json!({"type": "ephemeral"});
    let body = json!({
        "model": "mine", "stream": true, "max_tokens": 9,
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cch=1;"},
            {"type": "text", "text": "s", "cache_control": mark},
        ],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "q", "cache_control": mark}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {"cache_control": mark}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "r", "cache_control": mark}]}]},
        ],
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "defer_loading": true, "cache_control": bare}, {"type": "bash_20250124", "name": "bash"}],
        "thinking": {"type": "adaptive", "block_binding": {}},
        "output_config": {"effort": "low", "task_budget": {}},
        "context_management": {"edits": []}, "speed": "fast", "fallbacks": [], "mcp_servers": [], "container": null,
        "metadata": {"user_id": "u"}, "temperature": 1.0,
    });
    let rest = json!({
        "max_tokens": 9,
        "system": [{"type": "text", "text": "s", "cache_control": bare}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "q", "cache_control": bare}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {"cache_control": mark}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "r", "cache_control": bare}]}]},
        ],
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": bare}, {"type": "bash_20250124", "name": "bash"}],
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "low"},
        "metadata": {"user_id": "u"}, "temperature": 1.0,
    });
    for (form, own) in [
        (
            BEDROCK,
            json!({"anthropic_version": "bedrock-2023-05-31", "anthropic_beta": ["context-1m-2025-08-07"]}),
        ),
        (
            VERTEX,
            json!({"anthropic_version": "vertex-2023-10-16", "stream": true}),
        ),
    ] {
        let (out, mut dropped) = sent(&body.to_string(), form);
        let mut expected = rest.clone();
        expected
            .as_object_mut()
            .unwrap()
            .extend(own.as_object().unwrap().clone());
        assert_eq!(parsed(&out), expected);
        dropped.sort();
        assert_eq!(
            dropped,
            [
                "block_binding",
                "cache_control",
                "context_management",
                "defer_loading",
                "speed",
                "task_budget"
            ]
        );
    }
}

#[test]
fn instructions_among_the_messages_are_told_at_the_head_in_a_cloud_and_nothing_else_is_touched() {
    let head = r#"{"model":"mine","max_tokens":9"#;
    let first = r#"{"role":"user","content":[ {"type":"text","text":"q"} ]}"#;
    let second = r#"{"role":"assistant","content":[{"type":"thinking","thinking":"Hm","signature":"NATIVE+/=="}, {"type":"tool_use","id":"toolu_1","name":"f","input":{ "x":1.0e2 }}]}"#;
    let third = r#"{ "content":[{"type":"tool_result","tool_use_id":"toolu_1"}], "role":"user"}"#;
    let plain = r#"{"role":"system","content":"re\u006dind"}"#;
    let marked = r#"{"content":[{"type":"text","text":"b","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":" "}],"role":"system"}"#;
    let (said, also) = (
        r#"{"type":"text","text":"re\u006dind"}"#,
        r#"{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}"#,
    );
    let own = r#"{"type":"text","text":"own"}"#;
    // What `system` is, what it becomes, and whether it was in the body.
    for (system, expected) in [
        ("", format!("[{said},{also}]")),
        (",\"system\":null", format!("[{said},{also}]")),
        (",\"system\":[]", format!("[{said},{also}]")),
        (",\"system\":\"own\"", format!("[{own},{said},{also}]")),
        (
            ",\"system\":[ {\"type\":\"text\",\"text\":\"own\"} ]",
            format!("[{own},{said},{also}]"),
        ),
        (
            ",\"system\":\"x-anthropic-billing-header: cch=1;\"",
            format!("[{said},{also}]"),
        ),
        (
            r#","system":[{"type":"text","text":"x-anthropic-billing-header: cch=1;"}]"#,
            format!("[{said},{also}]"),
        ),
    ] {
        for messages in [
            format!("{first},{second},{plain},{third},{marked}"),
            format!("{plain},{marked}, {first},{second},{third}"),
        ] {
            let body = format!("{head}{system},\"messages\":[{messages}]}}");
            let (out, dropped) = sent(&body, VERTEX);
            assert_eq!(parsed(&out)["system"], parsed(&expected), "{out}");
            assert!(
                out.contains(&format!("\"messages\":[{first},{second},{third}]")),
                "{out}"
            );
            assert_eq!(dropped, ["cache_control"]);
        }
    }
    let body = format!("{head},\"messages\":[{first},{plain}]}}");
    // Where it is spoken as its maker speaks it, they stand where they stood.
    let (out, _) = sent(&body, Form::Direct);
    assert_eq!(out, body.replace("\"mine\"", "\"claude-opus-4-8\""));
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
fn a_count_names_its_model_in_a_cloud_too() {
    let body = r#"{"messages":[],"model":"mine"}"#;
    let request = Request::read(Surface::CountTokens, body.into()).unwrap();
    let facts = Families::built_in().of("claude-opus-4-8");
    let to = Receiver {
        id: "a/b",
        model: "b",
        facts: &facts,
    };
    let spliced = splice_request(&request, to, VERTEX).unwrap();
    assert_eq!(
        parsed(&String::from_utf8(spliced.pieces.concat()).unwrap()),
        json!({"anthropic_version": "vertex-2023-10-16", "messages": [], "model": "b"})
    );
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
fn what_a_cloud_would_answer_otherwise_is_refused() {
    for (field, param) in [
        (json!({"mcp_servers": [{"url": "u"}]}), "mcp_servers"),
        (json!({"container": "c"}), "container"),
        (json!({"inference_geo": "us"}), "inference_geo"),
        (
            json!({"tools": [{"name": "f"}, {"type": "web_search_20260318", "name": "web_search"}]}),
            "tools[1]",
        ),
    ] {
        let mut body = json!({"model": "m", "messages": [], "max_tokens": 1});
        body.as_object_mut()
            .unwrap()
            .extend(field.as_object().unwrap().clone());
        let refused = sent_to("claude-opus-4-8", &body.to_string(), BEDROCK).unwrap_err();
        assert_eq!(
            (refused.code, &*refused.param),
            (Unsupported::PARAMETER, param)
        );
        assert!(sent_to("claude-opus-4-8", &body.to_string(), Form::Direct).is_ok());
    }
}

#[test]
fn the_form_of_an_answer_is_told_to_a_cloud_or_refused_and_never_lost() {
    let form = json!({"type": "json_schema", "schema": {"type": "object"}});
    let other = json!({"type": "json_schema", "schema": {"type": "object", "title": "o"}});
    for (fields, config) in [
        (json!({"output_format": form}), json!({"format": form})),
        (
            json!({"output_format": form, "output_config": null}),
            json!({"format": form}),
        ),
        (
            json!({"output_format": form, "output_config": {"effort": "low", "task_budget": {}}}),
            json!({"effort": "low", "format": form}),
        ),
        (
            json!({"output_format": form, "output_config": {"task_budget": {}, "format": null}}),
            json!({"format": form}),
        ),
        // Of the two the newer holds.
        (
            json!({"output_format": other, "output_config": {"format": form}}),
            json!({"format": form}),
        ),
        (
            json!({"output_format": null, "output_config": {"format": form}}),
            json!({"format": form}),
        ),
        (json!({"output_format": null}), Value::Null),
    ] {
        let mut body = json!({"model": "m", "messages": [], "max_tokens": 1});
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let body = body.to_string();
        let (out, dropped) = sent_to("claude-opus-4-8", &body, VERTEX).unwrap();
        let out = parsed(&out);
        assert_eq!(out["output_config"], config, "{fields}");
        assert!(out.get("output_format").is_none(), "{out}");
        assert!(dropped.iter().all(|name| name == "task_budget"));
        // Where it cannot be had, another target may have it.
        for model in ["us.anthropic.claude-opus-5-v1:0", "claude-3-haiku-20240307"] {
            let sent = sent_to(model, &body, BEDROCK);
            match sent {
                Ok((out, _)) => assert!(config.is_null(), "{out}"),
                Err(refused) => assert_eq!(refused.param, "response_format"),
            }
        }
        let refused = sent_to("us.anthropic.claude-opus-5-v1:0", &body, BEDROCK).is_err();
        assert_eq!(refused, !config.is_null(), "{fields}");
    }
}

#[test]
fn betas_that_a_cloud_does_not_know_are_not_sent() {
    let header = "claude-code-20250219,interleaved-thinking-2025-05-14, context-1m-2025-08-07,,new-2031-01-01";
    let kept: Vec<&str> = cloud_betas(header).collect();
    assert_eq!(
        kept,
        ["interleaved-thinking-2025-05-14", "context-1m-2025-08-07"]
    );
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
