//! From a request to a conversation.

use serde_json::{Value, json};

use crate::chat::{
    Call, CallResult, Conversation, Effort, Format, Media, Part, Role, Thinking, Thought,
    ToolChoice, Unsupported, thought,
};
use crate::dialect::anthropic::surface::{read, seal_of_call};

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn signed(text: &str, signature: &str) -> Part {
    Part::Thought(Thought {
        text: text.into(),
        signature: Some(signature.into()),
        redacted: None,
    })
}

fn call(id: &str, arguments: &str, signature: Option<String>) -> Part {
    Part::Call(Call {
        id: id.into(),
        name: "f".into(),
        arguments: arguments.into(),
        whole: true,
        signature,
    })
}

fn inline(kind: &str, data: &str) -> Media {
    Media::Inline {
        kind: kind.into(),
        data: data.into(),
    }
}

/// A request with `fields` beside what every one has.
fn with(fields: &Value) -> String {
    let mut body =
        json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "q"}]});
    let members = body.as_object_mut().unwrap();
    members.extend(fields.as_object().unwrap().clone());
    body.to_string()
}

fn conversation(fields: &Value) -> Conversation {
    read(&with(fields)).unwrap_or_else(|error| panic!("{fields}: {error:?}"))
}

fn refused(fields: &Value) -> Unsupported {
    let read = read(&with(fields));
    read.err().unwrap_or_else(|| panic!("{fields} was read"))
}

#[test]
fn a_block_becomes_the_parts_it_means() {
    let sealed = thought::seal("gemini/g", "sig");
    let of_call = seal_of_call("gemini/g", "sig");
    let user = |blocks: Value| json!({"role": "user", "content": blocks});
    let assistant = |blocks: Value| json!({"role": "assistant", "content": blocks});
    for (message, expected) in [
        (user(json!("q")), vec![text("q")]),
        (
            user(json!([{"type": "text", "text": "a\nb", "cache_control": null}])),
            vec![text("a\nb")],
        ),
        (
            user(
                json!([{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}, {"type": "text", "text": "b"}]),
            ),
            vec![text("a"), Part::CachePoint(Some("1h".into())), text("b")],
        ),
        (
            user(
                json!([{"type": "image", "source": {"type": "base64", "media_type": "image/PNG; q=1", "data": "AA\nBB"}}]),
            ),
            vec![Part::Image(inline("image/png", "AABB"))],
        ),
        (
            user(json!([
                {"type": "image", "source": {"type": "url", "url": "https://x/y"}},
                {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
            ])),
            vec![
                Part::Image(Media::Url("https://x/y".into())),
                Part::Image(Media::Id("file_1".into())),
            ],
        ),
        (
            user(
                json!([{"type": "document", "title": "t", "context": "c", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA"}}]),
            ),
            vec![
                text("c"),
                Part::File {
                    name: Some("t".into()),
                    media: inline("application/pdf", "AA"),
                },
            ],
        ),
        (
            user(
                json!([{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}}]),
            ),
            vec![Part::File {
                name: None,
                media: inline("text/plain", "aGk="),
            }],
        ),
        (
            user(
                json!([{"type": "document", "title": "t", "source": {"type": "content", "content": [
                    {"type": "text", "text": "x"},
                    {"type": "image", "source": {"type": "url", "url": "u"}},
                ]}}]),
            ),
            vec![text("t"), text("x"), Part::Image(Media::Url("u".into()))],
        ),
        (
            user(json!([
                {"type": "tool_result", "tool_use_id": "a", "content": "r"},
                {"type": "tool_result", "tool_use_id": "b", "is_error": true, "content": [
                    {"type": "text", "text": "no", "cache_control": {"type": "ephemeral"}},
                    {"type": "image", "source": {"type": "url", "url": "u"}},
                ]},
                {"type": "tool_result", "tool_use_id": "c"},
            ])),
            vec![
                Part::Result(CallResult {
                    id: "a".into(),
                    parts: vec![text("r")],
                    is_error: false,
                }),
                Part::Result(CallResult {
                    id: "b".into(),
                    parts: vec![text("no"), Part::Image(Media::Url("u".into()))],
                    is_error: true,
                }),
                Part::CachePoint(None),
                Part::Result(CallResult {
                    id: "c".into(),
                    parts: vec![],
                    is_error: false,
                }),
            ],
        ),
        (
            assistant(json!([
                {"type": "thinking", "thinking": "hm", "signature": "bare"},
                {"type": "thinking", "thinking": "", "signature": sealed},
                {"type": "thinking", "thinking": "unsigned", "signature": ""},
                {"type": "redacted_thinking", "data": "opaque"},
                {"type": "text", "text": "t"},
            ])),
            vec![
                signed("hm", "bare"),
                signed("", &sealed),
                Part::Thought(Thought {
                    text: "unsigned".into(),
                    ..Thought::default()
                }),
                Part::Thought(Thought {
                    redacted: Some("opaque".into()),
                    ..Thought::default()
                }),
                text("t"),
            ],
        ),
        (
            assistant(json!([
                {"type": "thinking", "thinking": "", "signature": of_call},
                {"type": "tool_use", "id": "1", "name": "f", "input": {}},
                {"type": "tool_use", "id": "2", "name": "f", "input": {"x": 1}},
                {"type": "thinking", "thinking": "", "signature": of_call},
                {"type": "tool_use", "id": "3", "name": "f", "input": {}},
            ])),
            vec![
                call("1", "{}", Some(sealed.clone())),
                call("2", "{\"x\":1}", None),
                call("3", "{}", Some(sealed.clone())),
            ],
        ),
        (
            assistant(json!([
                {"type": "compaction", "content": "before"},
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
                {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
                {"type": "text", "text": "after"},
            ])),
            vec![text("before"), text("after")],
        ),
    ] {
        let read = conversation(&json!({"messages": [message]}));
        assert_eq!(read.turns[0].parts, expected, "{message}");
    }
}

#[test]
fn instructions_are_gathered_from_wherever_they_stand() {
    let cached = json!({"type": "ephemeral"});
    for (fields, expected) in [
        (json!({"system": "be brief"}), vec![text("be brief")]),
        (json!({"system": ""}), vec![]),
        (
            json!({"system": [
                {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.36; cch=abcde;", "cache_control": cached},
                {"type": "text", "text": "a", "cache_control": cached},
                {"type": "text", "text": ""},
                {"type": "text", "text": "b"},
            ]}),
            vec![text("a"), Part::CachePoint(None), text("b")],
        ),
        (
            json!({"system": "x-anthropic-billing-header: cch=1;\n\nyou are"}),
            vec![text("you are")],
        ),
        (
            json!({"system": "a", "messages": [
                {"role": "user", "content": "q"},
                {"role": "system", "content": "b"},
                {"role": "system", "content": [{"type": "text", "text": "c"}]},
                {"role": "assistant", "content": "r"},
            ]}),
            vec![text("a"), text("b"), text("c")],
        ),
    ] {
        let read = conversation(&fields);
        assert_eq!(read.system, expected, "{fields}");
        assert!(read.turns.iter().all(|turn| !turn.parts.is_empty()));
    }
    let mid =
        json!({"messages": [{"role": "user", "content": "q"}, {"role": "system", "content": "b"}]});
    assert_eq!(conversation(&mid).turns.len(), 1);
}

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

#[test]
fn a_mark_at_the_top_is_one_on_the_last_block() {
    let read = conversation(&json!({"cache_control": {"type": "ephemeral"}}));
    assert_eq!(read.turns[0].parts, [text("q"), Part::CachePoint(None)]);
    assert_eq!(read.turns[0].role, Role::User);
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
