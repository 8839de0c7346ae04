//! Anthropic's Messages: what a target of this dialect is asked, and what it answers.
//!
//! `docs/en/api/messages` at platform.claude.com, version 2023-06-01 (read 2026-11): the newer
//! 2026-10-21 takes no sampling parameters from anybody. The same API stands in Amazon's and
//! Google's clouds, with the model in the URL; see [`Form`].

mod blocks;
mod decode;
mod encode;
mod ids;
mod message;
mod open;
mod request;
pub mod surface;
mod thinking;
mod tools;
mod usage;
mod wire;

pub use decode::Decoder;
pub use encode::{Form, encode, encode_count, read_count};

#[cfg(test)]
mod tests;
