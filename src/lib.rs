#![doc = include_str!("ARCHITECTURE.md")]

pub mod admin;
pub mod body;
pub mod chat;
pub mod dialect;
pub mod error;
pub mod listen;
pub mod outcome;
pub mod plan;
pub mod record;
pub mod secret;
pub mod snapshot;
pub mod tasks;
pub mod telemetry;
pub mod wire;
