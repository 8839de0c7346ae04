//! Black-box tests: the built binary between scripted providers and a plain client.
//!
//! A file per behaviour, a test per promise. Nothing here waits a fixed time for something to
//! happen: each wait is for an event, with a limit that only a failure reaches.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::format_push_string,
    reason = "a test fails loudly, and need not be fast"
)]

mod support;

mod audit;
mod authority;
mod brownout;
mod capacity;
mod central;
mod check;
mod cost;
mod credentials;
mod dev;
mod dialects;
mod drill;
mod egress;
mod errors;
mod explain;
mod fallback;
mod health;
mod hedge;
mod hosted;
mod inject;
mod leaving;
mod life;
mod limits;
mod load;
mod matrix;
mod mixes;
mod once;
mod overload;
mod passing;
mod primary;
mod privacy;
mod recorded;
mod recordings;
mod report;
mod requests;
mod residency;
mod resuming;
mod rules;
mod secrets;
mod service;
mod shared;
mod sources;
mod standin;
mod stores;
mod streams;
mod surfaces;
mod tidy;
mod timing;
mod traces;
mod unsupported;
mod weights;
