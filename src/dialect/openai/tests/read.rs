//! Chat requests as conversations, row by row.

use serde_json::{Value, json};

use crate::chat::{
    Call, CallResult, Conversation, Effort, Format, Media, Part, Role, Thinking, Thought,
    ToolChoice, Unsupported,
};
use crate::dialect::openai::read;

fn with(fields: &Value) -> Result<Conversation, Unsupported> {
    let mut body = json!({ "model": "chat", "stream": true, "messages": [{ "role": "user", "content": "Hi" }] });
    for (key, value) in fields.as_object().unwrap() {
        body[key] = value.clone();
    }
    read(&body.to_string())
}

fn messages(messages: &Value) -> Result<Conversation, Unsupported> {
    with(&json!({ "messages": messages }))
}

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn call(id: &str, arguments: &str, signature: Option<&str>) -> Part {
    Part::Call(Call {
        id: id.into(),
        name: "f".into(),
        arguments: arguments.into(),
        whole: true,
        signature: signature.map(Into::into),
    })
}

fn result(id: &str, parts: Vec<Part>) -> Part {
    Part::Result(CallResult {
        id: id.into(),
        parts,
        is_error: false,
    })
}

const PNG: &str = "iVBORw0KGgoAAAANSUhEUg==";
const JPEG: &str = "/9j/4AAQSkZJRgABAQAAAQ==";

/// What it is, the messages, the instructions, the turns.
type Case = (&'static str, Value, Vec<Part>, Vec<(Role, Vec<Part>)>);

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_message_is_a_turn_of_its_own() {
    let (user, assistant) = (Role::User, Role::Assistant);
    let cases: Vec<Case> = vec![
        (
            "instructions, wherever they stand",
            json!([
                { "role": "system", "content": "A" },
                { "role": "user", "content": "Hi" },
                { "role": "developer", "content": [{ "type": "text", "text": "B" }, { "type": "text", "text": "" }] },
                { "role": "system", "content": "" },
                { "role": "system", "content": null },
            ]),
            vec![text("A"), text("B")],
            vec![(user, vec![text("Hi")])],
        ),
        (
            "an assistant that only calls, and what came of it",
            json!([
                { "role": "assistant", "content": "", "tool_calls": [
                    { "id": "a", "type": "function", "function": { "name": "f", "arguments": "{\"x\":1.10}" } },
                    { "id": "b", "function": { "name": "f", "arguments": "{bad" } },
                ], "reasoning_content": "hm", "refusal": null, "function_call": null, "audio": null, "annotations": [] },
                { "role": "tool", "tool_call_id": "a", "name": "f", "content": "1" },
                { "role": "tool", "tool_call_id": "b", "content": [
                    { "type": "text", "text": "2" },
                    { "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{PNG}") } },
                ] },
            ]),
            vec![],
            vec![
                (
                    assistant,
                    vec![call("a", "{\"x\":1.10}", None), call("b", "{bad", None)],
                ),
                (user, vec![result("a", vec![text("1")])]),
                (
                    user,
                    vec![result(
                        "b",
                        vec![
                            text("2"),
                            Part::Image(Media::Inline {
                                kind: "image/png".into(),
                                data: PNG.into(),
                            }),
                        ],
                    )],
                ),
            ],
        ),
        (
            "a refusal, as a field and as a part",
            json!([
                { "role": "assistant", "content": null, "refusal": "No." },
                { "role": "assistant", "content": [{ "type": "refusal", "refusal": "Never." }] },
            ]),
            vec![],
            vec![
                (assistant, vec![text("No.")]),
                (assistant, vec![text("Never.")]),
            ],
        ),
        (
            "the deprecated form of calls",
            json!([
                { "role": "assistant", "content": null, "function_call": { "name": "f", "arguments": "{}" } },
                { "role": "function", "name": "f", "content": "1" },
                { "role": "assistant", "content": null, "function_call": { "name": "f", "arguments": "{}" } },
                { "role": "function", "name": "f", "content": "2" },
            ]),
            vec![],
            vec![
                (assistant, vec![call("call_function_1", "{}", None)]),
                (user, vec![result("call_function_1", vec![text("1")])]),
                (assistant, vec![call("call_function_2", "{}", None)]),
                (user, vec![result("call_function_2", vec![text("2")])]),
            ],
        ),
        (
            "thoughts go in front, and only those that are signed",
            json!([{ "role": "assistant", "content": [
                { "type": "thinking", "thinking": [{ "type": "text", "text": "hm" }] },
                { "type": "text", "text": "So" },
            ], "thinking_blocks": [
                { "type": "thinking", "thinking": "hm", "signature": "s" },
                { "type": "redacted_thinking", "data": "d" },
                { "type": "thinking", "thinking": "unsigned" },
                { "type": "thinking", "thinking": "unsigned", "signature": "" },
            ] }]),
            vec![],
            vec![(
                assistant,
                vec![
                    Part::Thought(Thought {
                        text: "hm".into(),
                        signature: Some("s".into()),
                        redacted: None,
                    }),
                    Part::Thought(Thought {
                        text: String::new(),
                        signature: None,
                        redacted: Some("d".into()),
                    }),
                    text("So"),
                ],
            )],
        ),
        (
            "the signature of a call, in every carrier",
            json!([
                { "role": "assistant", "tool_calls": [
                    { "id": "a", "function": { "name": "f", "arguments": "{}" }, "extra_content": { "google": { "thought_signature": "s1" } } },
                    { "id": "b", "function": { "name": "f", "arguments": "{}", "thought_signature": "s2" } },
                    { "id": "c", "function": { "name": "f", "arguments": "{}" }, "provider_specific_fields": { "thought_signature": "s3" } },
                    { "id": "d", "function": { "name": "f", "arguments": "{}", "provider_specific_fields": { "thought_signature": "s4" } } },
                    { "id": "e__thought__s5==", "function": { "name": "f", "arguments": "{}" } },
                ] },
                { "role": "tool", "tool_call_id": "e__thought__s5==", "content": "ok" },
            ]),
            vec![],
            vec![
                (
                    assistant,
                    vec![
                        call("a", "{}", Some("s1")),
                        call("b", "{}", Some("s2")),
                        call("c", "{}", Some("s3")),
                        call("d", "{}", Some("s4")),
                        call("e", "{}", Some("s5==")),
                    ],
                ),
                (user, vec![result("e", vec![text("ok")])]),
            ],
        ),
        (
            "media",
            json!([{ "role": "user", "content": [
                { "type": "image_url", "image_url": { "url": format!("data:IMAGE/PNG;charset=x;base64,{}\n{}", &JPEG[..8], &JPEG[8..]) } },
                { "type": "image_url", "image_url": { "url": "data:image/heic;base64,AAAAGGZ0eXBoZWlj" } },
                { "type": "image_url", "image_url": "HTTPS://a.example/b.png" },
                { "type": "file", "file": { "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQK" } },
                { "type": "file", "file": { "file_data": "JVBERi0xLjQK" } },
                { "type": "file", "file": { "file_data": "data:text/plain;charset=utf-8;base64,SGVsbG8=" } },
                { "type": "file", "file": { "file_id": "file-1" } },
                { "type": "input_audio", "input_audio": { "data": "UklGRg==", "format": "wav" } },
            ] }]),
            vec![],
            vec![(
                user,
                vec![
                    Part::Image(Media::Inline {
                        kind: "image/jpeg".into(),
                        data: JPEG.into(),
                    }),
                    Part::Image(Media::Inline {
                        kind: "image/heic".into(),
                        data: "AAAAGGZ0eXBoZWlj".into(),
                    }),
                    Part::Image(Media::Url("HTTPS://a.example/b.png".into())),
                    Part::File {
                        name: Some("a.pdf".into()),
                        media: Media::Inline {
                            kind: "application/pdf".into(),
                            data: "JVBERi0xLjQK".into(),
                        },
                    },
                    Part::File {
                        name: None,
                        media: Media::Inline {
                            kind: "application/pdf".into(),
                            data: "JVBERi0xLjQK".into(),
                        },
                    },
                    Part::File {
                        name: None,
                        media: Media::Inline {
                            kind: "text/plain".into(),
                            data: "SGVsbG8=".into(),
                        },
                    },
                    Part::File {
                        name: None,
                        media: Media::Id("file-1".into()),
                    },
                    Part::Audio {
                        format: "wav".into(),
                        data: "UklGRg==".into(),
                    },
                ],
            )],
        ),
        (
            "places for the cache",
            json!([
                { "role": "system", "content": [{ "type": "text", "text": "A", "cache_control": { "type": "ephemeral" } }] },
                { "role": "user", "content": "Hi", "cache_control": { "type": "ephemeral", "ttl": "1h" } },
                { "role": "tool", "tool_call_id": "a", "content": [{ "type": "text", "text": "1", "cache_control": { "type": "ephemeral" } }] },
            ]),
            vec![text("A"), Part::CachePoint(None)],
            vec![
                (user, vec![text("Hi"), Part::CachePoint(Some("1h".into()))]),
                (
                    user,
                    vec![result("a", vec![text("1")]), Part::CachePoint(None)],
                ),
            ],
        ),
        (
            "nothing said",
            json!([{ "role": "user", "content": null }, { "role": "user", "content": "" }]),
            vec![],
            vec![(user, vec![]), (user, vec![text("")])],
        ),
    ];
    for (what, sent, system, turns) in cases {
        let read = messages(&sent).unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(read.system, system, "{what}");
        let seen: Vec<_> = read
            .turns
            .into_iter()
            .map(|turn| (turn.role, turn.parts))
            .collect();
        assert_eq!(seen, turns, "{what}");
    }
}

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

/// Each name is compared with those before it: were they not bounded, this would take minutes.
#[test]
fn a_request_of_very_many_fields_is_refused() {
    let unknown: Vec<String> = (0..200_000).map(|at| format!(r#""f{at}":1"#)).collect();
    for more in [unknown.join(","), vec![r#""user":"u""#; 257].join(",")] {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"Hi"}}],{more}}}"#);
        let refused = read(&body).unwrap_err();
        assert!(refused.message.contains("256 members"), "{refused:?}");
    }
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

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_no_request_is_refused_with_its_path() {
    let user = |part: Value| json!({ "messages": [{ "role": "user", "content": [part] }] });
    let assistant =
        |call: Value| json!({ "messages": [{ "role": "assistant", "tool_calls": [call] }] });
    let image = |url: &str| user(json!({ "type": "image_url", "image_url": { "url": url } }));
    let (invalid, unsupported) = (Unsupported::INVALID, Unsupported::PARAMETER);
    for (fields, code, param) in [
        (json!({ "messages": [] }), invalid, "messages"),
        (json!({ "messages": "x" }), invalid, "messages"),
        (
            json!({ "messages": [{ "content": "x" }] }),
            invalid,
            "messages[0].role",
        ),
        (
            json!({ "messages": [{ "role": "robot", "content": "x" }] }),
            invalid,
            "messages[0].role",
        ),
        (
            json!({ "messages": [{ "role": "user", "content": "x" }, { "role": "user", "content": 5 }] }),
            invalid,
            "messages[1].content",
        ),
        (
            json!({ "messages": [{ "role": "tool", "content": "x" }] }),
            invalid,
            "messages[0].tool_call_id",
        ),
        (
            json!({ "messages": [{ "role": "system", "content": [{ "type": "image_url" }] }] }),
            invalid,
            "messages[0].content[0].type",
        ),
        (json!({ "temperature": "hot" }), invalid, "temperature"),
        (json!({ "max_tokens": -1 }), invalid, "max_tokens"),
        (json!({ "stop": 5 }), invalid, "stop"),
        (json!({ "stop": [5] }), invalid, "stop[0]"),
        (json!({ "stop": {} }), invalid, "stop"),
        (json!({ "n": "two" }), invalid, "n"),
        (
            json!({ "reasoning_effort": "much" }),
            invalid,
            "reasoning_effort",
        ),
        (json!({ "tool_choice": "perhaps" }), invalid, "tool_choice"),
        (
            json!({ "tool_choice": { "type": "custom", "custom": { "name": "f" } } }),
            unsupported,
            "tool_choice",
        ),
        (
            json!({ "tools": [{ "type": "custom", "custom": { "name": "f" } }] }),
            unsupported,
            "tools[0].type",
        ),
        (
            json!({ "tools": [{ "type": "web_search" }] }),
            unsupported,
            "tools[0].type",
        ),
        (
            json!({ "tools": [{ "type": "function", "function": {} }] }),
            invalid,
            "tools[0].function.name",
        ),
        (
            json!({ "tools": [{ "type": "function", "function": { "name": 5 } }] }),
            invalid,
            "tools[0].function.name",
        ),
        (
            json!({ "response_format": { "type": "grammar" } }),
            invalid,
            "response_format.type",
        ),
        (
            json!({ "response_format": { "type": "json_schema" } }),
            invalid,
            "response_format.json_schema",
        ),
        (
            user(json!({ "text": "x" })),
            invalid,
            "messages[0].content[0].type",
        ),
        (
            user(json!({ "type": "text" })),
            invalid,
            "messages[0].content[0].text",
        ),
        (
            user(json!({ "type": "text", "text": null })),
            invalid,
            "messages[0].content[0].text",
        ),
        (
            user(json!({ "type": "text", "text": ["x"] })),
            invalid,
            "messages[0].content[0].text",
        ),
        (
            user(json!({ "type": "refusal", "refusal": "x" })),
            invalid,
            "messages[0].content[0].type",
        ),
        (
            user(json!({ "type": "video_url" })),
            unsupported,
            "messages[0].content[0].type",
        ),
        (
            user(json!({ "type": "input_audio", "input_audio": {} })),
            invalid,
            "messages[0].content[0].input_audio",
        ),
        (
            image("ftp:a"),
            invalid,
            "messages[0].content[0].image_url.url",
        ),
        (
            image("data:image/png,x"),
            invalid,
            "messages[0].content[0].image_url.url",
        ),
        (
            image("data:image/png;base64,%%%%"),
            invalid,
            "messages[0].content[0].image_url.url",
        ),
        (
            image("data:image/png;base64,"),
            invalid,
            "messages[0].content[0].image_url.url",
        ),
        (
            image("data:text/plain;base64,SGVsbG8="),
            invalid,
            "messages[0].content[0].image_url.url",
        ),
        (
            image("data:image/png;base64,JVBERi0xLjQK"),
            invalid,
            "messages[0].content[0].image_url.url",
        ),
        (
            user(json!({ "type": "file", "file": { "file_data": "SGVsbG8=" } })),
            invalid,
            "messages[0].content[0].file.file_data",
        ),
        (
            assistant(json!({ "function": { "name": "f" } })),
            invalid,
            "messages[0].tool_calls[0].id",
        ),
        (
            assistant(json!({ "id": "a" })),
            invalid,
            "messages[0].tool_calls[0].function",
        ),
        (
            assistant(json!({ "id": "a", "function": { "arguments": "{}" } })),
            invalid,
            "messages[0].tool_calls[0].function.name",
        ),
        (
            assistant(json!({ "id": "a", "function": { "name": "f", "arguments": {} } })),
            invalid,
            "messages[0].tool_calls[0].function.arguments",
        ),
        (
            assistant(
                json!({ "id": "a", "type": "custom", "custom": { "name": "f", "input": "x" } }),
            ),
            unsupported,
            "messages[0].tool_calls[0].type",
        ),
    ] {
        let error = with(&fields).map(drop).unwrap_err();
        assert_eq!((error.code, &*error.param), (code, param), "{fields}");
        assert!(
            error.message.ends_with('.') && !error.message.contains("struct"),
            "{error:?}"
        );
    }
    let error = read("{\n \"messages\": [\n\n {\"role\":\n 7}]}").unwrap_err();
    assert_eq!(error.param, "messages[0].role");
}
