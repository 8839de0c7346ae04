#![doc = include_str!("ARCHITECTURE.md")]

pub mod body;
pub mod chat;
pub mod dialect;
pub mod error;
pub mod outcome;
pub mod plan;
pub mod secret;
pub mod snapshot;
pub mod tasks;
pub mod wire;
