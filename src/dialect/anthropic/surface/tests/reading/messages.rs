//! Messages and instructions as turns.

use serde_json::{Value, json};

use super::{call, conversation, inline, signed, text};
use crate::chat::{CallResult, Media, Part, Role, Thought, thought};
use crate::dialect::anthropic::surface::seal_of_call;

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
fn a_mark_at_the_top_is_one_on_the_last_block() {
    let read = conversation(&json!({"cache_control": {"type": "ephemeral"}}));
    assert_eq!(read.turns[0].parts, [text("q"), Part::CachePoint(None)]);
    assert_eq!(read.turns[0].role, Role::User);
}
