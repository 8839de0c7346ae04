//! OpenAI's chat completions, completions and embeddings, and the servers compatible with them.
//!
//! <https://platform.openai.com/docs/api-reference> (read 2026-11); what servers do beside it was
//! observed on recorded exchanges, and is named where it is handled.

mod answer;
mod calls;
mod content;
mod embeddings;
pub mod events;
mod frame;
mod frames;
mod pattern;
mod read;
mod request;
mod schema;
mod show;
mod stream;
mod synthesis;
mod unseal;
mod usage;
mod write;

pub use answer::{Answer, Shown, answer};
pub use read::read;
pub use request::{Pieces, encode};
pub use show::{Encoder, answer as show};
pub use stream::{Decoder, Shape, Wanted};
pub use unseal::Thoughts;
pub use write::{Options, write};

#[cfg(test)]
mod tests;
