//! What chat servers send, as events: whole, cut at every byte, byte by byte.

use serde_json::{Value, json};

use crate::chat::{Call, Event, Finish, Reason, Usage};
use crate::dialect::openai::events::Decoder;
use crate::outcome::{Class, Failure};

fn decode(chunks: &[&[u8]]) -> Result<Vec<Event>, Failure> {
    let (mut decoder, mut out) = (Decoder::new(1), Vec::new());
    for chunk in chunks {
        decoder.feed(chunk, &mut out)?;
    }
    decoder.end(&mut out)?;
    assert!(decoder.done());
    Ok(out)
}

/// The same, checked to be the same wherever the stream is cut.
pub(super) fn decode_every_way(stream: &str) -> Result<Vec<Event>, Failure> {
    let bytes = stream.as_bytes();
    let whole = decode(&[bytes]);
    for cut in 0..=bytes.len() {
        let cut_there = decode(&[&bytes[..cut], &bytes[cut..]]);
        assert_eq!(cut_there, whole, "cut at {cut}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(decode(&single), whole, "byte by byte");
    whole
}

fn frame(choice: &Value) -> String {
    let frame = json!({ "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice] });
    format!("data: {frame}\n\n")
}

fn delta(delta: &Value) -> String {
    frame(&json!({ "index": 0, "delta": delta, "finish_reason": null }))
}

fn ends(reason: &str) -> String {
    frame(&json!({ "index": 0, "delta": {}, "finish_reason": reason }))
}

fn calls(fragments: &Value) -> String {
    delta(&json!({ "tool_calls": fragments }))
}

fn counted(usage: &Value) -> String {
    format!(
        "data: {}\n\n",
        json!({ "id": "c1", "choices": [], "usage": usage })
    )
}

fn text(text: &str) -> Event {
    Event::Text(text.into())
}

fn thinks(text: &str) -> Event {
    Event::Reasoning(text.into())
}

fn call(id: &str, name: &str, arguments: &str) -> Call {
    Call {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        whole: true,
        signature: None,
    }
}

const DONE: &str = "data: [DONE]\n\n";

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_stream_becomes_events() {
    let id = || Event::Id("c1".into());
    let finish = |reason: Reason| Event::Finish(Finish::from(reason));
    let usage = |reasoning, completion| {
        Event::Usage(Usage {
            prompt: Some(10),
            cached: Some(4),
            cache_write: None,
            reasoning,
            completion: Some(completion),
            ..Usage::default()
        })
    };
    let count = |completion: u64, reasoning: u64, total: u64| {
        counted(&json!({
            "prompt_tokens": 10, "completion_tokens": completion, "total_tokens": total,
            "prompt_tokens_details": { "cached_tokens": 4 },
            "completion_tokens_details": { "reasoning_tokens": reasoning },
        }))
    };
    let role = delta(&json!({ "role": "assistant", "content": "", "refusal": null }));
    let cases: Vec<(&str, String, Vec<Event>)> = vec![
        (
            "text and usage",
            role.clone()
                + &delta(&json!({ "content": "H\u{e9}" }))
                + &delta(&json!({ "content": "\"\n" }))
                + &ends("stop")
                + &count(5, 2, 15)
                + DONE,
            vec![
                id(),
                text("H\u{e9}"),
                text("\"\n"),
                usage(Some(2), 5),
                finish(Reason::Stop),
            ],
        ),
        (
            "reasoning counted beside the completion",
            role.clone()
                + &delta(&json!({ "content": "x" }))
                + &ends("stop")
                + &count(1, 200, 211)
                + DONE,
            vec![id(), text("x"), usage(Some(200), 201), finish(Reason::Stop)],
        ),
        (
            "reasoning under each of its names, and under both",
            role.clone()
                + &delta(&json!({ "reasoning_content": "a", "content": null }))
                + &delta(&json!({ "reasoning": "b" }))
                + &delta(&json!({ "reasoning": "c", "reasoning_content": "c" }))
                + &delta(
                    &json!({ "content": [{ "type": "thinking", "thinking": [{ "type": "text", "text": "d" }] }] }),
                )
                + &delta(&json!({ "content": "So" }))
                + &ends("stop")
                + DONE,
            vec![
                id(),
                thinks("a"),
                thinks("b"),
                thinks("c"),
                thinks("d"),
                text("So"),
                finish(Reason::Stop),
            ],
        ),
        (
            "a refusal, and no end but the finish",
            role.clone() + &delta(&json!({ "refusal": "No." })) + &ends("stop"),
            vec![id(), Event::Refusal("No.".into()), finish(Reason::Stop)],
        ),
        (
            "a call in fragments, then another",
            role.clone()
                + &calls(
                    &json!([{ "index": 0, "id": "a", "type": "function", "function": { "name": "f", "arguments": "" } }]),
                )
                + &calls(&json!([{ "index": 0, "function": { "arguments": "{\"x\":" } }]))
                + &calls(&json!([{ "index": 0, "function": { "arguments": "1.10}" } }]))
                + &calls(
                    &json!([{ "index": 1, "id": "b", "type": "function", "function": { "name": "g", "arguments": "{}" } }]),
                )
                + &ends("tool_calls")
                + DONE,
            vec![
                id(),
                Event::CallBegan,
                Event::Call(call("a", "f", "{\"x\":1.10}")),
                Event::CallBegan,
                Event::Call(call("b", "g", "{}")),
                finish(Reason::ToolCalls),
            ],
        ),
        (
            "a call, and text before it is whole",
            calls(
                &json!([{ "index": 0, "id": "a", "type": "function", "function": { "name": "f", "arguments": "{" } }]),
            ) + &delta(&json!({ "content": "so" }))
                + &calls(&json!([{ "index": 0, "function": { "arguments": "}" } }]))
                + &ends("tool_calls")
                + DONE,
            vec![
                id(),
                Event::CallBegan,
                text("so"),
                Event::Call(call("a", "f", "{}")),
                finish(Reason::ToolCalls),
            ],
        ),
        (
            "two calls in one frame, whose fragments alternate",
            role.clone()
                + &calls(&json!([
                    { "index": 0, "id": "a", "type": "function", "function": { "name": "f", "arguments": "{" } },
                    { "index": 1, "id": "b", "type": "function", "function": { "name": "g", "arguments": "{" } },
                ]))
                + &calls(&json!([{ "index": 0, "function": { "arguments": "}" } }]))
                + &calls(&json!([{ "index": 1, "function": { "arguments": "}" } }]))
                + &ends("tool_calls")
                + DONE,
            vec![
                id(),
                Event::CallBegan,
                Event::CallBegan,
                Event::Call(call("a", "f", "{}")),
                Event::Call(call("b", "g", "{}")),
                finish(Reason::ToolCalls),
            ],
        ),
        (
            "dirty calls: no index, no type, arguments as an object or none, a signature",
            delta(&json!({ "tool_calls": [
                { "id": "a", "function": { "name": "f", "arguments": { "x": 1 } }, "extra_content": { "google": { "thought_signature": "s" } } },
                { "id": "b", "function": { "name": "g" } },
                { "id": "c", "function": { "name": "h", "arguments": "null" } },
            ] }))
                + &ends("stop")
                + DONE,
            vec![
                id(),
                Event::CallBegan,
                Event::CallBegan,
                Event::CallBegan,
                Event::Call(Call {
                    signature: Some("s".into()),
                    ..call("a", "f", "{\"x\":1}")
                }),
                Event::Call(call("b", "g", "{}")),
                Event::Call(call("c", "h", "{}")),
                finish(Reason::Stop),
            ],
        ),
        (
            "a call that its limit cut",
            role.clone()
                + &calls(
                    &json!([{ "index": 0, "id": "a", "type": "function", "function": { "name": "f", "arguments": "{\"x\":" } }]),
                )
                + &ends("length")
                + DONE,
            vec![
                id(),
                Event::CallBegan,
                Event::Call(Call {
                    whole: false,
                    ..call("a", "f", "{\"x\":")
                }),
                finish(Reason::Length),
            ],
        ),
        (
            "a call that its limit cut before its arguments, in one frame",
            frame(
                &json!({ "index": 0, "finish_reason": "length", "delta": { "tool_calls": [
                { "index": 0, "id": "a", "type": "function", "function": { "name": "f", "arguments": "" } },
            ] } }),
            ),
            vec![
                id(),
                Event::CallBegan,
                Event::Call(Call {
                    whole: false,
                    ..call("a", "f", "")
                }),
                finish(Reason::Length),
            ],
        ),
        (
            "nothing, for the limit's sake",
            role.clone() + &ends("length") + DONE,
            vec![id(), finish(Reason::Length)],
        ),
        (
            "nothing, for the filter's sake",
            role.clone() + &ends("content_filter") + DONE,
            vec![id(), finish(Reason::ContentFilter)],
        ),
        (
            "another choice than the first",
            delta(&json!({ "content": "x" }))
                + &frame(
                    &json!({ "index": 1, "delta": { "content": "y" }, "finish_reason": "stop" }),
                )
                + &ends("stop")
                + DONE,
            vec![id(), text("x"), finish(Reason::Stop)],
        ),
        (
            "carriage returns, comments and what comes behind the end",
            (": hi\n\n".to_owned() + &delta(&json!({ "content": "x" })) + &ends("stop"))
                .replace('\n', "\r\n")
                + DONE
                + &delta(&json!({ "content": "y" })),
            vec![id(), text("x"), finish(Reason::Stop)],
        ),
    ];
    for (what, stream, expected) in cases {
        let seen = decode_every_way(&stream).unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(seen, expected, "{what}");
        let events: Vec<&str> = stream.split_inclusive("\n\n").collect();
        let last = events
            .iter()
            .position(|event| event.contains("finish_reason\":\""));
        if let Some(at) = last {
            let failure = decode_every_way(&events[..at].concat()).unwrap_err();
            assert_eq!(failure.class, Class::Broken, "{what}: without its finish");
        }
    }
}

#[test]
fn what_is_no_answer_is_broken() {
    let says = delta(&json!({ "role": "assistant", "content": "Hi" }));
    let half = calls(
        &json!([{ "index": 0, "id": "a", "type": "function", "function": { "name": "f", "arguments": "{" } }]),
    );
    let list = calls(
        &json!([{ "index": 0, "id": "a", "type": "function", "function": { "name": "f", "arguments": "[]" } }]),
    );
    for (what, stream) in [
        ("nothing", String::new()),
        ("only its end", DONE.into()),
        ("no end", says.clone()),
        ("no finish", says.clone() + DONE),
        (
            "nothing said",
            delta(&json!({ "role": "assistant", "content": "" })) + &ends("stop") + DONE,
        ),
        ("half a call", half + &ends("tool_calls") + DONE),
        (
            "arguments that are a list",
            list + &ends("tool_calls") + DONE,
        ),
        ("no JSON", says.clone() + "data: {\n\n"),
        (
            "an error",
            says + "data: {\"error\":{\"message\":\"no\"}}\n\n" + DONE,
        ),
    ] {
        let failure = decode_every_way(&stream).unwrap_err();
        assert_eq!(failure.class, Class::Broken, "{what}: {failure:?}");
    }
}

#[test]
fn what_came_before_a_failure_is_given_out() {
    let (mut decoder, mut out) = (Decoder::new(1), Vec::new());
    let stream = delta(&json!({ "content": "Hi" })) + "data: {\"error\":{\"message\":\"no\"}}\n\n";
    assert!(decoder.feed(stream.as_bytes(), &mut out).is_err());
    assert_eq!(out, [Event::Id("c1".into()), text("Hi")]);
}

#[test]
fn a_cut_behind_the_finish_costs_nothing() {
    let says = delta(&json!({ "content": "Hi" }));
    for (stream, whole) in [
        (says.clone(), false),
        (says.clone() + &ends("stop"), true),
        (says + &ends("stop") + "data: {\"choi", true),
    ] {
        let (mut decoder, mut out) = (Decoder::new(1), Vec::new());
        decoder.feed(stream.as_bytes(), &mut out).unwrap();
        assert_eq!(decoder.cut(&mut out).is_ok(), whole, "{stream}");
        assert_eq!(decoder.done(), whole);
        assert_eq!(matches!(out.last(), Some(Event::Finish(_))), whole);
    }
}

#[test]
fn a_plain_answer_is_taken_as_well() {
    let answer = |message: Value, reason: &str| {
        json!({
            "id": "c1", "object": "chat.completion", "model": "m", "usage": { "prompt_tokens": 3 },
            "choices": [{ "index": 0, "message": message, "finish_reason": reason }],
        })
        .to_string()
    };
    let whole = |body: &str| {
        let (mut decoder, mut out) = (Decoder::new(1), Vec::new());
        decoder.whole(body.as_bytes(), &mut out).map(|()| {
            assert!(decoder.done());
            out
        })
    };
    let message = json!({ "role": "assistant", "content": "So", "reasoning_content": "hm", "tool_calls": [
        { "id": "a", "type": "function", "function": { "name": "f", "arguments": "{}" } },
    ] });
    assert_eq!(
        whole(&answer(message, "tool_calls")).unwrap(),
        [
            Event::Id("c1".into()),
            thinks("hm"),
            text("So"),
            Event::CallBegan,
            Event::Call(call("a", "f", "{}")),
            Event::Usage(Usage {
                prompt: Some(3),
                ..Usage::default()
            }),
            Event::Finish(Finish::from(Reason::ToolCalls)),
        ]
    );
    for body in [
        answer(json!({ "role": "assistant", "content": "" }), "stop"),
        "{\"error\":{\"message\":\"no\"}}".into(),
        "{}".into(),
        "<html>".into(),
        String::new(),
    ] {
        assert_eq!(whole(&body).unwrap_err().class, Class::Broken, "{body}");
    }
}

#[test]
fn an_id_that_comes_late_is_none() {
    let begins = delta(&json!({ "content": "a" })).replace("\"c1\"", "null");
    let behind_text = begins + &delta(&json!({ "content": "b" })) + &ends("stop");
    let call = json!([{ "index": 0, "id": "x", "function": { "name": "f", "arguments": "{}" } }]);
    let behind_call = calls(&call).replace("\"c1\"", "null") + &ends("tool_calls");
    for stream in [behind_text, behind_call] {
        let events = decode_every_way(&(stream + "data: [DONE]\n\n")).unwrap();
        let ids = events.iter().filter(|event| matches!(event, Event::Id(_)));
        assert_eq!(ids.count(), 0, "{events:?}");
    }
}
