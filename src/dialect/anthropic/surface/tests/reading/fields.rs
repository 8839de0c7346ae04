//! What is set beside the messages.

use serde_json::json;

use super::conversation;
use crate::chat::{Effort, Format, Part, Thinking, ToolChoice};
use crate::dialect::anthropic::surface::read;

#[test]
fn schemas_and_arguments_keep_their_text() {
    let body = r#"{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"f","input":{ "b":1.0, "a":12345678901234567890123 }}]}],
        "tools":[{"name":"f","description":"","input_schema":{ "type":"object", "z":1e400 },"strict":true,"cache_control":{"type":"ephemeral","ttl":"5m"}},{"name":"g","type":"custom","description":"d"}]}"#;
    let read = read(body).unwrap();
    let Part::Call(call) = &read.turns[0].parts[0] else {
        panic!("a call was read");
    };
    assert_eq!(
        call.arguments,
        r#"{ "b":1.0, "a":12345678901234567890123 }"#
    );
    let [f, g] = &read.tools[..] else {
        panic!("two tools were read");
    };
    assert_eq!(
        f.schema.as_ref().unwrap().get(),
        r#"{ "type":"object", "z":1e400 }"#
    );
    assert_eq!(
        (f.strict, &f.description, &f.cache),
        (Some(true), &None, &Some(Some("5m".into())))
    );
    assert_eq!(
        (&*g.name, g.description.as_deref(), g.cache.is_some()),
        ("g", Some("d"), false)
    );
    assert_eq!(read.asked, ["cache_control"]);
}

#[test]
fn what_is_asked_for_is_read_and_named() {
    let read = conversation(&json!({
        "system": "s", "stream": true, "temperature": 0.5, "top_p": 1, "top_k": 4,
        "stop_sequences": ["\n", "x"], "service_tier": "auto",
        "metadata": {"user_id": "u"}, "context_management": {"edits": []},
        "fallbacks": [], "mcp_servers": [ ], "container": null, "speed": "fast",
        "output_config": {"effort": "xhigh", "format": {"type": "json_schema", "schema": {"type": "object"}}, "task_budget": {}},
        "thinking": {"type": "adaptive", "block_binding": {}},
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "tools": [{"name": "f", "input_schema": {}, "defer_loading": true}],
        "brand_new": 1,
    }));
    assert_eq!(read.max_tokens, Some(9));
    assert_eq!(
        (read.temperature, read.top_p, read.top_k),
        (Some(0.5), Some(1.0), Some(4))
    );
    assert_eq!(read.stop, ["\n", "x"]);
    assert_eq!(
        (read.user.as_deref(), read.service_tier.as_deref()),
        (Some("u"), Some("auto"))
    );
    assert_eq!(
        (read.effort, read.parallel_calls),
        (Some(Effort::Xhigh), Some(false))
    );
    assert_eq!(read.tool_choice, Some(ToolChoice::Required));
    let Format::JsonSchema {
        name,
        schema,
        strict,
        ..
    } = &read.format
    else {
        panic!("a schema was read");
    };
    assert_eq!(
        (&**name, schema.as_ref().unwrap().get(), *strict),
        ("response", "{\"type\":\"object\"}", Some(true))
    );
    let mut asked = read.asked.clone();
    asked.sort();
    assert_eq!(
        asked,
        [
            "block_binding",
            "brand_new",
            "context_management",
            "defer_loading",
            "parallel_tool_calls",
            "reasoning_effort",
            "response_format",
            "service_tier",
            "speed",
            "stop",
            "task_budget",
            "temperature",
            "thinking",
            "tool_choice",
            "top_k",
            "top_p",
            "user",
        ]
    );
    assert!(conversation(&json!({})).asked.is_empty());
}

#[test]
fn thinking_and_choice_in_every_form() {
    for (thinking, expected, shown) in [
        (json!({"type": "disabled"}), Thinking::Disabled, false),
        (
            json!({"type": "between_tools"}),
            Thinking::BetweenTools,
            true,
        ),
        (
            json!({"type": "adaptive", "display": "omitted"}),
            Thinking::Adaptive,
            false,
        ),
        (
            json!({"type": "adaptive", "display": "summarized"}),
            Thinking::Adaptive,
            true,
        ),
        (
            json!({"type": "enabled", "budget_tokens": 2048}),
            Thinking::Budget(2048),
            true,
        ),
    ] {
        let read = conversation(&json!({ "thinking": thinking }));
        assert_eq!(
            (read.thinking, read.show_reasoning),
            (Some(expected), shown),
            "{thinking}"
        );
    }
    for (choice, expected) in [
        (json!({"type": "auto"}), ToolChoice::Auto),
        (json!({"type": "none"}), ToolChoice::None),
        (
            json!({"type": "tool", "name": "f"}),
            ToolChoice::Named("f".into()),
        ),
    ] {
        let read = conversation(&json!({ "tool_choice": choice }));
        assert_eq!(read.tool_choice, Some(expected), "{choice}");
        assert_eq!(read.parallel_calls, None);
    }
}
