//! What a request means, in our own words: a conversation, whatever surface it came in by.
//!
//! Made only for a target that speaks another dialect than the caller; where both are the same, the
//! bytes go as they came. What a surface has no counterpart for elsewhere is not here but named in
//! [`Conversation::asked`], so that [`crate::dialect::support`] can settle what becomes of it.
//! Schemas and arguments are kept as the text that came: a key reordered or a number rounded would
//! miss the provider's cache, or break a signature over the prefix.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::Unsupported;
use super::thought::Thought;

/// One conversation and how it is to be continued.
#[derive(Debug, Clone, Default)]
pub struct Conversation {
    /// Instructions, in order, wherever in the messages they stood: [`Part::Text`] and
    /// [`Part::CachePoint`] alone, no text empty.
    pub system: Vec<Part>,
    /// As they came: not merged, not repaired. [`super::turns`] does that for strict providers.
    pub turns: Vec<Turn>,
    pub tools: Vec<Tool>,
    pub tool_choice: Option<ToolChoice>,
    /// `Some(false)`: at most one call in an answer.
    pub parallel_calls: Option<bool>,
    /// The longest answer in tokens, reasoning included.
    pub max_tokens: Option<u64>,
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub top_k: Option<u64>,
    pub seed: Option<i64>,
    pub presence_penalty: Option<f64>,
    pub frequency_penalty: Option<f64>,
    pub stop: Vec<String>,
    pub format: Format,
    pub effort: Option<Effort>,
    /// Thinking as Anthropic's surface asks for it; the others know an effort alone.
    pub thinking: Option<Thinking>,
    /// Whether the caller asked to see the reasoning as text.
    pub show_reasoning: bool,
    /// Who the caller's user is, opaque.
    pub user: Option<String>,
    pub service_tier: Option<String>,
    /// Every field of the request that was set and is not one of those every dialect has, by its
    /// name on the surface: those that stand above and those that stand nowhere. Bounded, by
    /// [`super::asked`].
    pub asked: Vec<Cow<'static, str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    User,
    Assistant,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    pub role: Role,
    pub parts: Vec<Part>,
}

/// One piece of a turn.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    Text(String),
    Image(Media),
    /// A document, such as a PDF.
    File {
        name: Option<String>,
        media: Media,
    },
    Audio {
        /// `wav`, `mp3`.
        format: String,
        /// Base64.
        data: String,
    },
    /// Only in an assistant's turn: what the model thought, to be shown to it again.
    Thought(Thought),
    /// Only in an assistant's turn.
    Call(Call),
    /// Only in a user's turn: what came of a call.
    Result(CallResult),
    /// What stands before it is worth keeping in the provider's cache.
    CachePoint(Lifetime),
}

/// How long a cache entry is to live; `None` is the provider's default.
pub type Lifetime = Option<String>;

/// Where the bytes of an image or a file are.
#[derive(Debug, Clone, PartialEq)]
pub enum Media {
    Inline {
        /// `image/png`, in lower case, without parameters.
        kind: String,
        /// Base64, without line breaks.
        data: String,
    },
    /// An http(s) URL that the provider fetches, if it does.
    Url(String),
    /// An id that only its own provider knows.
    Id(String),
}

/// A call that the model makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// As the caller sees it.
    pub id: String,
    pub name: String,
    /// JSON as text. In history it may be anything a caller wrote; in an answer it is an object
    /// unless `whole` is false.
    pub arguments: String,
    /// False when the answer was cut in the middle of it by its token limit.
    pub whole: bool,
    /// Gemini's signature of the thought behind it: sealed in history, bare in an answer.
    pub signature: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CallResult {
    /// Of the call it answers.
    pub id: String,
    /// [`Part::Text`], [`Part::Image`], [`Part::File`].
    pub parts: Vec<Part>,
    pub is_error: bool,
}

#[derive(Debug, Clone)]
pub struct Tool {
    pub name: String,
    pub description: Option<String>,
    /// JSON Schema of the arguments, as it came; `None` when there are none.
    pub schema: Option<Box<RawValue>>,
    pub strict: Option<bool>,
    pub cache: Option<Lifetime>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    Auto,
    None,
    /// Any tool, but one of them.
    Required,
    Named(String),
    /// Only these, and one of them if `required`.
    Allowed {
        names: Vec<String>,
        required: bool,
    },
}

/// The form that the answer's text must have.
#[derive(Debug, Clone, Default)]
pub enum Format {
    #[default]
    Text,
    /// Any JSON object.
    JsonObject,
    JsonSchema {
        name: String,
        description: Option<String>,
        schema: Option<Box<RawValue>>,
        strict: Option<bool>,
    },
}

impl Format {
    /// The form as an instruction, for a model that cannot be held to it: a word binds nobody.
    ///
    /// # Errors
    /// The caller relies on the schema (`strict`): then another target is the better one.
    pub fn in_words(&self) -> Result<Option<String>, Unsupported> {
        let words = match self {
            Self::Text => return Ok(None),
            Self::JsonSchema {
                strict: Some(true), ..
            } => {
                return Err(Unsupported::parameter(
                    "response_format",
                    "This model cannot be held to a JSON schema.",
                ));
            }
            Self::JsonSchema {
                schema: Some(schema),
                ..
            } => format!(
                "Respond with a single JSON value that matches this JSON schema, and with nothing else:\n{}",
                schema.get()
            ),
            Self::JsonObject | Self::JsonSchema { schema: None, .. } => {
                "Respond with a single JSON object, and with nothing else.".to_owned()
            }
        };
        Ok(Some(words))
    }
}

/// How hard the model is to think, from nothing to all it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

impl Effort {
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Minimal,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Xhigh,
        Self::Max,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// What it is in tokens, for Claude models that think by a budget: the table that the open SDKs use.
    pub fn budget(self) -> u64 {
        match self {
            Self::None | Self::Minimal => 1024,
            Self::Low => 2048,
            Self::Medium => 10_000,
            Self::High => 16_384,
            Self::Xhigh | Self::Max => 32_768,
        }
    }

    /// The effort that a budget of so many tokens comes to.
    pub fn of_budget(tokens: u64) -> Self {
        match tokens {
            ..10_000 => Self::Low,
            10_000..16_384 => Self::Medium,
            16_384.. => Self::High,
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| effort.name() == name)
    }
}

/// Thinking as the Messages surface asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thinking {
    Disabled,
    BetweenTools,
    Adaptive,
    /// So many tokens at most.
    Budget(u64),
}
