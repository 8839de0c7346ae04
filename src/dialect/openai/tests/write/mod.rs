//! Conversations as chat requests, row by row.

mod fields;
mod losses;
mod messages;
mod thinking;

use serde_json::Value;

use crate::chat::{Call, CallResult, Conversation, Media, Part, Role, Tool, Turn, Unsupported};
use crate::dialect::openai::{Options, write};
use crate::dialect::{Dropped, Receiver};
use crate::facts::{Facts, Families};

fn facts() -> Facts {
    Facts::clone(&Families::built_in().of("gpt-of-some-kind"))
}

const OPENAI: Options = Options {
    newer_names: true,
    usage: true,
};

const OTHERS: Options = Options {
    newer_names: false,
    usage: false,
};

fn written(
    conversation: &Conversation,
    facts: &Facts,
    options: Options,
) -> Result<(Value, Dropped), Unsupported> {
    let to = Receiver {
        id: "openai/gpt",
        model: "gpt",
        facts,
    };
    let encoded = write(conversation, to, options)?;
    Ok((
        serde_json::from_slice(&encoded.body).unwrap(),
        encoded.dropped,
    ))
}

/// The request for a model of which nothing is known.
pub(super) fn gpt(conversation: &Conversation) -> Result<Value, Unsupported> {
    written(conversation, &facts(), OPENAI).map(|(body, _)| body)
}

fn said(turns: Vec<(Role, Vec<Part>)>) -> Conversation {
    let turns = turns.into_iter();
    Conversation {
        turns: turns.map(|(role, parts)| Turn { role, parts }).collect(),
        ..Conversation::default()
    }
}

fn hi() -> Conversation {
    said(vec![(Role::User, vec![text("Hi")])])
}

fn messages(conversation: &Conversation) -> Value {
    written(conversation, &facts(), OPENAI).unwrap().0["messages"].clone()
}

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn call(id: &str, arguments: &str, signature: Option<String>) -> Part {
    Part::Call(Call {
        id: id.into(),
        name: "f".into(),
        arguments: arguments.into(),
        whole: true,
        signature,
    })
}

fn result(id: &str, is_error: bool, parts: Vec<Part>) -> Part {
    Part::Result(CallResult {
        id: id.into(),
        parts,
        is_error,
    })
}

fn image() -> Part {
    Part::Image(Media::Inline {
        kind: "image/png".into(),
        data: "iVBO".into(),
    })
}

fn tool(name: &str) -> Tool {
    Tool {
        name: name.into(),
        description: None,
        schema: None,
        strict: None,
        cache: None,
    }
}
