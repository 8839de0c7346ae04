//! Anthropic's Messages as the caller's side: its requests read, its answers written.
//!
//! For a target that speaks Messages too the bytes stay as they came, with only what is ours
//! replaced ([`splice_request`], [`Splicer`], [`splice_answer`]); for any other a request is
//! [`read`] into a conversation, and the answer's events are written by [`Encoder`] or [`answer`].
//!
//! The document is Anthropic's Messages reference with the guide to API version 2026-10-21, and the
//! types of its Python SDK 2.12.0 (read 2026-11).

mod answer;
mod blocks;
mod encode;
mod fields;
mod read;
mod splice;
mod tools;
mod write;

pub use answer::{answer, count_answer};
pub use encode::Encoder;
pub use read::read;
pub use splice::{Form, Spliced, Splicer, cloud_betas, splice_answer, splice_request};

use crate::chat::thought;

/// What stands before the seal of a signature that belongs to the call behind it, not to the block
/// that carries it. Messages has no place for a signature on `tool_use`; applications return
/// thinking blocks as they came, and in their place. No signature of a provider's holds a dot.
const OF_NEXT_CALL: &str = "call.";

/// A call's signature as it goes out, in a thinking block of its own right before the call.
fn seal_of_call(target: &str, signature: &str) -> String {
    format!("{OF_NEXT_CALL}{}", thought::seal(target, signature))
}

/// The sealed signature of the next call, if that is what `signature` is.
fn of_next_call(signature: &str) -> Option<&str> {
    let sealed = signature.strip_prefix(OF_NEXT_CALL)?;
    thought::open(sealed).map(|_| sealed)
}

#[cfg(test)]
mod tests;
