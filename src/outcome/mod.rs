//! What an attempt's end means: one pure judgement, made once.
//!
//! [`Class`] is the table of outcomes; [`Failure`] is one attempt that did not answer, with all
//! that later decisions, the record and the caller's error need. [`judge`](judge()) makes a `Failure` of
//! a status, headers and body; nothing else in the crate decides what an error means.
//! Never here: sockets, clocks, retries. What is tried next is [`crate::plan`]'s to say.

mod envelope;
mod judge;
mod limits;
mod lists;
mod scrub;
mod wait;

#[cfg(test)]
mod recordings;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};

pub use judge::{judge, judge_reported};
pub use limits::{Limit, Limits, limits};
pub use wait::wait;

/// How an attempt ended. The order of the variants is that of the table in `ARCHITECTURE.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    Ok,
    Connect,
    Timeout,
    Reset,
    RateLimited,
    QuotaExhausted,
    Overloaded,
    ServerError,
    Broken,
    Auth,
    InvalidRequest,
    TargetMissing,
    ContextLength,
    Policy,
    Cancelled,
}

impl Class {
    /// The name in records, metrics and `x-pillion-reason`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::RateLimited => "rate_limited",
            Self::QuotaExhausted => "quota_exhausted",
            Self::Overloaded => "overloaded",
            Self::ServerError => "server_error",
            Self::Broken => "broken",
            Self::Auth => "auth",
            Self::InvalidRequest => "invalid_request",
            Self::TargetMissing => "target_missing",
            Self::ContextLength => "context_length",
            Self::Policy => "policy",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether a provider that ended an attempt so, with this status if it sent one, cannot have begun
    /// with what it was asked to do.
    pub fn never_began(self, status: Option<StatusCode>) -> bool {
        let refused = status.is_some_and(|status| matches!(status.as_u16(), 429 | 503 | 529));
        // A key that is refused is looked at before anything is done with it.
        matches!(self, Self::Connect | Self::Auth)
            || refused && matches!(self, Self::RateLimited | Self::Overloaded)
    }
}

/// An attempt that did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub class: Class,
    /// The provider's status, when a head arrived: 200 for an error that came inside a 200.
    pub status: Option<StatusCode>,
    /// Why, in our words and at most a line: for the record and the log, never the provider's text.
    pub reason: Cow<'static, str>,
    /// What the provider said, for the classes whose text the caller may see: `InvalidRequest`,
    /// `ContextLength` and `Policy`. Scrubbed of secrets and cut; absent when nothing could be read.
    pub said: Option<Box<Said>>,
    /// How long the provider asked us to wait. Already sane: positive, at most a day.
    pub wait: Option<Duration>,
}

impl Failure {
    pub fn new(class: Class, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            class,
            status: None,
            reason: reason.into(),
            said: None,
            wait: None,
        }
    }
}

/// What is no answer, or no longer one.
pub fn broken(reason: impl Into<Cow<'static, str>>) -> Failure {
    Failure::new(Class::Broken, reason)
}

/// A provider's own error, brought to OpenAI's four fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    pub message: String,
    pub kind: Option<String>,
    pub param: Option<String>,
    pub code: Option<String>,
}
