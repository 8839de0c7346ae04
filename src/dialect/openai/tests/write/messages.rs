//! Turns as messages.

use serde_json::{Value, json};

use super::{OTHERS, call, facts, hi, image, messages, result, said, text, written};
use crate::chat::{Conversation, Media, Part, Role, Thought, thought};
use crate::facts::{CallIds, Facts};

#[test]
fn the_least_request_is_this() {
    let (body, dropped) = written(&hi(), &facts(), OTHERS).unwrap();
    assert_eq!(
        body,
        json!({ "model": "gpt", "messages": [{ "role": "user", "content": "Hi" }], "stream": true })
    );
    assert!(dropped.is_empty());
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn turns_become_messages() {
    let (user, assistant) = (Role::User, Role::Assistant);
    let tool_call = |id: &str, arguments: &str| json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": arguments } });
    let long = "toolu_".to_owned() + &"x".repeat(60);
    let cases: Vec<(&str, Conversation, Value)> = vec![
        (
            "instructions in one message",
            Conversation {
                system: vec![text("A"), Part::CachePoint(None), text("B")],
                ..hi()
            },
            json!([{ "role": "system", "content": "A\nB" }, { "role": "user", "content": "Hi" }]),
        ),
        (
            "several parts as a list",
            said(vec![(
                user,
                vec![
                    text("a"),
                    Part::CachePoint(None),
                    text("b"),
                    image(),
                    Part::Image(Media::Url("web".into())),
                    Part::File {
                        name: Some("a.pdf".into()),
                        media: Media::Inline {
                            kind: "application/pdf".into(),
                            data: "JVBE".into(),
                        },
                    },
                    Part::Audio {
                        format: "wav".into(),
                        data: "UklG".into(),
                    },
                ],
            )]),
            json!([{ "role": "user", "content": [
                { "type": "text", "text": "a" },
                { "type": "text", "text": "b" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBO" } },
                { "type": "image_url", "image_url": { "url": "web" } },
                { "type": "file", "file": { "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE" } },
                { "type": "input_audio", "input_audio": { "data": "UklG", "format": "wav" } },
            ] }]),
        ),
        (
            "results before words, images behind all results",
            said(vec![
                (user, vec![text("go")]),
                (
                    assistant,
                    vec![
                        text("So"),
                        call("a", "{\"x\":1.10}", None),
                        call("b", "", None),
                    ],
                ),
                (
                    user,
                    vec![
                        text("and?"),
                        result("b", true, vec![text("no")]),
                        result("a", false, vec![text("1"), image(), text("2")]),
                    ],
                ),
            ]),
            json!([
                { "role": "user", "content": "go" },
                { "role": "assistant", "content": "So", "tool_calls": [tool_call("a", "{\"x\":1.10}"), tool_call("b", "{}")] },
                { "role": "tool", "tool_call_id": "a", "content": "1\n[image attached below]\n2" },
                { "role": "tool", "tool_call_id": "b", "content": "Error: no" },
                { "role": "user", "content": [
                    { "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBO" } },
                    { "type": "text", "text": "and?" },
                ] },
            ]),
        ),
        (
            "thoughts are not said again, and foreign signatures are not shown",
            said(vec![
                (user, vec![text("go")]),
                (
                    assistant,
                    vec![
                        Part::Thought(Thought {
                            text: "hm".into(),
                            signature: Some("s".into()),
                            redacted: None,
                        }),
                        call("a", "{half", Some(thought::seal("gemini/g", "s"))),
                        call("b", "{}", Some(thought::seal("openai/gpt", "own"))),
                        call("c", "{}", Some("bare".into())),
                    ],
                ),
                (
                    user,
                    vec![
                        result("a", false, vec![]),
                        result("b", false, vec![]),
                        result("c", false, vec![]),
                    ],
                ),
            ]),
            json!([
                { "role": "user", "content": "go" },
                { "role": "assistant", "content": null, "tool_calls": [
                    tool_call("a", "{}"),
                    { "id": "b", "type": "function", "function": { "name": "f", "arguments": "{}" },
                      "extra_content": { "google": { "thought_signature": "own" } } },
                    tool_call("c", "{}"),
                ] },
                { "role": "tool", "tool_call_id": "a", "content": "" },
                { "role": "tool", "tool_call_id": "b", "content": "" },
                { "role": "tool", "tool_call_id": "c", "content": "" },
            ]),
        ),
        (
            "an assistant that only thought",
            said(vec![
                (user, vec![text("go")]),
                (
                    assistant,
                    vec![Part::Thought(Thought {
                        text: "hm".into(),
                        signature: Some("s".into()),
                        redacted: None,
                    })],
                ),
                (user, vec![text("well?")]),
            ]),
            json!([{ "role": "user", "content": "go" }, { "role": "user", "content": "well?" }]),
        ),
        (
            "what an assistant said in several texts",
            said(vec![
                (user, vec![text("go")]),
                (assistant, vec![text("a"), text("b")]),
                (user, vec![text("on")]),
            ]),
            json!([
                { "role": "user", "content": "go" },
                { "role": "assistant", "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] },
                { "role": "user", "content": "on" },
            ]),
        ),
    ];
    for (what, conversation, expected) in cases {
        assert_eq!(messages(&conversation), expected, "{what}");
    }
    let ids = messages(&said(vec![
        (user, vec![text("go")]),
        (assistant, vec![call(&long, "{}", None)]),
        (user, vec![result(&long, false, vec![text("1")])]),
    ]));
    let id = ids[1]["tool_calls"][0]["id"].as_str().unwrap();
    assert_eq!(id.len(), 40);
    assert_eq!(
        ids[2]["tool_call_id"], id,
        "the same for the call and its result"
    );
}

#[test]
fn servers_with_ids_of_nine_get_nine() {
    let conversation = said(vec![
        (Role::User, vec![text("go")]),
        (Role::Assistant, vec![call("call_1", "{}", None)]),
        (Role::User, vec![result("call_1", false, vec![text("1")])]),
    ]);
    let facts = Facts {
        call_ids: CallIds::Nine,
        ..facts()
    };
    let (body, _) = written(&conversation, &facts, OTHERS).unwrap();
    let id = body["messages"][2]["tool_call_id"].as_str().unwrap();
    assert_eq!(id.len(), 9);
    assert_eq!(body["messages"][1]["tool_calls"][0]["id"], id);
}
