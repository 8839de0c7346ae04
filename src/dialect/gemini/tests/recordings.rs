//! What Gemini really sent and was sent. The recordings are not ours to keep, so they are read from
//! the folder that `PILLION_RECORDINGS` names, and the tests pass without it.

use std::time::SystemTime;

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::chat::{Answer, Event, Reason, Usage};
use crate::dialect::cuts;
use crate::dialect::gemini::Decoder;
use crate::dialect::gemini::count::read_count;
use crate::outcome::{Class, Failure, judge};
use crate::recordings::{self, OTHERS};

/// Recordings of these kinds that are no answer of `generateContent`, and why.
const OTHER: &[(&str, &str)] = &[
    ("vertex-token-exchange", "an exchange of keys, no model"),
    ("gemini-count-tokens", "a count, read below"),
];

/// What is no answer: why it is `broken`, or what else.
const NO_ANSWER: &[(&str, Class)] = &[
    // A call of an answer that the provider disowned.
    ("x-gemini-malformed-function-call", Class::Broken),
    // `499 CANCELLED`, bare, behind two frames that say that they finish.
    ("vertex-stream-error-midstream", Class::Broken),
    // Arguments in pieces, which are never asked for.
    ("gemini-stream-partialargs", Class::Broken),
    ("gemini-stream-partialargs-nested", Class::Broken),
    ("gemini-stream-noargs", Class::Broken),
];

/// Answers that end for another reason than having been given.
const ENDS: &[(&str, Reason)] = &[
    ("gemini-finish-safety", Reason::ContentFilter),
    ("gemini-max-tokens", Reason::Length),
    ("gemini-max-tokens-empty", Reason::Length),
    ("gemini-only-promptfeedback", Reason::ContentFilter),
    ("gemini-promptblock-modelarmor", Reason::ContentFilter),
    ("gemini-response-modelarmor", Reason::ContentFilter),
    ("gemini-safety-block", Reason::ContentFilter),
    ("gemini-stream-promptblock", Reason::ContentFilter),
    ("gemini-stream-recitation", Reason::ContentFilter),
    ("vertex-stream-finish-safety", Reason::ContentFilter),
];

/// Errors with their status: the class, and the wait in milliseconds.
const ERRORS: &[(&str, Class, Option<u128>)] = &[
    ("gemini-err-400-key", Class::Auth, None),
    ("gemini-err-404-model", Class::TargetMissing, None),
    // The prose has the fractions that `RetryInfo` left out.
    ("gemini-err-429-retryinfo", Class::RateLimited, Some(48_939)),
    (
        "gemini-err-429-retryinfo-v",
        Class::RateLimited,
        Some(34_400),
    ),
    ("gemini-err-api-not-enabled", Class::Auth, None),
    ("gemini-err-apikey", Class::Auth, None),
    ("vertex-err-400-context", Class::ContextLength, None),
    ("vertex-err-400-role", Class::InvalidRequest, None),
    ("vertex-err-400-temp", Class::InvalidRequest, None),
    ("vertex-err-404-model", Class::TargetMissing, None),
    ("vertex-err-429-quota", Class::RateLimited, None),
    ("vertex-err-iam", Class::Auth, None),
    ("vertex-err-location", Class::Auth, None),
    ("x-gemini-503", Class::Overloaded, None),
];

fn recordings() -> Option<Vec<(String, Value)>> {
    let samples = recordings::samples(OTHERS, |name| {
        ["gemini", "vertex", "x-gemini"].iter().any(|kind| {
            name.strip_prefix(kind)
                .is_some_and(|rest| rest.starts_with(['-', '3']))
        })
    })?;
    assert!(samples.len() > 70, "{} recordings", samples.len());
    Some(samples)
}

fn read(chunks: &[&[u8]]) -> Result<Vec<Event>, Failure> {
    let mut decoder = Decoder::new(1);
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.feed(chunk, &mut events)?;
    }
    decoder.end(&mut events)?;
    Ok(events)
}

fn is_answer(name: &str, recording: &Value) -> bool {
    recording["response"]["status"] == 200 && !OTHER.iter().any(|(other, _)| *other == name)
}

/// What an answer must be, whatever it says.
fn check(name: &str, events: &[Event], last: &Value) {
    let Some(Event::Finish(finish)) = events.last() else {
        panic!("{name} does not finish: {events:?}");
    };
    let called = events.iter().any(|event| matches!(event, Event::Call(_)));
    let listed = ENDS.iter().find(|(of, _)| *of == name);
    let expected = match listed {
        Some((_, reason)) => *reason,
        None if called => Reason::ToolCalls,
        None => Reason::Stop,
    };
    assert_eq!(finish.reason, expected, "{name}");
    let usage = events.iter().find_map(|event| match event {
        Event::Usage(usage) => Some(*usage),
        _ => None,
    });
    if let Some(total) = last["usageMetadata"]["totalTokenCount"].as_u64() {
        let Usage {
            prompt, completion, ..
        } = usage.unwrap();
        assert_eq!(prompt.unwrap() + completion.unwrap(), total, "{name}");
    }
    for event in events {
        if let Event::Call(call) = event {
            let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
            assert!(arguments.is_object() && call.whole, "{name}");
        }
    }
}

#[test]
fn every_recorded_stream_is_read_however_it_is_cut() {
    let Some(recordings) = recordings() else {
        return;
    };
    let mut count = 0;
    for (name, recording) in &recordings {
        let Some(stream) = recording["response"]["sse_text"].as_str() else {
            continue;
        };
        let bytes = stream.as_bytes();
        let whole = read(&[bytes]);
        if let Some((_, class)) = NO_ANSWER.iter().find(|(of, _)| of == name) {
            assert_eq!(whole.unwrap_err().class, *class, "{name}");
            count += 1;
            continue;
        }
        let expected = whole.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        let data: Vec<&str> = stream
            .lines()
            .filter_map(|line| line.strip_prefix("data:"))
            .collect();
        check(
            name,
            &expected,
            &serde_json::from_str(data.last().unwrap()).unwrap(),
        );
        let frames = cuts::frames(bytes);
        cuts::at_every_byte(name, Decoder::new(1), &frames, Decoder::feed);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single).unwrap(), expected, "{name} byte by byte");
        let last = stream.rfind("data:").unwrap();
        // Unless an earlier frame finishes too, as in old ones.
        if !stream[..last].contains("finishReason") {
            let failure = read(&[&bytes[..last]]).unwrap_err();
            assert_eq!(failure.class, Class::Broken, "{name} without its end");
        }
        count += 1;
    }
    eprintln!("{count} recorded streams");
    assert!(count >= 20, "{count}");
}

#[test]
fn every_recorded_plain_answer_is_read() {
    let Some(recordings) = recordings() else {
        return;
    };
    let mut count = 0;
    for (name, recording) in &recordings {
        let body = &recording["response"]["body"];
        if !is_answer(name, recording) || body.is_null() {
            continue;
        }
        for text in [
            body.to_string(),
            serde_json::to_string_pretty(body).unwrap(),
            format!("[{body}]"),
        ] {
            let mut decoder = Decoder::new(1);
            let mut answer = Answer::default();
            let mut events = Vec::new();
            let result = decoder.whole(text.as_bytes(), &mut events);
            if let Some((_, class)) = NO_ANSWER.iter().find(|(of, _)| of == name) {
                assert_eq!(result.unwrap_err().class, *class, "{name}");
                continue;
            }
            result.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
            check(name, &events, body);
            answer.extend(events);
            let wanted = texts(body);
            let got = answer.events.iter().filter_map(|event| match event {
                Event::Text(text) => Some(text.as_str()),
                _ => None,
            });
            assert_eq!(got.collect::<String>(), wanted, "{name}");
        }
        count += 1;
    }
    eprintln!("{count} recorded answers");
    assert!(count >= 40, "{count}");
}

/// The text of an answer, as Google's own SDK puts it together.
fn texts(body: &Value) -> String {
    let parts = body["candidates"][0]["content"]["parts"].as_array();
    let said = parts.into_iter().flatten();
    said.filter(|part| part["thought"] != true)
        .filter_map(|part| part["text"].as_str())
        .collect()
}

#[test]
fn every_recorded_error_has_the_class_and_the_wait_it_should() {
    let Some(recordings) = recordings() else {
        return;
    };
    let mut judged = Vec::new();
    for (name, recording) in &recordings {
        let status = recording["response"]["status"].as_u64().unwrap();
        if status == 200 {
            continue;
        }
        let expected = ERRORS.iter().find(|(of, ..)| of == name);
        let Some((_, class, wait)) = expected else {
            panic!("{name}: {status} is not in the table");
        };
        let status = StatusCode::from_u16(u16::try_from(status).unwrap()).unwrap();
        let body = recording["response"]["body"].to_string();
        for body in [body.clone(), format!("[{body}]")] {
            let failure = judge(
                status,
                &HeaderMap::new(),
                body.as_bytes(),
                SystemTime::UNIX_EPOCH,
            );
            assert_eq!(failure.class, *class, "{name}: {}", failure.reason);
            let waited = failure.wait.map(|wait| wait.as_millis());
            assert_eq!(waited, *wait, "{name}");
        }
        judged.push(name.as_str());
    }
    assert_eq!(judged.len(), ERRORS.len(), "{judged:?}");
}

#[test]
fn a_recorded_count_is_read() {
    let Some(recordings) = recordings() else {
        return;
    };
    let (_, count) = recordings
        .iter()
        .find(|(name, _)| name == "gemini-count-tokens")
        .unwrap();
    let body = count["response"]["body"].to_string();
    assert_eq!(read_count(body.as_bytes()).unwrap(), 61);
}

/// The keys of a request that Gemini took, wherever they stand: what we write must be among them.
#[test]
fn nothing_is_written_that_no_recorded_request_has() {
    let Some(recordings) = recordings() else {
        return;
    };
    let mut known = std::collections::BTreeSet::new();
    let mut count = 0;
    for (name, recording) in &recordings {
        let body = &recording["request"]["body"];
        if is_answer(name, recording) && body.is_object() {
            keys(body, "", &mut known);
            count += 1;
        }
    }
    eprintln!("{count} recorded requests");
    let mut written = std::collections::BTreeSet::new();
    keys(&super::encode::everything(), "", &mut written);
    // In the SDK's types, and in no recorded request.
    let documented = [
        "/generationConfig/frequencyPenalty",
        "/generationConfig/presencePenalty",
        "/generationConfig/seed",
        "/generationConfig/topK",
        "/generationConfig/topP",
        "/serviceTier",
    ];
    let strange: Vec<_> = written
        .iter()
        .filter(|key| !known.contains(*key) && !documented.contains(&key.as_str()))
        .collect();
    assert!(strange.is_empty(), "{strange:?}\n{known:?}");
}

/// Paths of keys, without what is the caller's own.
fn keys(value: &Value, path: &str, into: &mut std::collections::BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let key = camel(key);
                let path = format!("{path}/{key}");
                let own = ["args", "response", "parametersJsonSchema", "parameters"];
                if !own.contains(&key.as_str()) && !key.starts_with("response") {
                    keys(value, &path, into);
                }
                into.insert(path);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| keys(value, path, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Protobuf's JSON takes names in either form, and some SDKs send both.
fn camel(key: &str) -> String {
    let mut words = key.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        name + &word[..1].to_uppercase() + &word[1..]
    })
}
