//! Our own vocabulary: a request read as facts and kept as the bytes that came; and, for targets of
//! another dialect than the caller's, what it means ([`Conversation`]) and what the answer says
//! ([`Event`]).

mod affinity;
pub mod asked;
pub mod calls;
mod continued;
mod conversation;
pub mod embedding;
mod estimate;
mod event;
mod look;
mod named;
mod offer;
mod request;
pub mod thought;
pub mod turns;
mod unsupported;
mod usage;
mod weight;
mod wish;

pub use affinity::affinity;
pub use calls::Calls;
pub use continued::continued;
pub use conversation::{
    Call, CallResult, Conversation, Effort, Format, Lifetime, Media, Part, Role, Thinking, Tool,
    ToolChoice, Turn,
};
pub use embedding::EmbeddingRequest;
pub use estimate::estimate;
pub use event::{Answer, Event, Finish, Reason};
pub use look::Look;
pub use named::Named;
pub use offer::{Choice, Force, Offer};
pub use request::{Request, UsageOption, weigh};
pub use thought::Thought;
pub use unsupported::Unsupported;
pub use usage::Usage;
pub use weight::Weight;
pub use wish::{Amount, Wish};

/// The longest model string, in bytes. Every frame of a stream repeats it, and no name is as long.
const LONGEST_MODEL: usize = 512;

/// The first line of Claude Code's system prompt is no instruction: a header in disguise that changes
/// with every request, so that no prefix would ever be found in a cache. Bedrock refuses it.
pub fn without_billing(text: &str) -> &str {
    if !text.starts_with("x-anthropic-billing-header:") {
        return text;
    }
    text.split_once('\n')
        .map_or("", |(_, rest)| rest.trim_start())
}

/// Which of the application's endpoints a request came in by; `surface` in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Surface {
    Chat,
    Completions,
    Embeddings,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    Messages,
    /// Anthropic's count of a message's tokens.
    CountTokens,
    Models,
    /// Any other path: sent on as it came, its answer not judged.
    Passthrough,
}

impl Surface {
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::CountTokens => "count_tokens",
            Self::Models => "models",
            Self::Passthrough => "passthrough",
        }
    }
}
