//! Amazon Bedrock's Converse and its stream, which every model there speaks, and what of
//! `InvokeModel` is asked for beside it: Claude's own stream, vectors, counts.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html> and its
//! neighbours (read 2026-11), and recorded exchanges; what models do beside it is named where it is
//! handled.

mod answer;
mod blocks;
mod cache;
mod count;
mod decode;
pub mod embeddings;
mod encode;
mod exception;
mod ids;
mod invoke;
mod media;
mod reading;
mod thinking;
mod tools;
mod wire;

pub use count::read_count;
pub use decode::Decoder;
pub use encode::{encode, encode_count};
pub use invoke::Unwrap;

#[cfg(test)]
mod tests;
