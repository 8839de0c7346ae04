//! What a cloud is told: what it knows, and nothing that it would answer otherwise.

use serde_json::{Value, json};

use super::{BEDROCK, VERTEX, parsed, sent, sent_to};
use crate::chat::{Request, Surface, Unsupported};
use crate::dialect::Receiver;
use crate::dialect::anthropic::surface::{Form, cloud_betas, splice_request};
use crate::facts::Families;

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
