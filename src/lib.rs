#![doc = include_str!("ARCHITECTURE.md")]

pub mod body;
pub mod chat;
pub mod cli;
pub mod config;
pub mod error;
pub mod outcome;
pub mod secret;
pub mod simulate;
pub mod snapshot;
pub mod tasks;
