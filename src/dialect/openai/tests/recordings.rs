//! What servers really sent, as events and as chunks again, and what was really asked of them. The
//! recordings are not ours to keep, so they are read from the folder that `PILLION_RECORDINGS`
//! names, and the tests pass without it.

use serde_json::Value;

use super::show::{collect, shown};
use super::write::gpt;
use crate::chat::{self, Conversation, Event, Part, turns};
use crate::dialect::cuts;
use crate::dialect::openai::events::Decoder;
use crate::dialect::openai::{Encoder, read, show};
use crate::outcome::{Class, Failure};
use crate::recordings::{self, OPENAI};

/// Answers that are none, or none of chat, and why.
const NO_ANSWERS: &[(&str, &str)] = &[
    ("groq-stream-tool-use-failed", "tool_use_failed"),
    ("openrouter-stream-error", "200 with an error"),
];

/// The same of plain ones.
const NO_PLAIN_ANSWERS: &[(&str, &str)] = &[
    // Sound alone, which was asked for there and is never from here.
    ("openai-chat-audio-out", "the answer is empty"),
];

/// Requests that no other dialect could take, with the field that is named.
const REFUSED: &[(&str, &str)] = &[
    // Its data was taken out of the recording.
    (
        "openai-chat-file-in",
        "messages[0].content[1].file.file_data",
    ),
];

/// Requests that can be read and not written again, with the field that is named.
const NOT_WRITTEN: &[(&str, &str)] = &[
    ("llamacpp-logprobs", "logprobs"),
    ("llamacpp-n2-stream", "n"),
    ("openai-chat-audio-out", "audio"),
    ("openai-chat-logprobs-stream", "logprobs"),
    ("openai-chat-n2", "n"),
    ("openai-chat-stream-n2", "n"),
    ("openai-chat-stream-web-search", "web_search_options"),
    ("openai-chat-web-search", "web_search_options"),
    ("openai-chat-web-search-annotations", "web_search_options"),
];

fn recordings() -> Vec<(String, Value)> {
    recordings::samples(OPENAI, |_| true).unwrap_or_default()
}

/// Whether every name of a table was met; the table is checked with no recordings at all, too.
fn all_met(what: &str, table: &[(&str, &str)], met: &[String], any: bool) {
    for (name, _) in table.iter().filter(|_| any) {
        assert!(
            met.iter().any(|it| it == name),
            "{name} is no longer {what}"
        );
    }
}

fn expected<'t>(table: &'t [(&str, &str)], name: &str) -> Option<&'t str> {
    let row = table.iter().find(|(known, _)| *known == name);
    row.map(|(_, why)| *why)
}

fn decode(chunks: &[&[u8]]) -> Result<Vec<Event>, Failure> {
    let (mut decoder, mut out) = (Decoder::new(1), Vec::new());
    for chunk in chunks {
        decoder.feed(chunk, &mut out)?;
    }
    decoder.end(&mut out)?;
    Ok(out)
}

fn decode_in_many_ways(name: &str, stream: &str) -> Result<Vec<Event>, Failure> {
    let bytes = stream.as_bytes();
    let whole = decode(&[bytes]);
    let frames = cuts::frames(bytes);
    cuts::at_every_byte(name, Decoder::new(1), &frames, Decoder::feed);
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(decode(&single), whole, "{name}: byte by byte");
    whole
}

/// The answer as a chat caller sees it, streamed and plain alike.
fn message(name: &str, events: &[Event]) -> Value {
    let (mut encoder, mut out) = (Encoder::new(shown(true)), Vec::new());
    encoder.events(events.to_vec(), &mut out);
    let collected = collect(std::str::from_utf8(&out).unwrap(), true);
    let mut whole = chat::Answer::default();
    whole.extend(events.iter().cloned());
    let mut plain: Value = serde_json::from_slice(&show(&whole, &shown(true))).unwrap();
    let mut message = plain["choices"][0]["message"].take();
    let fields = message.as_object_mut().unwrap();
    fields.remove("annotations");
    if fields["refusal"].is_null() {
        fields.remove("refusal");
    }
    assert_eq!(collected["message"], message, "{name}");
    assert_eq!(
        collected["finish_reason"],
        plain["choices"][0]["finish_reason"]
    );
    assert_eq!(collected["usage"], plain["usage"], "{name}");
    message
}

/// Everything that the first choice of a recorded stream says in `key`, by the letter.
fn says(stream: &str, key: &str) -> String {
    let data = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .map(str::trim);
    let frames = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let choices = frames.flat_map(|mut frame| match frame["choices"].take() {
        Value::Array(choices) => choices,
        _ => Vec::new(),
    });
    let first = choices.filter(|choice| choice["index"].as_u64().unwrap_or(0) == 0);
    let values = first.map(|choice| choice["delta"][key].clone());
    values
        .map(|value| match value {
            Value::String(text) => text,
            // Mistral's list of parts.
            Value::Array(parts) => parts
                .iter()
                .filter_map(|part| part["text"].as_str())
                .collect(),
            _ => String::new(),
        })
        .collect()
}

#[test]
fn recorded_streams_become_events_and_chunks() {
    let all = recordings();
    let (mut count, mut met, mut wrong) = (0, Vec::new(), Vec::new());
    for (name, recording) in &all {
        let Some(stream) = recording["response"]["sse_text"].as_str() else {
            continue;
        };
        if !stream.contains("chat.completion") || recording["response"]["status"] != 200 {
            continue;
        }
        let decoded = decode_in_many_ways(name, stream);
        let events = match (decoded, expected(NO_ANSWERS, name)) {
            (Ok(events), None) => events,
            (Err(failure), Some(why)) => {
                assert!(failure.reason.contains(why), "{name}: {failure:?}");
                met.push(name.clone());
                continue;
            }
            (decoded, _) => {
                wrong.push(format!("{name}: {:?}", decoded.map(drop)));
                continue;
            }
        };
        count += 1;
        let message = message(name, &events);
        let content = says(stream, "content");
        assert_eq!(
            message["content"].as_str().unwrap_or_default(),
            content,
            "{name}"
        );
        let frames: Vec<&str> = stream.split_inclusive("\n\n").collect();
        let finish = |frame: &&str| {
            frame.contains("finish_reason\":\"") || frame.contains("finish_reason\": \"")
        };
        let at = frames.iter().position(finish);
        let at = at.unwrap_or_else(|| panic!("{name}: no finish"));
        let failure = decode(&[frames[..at].concat().as_bytes()]).unwrap_err();
        assert_eq!(failure.class, Class::Broken, "{name}: without its finish");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    eprintln!("{count} streams, {} that are no answers", met.len());
    all_met("no answer", NO_ANSWERS, &met, !all.is_empty());
}

#[test]
fn recorded_answers_become_events_and_an_answer() {
    let all = recordings();
    let (mut count, mut met, mut wrong) = (0, Vec::new(), Vec::new());
    for (name, recording) in &all {
        let (asked, response) = (&recording["request"], &recording["response"]);
        let body = &response["body"];
        let is_chat =
            body["choices"][0].get("message").is_some() || body["object"] == "chat.completion";
        if response["status"] != 200 || !is_chat {
            continue;
        }
        let (mut decoder, mut events) = (Decoder::new(1), Vec::new());
        let taken = decoder.whole(body.to_string().as_bytes(), &mut events);
        if let Some(why) = expected(NO_PLAIN_ANSWERS, name) {
            let failure = taken.unwrap_err();
            assert!(failure.reason.contains(why), "{name}: {failure:?} {asked}");
            met.push(name.clone());
            continue;
        }
        if let Err(failure) = taken {
            wrong.push(format!("{name}: {failure:?}"));
            continue;
        }
        count += 1;
        let theirs = &body["choices"][0]["message"];
        let ours = message(name, &events);
        let text =
            |message: &Value, key: &str| message[key].as_str().unwrap_or_default().to_owned();
        assert_eq!(text(&ours, "content"), text(theirs, "content"), "{name}");
        assert_eq!(text(&ours, "refusal"), text(theirs, "refusal"), "{name}");
        let calls = |message: &Value| -> Vec<(String, Value)> {
            let calls = message["tool_calls"].as_array().into_iter().flatten();
            calls
                .map(|call| {
                    let arguments = text(&call["function"], "arguments");
                    let arguments = serde_json::from_str(&arguments).unwrap_or(arguments.into());
                    (text(&call["function"], "name"), arguments)
                })
                .collect()
        };
        assert_eq!(calls(&ours), calls(theirs), "{name}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    eprintln!("{count} plain answers");
    all_met("no answer", NO_PLAIN_ANSWERS, &met, !all.is_empty());
}

#[test]
fn recorded_requests_are_read_and_written_again() {
    let all = recordings();
    let (mut count, mut met, mut wrong) = (0, Vec::new(), Vec::new());
    for (name, recording) in &all {
        let body = &recording["request"]["body"];
        if !body["messages"].is_array() || recording["response"]["status"] != 200 {
            continue;
        }
        let read_it = match (read(&body.to_string()), expected(REFUSED, name)) {
            (Ok(conversation), None) => conversation,
            (Err(error), Some(param)) => {
                assert_eq!(error.param, param, "{name}: {error:?}");
                met.push(name.clone());
                continue;
            }
            (read, _) => {
                wrong.push(format!("{name}: {:?}", read.map(drop)));
                continue;
            }
        };
        let written = match (gpt(&read_it), expected(NOT_WRITTEN, name)) {
            (Ok(written), None) => written,
            (Err(error), Some(param)) => {
                assert_eq!(error.param, param, "{name}: {error:?}");
                met.push(name.clone());
                continue;
            }
            (written, _) => {
                wrong.push(format!("{name}: {:?}", written.map(drop)));
                continue;
            }
        };
        count += 1;
        let again = read(&written.to_string()).unwrap();
        assert_eq!(said(&again), said(&read_it), "{name}");
        let tools = |conversation: &Conversation| format!("{:?}", conversation.tools);
        assert_eq!(tools(&again), tools(&read_it), "{name}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    eprintln!("{count} requests, {} refused", met.len());
    all_met("refused", REFUSED, &met, !all.is_empty());
    all_met("refused", NOT_WRITTEN, &met, !all.is_empty());
}

/// What a conversation says, put in order, without what this dialect does not say again.
fn said(conversation: &Conversation) -> Vec<String> {
    let rules = turns::Rules {
        prefill: true,
        ..turns::Rules::default()
    };
    let ordered = turns::ordered(conversation, rules).unwrap();
    let turns = ordered.turns.iter();
    turns
        .flat_map(|turn| turn.parts.iter().map(|part| (turn.role, part)))
        .filter(|(_, part)| !matches!(***part, Part::CachePoint(_) | Part::Thought(_)))
        .map(|(role, part)| format!("{role:?} {part:?}"))
        .collect()
}
