//! How many tokens a conversation has: `:countTokens`.
//!
//! <https://ai.google.dev/api/tokens> (read 2026-11). On Vertex the fields stand at the top; in the
//! Gemini API instructions and tools are counted only inside a whole request, which names its model.

use serde::{Deserialize, Serialize};

use super::Form;
use super::encode::{offer, ordered, prompt, written};
use super::parts::Encoder;
use super::wire::Prompt;
use crate::chat::{Conversation, Unsupported};
use crate::dialect::{Dropped, Encoded, Receiver};
use crate::outcome::{Class, Failure};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    generate_content_request: Counted<'a>,
}

#[derive(Serialize)]
struct Counted<'a> {
    model: String,
    #[serde(flatten)]
    prompt: Prompt<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    total_tokens: u64,
}

/// The request that asks for it.
///
/// # Errors
/// As [`encode`](super::encode()).
pub fn encode_count(
    conversation: &Conversation,
    to: Receiver<'_>,
    form: Form,
) -> Result<Encoded, Unsupported> {
    // Nothing is to be gone on from: the last word may be anybody's.
    let ordered = ordered(conversation, true)?;
    let encoder = Encoder::new(&ordered, to, form);
    let offer = offer(conversation, to.facts)?;
    let prompt = prompt(conversation, &offer, &encoder, &ordered)?;
    let body = match form {
        Form::Vertex => written(&prompt)?,
        Form::AiStudio => written(&Request {
            generate_content_request: Counted {
                model: resource(to.model),
                prompt,
            },
        })?,
    };
    Ok(Encoded {
        body: body.into(),
        dropped: Dropped::new(),
    })
}

/// The number in the answer.
///
/// # Errors
/// `broken` when there is none.
pub fn read_count(answer: &[u8]) -> Result<u64, Failure> {
    let answer: Answer = serde_json::from_slice(answer)
        .map_err(|_| Failure::new(Class::Broken, "the answer counts no tokens"))?;
    Ok(answer.total_tokens)
}

/// A model's name as a resource of the Gemini API.
pub(super) fn resource(model: &str) -> String {
    if model.contains('/') {
        model.to_owned()
    } else {
        format!("models/{model}")
    }
}
