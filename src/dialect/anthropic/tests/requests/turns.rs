//! Turns as blocks: calls and results, images and files, cache points.

use serde_json::{Value, json};

use super::{
    BEDROCK, ID, MODEL, assistant, call, encoded, file, image, request, result, said, text, tool,
    user,
};
use crate::chat::{Media, Part};
use crate::dialect::Receiver;
use crate::dialect::anthropic::{Form, encode};
use crate::facts::Families;

#[test]
fn calls_and_what_came_of_them_are_blocks_of_their_turns() {
    let mut failed = result(
        "call.2",
        &[text(""), text("no"), image("image/png", "AAAA")],
    );
    let Part::Result(inner) = &mut failed else {
        unreachable!();
    };
    inner.is_error = true;
    let conversation = said(vec![
        user(&[text("Hi")]),
        assistant(&[
            call("toolu_1", r#"{ "n": 12345678901234567890.10 }"#),
            text("I look."),
            call("call.2", ""),
            call("cut", r#"{"a":"#),
            call("list", "[1]"),
        ]),
        user(&[failed, result("toolu_1", &[]), text("And?")]),
        assistant(&[call("toolu_1", "null")]),
        user(&[result("toolu_1", &[text("again")])]),
    ]);
    let request = request(&conversation);
    let missing = |id: &str| {
        json!({"type": "tool_result", "tool_use_id": id, "is_error": true,
            "content": [{"type": "text", "text": "No result provided"}]})
    };
    let used = |id: &str| json!({"type": "tool_use", "id": id, "name": "look", "input": {}});
    let messages = request["messages"].as_array().unwrap();
    let calls = messages[1]["content"].as_array().unwrap();
    assert_eq!(calls[0], json!({"type": "text", "text": "I look."}));
    assert_eq!(calls[2..], [used("call_2"), used("cut"), used("list")]);
    assert_eq!(
        messages[2]["content"],
        json!([
            {"type": "tool_result", "tool_use_id": "toolu_1"},
            {"type": "tool_result", "tool_use_id": "call_2", "is_error": true, "content": [
                {"type": "text", "text": "no"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            ]},
            missing("cut"),
            missing("list"),
            {"type": "text", "text": "And?"},
        ])
    );
    assert_eq!(messages[3]["content"], json!([used("toolu_1_2")]));
    assert_eq!(messages[4]["content"][0]["tool_use_id"], "toolu_1_2");
    let facts = Families::built_in().of(MODEL);
    let to = Receiver {
        id: ID,
        model: MODEL,
        facts: &facts,
    };
    let body = encode(&conversation, to, Form::Direct).unwrap().body;
    let body = std::str::from_utf8(&body).unwrap();
    assert!(
        body.contains(r#""input":{ "n": 12345678901234567890.10 }"#),
        "{body}"
    );
}

#[test]
fn images_and_files_go_as_what_they_are() {
    let url = || Media::Url("https://x.test/a".into());
    let base64 = |kind: &str, data: &str| json!({"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}});
    for (part, expected) in [
        (
            image("image/png", "iVBORw0KGgoAAAA"),
            base64("image/png", "iVBORw0KGgoAAAA"),
        ),
        (
            image("image/png", "/9j/4AAQ"),
            base64("image/jpeg", "/9j/4AAQ"),
        ),
        (image("image/jpg", "AAAA"), base64("image/jpeg", "AAAA")),
        (
            image("application/octet-stream", "R0lGODlh"),
            base64("image/gif", "R0lGODlh"),
        ),
        (
            image("image/png", "UklGRiQAAABXRUJQVlA4"),
            base64("image/webp", "UklGRiQAAABXRUJQVlA4"),
        ),
        (
            Part::Image(url()),
            json!({"type": "image", "source": {"type": "url", "url": "https://x.test/a"}}),
        ),
        (
            file("a.pdf", "application/pdf", "JVBERi0"),
            json!({"type": "document", "title": "a.pdf", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0"}}),
        ),
        (
            file("", "text/csv", "YSxiCg=="),
            json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a,b\n"}}),
        ),
        (
            file("a.png", "image/png", "AAAA"),
            base64("image/png", "AAAA"),
        ),
        (
            Part::File {
                name: None,
                media: url(),
            },
            json!({"type": "document", "source": {"type": "url", "url": "https://x.test/a"}}),
        ),
    ] {
        let request = request(&said(vec![user(std::slice::from_ref(&part))]));
        assert_eq!(
            request["messages"][0]["content"],
            json!([expected]),
            "{part:?}"
        );
    }
}

#[test]
fn cache_points_stand_on_what_is_before_them_and_the_last_four_hold() {
    let point = |lifetime: &str| Part::CachePoint(Some(lifetime.into()));
    let mut conversation = said(vec![
        user(&[text("one"), point("1h"), text("two")]),
        assistant(&[call("a", "{}"), point("5m")]),
        user(&[
            result("a", &[text("x")]),
            Part::CachePoint(None),
            point("for ever"),
        ]),
    ]);
    conversation.system = vec![text("Be terse."), Part::CachePoint(None), text("Now.")];
    conversation.tools = vec![tool("look")];
    let lasting = |ttl: &str| json!({"type": "ephemeral", "ttl": ttl});
    let plain = || json!({"type": "ephemeral"});
    let points = |request: &Value| {
        let of = |path: &str| request.pointer(path).unwrap()["cache_control"].clone();
        [
            of("/tools/0"),
            of("/system/0"),
            of("/messages/0/content/0"),
            of("/messages/1/content/0"),
            of("/messages/2/content/0"),
        ]
    };
    let (direct, dropped) = encoded(&conversation, MODEL, Form::Direct).unwrap();
    assert_eq!(
        points(&direct),
        [Value::Null, plain(), lasting("1h"), lasting("5m"), plain()]
    );
    assert_eq!(dropped, ["cache_control"], "nothing is kept for ever");
    let (cloud, dropped) = encoded(&conversation, MODEL, BEDROCK).unwrap();
    assert_eq!(
        points(&cloud),
        [Value::Null, plain(), plain(), plain(), plain()]
    );
    assert_eq!(dropped, ["cache_control"]);
    let brief = said(vec![user(&[text("one"), point("5m")])]);
    for form in [Form::Direct, BEDROCK] {
        assert!(encoded(&brief, MODEL, form).unwrap().1.is_empty());
    }

    conversation.tools[0].cache = Some(None);
    let (direct, dropped) = encoded(&conversation, MODEL, Form::Direct).unwrap();
    assert_eq!(points(&direct)[0], Value::Null);
    assert_eq!(points(&direct)[1], plain());
    assert_eq!(dropped, ["cache_control"]);
    let (other, dropped) = encoded(&conversation, "somebody-elses", Form::Direct).unwrap();
    assert!(points(&other).iter().all(Value::is_null));
    assert_eq!(dropped, ["cache_control"]);
}
