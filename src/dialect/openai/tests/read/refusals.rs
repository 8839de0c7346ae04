//! What is no request.

use serde_json::{Value, json};

use super::with;
use crate::chat::Unsupported;
use crate::dialect::openai::read;

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
