//! Messages as turns.

use serde_json::{Value, json};

use super::{call, messages, result, text};
use crate::chat::{Media, Part, Role, Thought};

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
