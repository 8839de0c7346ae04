//! What was really sent to Anthropic and what came back. The recordings are not ours to keep, so
//! they are read from the folder that `PILLION_RECORDINGS` names, and the tests pass without it.

use bytes::Bytes;
use serde_json::Value;

use super::writing::accumulated;
use crate::chat::{Request, Surface};
use crate::dialect::anthropic::surface::{Form, Splicer, read, splice_answer, splice_request};
use crate::dialect::{Receiver, cuts};
use crate::facts::Families;
use crate::outcome::{Class, Failure};
use crate::recordings::{self, OTHERS};

/// Requests that only Anthropic can serve, by the field that says so.
const REFUSED: &[(&str, &str)] = &[
    ("anthropic-server-tool-code-exec", "tools[0]"),
    ("anthropic-stream-server-tools", "tools[2]"),
    ("anthropic-stream-thinking-omitted", "tools[0]"),
];

/// Answers that are none, and the class each has.
const FAILED: &[(&str, Class)] = &[
    ("anthropic-stream-empty", Class::Broken),
    ("anthropic-stream-spliced-start", Class::Broken),
    ("anthropic-toolchoice-none", Class::Broken),
    ("x-anthropic-stream-overloaded-midstream", Class::Overloaded),
    ("x-anthropic-stream-truncated", Class::Broken),
];

/// What is left out, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("anthropic-count-tokens", "a count, no message"),
    (
        "anthropic-stream-programmatic-tools",
        "fifteen answers in one; read one by one below",
    ),
];

fn samples() -> Option<Vec<(String, Value)>> {
    recordings::samples(OTHERS, |name| {
        let ours = ["anthropic-", "x-anthropic-", "bedrock-invoke-anthropic"];
        ours.iter().any(|start| name.starts_with(start))
    })
}

fn is_left_out(name: &str) -> bool {
    LEFT_OUT.iter().any(|(of, _)| *of == name)
}

#[test]
fn every_recorded_request_is_read_or_refused_for_a_reason() {
    let Some(samples) = samples() else {
        return;
    };
    let mut count = 0;
    for (name, sample) in &samples {
        let body = &sample["request"]["body"];
        if !body["messages"].is_array() {
            continue;
        }
        count += 1;
        let refused = REFUSED.iter().find(|(of, _)| of == name);
        match (read(&body.to_string()), refused) {
            (Ok(conversation), None) => {
                let spoken = body["messages"].as_array().unwrap().iter();
                let turns = spoken.filter(|message| message["role"] != "system").count();
                assert_eq!(conversation.turns.len(), turns, "{name}");
                let tools = body["tools"].as_array().map_or(0, Vec::len);
                assert_eq!(conversation.tools.len(), tools, "{name}");
            }
            (Err(error), Some((_, param))) => assert_eq!(error.param, *param, "{name}"),
            (read, refused) => panic!("{name}: {read:?}, expected {refused:?}"),
        }
    }
    eprintln!("{count} requests");
}

#[test]
fn every_recorded_request_is_passed_on_but_for_its_model() {
    let Some(samples) = samples() else {
        return;
    };
    let (mut direct, mut in_cloud) = (0, 0);
    for (name, sample) in &samples {
        let body = &sample["request"]["body"];
        let (Some(model), true) = (body["model"].as_str(), body["messages"].is_array()) else {
            continue;
        };
        let request = Request::read(Surface::Messages, body.to_string().into()).unwrap();
        let facts = Families::built_in().of(model);
        let to = Receiver {
            id: "claude/x",
            model: "other",
            facts: &facts,
        };
        let spliced = splice_request(&request, to, Form::Direct).unwrap();
        let expected = body
            .to_string()
            .replace(&format!("\"model\":\"{model}\""), "\"model\":\"other\"");
        assert!(spliced.pieces.concat() == expected.as_bytes(), "{name}");
        direct += 1;
        let form = Form::InCloud {
            version: "vertex-2023-10-16",
            stream_in_body: true,
            betas: &[],
        };
        let refused = REFUSED.iter().find(|(of, _)| of == name);
        match (splice_request(&request, to, form), refused) {
            (Ok(spliced), None) => {
                let sent: Value = serde_json::from_slice(&spliced.pieces.concat()).unwrap();
                assert_eq!(sent["anthropic_version"], "vertex-2023-10-16");
                // The default lifetime, which goes without saying.
                // Instructions among the messages are told at their head.
                let came = body["messages"].as_array().unwrap().iter();
                let (within, came): (Vec<&Value>, Vec<&Value>) =
                    came.partition(|message| message["role"] == "system");
                for text in within.iter().map(|message| &message["content"][0]["text"]) {
                    assert!(
                        sent["system"].to_string().contains(&text.to_string()),
                        "{name}"
                    );
                }
                let came = serde_json::to_string(&came).unwrap();
                let came = came.replace("\"ttl\":\"5m\",", "");
                let came = came.replace(",\"ttl\":\"5m\"", "");
                assert_eq!(sent["messages"].to_string(), came, "{name}");
                in_cloud += 1;
            }
            (Err(error), Some((_, param))) => assert_eq!(error.param, *param, "{name}"),
            (spliced, refused) => panic!("{name}: {spliced:?}, expected {refused:?}"),
        }
    }
    eprintln!("{direct} requests passed on, {in_cloud} into a cloud");
}

#[test]
fn every_recorded_stream_passes_as_it_came() {
    let Some(samples) = samples() else {
        return;
    };
    let mut count = 0;
    for (name, sample) in &samples {
        let Some(stream) = sample["response"]["sse_text"].as_str() else {
            continue;
        };
        if is_left_out(name) {
            continue;
        }
        count += 1;
        check_stream(name, stream);
    }
    eprintln!("{count} streams");
}

#[test]
fn answers_that_follow_one_another_in_one_recording_pass_one_by_one() {
    let Some(samples) = samples() else {
        return;
    };
    let (name, sample) = samples
        .iter()
        .find(|(name, _)| name == "anthropic-stream-programmatic-tools")
        .unwrap();
    let stream = sample["response"]["sse_text"].as_str().unwrap();
    let parts: Vec<&str> = stream.split_inclusive("event: message_stop\n").collect();
    let mut count = 0;
    let mut carried = String::new();
    for part in parts {
        carried += part;
        if !part.ends_with("event: message_stop\n") {
            continue;
        }
        let answer = format!("{carried}data: {{\"type\":\"message_stop\"}}\n\n");
        carried.clear();
        let start = answer.find("event: message_start").unwrap();
        check_stream(name, &answer[start..]);
        count += 1;
    }
    assert_eq!(count, 15);
}

fn check_stream(name: &str, stream: &str) {
    let stream = stream.trim_end().to_owned() + "\n\n";
    let bytes = stream.as_bytes();
    let (out, result) = run(&[bytes]);
    if let Some((_, class)) = FAILED.iter().find(|(of, _)| *of == name) {
        assert_eq!(result, Err(*class), "{name}");
        return;
    }
    assert_eq!(result, Ok(()), "{name}");
    let repeated = name == "anthropic-stream-duplicate-start";
    let came = frames(&stream);
    assert_eq!(frames(&out), came[usize::from(repeated)..], "{name}");
    let splicer = Splicer::new(None);
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
    assert!(run(&single) == (out, Ok(())), "{name} byte by byte");
    let last = stream.trim_end().rfind("\n\n").unwrap() + 2;
    assert_eq!(
        run(&[&bytes[..last]]).1,
        Err(Class::Broken),
        "{name} without its last event"
    );
}

fn run(chunks: &[&[u8]]) -> (String, Result<(), Class>) {
    let mut splicer = Splicer::new(None);
    let mut feed = || {
        chunks.iter().try_for_each(|chunk| splicer.feed(chunk))?;
        splicer.end()
    };
    let result = feed().map_err(|failure| failure.class);
    (String::from_utf8(splicer.output()).unwrap(), result)
}

/// The frames that are tied to their place: a ping is not.
fn frames(stream: &str) -> Vec<&str> {
    let frames = stream.split_terminator("\n\n");
    frames
        .filter(|frame| !frame.starts_with("event: ping"))
        .collect()
}

#[test]
fn every_recorded_answer_passes_as_it_came_and_as_a_stream() {
    let Some(samples) = samples() else {
        return;
    };
    let (mut whole, mut refused) = (0, 0);
    for (name, sample) in &samples {
        let response = &sample["response"];
        if !response["body"].is_object() || is_left_out(name) {
            continue;
        }
        let text = response["body"].to_string();
        let body = Bytes::from(text.clone());
        let mut splicer = Splicer::new(None);
        if response["status"] != 200 {
            assert!(splice_answer(&body, None).is_err(), "{name}");
            assert!(splicer.whole(&body).is_err(), "{name}");
            refused += 1;
            continue;
        }
        if let Some((_, class)) = FAILED.iter().find(|(of, _)| of == name) {
            let failed = |failure: Failure| failure.class;
            assert_eq!(splice_answer(&body, None).map_err(failed), Err(*class));
            assert_eq!(splicer.whole(&body).map_err(failed), Err(*class));
            refused += 1;
            continue;
        }
        let (passed, usage) =
            splice_answer(&body, None).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(passed, text, "{name}");
        assert_eq!(
            usage.completion,
            response["body"]["usage"]["output_tokens"].as_u64(),
            "{name}"
        );
        splicer
            .whole(&body)
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(splicer.usage(), usage, "{name}");
        let message = accumulated(&String::from_utf8(splicer.output()).unwrap());
        for key in ["id", "content", "stop_reason", "usage"] {
            assert_eq!(message[key], response["body"][key], "{name}: {key}");
        }
        whole += 1;
    }
    eprintln!("{whole} answers, {refused} refusals");
}

#[test]
fn every_event_that_came_inside_amazons_framing_passes() {
    let Some(samples) = samples() else {
        return;
    };
    let mut count = 0;
    for (name, sample) in &samples {
        let Some(events) = sample["response"]["events_decoded"].as_array() else {
            continue;
        };
        let mut splicer = Splicer::new(Some("mine".into()));
        for event in events {
            let event = event["payload"]["_bytes_decoded"].to_string();
            splicer
                .event(&event)
                .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        }
        splicer
            .end()
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let message = accumulated(&String::from_utf8(splicer.output()).unwrap());
        assert_eq!(message["model"], "mine");
        assert!(splicer.usage().prompt.is_some(), "{name}");
        count += 1;
    }
    eprintln!("{count} streams in Amazon's framing");
}
