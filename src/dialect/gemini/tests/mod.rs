//! What a conversation becomes on Gemini's wire, and what becomes of its answers.

mod decode;
mod embeddings;
mod encode;
mod given;
mod parts;
mod recordings;
