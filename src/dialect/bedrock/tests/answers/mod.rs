//! From bytes to events.

mod failures;
mod plain;
mod streams;

use super::{decode, decode_every_way, event, exception};
use crate::chat::{Call, Event, Reason, Thought, Usage};

fn text(text: &str) -> Event {
    Event::Text(text.into())
}

fn reasoning(text: &str) -> Event {
    Event::Reasoning(text.into())
}

fn call(id: &str, name: &str, arguments: &str) -> Event {
    Event::Call(Call {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        whole: true,
        signature: None,
    })
}

fn thought(text: &str, signature: Option<&str>) -> Event {
    Event::Thought(Thought {
        text: text.into(),
        signature: signature.map(str::to_owned),
        redacted: None,
    })
}

fn usage(prompt: u64, completion: u64) -> Event {
    Event::Usage(Usage {
        prompt: Some(prompt),
        completion: Some(completion),
        ..Usage::default()
    })
}

fn finish(reason: Reason) -> Event {
    Event::Finish(reason.into())
}

/// Type and payload of each event, between the beginning that every answer has and its end.
fn stream(events: &[(&str, &str)], stop: &str) -> Vec<Vec<u8>> {
    let mut frames = vec![event("messageStart", r#"{"role":"assistant"}"#)];
    frames.extend(events.iter().map(|(kind, payload)| event(kind, payload)));
    frames.push(event("messageStop", stop));
    frames.push(event(
        "metadata",
        r#"{"metrics":{"latencyMs":9},"usage":{"inputTokens":12,"outputTokens":5,"totalTokens":17,"serverToolUsage":{}}}"#,
    ));
    frames
}

const DELTA: &str = "contentBlockDelta";
const START: &str = "contentBlockStart";
const STOP: &str = "contentBlockStop";
