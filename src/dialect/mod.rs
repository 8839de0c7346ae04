//! Wire formats, not vendors: what one request, answer or event means, in both directions.
//!
//! Pure: no socket, clock, log or environment. A dialect knows no URL and no key, and never
//! imports another. Same dialect in and out keeps the original bytes, with only what we own replaced.
//! Everything else goes through our own words: a caller's request becomes a
//! [`Conversation`](crate::chat::Conversation), which the target's dialect writes; the target's bytes
//! become [`Event`](crate::chat::Event)s, which the caller's dialect writes.

pub mod answer;
pub mod anthropic;
pub mod bedrock;
#[cfg(test)]
mod cuts;
pub mod decoder;
pub mod embed;
pub mod gemini;
pub mod naming;
mod object;
pub mod openai;
pub mod request;
pub mod responses;
pub mod schema;
pub mod support;
pub mod translate;
pub mod vectors;
#[cfg(test)]
mod weighed;

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::chat::Surface;
use crate::facts::Facts;

pub use decoder::Decoder;
pub use request::Meaning;

/// What one exchange with a target is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI's chat completions, completions and embeddings.
    OpenAi,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    Anthropic,
    /// The same inside a cloud: the model stands in the URL, the version in the body.
    AnthropicInCloud,
    /// Google's `generateContent`.
    Gemini,
    /// Amazon's Converse.
    Converse,
}

impl Dialect {
    /// Whether callers of `surface` speak it.
    pub fn is_of(self, surface: Surface) -> bool {
        match self {
            Self::OpenAi => matches!(
                surface,
                Surface::Chat | Surface::Completions | Surface::Embeddings
            ),
            Self::Responses => surface == Surface::Responses,
            Self::Anthropic | Self::AnthropicInCloud => {
                matches!(surface, Surface::Messages | Surface::CountTokens)
            }
            Self::Gemini | Self::Converse => false,
        }
    }
}

/// A request's body for one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    pub body: Bytes,
    /// What the caller asked for and this target is not told, by the names of the fields.
    pub dropped: Dropped,
}

/// Names of fields, each once.
pub type Dropped = SmallVec<[std::borrow::Cow<'static, str>; 4]>;

/// A target as an encoder sees it.
#[derive(Debug, Clone, Copy)]
pub struct Receiver<'a> {
    /// `provider/model`: whose seals are its own.
    pub id: &'a str,
    /// The model's name at the provider.
    pub model: &'a str,
    pub facts: &'a Facts,
}

/// How an answer is shown to the caller, whatever it was written in.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The `model` of the answer.
    pub model: Arc<str>,
    /// `provider/model` of the target that answers: what signatures are sealed with.
    pub target: Arc<str>,
    /// Seconds since 1970, as `created` has it.
    pub created: u64,
    /// Whether a stream's caller asked for usage.
    pub usage: bool,
    /// Ids that the provider does not give are made from this.
    pub seed: u64,
}
