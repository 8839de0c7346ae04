//! Conversations into requests.

mod settings;
mod tools;
mod turns;

use serde_json::Value;
use serde_json::value::RawValue;

use super::{ID, assistant, encoded, hello, said, text, user};
use crate::chat::{Call, CallResult, Conversation, Media, Part, Tool};
use crate::dialect::anthropic::Form;

const MODEL: &str = "claude-haiku-4-5";

const BEDROCK: Form = Form::InCloud {
    version: "bedrock-2023-05-31",
    stream_in_body: false,
};

const VERTEX: Form = Form::InCloud {
    version: "vertex-2023-10-16",
    stream_in_body: true,
};

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.into()).unwrap()
}

fn tool(name: &str) -> Tool {
    Tool {
        name: name.into(),
        description: Some(String::new()),
        schema: None,
        strict: None,
        cache: None,
    }
}

fn call(id: &str, arguments: &str) -> Part {
    Part::Call(Call {
        id: id.into(),
        name: "look".into(),
        arguments: arguments.into(),
        whole: true,
        signature: None,
    })
}

fn result(id: &str, parts: &[Part]) -> Part {
    Part::Result(CallResult {
        id: id.into(),
        parts: parts.to_vec(),
        is_error: false,
    })
}

fn image(kind: &str, data: &str) -> Part {
    Part::Image(Media::Inline {
        kind: kind.into(),
        data: data.into(),
    })
}

fn file(name: &str, kind: &str, data: &str) -> Part {
    Part::File {
        name: Some(name.into()),
        media: Media::Inline {
            kind: kind.into(),
            data: data.into(),
        },
    }
}

fn request(conversation: &Conversation) -> Value {
    encoded(conversation, MODEL, Form::Direct).unwrap().0
}
