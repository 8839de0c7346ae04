//! HTTP out: where a request is sent, how it is signed, and the attempts until one answers.
//!
//! Addresses and keys come from the configuration alone: no field of a request has a say in where
//! it goes. Redirects are never followed, cookies and proxies from the environment never used.

mod address;
mod attempt;
mod body;
mod client;
mod headers;
mod passthrough;
mod send;
mod sign;
mod tls;
mod visit;
mod warm;

pub use attempt::{Upstream, attempt};
pub use client::Clients;
pub use passthrough::{Passed, pass};
pub(crate) use send::cut;
pub use send::{Sent, Streaming, Whole};
pub use visit::Visitor;
