use std::sync::Arc;

use serde_json::{Value, json};

use crate::chat::{Answer, Call, Event, Part, Reason, Thought, Usage, thought};
use crate::dialect::Shown;
use crate::dialect::responses::{Encoder, answer, echo, read};

const REQUEST: &str = "{\"model\":\"m\",\"input\":\"hi\",\n \"instructions\":\"be\\nbrief\",\"tools\":[\n{\"type\":\"function\",\"name\":\"f\"}],\"temperature\":0.50,\"metadata\":null}";

fn shown() -> Shown {
    Shown {
        model: Arc::from("al\"ias"),
        target: Arc::from("p/m"),
        created: 1_790_000_000,
        usage: true,
        seed: 7,
    }
}

fn call(id: &str, signature: Option<&str>, whole: bool) -> Event {
    Event::Call(Call {
        id: id.into(),
        name: "f".into(),
        arguments: "{\"x\":1}".into(),
        whole,
        signature: signature.map(str::to_owned),
    })
}

fn text(text: &str) -> Event {
    Event::Text(text.into())
}

fn reasoning(text: &str) -> Event {
    Event::Reasoning(text.into())
}

fn signed(text: &str, signature: &str) -> Event {
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
        completion: Some(3),
        ..Usage::default()
    })
}

fn finish(reason: Reason) -> Event {
    Event::Finish(reason.into())
}

/// The frames of a stream, each checked for its two lines and its number.
fn frames(events: &[Event]) -> Vec<Value> {
    let mut encoder = Encoder::new(shown(), echo(REQUEST));
    let mut out = Vec::new();
    for event in events {
        encoder.events([event.clone()], &mut out);
    }
    let out = String::from_utf8(out).unwrap();
    let frames: Vec<Value> = out
        .split_terminator("\n\n")
        .enumerate()
        .map(|(number, frame)| {
            let (event, data) = frame.split_once('\n').unwrap();
            let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(event, format!("event: {}", data["type"].as_str().unwrap()));
            assert_eq!(data["sequence_number"], number);
            data
        })
        .collect();
    assert_eq!(encoder.sequence(), frames.len() as u64);
    frames
}

fn kinds(frames: &[Value]) -> Vec<&str> {
    let kinds = frames.iter().map(|frame| frame["type"].as_str().unwrap());
    kinds
        .map(|kind| kind.strip_prefix("response.").unwrap())
        .collect()
}

fn whole(events: &[Event]) -> Value {
    let mut collected = Answer::default();
    collected.extend(events.iter().cloned());
    serde_json::from_slice(&answer(&collected, &shown(), &echo(REQUEST))).unwrap()
}

#[test]
fn the_frames_come_in_the_recorded_order() {
    let stop = finish(Reason::Stop);
    for (events, expected) in [
        (
            vec![
                Event::Id("x".into()),
                text("a"),
                text(""),
                text("b"),
                usage(),
                stop.clone(),
            ],
            "created in_progress output_item.added content_part.added output_text.delta output_text.delta \
             output_text.done content_part.done output_item.done completed",
        ),
        (
            vec![
                Event::CallBegan,
                Event::CallBegan,
                call("a", None, true),
                call("b", None, true),
                finish(Reason::ToolCalls),
            ],
            "created in_progress output_item.added function_call_arguments.delta function_call_arguments.done \
             output_item.done output_item.added function_call_arguments.delta function_call_arguments.done \
             output_item.done completed",
        ),
        (
            vec![
                reasoning("h"),
                reasoning("m"),
                signed("hm", "s"),
                text("a"),
                stop.clone(),
            ],
            "created in_progress output_item.added reasoning_summary_part.added reasoning_summary_text.delta \
             reasoning_summary_text.delta reasoning_summary_text.done reasoning_summary_part.done output_item.done \
             output_item.added content_part.added output_text.delta output_text.done content_part.done \
             output_item.done completed",
        ),
        (
            vec![
                text("a"),
                Event::Refusal("no".into()),
                finish(Reason::ContentFilter),
            ],
            "created in_progress output_item.added content_part.added output_text.delta output_text.done \
             content_part.done content_part.added refusal.delta refusal.done content_part.done output_item.done \
             incomplete",
        ),
        (
            vec![finish(Reason::Length)],
            "created in_progress incomplete",
        ),
    ] {
        let frames = frames(&events);
        assert_eq!(
            kinds(&frames).join(" "),
            expected.split_whitespace().collect::<Vec<_>>().join(" ")
        );
    }
}

#[test]
fn each_frame_names_its_item_and_the_last_repeats_the_answer() {
    let frames = frames(&[
        reasoning("hm"),
        text("a"),
        text("b"),
        call("c", None, true),
        usage(),
        finish(Reason::ToolCalls),
    ]);
    let response = &frames.last().unwrap()["response"];
    let id = response["id"].as_str().unwrap();
    assert!(id.starts_with("resp_"));
    for frame in &frames {
        if let Some(response) = frame.get("response") {
            assert_eq!(response["id"], id);
            continue;
        }
        let index = usize::try_from(frame["output_index"].as_u64().unwrap()).unwrap();
        let item = &response["output"][index];
        let named = frame.get("item_id").unwrap_or(&frame["item"]["id"]);
        assert_eq!(*named, item["id"], "{frame}");
        if frame["type"] == "response.output_item.done" {
            assert_eq!(frame["item"], *item);
        }
    }
    assert_eq!(frames[0]["response"]["status"], "in_progress");
    assert_eq!(frames[0]["response"]["output"], json!([]));
    assert_eq!(
        response["output"][0]["summary"],
        json!([{"type":"summary_text","text":"hm"}])
    );
    assert_eq!(
        response["output"][1]["content"],
        json!([{"type":"output_text","text":"ab","annotations":[],"logprobs":[]}])
    );
    assert_eq!(response["output"][2]["call_id"], "c");
    assert_eq!(response["output"][2]["arguments"], "{\"x\":1}");
}

#[test]
fn the_response_repeats_the_request_and_says_what_is_ours() {
    let mut response = whole(&[text("a"), usage(), finish(Reason::Stop)]);
    let output = response["output"].take();
    assert_eq!(output[0]["role"], "assistant");
    assert_eq!(output[0]["status"], "completed");
    let id = response["id"].take();
    assert!(id.as_str().unwrap().starts_with("resp_"));
    assert_eq!(
        response,
        json!({
            "id": null, "object": "response", "created_at": 1_790_000_000, "status": "completed",
            "background": false, "completed_at": null, "error": null, "incomplete_details": null,
            "model": "al\"ias", "output": null, "previous_response_id": null, "store": false,
            "usage": {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
                "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 13},
            "instructions": "be\nbrief", "max_output_tokens": null, "max_tool_calls": null, "metadata": {},
            "parallel_tool_calls": true, "prompt_cache_key": null, "reasoning": {"effort": null, "summary": null},
            "safety_identifier": null, "service_tier": "default", "temperature": 0.5,
            "text": {"format": {"type": "text"}}, "tool_choice": "auto",
            "tools": [{"type": "function", "name": "f"}], "top_p": null, "truncation": "disabled", "user": null,
        })
    );
}

#[test]
fn a_plain_answer_is_what_the_last_frame_says() {
    for reason in [
        Reason::Stop,
        Reason::ToolCalls,
        Reason::Length,
        Reason::ContentFilter,
    ] {
        let events = [
            reasoning("hm"),
            signed("hm", "s"),
            text("a"),
            Event::Refusal("no".into()),
            call("c", Some("g"), reason != Reason::Length),
            usage(),
            finish(reason),
        ];
        let frames = frames(&events);
        assert_eq!(whole(&events), frames.last().unwrap()["response"]);
    }
}

#[test]
fn an_answer_that_was_cut_says_so() {
    for (reason, why) in [
        (Reason::Length, "max_output_tokens"),
        (Reason::ContentFilter, "content_filter"),
    ] {
        let response = whole(&[text("a"), finish(reason)]);
        assert_eq!(response["status"], "incomplete");
        assert_eq!(response["incomplete_details"]["reason"], why);
        assert_eq!(response["output"][0]["status"], "incomplete");
        assert_eq!(response["usage"], Value::Null, "unknown is not zero");
    }
    let response = whole(&[
        call("a", None, true),
        call("b", None, false),
        finish(Reason::Length),
    ]);
    assert_eq!(response["output"][0]["status"], "completed");
    assert_eq!(response["output"][1]["status"], "incomplete");
}

#[test]
fn thoughts_and_signatures_come_back_with_the_history() {
    let seal = |signature: &str| Some(thought::seal("p/m", signature));
    let redacted = Event::Thought(Thought {
        redacted: Some("opaque".into()),
        ..Thought::default()
    });
    let response = whole(&[
        reasoning("h\"m"),
        signed("h\"m", "one"),
        redacted,
        text("a"),
        signed("", "two"),
        call("c", Some("three"), true),
        reasoning("unsigned"),
        call("d", None, true),
        finish(Reason::ToolCalls),
    ]);
    let kinds: Vec<_> = response["output"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["type"].as_str().unwrap())
        .collect();
    let expected = [
        "reasoning",
        "reasoning",
        "message",
        "reasoning",
        "function_call",
        "reasoning",
        "function_call",
    ];
    assert_eq!(kinds, expected);
    let next = json!({"model": "m", "input": response["output"]});
    let turns = read(&next.to_string()).unwrap().turns;
    let [turn] = &*turns else {
        panic!("{turns:?}");
    };
    let thought = |text: &str, signature: Option<&str>, redacted: Option<&str>| {
        Part::Thought(Thought {
            text: text.into(),
            signature: signature.and_then(seal),
            redacted: redacted.and_then(seal),
        })
    };
    let call = |id: &str, signature: Option<&str>| {
        Part::Call(Call {
            id: id.into(),
            name: "f".into(),
            arguments: "{\"x\":1}".into(),
            whole: true,
            signature: signature.and_then(seal),
        })
    };
    assert_eq!(
        turn.parts,
        [
            thought("h\"m", Some("one"), None),
            thought("", None, Some("opaque")),
            Part::Text("a".into()),
            thought("", Some("two"), None),
            call("c", Some("three")),
            thought("unsigned", Some(""), None),
            call("d", None),
        ]
    );
}

#[test]
fn the_ids_are_made_from_the_seed() {
    let events = [text("a"), finish(Reason::Stop)];
    assert_eq!(frames(&events), frames(&events));
}
