//! Anthropic's Messages: what a target of this dialect is asked, and what it answers.
//!
//! `docs/en/api/messages` at platform.claude.com, version 2023-06-01 (read 2026-11): the newer
//! 2026-10-21 takes no sampling parameters from anybody. The same API stands in Amazon's and
//! Google's clouds, with the model in the URL.

mod decode;
mod message;
pub mod surface;
mod wire;

pub use decode::Decoder;

#[cfg(test)]
mod tests;
