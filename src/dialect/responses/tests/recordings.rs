//! Responses that providers really gave, and requests that applications really sent. The recordings
//! are not ours to keep, so they are read from the folder that `PILLION_RECORDINGS` names, and the
//! tests pass without it.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{frames_of, spliced};
use crate::chat::{Answer, Event, Reason, Unsupported};
use crate::dialect::responses::{Encoder, Splicer, answer, echo, read, splice_answer};
use crate::dialect::{Shown, cuts};
use crate::outcome::Class;
use crate::recordings::{self, OPENAI};

/// Exchanges of `/responses` whose answer is none, and of what class it is.
const FAILED: &[(&str, Class)] = &[
    ("openai-responses-error-stream", Class::QuotaExhausted),
    // Made by hand: its last event is half of one.
    ("responses-parallel-wrapper-stream", Class::Broken),
];

/// Left out, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("openai-input-tokens", "counts tokens, answers nothing"),
    ("responses-conversation-create", "makes a conversation"),
];

/// Requests that only a provider of Responses can take, and the field that says so.
const REFUSED: &[(&str, &str)] = &[
    ("responses-background-queued", "background"),
    ("responses-background-stream", "background"),
    ("responses-code-interpreter-stream", "tools[0]"),
    ("responses-stream-logprobs", "include"),
    ("responses-stream-mcp-list", "tools[0]"),
    ("responses-stream-prev-id", "previous_response_id"),
    ("responses-stream-web-search", "tools[0]"),
];

fn samples() -> Option<Vec<(String, Value)>> {
    let mut samples =
        recordings::samples(OPENAI, |name| !LEFT_OUT.iter().any(|(out, _)| *out == name))?;
    samples.retain(|(name, sample)| {
        let path = sample["request"]["path"].as_str().unwrap_or_default();
        let ours = path.contains("/responses") || name.contains("responses");
        let good = sample["response"]["status"].as_u64().unwrap_or(200) == 200;
        ours && good && !path.contains("/chat/")
    });
    assert!(!samples.is_empty(), "no recordings of this surface");
    Some(samples)
}

/// What a recorded stream becomes: each frame with both lines, the model in its place.
fn expected(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data:"));
    let data = data.filter(|data| data.trim() != "[DONE]");
    data.map(|data| {
        let mut frame: Value = serde_json::from_str(data).unwrap();
        if frame["response"].get("model").is_some() {
            frame["response"]["model"] = "alias".into();
        }
        frame
    })
    .collect()
}

#[test]
fn recorded_streams_go_out_as_they_came() {
    let Some(samples) = samples() else { return };
    let (mut passed, mut failed) = (0, 0);
    for (name, sample) in &samples {
        let Some(stream) = sample["response"]["sse_text"].as_str() else {
            continue;
        };
        let bytes = stream.as_bytes();
        let (out, result) = spliced(&[bytes]);
        if let Some((_, class)) = FAILED.iter().find(|(of, _)| of == name) {
            assert_eq!(result.unwrap_err().class, *class, "{name}");
            failed += 1;
            continue;
        }
        let usage = result.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        assert!(
            usage.prompt.is_some() || !stream.contains("\"input_tokens\""),
            "{name}"
        );
        let frames: Vec<Value> = frames_of(&out)
            .iter()
            .filter(|frame| **frame != "data: [DONE]\n\n")
            .map(|frame| {
                let (event, data) = frame.trim_end().split_once("\ndata: ").unwrap();
                let data: Value = serde_json::from_str(data).unwrap();
                assert_eq!(event.strip_prefix("event: "), data["type"].as_str());
                data
            })
            .collect();
        assert_eq!(frames, expected(stream), "{name}");
        assert_eq!(out.contains("[DONE]"), stream.contains("[DONE]"), "{name}");
        let splicer = Splicer::new(Some("alias".into()));
        cuts::at_every_byte(
            name,
            splicer,
            &cuts::frames(bytes),
            |splicer, piece, out| {
                let result = splicer.feed(piece);
                out.extend(splicer.output());
                result
            },
        );
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(spliced(&single).0, out, "{name}");
        let last = stream
            .rfind("response.completed\"")
            .or_else(|| stream.rfind("response.incomplete\""));
        let last = stream[..last.unwrap()].rfind("\n\n").unwrap();
        let (_, result) = spliced(&[&bytes[..last]]);
        assert_eq!(
            result.unwrap_err().class,
            Class::Broken,
            "{name} without its end"
        );
        passed += 1;
    }
    eprintln!("{passed} streams passed on, {failed} errors judged");
    assert!(failed == FAILED.len());
}

#[test]
fn recorded_answers_keep_their_values() {
    let Some(samples) = samples() else { return };
    let mut passed = 0;
    for (name, sample) in &samples {
        let body = &sample["response"]["body"];
        if !body.is_object() {
            continue;
        }
        let (out, usage) = splice_answer(&Bytes::from(body.to_string()), Some("alias"))
            .unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        let out: Value = serde_json::from_slice(&out).unwrap();
        let mut expected = body.clone();
        expected["model"] = "alias".into();
        assert_eq!(out, expected, "{name}");
        assert_eq!(
            usage.prompt,
            body["usage"]["input_tokens"].as_u64(),
            "{name}"
        );
        if !matches!(body["status"].as_str(), Some("queued" | "in_progress")) {
            let mut splicer = Splicer::new(Some("alias".into()));
            splicer.whole(body.to_string().as_bytes()).unwrap();
            let stream = String::from_utf8(splicer.output()).unwrap();
            let (again, result) = spliced(&[stream.as_bytes()]);
            assert_eq!((again, result), (stream, Ok(usage)), "{name} as a stream");
        }
        passed += 1;
    }
    eprintln!("{passed} plain answers passed on");
}

#[test]
fn recorded_requests_are_read_or_refused_for_a_reason() {
    let Some(samples) = samples() else { return };
    let (mut understood, mut refused) = (0, 0);
    for (name, sample) in &samples {
        let body = &sample["request"]["body"];
        if !body.is_object() {
            continue;
        }
        let text = body.to_string();
        match read(&text) {
            Ok(conversation) => {
                assert!(!REFUSED.iter().any(|(of, _)| of == name), "{name}");
                assert!(!conversation.turns.is_empty(), "{name}");
                assert_eq!(
                    conversation.tools.len(),
                    body["tools"].as_array().map_or(0, Vec::len),
                    "{name}"
                );
                understood += 1;
            }
            Err(why) => {
                assert_eq!(why.code, Unsupported::PARAMETER, "{name}: {why:?}");
                let param = REFUSED.iter().find(|(of, _)| of == name);
                assert_eq!(param.map(|(_, param)| *param), Some(&*why.param), "{name}");
                refused += 1;
            }
        }
    }
    eprintln!("{understood} requests read, {refused} refused");
}

/// A recorded response's output as the events that would make it.
fn events_of(output: &Value) -> Option<Vec<Event>> {
    let mut events = Vec::new();
    for item in output.as_array()? {
        match item["type"].as_str()? {
            "message" => {
                for part in item["content"].as_array()? {
                    events.push(match part["type"].as_str()? {
                        "output_text" => Event::Text(part["text"].as_str()?.to_owned()),
                        _ => Event::Refusal(part["refusal"].as_str()?.to_owned()),
                    });
                }
            }
            "function_call" => events.push(Event::Call(crate::chat::Call {
                id: item["call_id"].as_str()?.to_owned(),
                name: item["name"].as_str()?.to_owned(),
                arguments: item["arguments"].as_str()?.to_owned(),
                whole: item["status"] != "incomplete",
                signature: None,
            })),
            "reasoning" => {
                for part in item["summary"].as_array()? {
                    events.push(Event::Reasoning(part["text"].as_str()?.to_owned()));
                }
            }
            _ => return None,
        }
    }
    Some(events)
}

/// Fields of an item that tell what it says, whoever wrote it.
fn essence(output: &Value) -> Vec<Value> {
    let items = output.as_array().unwrap().iter();
    items
        .filter(|item| item["type"] != "reasoning")
        .map(|item| {
            let parts = item["content"].as_array().into_iter().flatten();
            let parts: Vec<&Value> = parts
                .flat_map(|part| [&part["type"], &part["text"], &part["refusal"]])
                .collect();
            json!([
                item["type"],
                item["call_id"],
                item["name"],
                item["arguments"],
                parts
            ])
        })
        .collect()
}

#[test]
fn what_a_recorded_response_says_our_own_says_too_and_passes_as_one() {
    let Some(samples) = samples() else { return };
    let mut written = 0;
    for (name, sample) in &samples {
        if FAILED.iter().any(|(of, _)| of == name) {
            continue;
        }
        let stream = sample["response"]["sse_text"].as_str().unwrap_or_default();
        let last = stream.lines().rfind(|line| line.starts_with("data: {"));
        let response = match last.and_then(|line| line.strip_prefix("data: ")) {
            Some(data) => serde_json::from_str::<Value>(data).unwrap()["response"].take(),
            None => sample["response"]["body"].clone(),
        };
        let Some(mut events) = events_of(&response["output"]).filter(|events| !events.is_empty())
        else {
            continue;
        };
        let cut = response["status"] == "incomplete";
        events.push(Event::Finish(
            if cut { Reason::Length } else { Reason::Stop }.into(),
        ));
        let request = sample["request"]["body"].to_string();
        let shown = Shown {
            model: "alias".into(),
            target: "p/m".into(),
            created: 1,
            usage: true,
            seed: 1,
        };
        let mut encoder = Encoder::new(shown.clone(), echo(&request));
        let mut out = Vec::new();
        encoder.events(events.iter().cloned(), &mut out);
        let ours = String::from_utf8(out).unwrap();
        let (passed, result) = spliced(&[ours.as_bytes()]);
        assert!(result.is_ok(), "{name}: {result:?}");
        assert_eq!(passed, ours, "{name}");
        let mut collected = Answer::default();
        collected.extend(events);
        let plain = Bytes::from(answer(&collected, &shown, &echo(&request)));
        let (plain, _) = splice_answer(&plain, None).unwrap();
        let plain: Value = serde_json::from_slice(&plain).unwrap();
        assert_eq!(
            essence(&plain["output"]),
            essence(&response["output"]),
            "{name}"
        );
        written += 1;
    }
    eprintln!("{written} responses written anew");
}
