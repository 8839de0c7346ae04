//! Conversations for the tables, and what is sent of them.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::chat::{Call, CallResult, Conversation, Media, Part, Role, Tool, Turn, Unsupported};
use crate::dialect::gemini::{Form, encode};
use crate::dialect::{Encoded, Receiver};
use crate::facts::{Facts, Families};

/// Who made the signatures that are ours.
pub(super) const US: &str = "google/model";

pub(super) fn told(
    conversation: &Conversation,
    model: &str,
    form: Form,
    change: impl FnOnce(&mut Facts),
) -> Result<Encoded, Unsupported> {
    let mut facts = (*Families::built_in().of(model)).clone();
    change(&mut facts);
    let to = Receiver {
        id: US,
        model,
        facts: &facts,
    };
    encode(conversation, to, form)
}

pub(super) fn sent(conversation: &Conversation, model: &str) -> Value {
    let encoded = told(conversation, model, Form::AiStudio, |_| ()).unwrap();
    serde_json::from_slice(&encoded.body).unwrap()
}

pub(super) fn text(text: &str) -> Part {
    Part::Text(text.into())
}

pub(super) fn turn(role: Role, parts: &[Part]) -> Turn {
    Turn {
        role,
        parts: parts.to_vec(),
    }
}

pub(super) fn said(turns: &[(Role, &[Part])]) -> Conversation {
    Conversation {
        turns: turns
            .iter()
            .map(|(role, parts)| turn(*role, parts))
            .collect(),
        ..Conversation::default()
    }
}

pub(super) fn hello() -> Conversation {
    said(&[(Role::User, &[text("hi")])])
}

pub(super) fn call(id: &str, name: &str, arguments: &str, signature: Option<String>) -> Part {
    Part::Call(Call {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        whole: true,
        signature,
    })
}

pub(super) fn result(id: &str, parts: &[Part], is_error: bool) -> Part {
    Part::Result(CallResult {
        id: id.into(),
        parts: parts.to_vec(),
        is_error,
    })
}

pub(super) fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.into()).unwrap()
}

pub(super) fn tool(name: &str, schema: Option<&str>) -> Tool {
    Tool {
        name: name.into(),
        description: Some(String::new()),
        schema: schema.map(raw),
        strict: Some(true),
        cache: None,
    }
}

pub(super) fn image() -> Part {
    Part::Image(Media::Inline {
        kind: "image/png".into(),
        data: "AAAA".into(),
    })
}

pub(super) fn at(url: &str) -> Part {
    Part::Image(Media::Url(url.into()))
}
