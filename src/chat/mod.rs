//! Our own vocabulary: an OpenAI request read as facts, kept as the bytes that came.

mod named;
mod request;
mod usage;

pub use named::Named;
pub use request::{Request, UsageOption};
pub use usage::Usage;

/// The longest model string, in bytes. Every frame of a stream repeats it, and no name is as long.
const LONGEST_MODEL: usize = 512;

/// Which of the application's endpoints a request came in by; `surface` in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Surface {
    Chat,
    Completions,
    Embeddings,
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
            Self::Models => "models",
            Self::Passthrough => "passthrough",
        }
    }
}
