#![doc = include_str!("ARCHITECTURE.md")]

pub mod body;
pub mod chat;
pub mod error;
pub mod listen;
pub mod outcome;
pub mod secret;
pub mod snapshot;
pub mod tasks;
