//! How a simulated provider behaves: plain values, resolved from what the operator wrote.
//!
//! Never here: the wire, a clock, randomness.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::snapshot::Percent;

/// One simulated provider: an address of its own and the models it serves.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedProvider {
    pub name: Arc<str>,
    /// A loopback address; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// By model name. `*` stands for every name that has no entry.
    pub models: BTreeMap<String, Behaviour>,
}

/// How one model answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviour {
    /// Until the first token.
    pub first_token: Duration,
    /// Between two tokens.
    pub pace: Duration,
    /// Words of the default answer. A given `text` has its own length.
    pub tokens: u32,
    pub text: Option<String>,
    /// The call that is made whenever tools are offered.
    pub tool: Option<ToolCall>,
    /// What a request may not ask for: it is refused.
    pub rejects: Vec<Feature>,
    /// What a request asks for in vain: it is answered as if it had not.
    pub ignores: Vec<Feature>,
    /// Tokens of prompt beyond which a request is refused.
    pub context: Option<u64>,
    /// Faults by chance; the shares add up.
    pub fail: Vec<Fault>,
    /// What the first requests meet, one entry each, before `fail` applies.
    pub script: Vec<FaultClass>,
}

/// A call of a tool that the model wants to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolCall {
    /// This function, whatever was offered, with this JSON text.
    Named { name: String, arguments: String },
    /// The first one offered, with arguments that fit its schema.
    FirstOffered,
}

/// What some models cannot do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    Tools,
    JsonSchema,
    /// Usage in a stream.
    StreamUsage,
}

impl Feature {
    pub const ALL: [Self; 3] = [Self::Tools, Self::JsonSchema, Self::StreamUsage];

    /// The word in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::JsonSchema => "json_schema",
            Self::StreamUsage => "stream_usage",
        }
    }

    /// The field of a request that asks for it.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::JsonSchema => "response_format",
            Self::StreamUsage => "stream_options",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feature| feature.name() == name)
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            first_token: Duration::from_millis(150),
            pace: Duration::from_millis(15),
            tokens: 24,
            text: None,
            tool: None,
            rejects: Vec::new(),
            ignores: Vec::new(),
            context: None,
            fail: Vec::new(),
            script: Vec::new(),
        }
    }
}

/// A fault that meets a share of the requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub class: FaultClass,
    pub share: Percent,
    /// What `retry-after` says, where the class has one.
    pub wait: Option<Duration>,
}

/// What a request meets. The words are those of an attempt's [`Class`](crate::outcome::Class),
/// with `empty` and `cut` beside them, which are two more ways to be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultClass {
    Ok,
    /// The connection is closed without a byte of an answer. A port that is bound cannot refuse a
    /// connection, and the model is known only from the request: so the request is read first,
    /// and a client that tells the two apart sees a reset. A stopped simulator does refuse.
    Connect,
    /// No head, for as long as the client waits.
    Timeout,
    /// The connection is reset (RST) once the request was read.
    Reset,
    RateLimited,
    QuotaExhausted,
    Overloaded,
    ServerError,
    /// Status 200, then JSON or a frame that ends half way.
    Broken,
    /// Status 200 and no choices; a stream with a role and no more.
    Empty,
    /// Status 200, some of the answer, and the connection is gone.
    Cut,
    Auth,
    InvalidRequest,
    TargetMissing,
    ContextLength,
    Policy,
}

impl FaultClass {
    pub const ALL: [Self; 16] = [
        Self::Ok,
        Self::Connect,
        Self::Timeout,
        Self::Reset,
        Self::RateLimited,
        Self::QuotaExhausted,
        Self::Overloaded,
        Self::ServerError,
        Self::Broken,
        Self::Empty,
        Self::Cut,
        Self::Auth,
        Self::InvalidRequest,
        Self::TargetMissing,
        Self::ContextLength,
        Self::Policy,
    ];

    /// The word in the configuration.
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
            Self::Empty => "empty",
            Self::Cut => "cut",
            Self::Auth => "auth",
            Self::InvalidRequest => "invalid_request",
            Self::TargetMissing => "target_missing",
            Self::ContextLength => "context_length",
            Self::Policy => "policy",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_found_by_its_name() {
        for class in FaultClass::ALL {
            assert_eq!(FaultClass::from_name(class.name()), Some(class));
        }
        assert_eq!(FaultClass::from_name("cancelled"), None);
    }
}
