//! Streams and plain answers into events.

mod broken;
mod forms;
mod streams;

use super::{decode_every_way, decode_in};
use crate::chat::{Call, Event, Reason, Usage};

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":2,"cache_read_input_tokens":3,"output_tokens":1}}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

/// Events framed as the API does: with names, and with the padding it puts into the JSON.
fn stream(events: &[&str]) -> String {
    let frames = events.iter().map(|event| {
        let kind = event.split('"').nth(3).unwrap();
        format!("event: {kind}\ndata: {event}   \n\n")
    });
    frames.collect()
}

/// A message between its beginning and its end, for this reason.
fn message(blocks: &[&str], reason: &str) -> String {
    let delta = ended(reason);
    let events = [&[START][..], blocks, &[&*delta, STOP]].concat();
    stream(&events)
}

fn ended(reason: &str) -> String {
    format!(
        r#"{{"type":"message_delta","delta":{{"stop_reason":"{reason}","stop_sequence":null}},"usage":{{"output_tokens":9}}}}"#
    )
}

fn begun(index: u64, block: &str) -> String {
    format!(r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#)
}

fn delta(index: u64, delta: &str) -> String {
    format!(r#"{{"type":"content_block_delta","index":{index},"delta":{delta}}}"#)
}

fn closed(index: u64) -> String {
    format!(r#"{{"type":"content_block_stop","index":{index}}}"#)
}

fn id() -> Event {
    Event::Id("msg_1".into())
}

fn text(text: &str) -> Event {
    Event::Text(text.into())
}

fn call(id: &str, arguments: &str, whole: bool) -> Event {
    Event::Call(Call {
        id: id.into(),
        name: "look".into(),
        arguments: arguments.into(),
        whole,
        signature: None,
    })
}

/// What every message here ends with.
fn finish(reason: Reason) -> [Event; 2] {
    let usage = Usage {
        prompt: Some(15),
        cached: Some(3),
        cache_write: Some(2),
        reasoning: None,
        completion: Some(9),
        ..Usage::default()
    };
    [Event::Usage(usage), Event::Finish(reason.into())]
}

const TOOL: &str = r#"{"type":"tool_use","id":"toolu_1","name":"look","input":{}}"#;
const TEXT: &str = r#"{"type":"text","text":""}"#;
const THINKING: &str = r#"{"type":"thinking","thinking":"","signature":""}"#;

/// A delta of a call's arguments.
fn json(index: u64, text: &str) -> String {
    let text = serde_json::to_string(text).unwrap();
    delta(
        index,
        &format!(r#"{{"type":"input_json_delta","partial_json":{text}}}"#),
    )
}

/// A delta of text.
fn said(index: u64, text: &str) -> String {
    delta(
        index,
        &format!(r#"{{"type":"text_delta","text":"{text}"}}"#),
    )
}
