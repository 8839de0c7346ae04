//! Google's `generateContent`, as a target: on AI Studio and on Vertex.
//!
//! A [`Conversation`](crate::chat::Conversation) becomes its request, and its stream becomes
//! [`Event`](crate::chat::Event)s. The bodies are the same in both places; what is not is a [`Form`].
//! <https://ai.google.dev/api/generate-content> and
//! <https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference> (read
//! 2026-11); what servers do beside it was observed on recorded exchanges, and is named where it is
//! handled.

pub mod count;
mod decode;
pub mod embeddings;
mod encode;
mod names;
mod parts;
mod schema;
mod thinking;
mod wire;

pub use decode::Decoder;
pub use encode::encode;
pub use names::renamed;

/// Where the bodies go, as far as they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The Gemini API: knows service tiers, and fetches no URLs but those of its own files.
    AiStudio,
    /// Fetches public URLs.
    Vertex,
}

#[cfg(test)]
mod tests;
