//! Anthropic's Messages.

pub mod surface;
