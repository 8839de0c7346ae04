//! What the API really sent. The recordings are not ours to keep, so they are read from the folder
//! that `PILLION_RECORDINGS` names, and the tests pass without it.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use super::{decode_every_way, decode_in};
use crate::chat::{Event, Usage};
use crate::dialect::anthropic::{Decoder, read_count};
use crate::outcome::{Class, judge};
use crate::recordings::{self, OTHERS};

/// Answers that are no answer, and why.
const FAILS: &[(&str, Class)] = &[
    // Nothing was said, for no reason.
    ("anthropic-stream-empty", Class::Broken),
    ("anthropic-toolchoice-none", Class::Broken),
    // Two answers in one stream, the first cut within a call.
    ("anthropic-stream-spliced-start", Class::Broken),
    ("x-anthropic-stream-truncated", Class::Broken),
    ("x-anthropic-stream-overloaded-midstream", Class::Overloaded),
];

/// Refusals, and what they mean.
const REFUSED: &[(&str, Class)] = &[
    ("anthropic-err-400-context", Class::ContextLength),
    ("anthropic-err-400-effort", Class::InvalidRequest),
    ("anthropic-err-401", Class::Auth),
    ("anthropic-err-404-model", Class::TargetMissing),
    ("bedrock-invoke-anthropic-err", Class::InvalidRequest),
    ("x-anthropic-err-413", Class::InvalidRequest),
    ("x-anthropic-err-429", Class::RateLimited),
    ("x-anthropic-err-529", Class::Overloaded),
];

/// Recordings that hold no answer of this dialect, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("anthropic-count-tokens", "a count, tested on its own"),
    (
        "anthropic-stream-programmatic-tools",
        "fifteen answers in one file, tested on their own",
    ),
];

/// The recorded exchanges of this dialect, by name, if there are any.
pub(super) fn samples() -> Option<Vec<(String, Value)>> {
    recordings::samples(OTHERS, |name| {
        let ours = ["anthropic-", "x-anthropic-", "bedrock-invoke-anthropic"];
        ours.iter().any(|start| name.starts_with(start))
    })
}

/// What an answer must say, taken from the tree of it.
#[derive(Debug, Default, PartialEq)]
struct Said {
    text: String,
    thinking: String,
    calls: Vec<(String, String, Value)>,
    signatures: usize,
}

impl Said {
    /// By blocks that are whole.
    fn in_blocks(blocks: &[Value]) -> Self {
        let mut said = Self::default();
        for block in blocks {
            let string = |name: &str| block[name].as_str().unwrap_or_default();
            match string("type") {
                "text" => said.text += string("text"),
                "thinking" => {
                    said.thinking += string("thinking");
                    said.signatures += 1;
                }
                "redacted_thinking" => said.signatures += 1,
                "tool_use" => {
                    let (id, name) = (string("id").to_owned(), string("name").to_owned());
                    said.calls.push((id, name, block["input"].clone()));
                }
                _ => {}
            }
        }
        said
    }

    /// By the events of a stream, as the SDKs gather them.
    fn in_stream(events: &[Value]) -> Self {
        let mut blocks: Vec<Value> = Vec::new();
        let mut json: Vec<String> = Vec::new();
        for event in events {
            let index = usize::try_from(event["index"].as_u64().unwrap_or_default()).unwrap();
            let mut add = |name: &str, text: &Value| {
                let before = blocks[index][name].as_str().unwrap_or_default().to_owned();
                blocks[index][name] = Value::String(before + text.as_str().unwrap_or_default());
            };
            match (event["type"].as_str(), event["delta"]["type"].as_str()) {
                (Some("content_block_start"), _) => {
                    blocks.push(event["content_block"].clone());
                    json.push(String::new());
                }
                (_, Some("text_delta")) => add("text", &event["delta"]["text"]),
                (_, Some("thinking_delta")) => add("thinking", &event["delta"]["thinking"]),
                (_, Some("input_json_delta")) => {
                    json[index] += event["delta"]["partial_json"].as_str().unwrap();
                    if let Ok(input) = serde_json::from_str(&json[index]) {
                        blocks[index]["input"] = input;
                    }
                }
                _ => {}
            }
        }
        Self::in_blocks(&blocks)
    }

    fn in_events(events: &[Event]) -> Self {
        let mut said = Self::default();
        for event in events {
            match event {
                Event::Text(text) => said.text += text,
                Event::Reasoning(text) => said.thinking += text,
                Event::Thought(_) => said.signatures += 1,
                Event::Call(call) => said.calls.push((
                    call.id.clone(),
                    call.name.clone(),
                    serde_json::from_str(&call.arguments).unwrap(),
                )),
                Event::Id(_)
                | Event::Refusal(_)
                | Event::CallBegan
                | Event::Usage(_)
                | Event::Finish(_) => {}
            }
        }
        said
    }
}

/// The last word on each count in a recording, added up by the rules of the notes.
fn usage(answers: &[&Value]) -> Usage {
    let last = |name: &str| answers.iter().rev().find_map(|usage| usage[name].as_u64());
    let (cached, cache_write) = (
        last("cache_read_input_tokens"),
        last("cache_creation_input_tokens"),
    );
    Usage {
        prompt: last("input_tokens")
            .map(|input| input + cached.unwrap_or(0) + cache_write.unwrap_or(0)),
        cached,
        cache_write,
        reasoning: answers
            .iter()
            .rev()
            .find_map(|usage| usage["output_tokens_details"]["thinking_tokens"].as_u64()),
        completion: last("output_tokens"),
        ..Usage::default()
    }
}

fn check_events(name: &str, events: &[Event], expected: &Said, counted: &[&Value]) {
    assert_eq!(&Said::in_events(events), expected, "{name}");
    let [.., Event::Usage(used), Event::Finish(_)] = events else {
        panic!("{name} does not end as an answer does: {events:?}");
    };
    assert_eq!(*used, usage(counted), "{name}");
    assert!(matches!(events[0], Event::Id(_)), "{name}");
}

fn failure_of(name: &str) -> Option<Class> {
    let mut fails = FAILS.iter();
    fails.find(|(of, _)| *of == name).map(|(_, class)| *class)
}

#[test]
fn every_recorded_answer_says_what_it_said() {
    let Some(samples) = samples() else {
        return;
    };
    let (mut streams, mut plain, mut framed, mut left) = (0, 0, 0, 0);
    for (name, sample) in &samples {
        let response = &sample["response"];
        if LEFT_OUT.iter().any(|(of, _)| of == name) || response["status"] != 200 {
            left += 1;
        } else if let Some(stream) = response["sse_text"].as_str() {
            check_stream(name, stream);
            streams += 1;
        } else if response["eventstream_base64"].is_string() {
            check_framed(name, response);
            framed += 1;
        } else {
            check_plain(name, &response["body"]);
            plain += 1;
        }
    }
    eprintln!("{streams} streams, {plain} plain, {framed} in other framing; {left} are no answers");
    for (name, why) in LEFT_OUT {
        assert!(samples.iter().any(|(of, _)| of == name), "{name}: {why}");
    }
}

fn data(stream: &str) -> Vec<Value> {
    let lines = stream.lines().filter_map(|line| line.strip_prefix("data:"));
    lines
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn check_stream(name: &str, stream: &str) {
    let (events, result) = decode_every_way(stream.as_bytes());
    if let Some(class) = failure_of(name) {
        assert_eq!(result.unwrap_err().class, class, "{name}");
        return;
    }
    result.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
    let data = data(stream);
    let counted: Vec<&Value> = data
        .iter()
        .map(|event| match &event["message"]["usage"] {
            Value::Null => &event["usage"],
            usage => usage,
        })
        .collect();
    check_events(name, &events, &Said::in_stream(&data), &counted);
    let cut = &stream[..stream.rfind("event: message_stop").unwrap()];
    let (_, result) = decode_in(&[cut.as_bytes()]);
    assert_eq!(result.unwrap_err().class, Class::Broken, "{name}");
}

fn check_framed(name: &str, response: &Value) {
    let chunks = response["events_decoded"].as_array().unwrap();
    let chunks: Vec<String> = chunks
        .iter()
        .map(|event| {
            let bytes = event["payload"]["bytes"].as_str().unwrap();
            String::from_utf8(STANDARD.decode(bytes).unwrap()).unwrap()
        })
        .collect();
    let (mut decoder, mut out) = (Decoder::new(7), Vec::new());
    for (at, chunk) in chunks.iter().enumerate() {
        assert!(!decoder.done(), "{name}: done before {at}");
        decoder.event(chunk, &mut out).unwrap();
    }
    decoder.end(&mut out).unwrap();
    let data: Vec<Value> = chunks
        .iter()
        .map(|chunk| serde_json::from_str(chunk).unwrap())
        .collect();
    let counted: Vec<&Value> = data
        .iter()
        .map(|event| match &event["message"]["usage"] {
            Value::Null => &event["usage"],
            usage => usage,
        })
        .collect();
    check_events(name, &out, &Said::in_stream(&data), &counted);
}

fn check_plain(name: &str, body: &Value) {
    let (mut decoder, mut out) = (Decoder::new(7), Vec::new());
    let result = decoder.whole(body.to_string().as_bytes(), &mut out);
    if let Some(class) = failure_of(name) {
        assert_eq!(result.unwrap_err().class, class, "{name}");
        return;
    }
    result.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
    let said = Said::in_blocks(body["content"].as_array().unwrap());
    check_events(name, &out, &said, &[&body["usage"]]);
}

#[test]
fn every_recorded_refusal_has_the_class_it_should() {
    let Some(samples) = samples() else {
        return;
    };
    let mut judged = 0;
    for (name, sample) in &samples {
        let response = &sample["response"];
        let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
        if status == 200 {
            continue;
        }
        let headers = response["headers"].as_object().into_iter().flatten();
        let headers = headers.filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value.as_str()?).ok()?))
        });
        let failure = judge(
            StatusCode::from_u16(status).unwrap(),
            &headers.collect(),
            response["body"].to_string().as_bytes(),
            SystemTime::UNIX_EPOCH,
        );
        let expected = REFUSED.iter().find(|(of, _)| of == name);
        assert_eq!(
            Some(failure.class),
            expected.map(|(_, class)| *class),
            "{name}"
        );
        if failure.class == Class::RateLimited {
            assert_eq!(failure.wait, Some(Duration::from_secs(12)));
        }
        judged += 1;
    }
    assert_eq!(judged, REFUSED.len());
}

#[test]
fn every_recorded_count_is_read() {
    let Some(samples) = samples() else {
        return;
    };
    let (_, sample) = samples
        .iter()
        .find(|(name, _)| name == "anthropic-count-tokens")
        .unwrap();
    let body = &sample["response"]["body"];
    let count = read_count(body.to_string().as_bytes()).unwrap();
    assert_eq!(Some(count), body["input_tokens"].as_u64());
}

/// Between the first and the last of them a program calls a tool, each call an answer of its own.
#[test]
fn answers_to_a_program_are_whole_from_their_beginning() {
    let Some(samples) = samples() else {
        return;
    };
    let (_, sample) = samples
        .iter()
        .find(|(name, _)| name == "anthropic-stream-programmatic-tools")
        .unwrap();
    let stream = sample["response"]["sse_text"].as_str().unwrap();
    let mut answers = 0;
    for answer in stream.split_inclusive("data: {\"type\":\"message_stop\"}\n\n") {
        let answer = answer.trim_start();
        if !answer.contains("message_stop") {
            continue;
        }
        let (events, result) = decode_in(&[answer.as_bytes()]);
        result.unwrap_or_else(|failure| panic!("{failure:?}: {answer}"));
        let data = data(answer);
        let said = match data[0]["message"]["content"].as_array() {
            Some(blocks) if !blocks.is_empty() => Said::in_blocks(blocks),
            _ => Said::in_stream(&data),
        };
        assert_eq!(Said::in_events(&events), said);
        answers += 1;
    }
    assert_eq!(answers, 15);
}
