//! How each kind of Claude is told to think, and what goes with it.

mod asked;
mod beside;
mod shown;

use serde_json::Value;

use super::{ID, assistant, encoded, hello, said, text, user};
use crate::chat::{Conversation, Tool};
use crate::dialect::anthropic::Form;

const MANUAL: &str = "claude-haiku-4-5";
const ADAPTIVE: &str = "claude-opus-4-8";
const UNASKED: &str = "claude-opus-5";
const NEWEST: &str = "claude-opus-5-5";
const BETWEEN: &str = "claude-sonnet-5-5";

fn tool() -> Tool {
    Tool {
        name: "look".into(),
        description: None,
        schema: None,
        strict: None,
        cache: None,
    }
}

/// What a request says of thinking: `thinking`, `output_config.effort`, and what is dropped.
fn plan(conversation: &Conversation, model: &str) -> (Value, Value, Vec<String>) {
    let (request, dropped) = encoded(conversation, model, Form::Direct).unwrap();
    (
        request["thinking"].clone(),
        request["output_config"]["effort"].clone(),
        dropped,
    )
}
