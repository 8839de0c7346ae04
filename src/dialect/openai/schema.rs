//! What every answer of this dialect has in common: the schema's words, and how to say that it broke.

use crate::outcome::{Failure, broken};
use crate::wire::json::Invalid;

/// An id for a call whose server gave it none.
pub(super) fn call_id(rng: &mut fastrand::Rng) -> String {
    format!("call_{:024x}", rng.u128(..) >> 32)
}

/// The schema's word for a server's reason.
///
/// # Errors
/// `broken` for the reasons that say there is no answer.
pub(super) fn finish_reason(theirs: &str) -> Result<&'static str, Failure> {
    match theirs {
        "length" | "model_length" | "max_tokens" => Ok("length"),
        "tool_calls" | "tool_use" => Ok("tool_calls"),
        "content_filter" | "safety" => Ok("content_filter"),
        "function_call" => Ok("function_call"),
        "error" | "abort" => Err(broken("the provider ended the answer with an error")),
        // `stop`, and what servers say for it: eos, end_turn, stop_sequence, repetition, …
        _ => Ok("stop"),
    }
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        broken(format!(
            "the provider's answer is not JSON of the schema: {}",
            invalid.what
        ))
    }
}
