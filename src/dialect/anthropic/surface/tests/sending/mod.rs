//! Requests passed on within the dialect.

mod clouds;
mod passing;
mod signatures;

use serde_json::Value;

use crate::chat::{Request, Surface, Unsupported};
use crate::dialect::Receiver;
use crate::dialect::anthropic::surface::{Form, splice_request};
use crate::facts::Families;

const BEDROCK: Form<'_> = Form::InCloud {
    version: "bedrock-2023-05-31",
    stream_in_body: false,
    betas: &["context-1m-2025-08-07"],
};

const VERTEX: Form<'_> = Form::InCloud {
    version: "vertex-2023-10-16",
    stream_in_body: true,
    betas: &[],
};

/// What is sent of `body` to a model, and the names of what is dropped.
fn sent_to(model: &str, body: &str, form: Form<'_>) -> Result<(String, Vec<String>), Unsupported> {
    let request = Request::read(Surface::Messages, body.to_owned().into()).unwrap();
    let facts = Families::built_in().of(model);
    let to = Receiver {
        id: "claude/opus",
        model,
        facts: &facts,
    };
    let spliced = splice_request(&request, to, form)?;
    let body = String::from_utf8(spliced.pieces.concat()).unwrap();
    let dropped = spliced.dropped.iter().map(ToString::to_string).collect();
    Ok((body, dropped))
}

fn sent(body: &str, form: Form<'_>) -> (String, Vec<String>) {
    sent_to("claude-opus-4-8", body, form).unwrap()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}
