//! Conversations into requests, and answers into events: by tables, and by what was recorded.

mod decode;
mod exchanges;
mod recordings;
mod requests;
mod thinking;

use serde_json::Value;

use super::{Decoder, Form, encode};
use crate::chat::{Conversation, Event, Part, Role, Turn, Unsupported};
use crate::dialect::{Receiver, cuts};
use crate::facts::Families;
use crate::outcome::Failure;

const ID: &str = "claude/m";

/// The request for this model, and what it does not say.
fn encoded(
    conversation: &Conversation,
    model: &str,
    form: Form,
) -> Result<(Value, Vec<String>), Unsupported> {
    let facts = Families::built_in().of(model);
    let to = Receiver {
        id: ID,
        model,
        facts: &facts,
    };
    let encoded = encode(conversation, to, form)?;
    let dropped = encoded.dropped.iter().map(ToString::to_string).collect();
    Ok((serde_json::from_slice(&encoded.body).unwrap(), dropped))
}

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn user(parts: &[Part]) -> Turn {
    Turn {
        role: Role::User,
        parts: parts.to_vec(),
    }
}

fn assistant(parts: &[Part]) -> Turn {
    Turn {
        role: Role::Assistant,
        parts: parts.to_vec(),
    }
}

fn said(turns: Vec<Turn>) -> Conversation {
    Conversation {
        turns,
        ..Conversation::default()
    }
}

fn hello() -> Conversation {
    said(vec![user(&[text("Hi")])])
}

/// The events of a stream that arrives in these chunks and then ends.
fn decode_in(chunks: &[&[u8]]) -> (Vec<Event>, Result<(), Failure>) {
    let (mut decoder, mut out) = (Decoder::new(7), Vec::new());
    let result = chunks
        .iter()
        .try_for_each(|chunk| decoder.feed(chunk, &mut out))
        .and_then(|()| decoder.end(&mut out));
    assert_eq!(decoder.done(), result.is_ok());
    (out, result)
}

/// The same, checked to be the same wherever the stream is cut.
fn decode_every_way(stream: &[u8]) -> (Vec<Event>, Result<(), Failure>) {
    let whole = decode_in(&[stream]);
    let frames = cuts::frames(stream);
    cuts::at_every_byte("", Decoder::new(7), &frames, Decoder::feed);
    let single: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(decode_in(&single), whole, "byte by byte");
    whole
}
