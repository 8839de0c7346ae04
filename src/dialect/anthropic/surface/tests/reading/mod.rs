//! From a request to a conversation.

mod fields;
mod messages;
mod refusals;

use serde_json::{Value, json};

use crate::chat::{Call, Conversation, Media, Part, Thought, Unsupported};
use crate::dialect::anthropic::surface::read;

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn signed(text: &str, signature: &str) -> Part {
    Part::Thought(Thought {
        text: text.into(),
        signature: Some(signature.into()),
        redacted: None,
    })
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

fn inline(kind: &str, data: &str) -> Media {
    Media::Inline {
        kind: kind.into(),
        data: data.into(),
    }
}

/// A request with `fields` beside what every one has.
fn with(fields: &Value) -> String {
    let mut body =
        json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "q"}]});
    let members = body.as_object_mut().unwrap();
    members.extend(fields.as_object().unwrap().clone());
    body.to_string()
}

fn conversation(fields: &Value) -> Conversation {
    read(&with(fields)).unwrap_or_else(|error| panic!("{fields}: {error:?}"))
}

fn refused(fields: &Value) -> Unsupported {
    let read = read(&with(fields));
    read.err().unwrap_or_else(|| panic!("{fields} was read"))
}
