//! Amazon Bedrock's Converse and its stream, which every model there speaks, and what of
//! `InvokeModel` is asked for beside it: Claude's own stream, vectors, counts.
//!
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html> and its
//! neighbours (read 2026-11), and recorded exchanges; what models do beside it is named where it is
//! handled.

mod answer;
mod blocks;
mod cache;
mod decode;
mod encode;
mod exception;
mod ids;
mod media;
mod reading;
mod thinking;
mod tools;
mod wire;

pub use decode::Decoder;
pub use encode::{encode, encode_count};

#[cfg(test)]
mod tests;
