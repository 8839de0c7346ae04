//! Framing: bytes into values and events. Pure; knows no vendor and no policy.

pub mod edit;
pub mod eventstream;
pub mod json;
pub mod sse;
