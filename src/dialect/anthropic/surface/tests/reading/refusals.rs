//! What is no request, or one that only Anthropic can answer.

use serde_json::json;

use super::refused;
use crate::chat::Unsupported;
use crate::dialect::anthropic::surface::read;

/// Each name is compared with those before it: were they not bounded, this would take minutes.
#[test]
fn a_request_that_sets_very_many_fields_is_refused() {
    let each = |item: fn(usize) -> String| (0..100_000).map(item).collect::<Vec<_>>().join(",");
    let tools = each(|at| format!(r#"{{"name":"t","input_schema":{{}},"f{at}":1}}"#));
    let blocks = each(|at| format!(r#"{{"type":"b{at}"}}"#));
    for body in [
        format!(r#"{{"messages":[{{"role":"user","content":"Hi"}}],"tools":[{tools}]}}"#),
        format!(r#"{{"messages":[{{"role":"assistant","content":[{blocks}]}}]}}"#),
    ] {
        let refused = read(&body).unwrap_err();
        assert!(
            refused.message.contains("256 different fields"),
            "{refused:?}"
        );
    }
}

#[test]
fn what_is_no_request_is_refused_by_its_path() {
    for (fields, path) in [
        (json!({"messages": "q"}), "messages"),
        (json!({"messages": null}), "messages"),
        (json!({"messages": [1]}), "messages[0]"),
        (
            json!({"messages": [{"role": "tool", "content": "x"}]}),
            "messages[0].role",
        ),
        (
            json!({"messages": [{"role": "user"}]}),
            "messages[0].content",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]}),
            "messages[0].content[0].text",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"text": "x"}]}]}),
            "messages[0].content[0].type",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "x"}}]}]}),
            "messages[0].content[0].source.media_type",
        ),
        (
            json!({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": "{}"}]}]}),
            "messages[0].content[0].input",
        ),
        (json!({"system": 1}), "system"),
        (json!({"system": [{"type": "image"}]}), "system[0].type"),
        (json!({"max_tokens": -1}), "max_tokens"),
        (json!({"max_tokens": 1.5}), "max_tokens"),
        (json!({"temperature": "0"}), "temperature"),
        (json!({"tools": [{"name": 1}]}), "tools[0].name"),
        (
            json!({"tools": [{"name": "f", "input_schema": []}]}),
            "tools[0].input_schema",
        ),
        (json!({"tool_choice": {"type": "some"}}), "tool_choice.type"),
        (
            json!({"thinking": {"type": "enabled"}}),
            "thinking.budget_tokens",
        ),
        (
            json!({"output_config": {"effort": "huge"}}),
            "output_config.effort",
        ),
        (
            json!({"output_config": {"format": {"type": "json"}}}),
            "output_config.format.type",
        ),
        (json!({"stop_sequences": ["a", 1]}), "stop_sequences[1]"),
        (json!({"metadata": {"user_id": 7}}), "metadata.user_id"),
    ] {
        let refused = refused(&fields);
        assert_eq!(
            (refused.code, &*refused.param),
            (Unsupported::INVALID, path),
            "{fields}"
        );
        assert!(refused.message.contains(path), "{}", refused.message);
    }
    for body in ["", "[]", "{\"messages\":[", "{} {}"] {
        assert_eq!(read(body).unwrap_err().code, Unsupported::INVALID, "{body}");
    }
}

#[test]
fn what_only_anthropic_can_do_is_refused() {
    for (fields, path) in [
        (json!({"max_tokens": 0}), "max_tokens"),
        (
            json!({"tools": [{"type": "web_search_20260318", "name": "web_search"}]}),
            "tools[0]",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "container_upload", "file_id": "f"}]}]}),
            "messages[0].content[0]",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [{"type": "search_result"}]}]}]}),
            "messages[0].content[0].content[0]",
        ),
    ] {
        let refused = refused(&fields);
        assert_eq!(
            (refused.code, &*refused.param),
            (Unsupported::PARAMETER, path),
            "{fields}"
        );
    }
}
