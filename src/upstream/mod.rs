//! HTTP out: where a request is sent, how it is signed, and the attempts until one answers.
//!
//! Addresses and keys come from the configuration alone: no field of a request has a say in where
//! it goes. Redirects are never followed, cookies never kept. A proxy is
//! used where the environment of the process names one.

mod address;
mod alarm;
mod attempt;
mod body;
mod channel;
mod client;
mod count;
mod credentials;
mod egress;
mod errand;
mod escape;
mod files;
mod headers;
mod hedge;
mod line;
mod passthrough;
mod prepare;
mod reading;
mod running;
mod send;
mod sign;
mod tls;
mod tried;
mod visit;
mod warm;

pub(crate) use alarm::STOOD_STILL;
pub use attempt::{Answered, Question, Upstream, attempt};
pub(crate) use channel::{Channel, Trust};
pub use client::{Client, Clients};
pub use count::count;
pub use credentials::{AwsSigner, Credentials, SignedWith};
pub use egress::Egress;
pub use errand::{Errand, Opened, Reply, Undone};
pub(crate) use escape::escaped;
pub(crate) use files::{Unread, aside, read as read_file, text as file_text};
pub use passthrough::{Passed, pass};
pub use running::Running;
pub(crate) use send::cut;
pub use send::{Streaming, Whole};
pub(crate) use sign::{AMZ_TARGET, suffix as aws_suffix};
pub(crate) use tls::config as tls_config;
pub use visit::Visitor;
