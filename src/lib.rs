#![doc = include_str!("ARCHITECTURE.md")]

pub mod admin;
pub mod app;
pub mod body;
pub mod central;
pub mod chat;
pub mod check;
pub mod cli;
pub mod config;
pub mod dialect;
pub mod drill;
pub mod error;
pub mod facts;
pub mod fleet;
pub mod health;
pub mod limit;
pub mod listen;
pub mod live;
pub mod once;
pub mod outcome;
pub mod plan;
pub mod record;
#[cfg(test)]
mod recordings;
pub mod redis;
pub mod secret;
pub mod serve;
pub mod simulate;
pub mod snapshot;
pub mod source;
pub mod stamp;
pub mod stores;
pub mod stream;
pub mod tasks;
pub mod telemetry;
pub mod upstream;
pub mod wire;
