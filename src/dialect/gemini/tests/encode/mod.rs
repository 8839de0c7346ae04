//! A conversation into a request.

mod losses;
mod settings;
mod tools;
mod whole;

use serde_json::Value;

use super::given::{US, at, call, hello, image, raw, result, said, sent, text, told, tool, turn};
use crate::chat::{Effort, Format, Role, Tool, ToolChoice};

/// A request with everything in it that is ever written.
pub(super) fn everything() -> Value {
    use Role::{Assistant as A, User as U};
    let mut conversation = said(&[
        (U, &[text("hi"), image(), at("gs://bucket/a.png")]),
        (A, &[call("x1", "f", "{}", None)]),
        (U, &[result("x1", &[text("a"), image()], false)]),
    ]);
    conversation.system = vec![text("s")];
    conversation.tools = vec![Tool {
        description: Some("d".into()),
        ..tool("f", Some(r#"{"type":"object"}"#))
    }];
    conversation.tool_choice = Some(ToolChoice::Named("f".into()));
    conversation.format = Format::JsonSchema {
        name: "n".into(),
        description: None,
        schema: Some(raw(r#"{"type":"object"}"#)),
        strict: None,
    };
    conversation.max_tokens = Some(1);
    conversation.temperature = Some(1.0);
    conversation.top_p = Some(1.0);
    conversation.top_k = Some(1);
    conversation.seed = Some(1);
    conversation.presence_penalty = Some(1.0);
    conversation.frequency_penalty = Some(1.0);
    conversation.stop = vec!["x".into()];
    conversation.effort = Some(Effort::Low);
    conversation.service_tier = Some("flex".into());
    sent(&conversation, "gemini-3.5-flash")
}
