//! What is set beside the messages.

use serde_json::json;

use super::{messages, text, with};
use crate::chat::{Effort, Format, Part, Thinking, ToolChoice};
use crate::dialect::openai::read;

#[test]
fn tools_and_schemas_keep_their_text() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"Hi"}],"tools":[
        {"type":"function","function":{"name":"f","description":"","parameters":{ "z":1, "a":1.10e2 },"strict":true},"cache_control":{"type":"ephemeral"}},
        {"function":{"name":"g","description":"G","parameters":null}}],
        "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{ "b":[ ] },"strict":false}}}"#;
    let read = read(body).unwrap();
    let [first, second] = &read.tools[..] else {
        panic!("{:?}", read.tools);
    };
    assert_eq!(
        first.schema.as_ref().unwrap().get(),
        "{ \"z\":1, \"a\":1.10e2 }"
    );
    assert_eq!(
        (first.description.as_deref(), first.strict),
        (None, Some(true))
    );
    assert_eq!(first.cache, Some(None));
    assert_eq!(
        (second.name.as_str(), second.description.as_deref()),
        ("g", Some("G"))
    );
    assert!(second.schema.is_none() && second.cache.is_none());
    let Format::JsonSchema {
        name,
        schema,
        strict,
        ..
    } = &read.format
    else {
        panic!("{:?}", read.format);
    };
    assert_eq!((name.as_str(), *strict), ("n", Some(false)));
    assert_eq!(schema.as_ref().unwrap().get(), "{ \"b\":[ ] }");
}

#[test]
fn a_choice_of_tools_is_one_of_five() {
    let named = |name: &str| json!({ "type": "function", "function": { "name": name } });
    for (choice, expected) in [
        (json!("auto"), ToolChoice::Auto),
        (json!("none"), ToolChoice::None),
        (json!("required"), ToolChoice::Required),
        (json!("any"), ToolChoice::Required),
        (named("f"), ToolChoice::Named("f".into())),
        (
            json!({ "type": "allowed_tools", "allowed_tools": { "mode": "required", "tools": [named("f"), named("g")] } }),
            ToolChoice::Allowed {
                names: vec!["f".into(), "g".into()],
                required: true,
            },
        ),
    ] {
        let read = with(&json!({ "tool_choice": choice })).unwrap();
        assert_eq!(read.tool_choice, Some(expected));
    }
}

#[test]
fn what_is_set_is_read_and_named() {
    let read = with(&json!({
        "max_tokens": 5, "max_completion_tokens": 7, "temperature": 0.5, "top_p": 1, "top_k": 3,
        "seed": 10_063_845_344_384_584_000_u64, "presence_penalty": -1, "frequency_penalty": 0.25,
        "stop": ["a", "b"], "reasoning_effort": "xhigh", "user": "u", "safety_identifier": "s",
        "service_tier": "flex", "parallel_tool_calls": false, "thinking": { "type": "enabled", "budget_tokens": 2048 },
        "include_reasoning": true, "new_in_2031": false, "stream_options": { "include_usage": true, "include_obfuscation": true },
    }))
    .unwrap();
    assert_eq!(read.max_tokens, Some(7));
    assert_eq!(
        (read.temperature, read.top_p, read.top_k),
        (Some(0.5), Some(1.0), Some(3))
    );
    assert_eq!(
        (read.presence_penalty, read.frequency_penalty),
        (Some(-1.0), Some(0.25))
    );
    assert_eq!(
        read.seed,
        Some(10_063_845_344_384_584_000_u64.cast_signed())
    );
    assert_eq!(read.stop, ["a", "b"]);
    assert_eq!(
        (read.effort, read.thinking),
        (Some(Effort::Xhigh), Some(Thinking::Budget(2048)))
    );
    assert_eq!(
        (read.user.as_deref(), read.service_tier.as_deref()),
        (Some("s"), Some("flex"))
    );
    assert_eq!(
        (read.parallel_calls, read.show_reasoning),
        (Some(false), true)
    );
    let mut asked: Vec<_> = read.asked.iter().map(AsRef::as_ref).collect::<Vec<&str>>();
    asked.sort_unstable();
    assert_eq!(
        asked,
        [
            "frequency_penalty",
            "max_completion_tokens",
            "new_in_2031",
            "parallel_tool_calls",
            "presence_penalty",
            "reasoning_effort",
            "safety_identifier",
            "seed",
            "service_tier",
            "stop",
            "stream_options.include_obfuscation",
            "temperature",
            "thinking",
            "top_k",
            "top_p",
            "user",
        ]
    );
}

#[test]
fn what_asks_for_nothing_is_not_named() {
    let nothing = with(&json!({
        "n": 1, "logprobs": false, "top_logprobs": 0, "store": false, "modalities": ["text"], "tools": [],
        "parallel_tool_calls": true, "max_tokens": 5, "temperature": null, "stop": null, "tool_choice": null,
        "response_format": null, "reasoning_effort": null, "metadata": null, "new_in_2031": null,
        "functions": [], "new_in_2032": [ ], "logit_bias": null, "audio": null, "seed": null, "user": null, "stream_options": null,
    }))
    .unwrap();
    assert_eq!(nothing.asked, Vec::<String>::new());
    for (field, value) in [
        ("n", json!(2)),
        ("logprobs", json!(true)),
        ("modalities", json!(["text", "audio"])),
        ("web_search_options", json!({})),
        ("functions", json!([{ "name": "f" }])),
        ("function_call", json!("auto")),
        ("metadata", json!({ "a": "b" })),
        ("prediction", json!({ "type": "content", "content": "x" })),
    ] {
        assert_eq!(with(&json!({ field: value })).unwrap().asked, [field]);
    }
    for (message, name) in [
        (
            json!({ "role": "user", "name": "Ann", "content": "x" }),
            "messages.name",
        ),
        (
            json!({ "role": "assistant", "audio": { "id": "a" } }),
            "messages.audio",
        ),
        (
            json!({ "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "https://a.example", "detail": "low" } }] }),
            "image_url.detail",
        ),
        (
            json!({ "role": "user", "content": [{ "type": "text", "text": "x", "prompt_cache_breakpoint": { "mode": "explicit" } }] }),
            "prompt_cache_breakpoint",
        ),
        (
            json!({ "role": "user", "content": "x", "cache_control": { "type": "ephemeral" } }),
            "cache_control",
        ),
    ] {
        assert_eq!(messages(&json!([message, message])).unwrap().asked, [name]);
    }
}

#[test]
fn thinking_and_the_end_of_the_cache_are_anthropics_words() {
    for (sent, expected) in [
        (json!({ "type": "disabled" }), Thinking::Disabled),
        (json!({ "type": "between_tools" }), Thinking::BetweenTools),
        (json!({ "type": "adaptive" }), Thinking::Adaptive),
        (json!({ "type": "enabled" }), Thinking::Adaptive),
    ] {
        assert_eq!(
            with(&json!({ "thinking": sent })).unwrap().thinking,
            Some(expected)
        );
    }
    let read = with(&json!({ "cache_control": { "type": "ephemeral" } })).unwrap();
    assert_eq!(read.turns[0].parts, [text("Hi"), Part::CachePoint(None)]);
}
