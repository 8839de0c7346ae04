//! Recorded streams and answers. `bedrock-invoke-anthropic` alone is not read: a plain answer in
//! Anthropic's own words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{decode, event, expected_error, samples};
use crate::chat::{Event, Reason};
use crate::dialect::bedrock::{Decoder, Unwrap, read_count};
use crate::dialect::cuts;
use crate::outcome::Class;

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
