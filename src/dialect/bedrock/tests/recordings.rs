//! What Bedrock was really asked and really answered. The recordings are not ours to keep, so they
//! are read from the folder that `PILLION_RECORDINGS` names, and the tests pass without it.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::{decode, event};
use crate::chat::{
    Call, CallResult, Conversation, Effort, Event, Format, Media, Part, Reason, Role, Thinking,
    Thought, Tool, ToolChoice, Turn, thought,
};
use crate::dialect::bedrock::{Decoder, Unwrap, encode, encode_count, read_count};
use crate::dialect::{Receiver, cuts};
use crate::facts::Families;
use crate::outcome::{Class, judge};

/// Errors, and streams that fail.
const ERRORS: &[(&str, Class)] = &[
    ("bedrock-err-400-context", Class::ContextLength),
    ("bedrock-err-400-model", Class::TargetMissing),
    ("bedrock-err-403-auth", Class::Auth),
    ("bedrock-invoke-anthropic-err", Class::InvalidRequest),
    ("bedrock-stream-err-400", Class::TargetMissing),
    ("x-bedrock-stream-error-frame", Class::Broken),
    ("x-bedrock-stream-modelstreamerror", Class::Broken),
    ("x-bedrock-stream-throttling-midstream", Class::RateLimited),
];

// `bedrock-invoke-anthropic` alone is not read here: a plain answer in Anthropic's own words.

/// Requests that no conversation of ours says, and why.
const OTHER_REQUESTS: &[(&str, &str)] = &[
    (
        "bedrock-guardrail",
        "guardrails are the operator's, and two turns of one role",
    ),
    ("bedrock-stream-guardrail", "the same"),
    (
        "bedrock-stream-citations",
        "a document as text, with citations",
    ),
    ("bedrock-stream-code-interp", "a tool of the provider's own"),
    (
        "bedrock-stream-thinking-haiku",
        "an older spelling of Claude's thinking",
    ),
];

fn samples() -> Option<Vec<(String, Value)>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test finds the recordings by the environment"
    )]
    let Ok(folder) = std::env::var("PILLION_RECORDINGS") else {
        eprintln!("skipped: PILLION_RECORDINGS names no folder");
        return None;
    };
    let folder = Path::new(&folder).join("anthropic-gemini-bedrock/samples");
    let entries = std::fs::read_dir(&folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let named = paths.into_iter().filter_map(|path| {
        let name = path.file_stem()?.to_str()?.to_owned();
        let ours = name.starts_with("bedrock-") || name.starts_with("x-bedrock-");
        let text = std::fs::read(&path).unwrap();
        (ours && path.extension()? == "json")
            .then(|| (name, serde_json::from_slice(&text).unwrap()))
    });
    let samples: Vec<_> = named.collect();
    assert!(!samples.is_empty(), "no recordings in {}", folder.display());
    Some(samples)
}

fn expected_error(name: &str) -> Option<Class> {
    let found = ERRORS.iter().find(|(own, _)| *own == name);
    found.map(|(_, class)| *class)
}

/// The frames of a recorded stream; those that were stored without framing get ours.
fn frames(response: &Value) -> Option<Vec<Vec<u8>>> {
    if let Some(events) = response["events"].as_array() {
        let named = events.iter().map(|one| {
            let (kind, payload) = one.as_object().unwrap().iter().next().unwrap();
            event(kind, &payload.to_string())
        });
        return Some(named.collect());
    }
    let bytes = STANDARD
        .decode(response["eventstream_base64"].as_str()?)
        .unwrap();
    let mut frames = Vec::new();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let length = u32::from_be_bytes(*rest.first_chunk().unwrap());
        let (frame, behind) = rest.split_at(length.try_into().unwrap());
        frames.push(frame.to_vec());
        rest = behind;
    }
    Some(frames)
}

/// What the payloads themselves say: text, thinking, calls, and how they end.
fn said_by(payloads: &[Value]) -> (String, String, usize, String) {
    let all = |path: &str| -> String {
        let pieces = payloads
            .iter()
            .filter_map(|payload| payload.pointer(path)?.as_str());
        pieces.collect()
    };
    let calls = payloads.iter().filter(|payload| {
        payload
            .pointer("/start/toolUse")
            .is_some_and(|tool| tool["type"] != "server_tool_use")
    });
    (
        all("/delta/text"),
        all("/delta/reasoningContent/text"),
        calls.count(),
        all("/stopReason"),
    )
}

/// The same of events.
fn said(events: &[Event]) -> (String, String, usize) {
    let (mut text, mut reasoning, mut calls) = (String::new(), String::new(), 0);
    for event in events {
        match event {
            Event::Text(piece) => text.push_str(piece),
            Event::Reasoning(piece) => reasoning.push_str(piece),
            Event::Call(call) => {
                assert!(call.whole && serde_json::from_str::<Value>(&call.arguments).is_ok());
                calls += 1;
            }
            Event::Id(_)
            | Event::Refusal(_)
            | Event::Thought(_)
            | Event::CallBegan
            | Event::Usage(_)
            | Event::Finish(_) => {}
        }
    }
    (text, reasoning, calls)
}

fn check_end(name: &str, events: &[Event], word: &str, calls: usize, usage: &Value) {
    let [.., Event::Usage(counted), Event::Finish(finish)] = events else {
        panic!("{name}: {events:?}");
    };
    let expected = match word {
        "max_tokens" => Reason::Length,
        "guardrail_intervened" => Reason::ContentFilter,
        _ if calls > 0 => Reason::ToolCalls,
        _ => Reason::Stop,
    };
    assert_eq!(finish.reason, expected, "{name}");
    let total = counted.prompt.unwrap() + counted.completion.unwrap();
    assert_eq!(Some(total), usage["totalTokens"].as_u64(), "{name}");
}

#[test]
fn every_recorded_stream_says_the_same_however_it_is_cut() {
    let Some(samples) = samples() else { return };
    let mut read = 0;
    for (name, sample) in &samples {
        let response = &sample["response"];
        let invoked = name.starts_with("bedrock-invoke-");
        let Some(frames) = frames(response).filter(|_| !invoked) else {
            continue;
        };
        let stream = frames.concat();
        let whole = decode(&[&stream]);
        let slices: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        cuts::at_every_byte(name, Decoder::new(7), &slices, Decoder::feed);
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(decode(&single), whole, "{name} byte by byte");
        read += 1;
        if let Some(class) = expected_error(name) {
            assert_eq!(whole.unwrap_err().class, class, "{name}");
            continue;
        }
        let events = whole.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        let payloads: Vec<Value> = match response["events_decoded"].as_array() {
            Some(decoded) => decoded.iter().map(|one| one["payload"].clone()).collect(),
            None => response["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one.as_object().unwrap().values().next().unwrap().clone())
                .collect(),
        };
        let (text, reasoning, calls, word) = said_by(&payloads);
        assert_eq!(said(&events), (text, reasoning, calls), "{name}");
        check_end(
            name,
            &events,
            &word,
            calls,
            &payloads.last().unwrap()["usage"],
        );
        // The stop is the last but one.
        let torn = frames[..frames.len() - 2].concat();
        assert_eq!(decode(&[&torn]).unwrap_err().class, Class::Broken, "{name}");
    }
    eprintln!("{read} streams");
    assert!(read >= 16, "{read} streams");
}

#[test]
fn every_recorded_answer_is_read() {
    let Some(samples) = samples() else { return };
    let mut read = 0;
    for (name, sample) in &samples {
        let body = &sample["response"]["body"];
        if body.is_null() || sample["response"]["status"] != 200 || name.contains("invoke") {
            continue;
        }
        read += 1;
        let bytes = body.to_string();
        if name == "bedrock-count-tokens" {
            assert_eq!(
                read_count(bytes.as_bytes()).ok(),
                body["inputTokens"].as_u64()
            );
            continue;
        }
        let (mut decoder, mut events) = (Decoder::new(7), Vec::new());
        decoder
            .whole(bytes.as_bytes(), &mut events)
            .unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        let blocks = body
            .pointer("/output/message/content")
            .unwrap()
            .as_array()
            .unwrap();
        let all = |path: &str| -> String {
            blocks
                .iter()
                .filter_map(|block| block.pointer(path)?.as_str())
                .collect()
        };
        let calls = blocks
            .iter()
            .filter(|block| block["toolUse"].is_object())
            .count();
        let expected = (
            all("/text"),
            all("/reasoningContent/reasoningText/text"),
            calls,
        );
        assert_eq!(said(&events), expected, "{name}");
        let word = body["stopReason"].as_str().unwrap();
        check_end(name, &events, word, calls, &body["usage"]);
    }
    eprintln!("{read} plain answers");
    assert!(read >= 28, "{read} plain answers");
}

#[test]
fn every_recorded_error_has_the_class_it_should() {
    let Some(samples) = samples() else { return };
    let mut judged = 0;
    for (name, sample) in &samples {
        let response = &sample["response"];
        let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
        if status == 200 {
            continue;
        }
        let pairs = response["headers"].as_object().into_iter().flatten();
        let headers: HeaderMap = pairs
            .filter_map(|(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                Some((name, HeaderValue::from_str(value.as_str()?).ok()?))
            })
            .collect();
        let body = response["body"].to_string();
        let status = StatusCode::from_u16(status).unwrap();
        let failure = judge(status, &headers, body.as_bytes(), SystemTime::UNIX_EPOCH);
        let expected = expected_error(name).unwrap_or_else(|| panic!("{name} is not in the table"));
        assert_eq!(failure.class, expected, "{name}: {}", failure.reason);
        judged += 1;
    }
    eprintln!("{judged} errors");
    assert!(judged >= 5, "{judged} errors");
}

#[test]
fn every_recorded_stream_of_claudes_own_is_unwrapped() {
    let Some(samples) = samples() else { return };
    let mut read = 0;
    for (name, sample) in &samples {
        let Some(frames) = frames(&sample["response"]).filter(|_| name.contains("invoke")) else {
            continue;
        };
        let stream = frames.concat();
        let decoded = sample["response"]["events_decoded"].as_array().unwrap();
        let expected: Vec<&Value> = decoded
            .iter()
            .map(|one| &one["payload"]["_bytes_decoded"])
            .collect();
        for cut in 0..=stream.len() {
            let (mut unwrap, mut seen) = (Unwrap::default(), Vec::new());
            for chunk in [&stream[..cut], &stream[cut..]] {
                unwrap
                    .feed(chunk, |event| {
                        seen.push(event.to_owned());
                        Ok(())
                    })
                    .unwrap();
            }
            unwrap.end().unwrap();
            assert_eq!(seen.len(), expected.len(), "{name} cut at {cut}");
            if cut == 0 {
                for (seen, expected) in seen.iter().zip(&expected) {
                    let seen: Value = serde_json::from_str(seen).unwrap();
                    assert_eq!(&seen, *expected, "{name}");
                }
            }
        }
        read += 1;
    }
    eprintln!("{read} streams of Claude's own");
    assert!(read >= 3, "{read} streams");
}

#[test]
fn every_recorded_request_is_what_we_would_ask() {
    let Some(samples) = samples() else { return };
    let (mut written, mut left) = (0, 0);
    for (name, sample) in &samples {
        let request = &sample["request"];
        let url = request["url"].as_str().unwrap_or_default();
        let Some((_, rest)) = url.split_once("/model/") else {
            continue;
        };
        let (model, ask) = rest.rsplit_once('/').unwrap();
        if ask.starts_with("invoke") {
            continue;
        }
        if OTHER_REQUESTS.iter().any(|(own, _)| own == name) {
            left += 1;
            continue;
        }
        let model = model.replace("%3A", ":").replace("%2F", "/");
        let facts = Families::default().of(&model);
        let to = Receiver {
            id: "bedrock/m",
            model: &model,
            facts: &facts,
        };
        let counts = ask == "count-tokens";
        let body = if counts {
            &request["body"]["input"]["converse"]
        } else {
            &request["body"]
        };
        let conversation = conversation(body);
        let ours = if counts {
            encode_count(&conversation, to)
        } else {
            encode(&conversation, to)
        };
        let ours = ours.unwrap_or_else(|refused| panic!("{name}: {refused:?}"));
        assert!(ours.dropped.is_empty(), "{name}: {:?}", ours.dropped);
        let mut ours: Value = serde_json::from_slice(&ours.body).unwrap();
        if counts {
            ours = ours["input"]["converse"].take();
        }
        let mut recorded = body.clone();
        tidy(&mut recorded);
        if recorded.pointer("/inferenceConfig/maxTokens").is_none()
            && let Some(config) = ours.get_mut("inferenceConfig")
        {
            // Claude is told how long it may answer.
            config.as_object_mut().unwrap().remove("maxTokens");
        }
        tidy(&mut ours);
        assert_eq!(ours, recorded, "{name}");
        written += 1;
    }
    eprintln!("{written} requests, {left} left out");
    assert!(written >= 34, "{written} requests");
    assert_eq!(left, OTHER_REQUESTS.len());
}

/// Takes out what says nothing: empty objects and lists at the top, `auto`, `success`.
fn tidy(request: &mut Value) {
    let top = request.as_object_mut().unwrap();
    if let Some(config) = top.get_mut("toolConfig")
        && config["toolChoice"] == json!({"auto": {}})
    {
        config.as_object_mut().unwrap().remove("toolChoice");
    }
    top.retain(|_, value| *value != json!({}) && *value != json!([]));
    for message in top["messages"].as_array_mut().unwrap() {
        for block in message["content"].as_array_mut().unwrap() {
            if let Some(result) = block.get_mut("toolResult")
                && result["status"] == "success"
            {
                result.as_object_mut().unwrap().remove("status");
            }
        }
    }
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn raw(value: &Value) -> Option<Box<serde_json::value::RawValue>> {
    serde_json::value::RawValue::from_string(value.to_string()).ok()
}

/// What a recorded request means: the way back, for these requests alone.
fn conversation(body: &Value) -> Conversation {
    let list = |path: &str| {
        let found = body.pointer(path).and_then(Value::as_array);
        found.cloned().unwrap_or_default()
    };
    let inference = &body["inferenceConfig"];
    let thinking = &body["additionalModelRequestFields"]["thinking"];
    let effort = &body["additionalModelRequestFields"]["reasoningConfig"]["maxReasoningEffort"];
    let format = &body["outputConfig"]["textFormat"]["structure"]["jsonSchema"];
    let stops = inference["stopSequences"].as_array();
    Conversation {
        system: list("/system").iter().filter_map(part).collect(),
        turns: list("/messages")
            .iter()
            .map(|message| Turn {
                role: if message["role"] == "user" {
                    Role::User
                } else {
                    Role::Assistant
                },
                parts: message["content"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter_map(part)
                    .collect(),
            })
            .collect(),
        tools: list("/toolConfig/tools").iter().map(tool).collect(),
        tool_choice: match &body["toolConfig"]["toolChoice"] {
            choice if choice["any"].is_object() => Some(ToolChoice::Required),
            choice if choice["auto"].is_object() => Some(ToolChoice::Auto),
            _ => None,
        },
        max_tokens: inference["maxTokens"].as_u64(),
        temperature: inference["temperature"].as_f64(),
        stop: stops.into_iter().flatten().filter_map(string).collect(),
        format: if format.is_object() {
            Format::JsonSchema {
                name: string(&format["name"]).unwrap(),
                description: string(&format["description"]),
                schema: serde_json::value::RawValue::from_string(
                    string(&format["schema"]).unwrap(),
                )
                .ok(),
                strict: None,
            }
        } else {
            Format::Text
        },
        effort: effort.as_str().and_then(Effort::named),
        thinking: match thinking["type"].as_str() {
            Some("enabled") => thinking["budget_tokens"].as_u64().map(Thinking::Budget),
            Some("adaptive") => Some(Thinking::Adaptive),
            _ => None,
        },
        service_tier: string(&body["serviceTier"]["type"]),
        ..Conversation::default()
    }
}

fn tool(tool: &Value) -> Tool {
    let spec = &tool["toolSpec"];
    Tool {
        name: string(&spec["name"]).unwrap(),
        description: string(&spec["description"]),
        schema: raw(&spec["inputSchema"]["json"]),
        strict: spec["strict"].as_bool(),
        cache: None,
    }
}

fn part(block: &Value) -> Option<Part> {
    let (kind, value) = block.as_object()?.iter().next()?;
    Some(match kind.as_str() {
        "text" => Part::Text(string(value)?),
        "cachePoint" => Part::CachePoint(string(&value["ttl"])),
        "image" => Part::Image(Media::Inline {
            kind: format!("image/{}", value["format"].as_str()?),
            data: string(&value["source"]["bytes"])?,
        }),
        "toolUse" => Part::Call(Call {
            id: string(&value["toolUseId"])?,
            name: string(&value["name"])?,
            arguments: value["input"].to_string(),
            whole: true,
            signature: None,
        }),
        "toolResult" => Part::Result(CallResult {
            id: string(&value["toolUseId"])?,
            parts: value["content"]
                .as_array()?
                .iter()
                .filter_map(part)
                .collect(),
            is_error: value["status"] == "error",
        }),
        "reasoningContent" => {
            let shown = &value["reasoningText"];
            Part::Thought(Thought {
                text: string(&shown["text"])?,
                signature: Some(thought::seal("bedrock/m", shown["signature"].as_str()?)),
                redacted: None,
            })
        }
        other => panic!("{other} is not read"),
    })
}
