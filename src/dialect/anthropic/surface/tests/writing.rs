//! From events to a stream and to a message.

use serde_json::{Value, json};

use crate::chat::{Answer, Call, Event, Finish, Part, Reason, Thought, Usage};
use crate::dialect::Shown;
use crate::dialect::anthropic::surface::{Encoder, answer, count_answer, read};

fn shown() -> Shown {
    Shown {
        model: "support \"chat\"".into(),
        target: "gemini/g".into(),
        created: 0,
        usage: false,
        seed: 1,
    }
}

fn thought(text: &str, signature: Option<&str>) -> Event {
    Event::Thought(Thought {
        text: text.into(),
        signature: signature.map(str::to_owned),
        redacted: None,
    })
}

fn call(id: &str, arguments: &str, signature: Option<&str>) -> Event {
    Event::Call(Call {
        id: id.into(),
        name: "f".into(),
        arguments: arguments.into(),
        whole: true,
        signature: signature.map(str::to_owned),
    })
}

/// Everything an answer can hold.
fn rich() -> Vec<Event> {
    vec![
        Event::Id("msg_1".into()),
        Event::Reasoning("h".into()),
        Event::Reasoning("m".into()),
        thought("hm", Some("s1")),
        Event::Thought(Thought {
            redacted: Some("opaque".into()),
            ..Thought::default()
        }),
        Event::Text("Let ".into()),
        Event::Text("me \"see\"\n".into()),
        Event::CallBegan,
        Event::CallBegan,
        call("a", "{\"x\": 1}", Some("s2")),
        call("b", "{}", None),
        Event::Usage(Usage {
            prompt: Some(30),
            cached: Some(20),
            cache_write: None,
            reasoning: Some(2),
            completion: Some(5),
            ..Usage::default()
        }),
        Event::Finish(Reason::ToolCalls.into()),
    ]
}

fn stream(events: Vec<Event>) -> String {
    let mut out = Vec::new();
    Encoder::new(shown()).events(events, &mut out);
    String::from_utf8(out).unwrap()
}

/// The data of each frame, whose `event:` line must be its type.
fn frames(stream: &str) -> Vec<Value> {
    let frames = stream.split_terminator("\n\n");
    let frames = frames.map(|frame| {
        let (event, data) = frame.split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(
            event.strip_prefix("event: "),
            data["type"].as_str(),
            "{frame}"
        );
        data
    });
    frames.collect()
}

/// What an SDK makes of the frames: a message.
pub(super) fn accumulated(stream: &str) -> Value {
    let mut message = Value::Null;
    let mut open = None;
    let mut arguments = String::new();
    for frame in frames(stream) {
        match frame["type"].as_str().unwrap() {
            "message_start" => message = frame["message"].clone(),
            "content_block_start" => {
                let content = message["content"].as_array_mut().unwrap();
                assert_eq!(
                    (open, frame["index"].as_u64()),
                    (None, Some(content.len() as u64))
                );
                content.push(frame["content_block"].clone());
                open = frame["index"].as_u64();
                arguments.clear();
            }
            "content_block_delta" => {
                assert_eq!(open, frame["index"].as_u64());
                let block = message["content"]
                    .as_array_mut()
                    .unwrap()
                    .last_mut()
                    .unwrap();
                let delta = &frame["delta"];
                match delta["type"].as_str().unwrap() {
                    "text_delta" => append(&mut block["text"], &delta["text"]),
                    "thinking_delta" => append(&mut block["thinking"], &delta["thinking"]),
                    "signature_delta" => block["signature"] = delta["signature"].clone(),
                    "input_json_delta" => {
                        arguments += delta["partial_json"].as_str().unwrap();
                        block["input"] = serde_json::from_str(&arguments).unwrap_or_default();
                    }
                    other => panic!("{other}"),
                }
            }
            "content_block_stop" => assert_eq!(open.take(), frame["index"].as_u64()),
            "message_delta" => {
                for key in ["stop_reason", "stop_sequence"] {
                    message[key] = frame["delta"][key].clone();
                }
                for (key, value) in frame["usage"].as_object().unwrap() {
                    message["usage"][key] = value.clone();
                }
            }
            "message_stop" => assert_eq!(open, None),
            other => panic!("{other}"),
        }
    }
    message
}

fn append(text: &mut Value, piece: &Value) {
    *text = (text.as_str().unwrap().to_owned() + piece.as_str().unwrap()).into();
}

fn whole(events: Vec<Event>) -> Value {
    let mut gathered = Answer::default();
    gathered.extend(events);
    serde_json::from_slice(&answer(&gathered, &shown())).unwrap()
}

#[test]
fn everything_an_answer_can_hold_has_its_block() {
    let message = whole(rich());
    assert_eq!(
        message,
        json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "support \"chat\"",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "pillion:8:gemini/g:s1"},
                {"type": "redacted_thinking", "data": "pillion:8:gemini/g:opaque"},
                {"type": "text", "text": "Let me \"see\"\n"},
                {"type": "thinking", "thinking": "", "signature": "call.pillion:8:gemini/g:s2"},
                {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
                {"type": "tool_use", "id": "b", "name": "f", "input": {}},
            ],
            "stop_reason": "tool_use", "stop_sequence": null,
            "usage": {"input_tokens": 10, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 20,
                "output_tokens": 5, "output_tokens_details": {"thinking_tokens": 2}},
        })
    );
}

#[test]
fn a_stream_comes_to_the_same_message() {
    let texts = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| Event::Text((*text).into()))
            .collect::<Vec<_>>()
    };
    let end = |reason: Reason| Event::Finish(reason.into());
    let mut cases = vec![
        rich(),
        vec![end(Reason::ContentFilter)],
        vec![
            thought("", Some("s")),
            Event::Text("x".into()),
            end(Reason::Stop),
        ],
        vec![
            Event::Reasoning("a".into()),
            thought("a", None),
            Event::Reasoning("b".into()),
            end(Reason::Length),
        ],
        vec![Event::Refusal("no".into()), end(Reason::Stop)],
        vec![call("a", "{}", None), end(Reason::Stop)],
        vec![
            Event::Text("x".into()),
            Event::Finish(Finish {
                reason: Reason::Stop,
                stop_sequence: Some("\"".into()),
            }),
        ],
    ];
    let mut plain = texts(&["", "a", "", "b"]);
    plain.push(end(Reason::Stop));
    cases.push(plain);
    for events in cases {
        assert_eq!(
            accumulated(&stream(events.clone())),
            whole(events.clone()),
            "{events:?}"
        );
    }
}

#[test]
fn a_stream_is_written_in_the_order_of_the_schema() {
    let expected = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_c1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"support \\\"chat\\\"\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":0,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":0}}}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\",\"input\":{}}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"x\\\":1}\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":0}}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    );
    let events = vec![
        Event::Id("c1".into()),
        Event::Text("a".into()),
        Event::CallBegan,
        call("a", "{\"x\":1}", None),
        Event::Finish(Reason::ToolCalls.into()),
        Event::Text("behind the end".into()),
    ];
    assert_eq!(stream(events), expected);
}

#[test]
fn nothing_is_written_before_there_is_something_to_show() {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(shown());
    encoder.events(
        [
            Event::Id("x".into()),
            Event::Text(String::new()),
            Event::CallBegan,
            thought("", None),
            Event::Usage(Usage::default()),
        ],
        &mut out,
    );
    assert!(out.is_empty());
    encoder.events([Event::Text("x".into())], &mut out);
    assert!(out.starts_with(b"event: message_start\n"));
}

#[test]
fn a_call_that_was_cut_is_half_a_call_in_a_stream_and_none_in_a_message() {
    let cut = Call {
        id: "a".into(),
        name: "f".into(),
        arguments: "{\"x\":".into(),
        whole: false,
        signature: None,
    };
    let events = vec![
        Event::Text("t".into()),
        Event::Call(cut),
        Event::Finish(Reason::Length.into()),
    ];
    let message = whole(events.clone());
    assert_eq!(message["content"], json!([{"type": "text", "text": "t"}]));
    assert_eq!(message["stop_reason"], "max_tokens");
    let stream = stream(events);
    assert!(stream.contains(r#""partial_json":"{\"x\":""#), "{stream}");
    assert_eq!(accumulated(&stream)["stop_reason"], "max_tokens");
}

#[test]
fn what_was_signed_comes_back_with_its_seal() {
    let content = &whole(rich())["content"];
    let body = json!({"messages": [{"role": "assistant", "content": content}]});
    let read = read(&body.to_string()).unwrap();
    let signature = |part: &Part| match part {
        Part::Thought(thought) => thought.signature.clone().or(thought.redacted.clone()),
        Part::Call(call) => call.signature.clone(),
        _ => None,
    };
    let signatures: Vec<_> = read.turns[0].parts.iter().map(signature).collect();
    let sealed = |text: &str| Some(format!("pillion:8:gemini/g:{text}"));
    assert_eq!(
        signatures,
        [sealed("s1"), sealed("opaque"), None, sealed("s2"), None]
    );
}

#[test]
fn what_nobody_signed_comes_back_with_its_maker() {
    let content = &whole(vec![
        Event::Reasoning("hm".into()),
        call("a", "{}", None),
        Event::Finish(Reason::ToolCalls.into()),
    ])["content"];
    let body = json!({"messages": [{"role": "assistant", "content": content}]});
    let turns = read(&body.to_string()).unwrap().turns;
    let Part::Thought(thought) = &turns[0].parts[0] else {
        panic!("{turns:?}");
    };
    assert!(thought.is_of("gemini/g") && !thought.is_of("gemini/h"));
    assert_eq!(thought.text, "hm");
}

#[test]
fn a_count_is_one_number() {
    assert_eq!(count_answer(17), b"{\"input_tokens\":17}");
}
