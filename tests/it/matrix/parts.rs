//! What a provider does in a row: whole answers, failures in each dialect's own words, and answers
//! that break off where it matters.

use std::sync::Arc;

use crate::support::Reply;
use crate::support::reply::End;
use crate::support::wire::{CLOCK, Fault, Script, Tag, WEATHER, Wire};

use super::asked::{Asking, How};

/// A whole answer in two pieces.
pub(super) const HELLO: [&str; 2] = ["Hello ", "canary-said-51c9aa02"];

pub(super) fn plays(how: impl Fn(&Asking) -> Reply + Send + Sync + 'static) -> How {
    How::Plays(Arc::new(how))
}

pub(super) fn plays_early(how: impl Fn(&Asking) -> Reply + Send + Sync + 'static) -> How {
    How::PlaysEarly(Arc::new(how))
}

/// In the words of the dialect.
pub(super) fn fails(fault: Fault) -> How {
    plays(move |asking| fault.reply(asking.wire, asking.streamed))
}

/// A status with an error that says no more than that.
pub(super) fn answers(status: u16) -> How {
    plays(move |_| Reply::error(status, "x", None, "canary-said-51c9aa02"))
}

/// A status with a code.
pub(super) fn codes(status: u16, code: &'static str, message: &'static str) -> How {
    plays(move |_| Reply::error(status, "x", Some(code), message))
}

pub(super) fn says(script: fn() -> Script) -> How {
    plays(move |asking| asking.wire.reply(asking.streamed, &script()))
}

pub(super) fn hello() -> Script {
    Script::text(&HELLO)
}

pub(super) fn call() -> Script {
    Script::calls(&[], &[WEATHER])
}

/// Text, and then a call.
pub(super) fn text_and_call() -> Script {
    Script::calls(&["Wait."], &[WEATHER])
}

pub(super) fn two_calls() -> Script {
    Script::calls(&["Wait."], &[WEATHER, CLOCK])
}

/// Where an answer breaks off.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// Behind the first frame that is not yet of the answer.
    Begun,
    /// Behind its first text.
    FirstText,
    /// In the last piece of its last call.
    LastCall,
    /// Behind all that it says, before it says that this was all.
    Finish,
}

/// How it breaks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Break {
    End(End),
    /// An error in the dialect's words.
    Error,
    /// What is no frame.
    Garbage,
}

/// How many bytes of a stream come before the break.
pub(super) fn stream_at(wire: Wire, script: &Script, place: Place) -> usize {
    let frames = wire.frames(script);
    let position = |tag: Tag| frames.iter().position(|(of, _)| *of == tag);
    let last = |tag: Tag| frames.iter().rposition(|(of, _)| *of == tag);
    let before = |count: usize| frames[..count].iter().map(|(_, bytes)| bytes.len()).sum();
    match place {
        Place::Begun => before(1),
        Place::FirstText => before(position(Tag::Text).unwrap() + 1),
        Place::LastCall => {
            let at = last(Tag::CallPart).unwrap();
            let start: usize = before(at);
            start + frames[at].1.len() / 2
        }
        Place::Finish => {
            let ending = match wire {
                Wire::Chat => 3,
                Wire::Anthropic => 2,
                Wire::Responses | Wire::Gemini | Wire::Converse | Wire::Invoke => 1,
            };
            before(frames.len() - ending)
        }
    }
}

/// The same in a plain answer.
fn plain_at(body: &str, place: Place) -> usize {
    let find = |text: &str| body.rfind(text).unwrap() + 3;
    match place {
        Place::Begun => 10,
        Place::FirstText => find("canary-said").min(body.len()),
        Place::LastCall => find("Almaty"),
        Place::Finish => body.len() - 1,
    }
}

/// An answer that breaks. In a stream that has begun to say something, it breaks once the client
/// has seen that; before, at once.
pub(super) fn breaks(script: fn() -> Script, place: Place, how: Break) -> How {
    plays(move |asking| {
        let script = script();
        if !asking.streamed {
            return plain_break(asking.wire, &script, place, how);
        }
        let at = stream_at(asking.wire, &script, place);
        let whole = asking.wire.stream(&asking.wire.frames(&script));
        let seen = !matches!(place, Place::Begun) && !script.texts.is_empty();
        let reply = match how {
            Break::End(end) => whole.cut_at(at, end),
            Break::Error => with(
                asking.wire,
                &script,
                at,
                &Fault::ErrorInside.event(asking.wire),
            ),
            Break::Garbage => with(
                asking.wire,
                &script,
                at,
                &Fault::BrokenJson.event(asking.wire),
            ),
        };
        if seen {
            return reply.pause_at(at, &asking.gate);
        }
        reply
    })
}

/// A stream's first bytes, and then others.
fn with(wire: Wire, script: &Script, at: usize, rest: &[u8]) -> Reply {
    let frames = wire.frames(script);
    let mut body: Vec<u8> = frames.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    body.truncate(at);
    body.extend_from_slice(rest);
    wire.stream(&[(Tag::Around, body)])
}

fn plain_break(wire: Wire, script: &Script, place: Place, how: Break) -> Reply {
    let reply = wire.reply(false, script);
    let body = reply.text();
    let at = plain_at(&body, place);
    match how {
        Break::End(end) => reply.cut_at(at, end),
        Break::Error => Reply::json(body[..at].to_owned() + "{\"error\":{\"message\":\"x\"}}"),
        Break::Garbage => Reply::json(body[..at].to_owned() + "\u{1}</html>"),
    }
}
