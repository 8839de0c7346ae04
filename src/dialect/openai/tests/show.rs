//! Answers in our own words as a chat caller reads them, streamed and plain.

use serde_json::{Value, json};

use crate::chat::{self, Call, Event, Finish, Reason, Thought, Usage};
use crate::dialect::Shown;
use crate::dialect::openai::{Encoder, show};

pub(super) fn shown(usage: bool) -> Shown {
    Shown {
        model: "support-\"chat\"".into(),
        target: "claude/claude-x".into(),
        created: 1_795_000_000,
        usage,
        seed: 7,
    }
}

pub(super) fn call(id: &str, arguments: &str) -> Event {
    Event::Call(Call {
        id: id.into(),
        name: "look_up".into(),
        arguments: arguments.into(),
        whole: true,
        signature: None,
    })
}

fn text(text: &str) -> Event {
    Event::Text(text.into())
}

fn finish(reason: Reason) -> Event {
    Event::Finish(Finish::from(reason))
}

fn thought(text: &str, signature: &str) -> Event {
    Event::Thought(Thought {
        text: text.into(),
        signature: Some(signature.into()),
        redacted: None,
    })
}

fn usage() -> Event {
    Event::Usage(Usage {
        prompt: Some(10),
        cached: Some(4),
        cache_write: None,
        reasoning: Some(2),
        completion: Some(5),
        ..Usage::default()
    })
}

fn stream(events: &[Event], shown: Shown) -> String {
    let (mut encoder, mut out) = (Encoder::new(shown.clone()), Vec::new());
    for event in events {
        encoder.events([event.clone()], &mut out);
    }
    assert!(encoder.done());
    let mut at_once = Vec::new();
    Encoder::new(shown).events(events.to_vec(), &mut at_once);
    assert_eq!(at_once, out);
    String::from_utf8(out).unwrap()
}

/// Collects a stream as the strictest of the official SDKs does, into the message of a plain answer.
///
/// # Panics
/// Something in it would break one of them.
pub(super) fn collect(stream: &str, usage_asked: bool) -> Value {
    let frames = stream.strip_suffix("\n\n").unwrap().split("\n\n");
    let mut frames: Vec<&str> = frames
        .map(|frame| {
            assert!(!frame.contains('\n'), "{frame}");
            frame.strip_prefix("data: ").unwrap()
        })
        .collect();
    assert_eq!(frames.pop(), Some("[DONE]"));
    let (mut message, mut finish, mut usage) = (json!({}), Value::Null, None);
    let mut same = Value::Null;
    for (at, frame) in frames.iter().enumerate() {
        let frame: Value = serde_json::from_str(frame).unwrap();
        let common = json!([
            frame["id"],
            frame["object"],
            frame["created"],
            frame["model"]
        ]);
        assert!(!frame["id"].as_str().unwrap().is_empty());
        if at == 0 {
            same = common.clone();
            assert_eq!(
                frame["choices"][0]["delta"]["role"], "assistant",
                "the role first"
            );
        }
        assert_eq!(common, same);
        let choices = frame["choices"].as_array().unwrap();
        if choices.is_empty() {
            assert!(usage_asked && at == frames.len() - 1, "{frame}");
            usage = Some(frame["usage"].clone());
            continue;
        }
        assert_eq!(frame.get("usage"), usage_asked.then_some(&Value::Null));
        assert!(finish.is_null(), "behind the finish: {frame}");
        assert_eq!((choices.len(), &choices[0]["index"]), (1, &json!(0)));
        finish = choices[0]["finish_reason"].clone();
        for (key, value) in choices[0]["delta"].as_object().unwrap() {
            add(&mut message, key, value);
        }
    }
    assert!(finish.is_string());
    let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
    for call in calls.into_iter().flatten() {
        call.as_object_mut().unwrap().remove("index");
    }
    json!({ "id": same[0], "message": message, "finish_reason": finish, "usage": usage })
}

fn add(message: &mut Value, key: &str, value: &Value) {
    let into = &mut message[key];
    match value {
        Value::String(more) if key != "role" && into.is_string() => {
            *into = Value::String(into.as_str().unwrap().to_owned() + more);
        }
        Value::Array(calls) if key == "tool_calls" => {
            if into.is_null() {
                *into = json!([]);
            }
            let list = into.as_array_mut().unwrap();
            for call in calls {
                let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
                if index == list.len() {
                    assert!(call["id"].is_string() && call["function"]["name"].is_string());
                    assert_eq!(call["type"], "function");
                    list.push(call.clone());
                    continue;
                }
                assert_eq!(call.as_object().unwrap().len(), 2, "once: {call}");
                assert_eq!(call["function"].as_object().unwrap().len(), 1, "{call}");
                let whole = list[index]["function"]["arguments"]
                    .as_str()
                    .unwrap()
                    .to_owned()
                    + call["function"]["arguments"].as_str().unwrap();
                list[index]["function"]["arguments"] = whole.into();
            }
        }
        value => {
            assert!(into.is_null(), "{key} twice");
            *into = value.clone();
        }
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_stream_collected_is_the_plain_answer() {
    let signed = |id: &str, signature: &str| match call(id, "{\"x\":1}") {
        Event::Call(call) => Event::Call(Call {
            signature: Some(signature.into()),
            ..call
        }),
        other => other,
    };
    let redacted = Event::Thought(Thought {
        redacted: Some("b64".into()),
        ..Thought::default()
    });
    let cases: &[(&str, Vec<Event>, Value, &str)] = &[
        (
            "text",
            vec![
                Event::Id("msg_1".into()),
                text("He"),
                text(""),
                text("\"\n\u{e9}"),
                usage(),
                finish(Reason::Stop),
            ],
            json!({ "content": "He\"\n\u{e9}" }),
            "stop",
        ),
        (
            "an id of this form already",
            vec![
                Event::Id("chatcmpl-1".into()),
                text("x"),
                finish(Reason::Stop),
            ],
            json!({ "content": "x" }),
            "stop",
        ),
        (
            "thinking, text and calls",
            vec![
                Event::Reasoning("h".into()),
                Event::Reasoning("m".into()),
                thought("hm", "sig"),
                redacted,
                text("So:"),
                Event::CallBegan,
                signed("a", "g=="),
                thought("", "again"),
                call("b", "{}"),
                usage(),
                finish(Reason::ToolCalls),
            ],
            json!({
                "content": "So:",
                "reasoning_content": "hm",
                "thinking_blocks": [
                    { "type": "thinking", "thinking": "hm", "signature": "pillion:15:claude/claude-x:sig" },
                    { "type": "redacted_thinking", "data": "pillion:15:claude/claude-x:b64" },
                    { "type": "thinking", "thinking": "", "signature": "pillion:15:claude/claude-x:again" },
                ],
                "tool_calls": [
                    { "id": "a", "type": "function", "function": { "name": "look_up", "arguments": "{\"x\":1}" },
                      "extra_content": { "google": { "thought_signature": "pillion:15:claude/claude-x:g==" } } },
                    { "id": "b", "type": "function", "function": { "name": "look_up", "arguments": "{}" } },
                ],
            }),
            "tool_calls",
        ),
        (
            "a call that was cut, and its arguments not begun",
            vec![call("a", ""), finish(Reason::Length)],
            json!({
                "content": null,
                "tool_calls": [{ "id": "a", "type": "function", "function": { "name": "look_up", "arguments": "" } }],
            }),
            "length",
        ),
        (
            "calls, and a provider that says stop",
            vec![call("a", "{}"), finish(Reason::Stop)],
            json!({
                "content": null,
                "tool_calls": [{ "id": "a", "type": "function", "function": { "name": "look_up", "arguments": "{}" } }],
            }),
            "tool_calls",
        ),
        (
            "no calls, and a provider that says so",
            vec![text("x"), finish(Reason::ToolCalls)],
            json!({ "content": "x" }),
            "stop",
        ),
        (
            "a refusal",
            vec![Event::Refusal("No.".into()), finish(Reason::ContentFilter)],
            json!({ "content": null, "refusal": "No." }),
            "content_filter",
        ),
        (
            "nothing",
            vec![finish(Reason::Length)],
            json!({ "content": "" }),
            "length",
        ),
        (
            "nothing but thinking",
            vec![Event::Reasoning("hm".into()), finish(Reason::Length)],
            json!({ "content": "", "reasoning_content": "hm" }),
            "length",
        ),
        (
            "a thought that nobody signed",
            vec![
                Event::Thought(Thought {
                    text: "hm".into(),
                    ..Thought::default()
                }),
                text("x"),
                finish(Reason::Stop),
            ],
            json!({ "content": "x" }),
            "stop",
        ),
    ];
    for (what, events, message, reason) in cases {
        let mut whole = chat::Answer::default();
        whole.extend(events.iter().cloned());
        let plain: Value = serde_json::from_slice(&show(&whole, &shown(true))).unwrap();
        assert_eq!(plain["object"], "chat.completion");
        assert_eq!(plain["model"], "support-\"chat\"");
        let mut said = plain["choices"][0]["message"].clone();
        let fields = said.as_object_mut().unwrap();
        assert_eq!(fields.remove("annotations"), Some(json!([])), "{what}");
        assert_eq!(fields.remove("role"), Some(json!("assistant")), "{what}");
        if fields["refusal"].is_null() {
            fields.remove("refusal");
        }
        assert_eq!(&said, message, "{what}");
        assert_eq!(plain["choices"][0]["finish_reason"], *reason, "{what}");
        for asked in [true, false] {
            let mut collected = collect(&stream(events, shown(asked)), asked);
            let fields = collected["message"].as_object_mut().unwrap();
            assert_eq!(fields.remove("role"), Some(json!("assistant")));
            assert_eq!(&collected["message"], message, "{what}");
            assert_eq!(collected["finish_reason"], *reason, "{what}");
            assert_eq!(collected["id"], plain["id"], "{what}");
            if asked {
                assert_eq!(collected["usage"], plain["usage"], "{what}");
            }
        }
    }
}

#[test]
fn a_chunk_is_written_byte_by_byte_like_this() {
    let head = |id: &str| {
        format!(
            "data: {{\"id\":\"{id}\",\"object\":\"chat.completion.chunk\",\"created\":1795000000,\"model\":\"support-\\\"chat\\\"\",\"choices\":[{{\"index\":0,\"delta\":{{"
        )
    };
    let events = [
        Event::Id("m".into()),
        text("Hi"),
        usage(),
        finish(Reason::Stop),
    ];
    let id = head("chatcmpl-m");
    let expected = format!(
        "{id}\"role\":\"assistant\",\"content\":\"\"}},\"finish_reason\":null}}]}}\n\n\
         {id}\"content\":\"Hi\"}},\"finish_reason\":null}}]}}\n\n\
         {id}}},\"finish_reason\":\"stop\"}}]}}\n\ndata: [DONE]\n\n"
    );
    assert_eq!(stream(&events, shown(false)), expected);
    let counted = stream(&events, shown(true));
    assert!(
        counted.contains("\"finish_reason\":null}],\"usage\":null}\n\n"),
        "{counted}"
    );
    assert!(
        counted.ends_with(
            "\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15,\"prompt_tokens_details\":{\"cached_tokens\":4},\"completion_tokens_details\":{\"reasoning_tokens\":2}}}\n\ndata: [DONE]\n\n"
        ),
        "{counted}"
    );
}

#[test]
fn ids_are_made_from_the_seed_where_the_provider_gives_none() {
    let events = [text("Hi"), finish(Reason::Stop)];
    let id = |seed: u64| {
        let shown = Shown {
            seed,
            ..shown(false)
        };
        collect(&stream(&events, shown), false)["id"].clone()
    };
    assert_eq!(id(1), id(1));
    assert_ne!(id(1), id(2));
    assert!(id(1).as_str().unwrap().starts_with("chatcmpl-"));
}

#[test]
fn nothing_follows_a_finish() {
    let (mut encoder, mut out) = (Encoder::new(shown(false)), Vec::new());
    encoder.events([text("x"), finish(Reason::Stop)], &mut out);
    let length = out.len();
    encoder.events([text("y"), finish(Reason::Stop)], &mut out);
    assert_eq!(out.len(), length);
}

#[test]
fn thoughts_without_end_are_not_kept() {
    let (mut encoder, mut out) = (Encoder::new(shown(false)), Vec::new());
    for _ in 0..9 {
        encoder.events([thought(&"x".repeat(1 << 19), "sig")], &mut out);
    }
    encoder.events([text("x"), finish(Reason::Stop)], &mut out);
    assert!(!String::from_utf8(out).unwrap().contains("thinking_blocks"));
}
