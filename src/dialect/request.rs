//! A request for one target: the caller's bytes where both speak the same, else its meaning in the
//! target's words.

use std::borrow::Cow;
use std::sync::OnceLock;

use bytes::Bytes;
use smallvec::SmallVec;

use super::{Dialect, Dropped, Encoded, Receiver, anthropic, bedrock, gemini, openai, responses};
use crate::chat::{Conversation, Request, Surface, Unsupported};

/// A body in pieces, to be written one after another. The large ones are shared with the caller's.
pub type Pieces = SmallVec<[Bytes; 5]>;

/// What a request means: read once, and only if a target must be told in other words.
#[derive(Debug, Default)]
pub struct Meaning(OnceLock<Result<Conversation, Unsupported>>);

impl Meaning {
    /// # Errors
    /// What no translation can tell: malformed, or something that only the surface's own provider has.
    pub fn of(&self, request: &Request) -> Result<&Conversation, Unsupported> {
        let read = self.0.get_or_init(|| read(request));
        read.as_ref().map_err(Clone::clone)
    }
}

fn read(request: &Request) -> Result<Conversation, Unsupported> {
    let text = request.text();
    match request.surface {
        Surface::Chat => openai::read::read(text),
        Surface::Responses => responses::read(text),
        Surface::Messages | Surface::CountTokens => anthropic::surface::read(text),
        Surface::Completions | Surface::Embeddings | Surface::Models | Surface::Passthrough => {
            Err(Unsupported::parameter(
                "model",
                "The provider that this route leads to does not serve this endpoint.",
            ))
        }
    }
}

/// What a target's provider is known to take, beside its dialect.
#[derive(Debug, Clone, Copy)]
pub struct Manner<'a> {
    pub dialect: Dialect,
    /// Whether it is one of the large clouds, which run others' models under their own rules.
    pub cloud: Cloud,
    /// Whether `stream_options.include_usage` may be added.
    pub stream_usage: bool,
    /// Whether it knows `max_completion_tokens`, the newer name.
    pub max_completion_tokens: bool,
    /// The caller's `anthropic-beta`, for a cloud that wants it in the body.
    pub betas: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    None,
    Vertex,
    Bedrock,
}

/// The body for one target, and what of the request it is not told.
///
/// # Errors
/// What this target cannot be told; another may.
pub fn encode(
    request: &Request,
    meaning: &Meaning,
    to: Receiver<'_>,
    manner: Manner<'_>,
) -> Result<(Pieces, Dropped), Unsupported> {
    let encoded = match (request.surface, manner.dialect) {
        (Surface::Chat | Surface::Completions | Surface::Embeddings, Dialect::OpenAi) => {
            return Ok((
                openai::encode(request, to.model, manner.stream_usage),
                Dropped::new(),
            ));
        }
        (Surface::Responses, Dialect::Responses) => {
            return Ok((responses::splice_request(request, to), Dropped::new()));
        }
        (Surface::Messages | Surface::CountTokens, Dialect::Anthropic | Dialect::AnthropicInCloud) => {
            return anthropic::surface::splice_request(request, to, manner);
        }
        (Surface::CountTokens, Dialect::Gemini) => gemini::encode_count(meaning.of(request)?, to, manner.cloud),
        (Surface::CountTokens, Dialect::Converse) => bedrock::encode_count(meaning.of(request)?, to),
        (_, Dialect::OpenAi) => openai::write::write(meaning.of(request)?, to, manner, request.stream),
        (_, Dialect::Anthropic | Dialect::AnthropicInCloud) => {
            anthropic::encode(meaning.of(request)?, to, manner)
        }
        (_, Dialect::Gemini) => gemini::encode(meaning.of(request)?, to, manner.cloud),
        (_, Dialect::Converse) => bedrock::encode(meaning.of(request)?, to),
        // No target has this dialect for another surface than its own.
        (_, Dialect::Responses) => Err(Unsupported::parameter(
            "model",
            "The provider that this route leads to does not serve this endpoint.",
        )),
    };
    let Encoded { body, dropped } = encoded?;
    Ok((std::iter::once(body).collect(), dropped))
}
