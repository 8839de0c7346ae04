//! Chat requests as conversations, row by row.

mod fields;
mod messages;
mod refusals;

use serde_json::{Value, json};

use crate::chat::{Call, CallResult, Conversation, Part, Unsupported};
use crate::dialect::openai::read;

fn with(fields: &Value) -> Result<Conversation, Unsupported> {
    let mut body = json!({ "model": "chat", "stream": true, "messages": [{ "role": "user", "content": "Hi" }] });
    for (key, value) in fields.as_object().unwrap() {
        body[key] = value.clone();
    }
    read(&body.to_string())
}

fn messages(messages: &Value) -> Result<Conversation, Unsupported> {
    with(&json!({ "messages": messages }))
}

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn call(id: &str, arguments: &str, signature: Option<&str>) -> Part {
    Part::Call(Call {
        id: id.into(),
        name: "f".into(),
        arguments: arguments.into(),
        whole: true,
        signature: signature.map(Into::into),
    })
}

fn result(id: &str, parts: Vec<Part>) -> Part {
    Part::Result(CallResult {
        id: id.into(),
        parts,
        is_error: false,
    })
}
