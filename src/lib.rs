#![doc = include_str!("ARCHITECTURE.md")]

pub mod admin;
pub mod body;
pub mod chat;
pub mod error;
pub mod outcome;
pub mod record;
pub mod secret;
pub mod snapshot;
pub mod tasks;
pub mod telemetry;
