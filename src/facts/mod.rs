//! What is known of model families: how long they may answer, how they think, what they refuse.
//!
//! The facts are data, in `families.toml` beside this file; an operator's own file is asked before
//! it, and single targets may say more under `models`. Code asks a [`Facts`] and never compares
//! names. Sources of each row are named in the data.

mod file;
mod prices;

use std::sync::Arc;

pub use file::{Families, Problem};
pub use prices::{list_price, list_prices};

use serde::de::DeserializeOwned;

use crate::chat::Effort;

/// What one model takes and does.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one fact about a model"
)]
pub struct Facts {
    /// The family's name in the data, for people.
    pub family: Arc<str>,
    /// The longest answer in tokens.
    pub max_output: Option<u64>,
    /// Context length in tokens.
    pub context: Option<u64>,
    pub sampling: Sampling,
    /// Whether any of it is accepted while the model thinks.
    pub sampling_thinking: bool,
    /// Whether sequences can be named that end the answer.
    pub stop: bool,
    /// Whether presence and frequency penalties are accepted.
    pub penalties: bool,
    pub thinking: Thinking,
    /// Whether the model thinks when nobody asks it to.
    pub thinks_unasked: bool,
    pub thinking_off: ThinkingOff,
    /// Whether chat completions may say `reasoning_effort` to it at all.
    pub reasoning_effort: bool,
    /// The efforts it knows, least first. Empty where there is nothing to choose.
    pub efforts: Vec<Effort>,
    /// Least and most tokens of a thinking budget.
    pub budget: Option<(u64, u64)>,
    /// Whether a tool can be forced.
    pub forced_tools: bool,
    /// Whether a tool can be forced while the model thinks.
    pub forced_tools_thinking: bool,
    /// Whether the last turn may be the assistant's.
    pub prefill: bool,
    /// Whether a JSON schema can be asked for natively.
    pub json_schema: bool,
    /// Whether that goes together with tools.
    pub json_with_tools: bool,
    /// Whether a call in history must bear its signature.
    pub call_signatures: bool,
    /// Whether an assistant's turn with calls must begin with its thinking while thinking is on.
    pub thinking_before_calls: bool,
    /// Whether an assistant's message with calls must bear `reasoning_content`, what it thought
    /// before them, on OpenAI's chat completions.
    pub reasoning_back: bool,
    pub call_ids: CallIds,
    /// Whether results of calls and other text may share a turn.
    pub results_with_text: bool,
    /// Whether results of calls may hold images.
    pub images_in_results: bool,
    pub images: bool,
    pub tools: bool,
    /// Whether the provider's cache can be pointed at places.
    pub cache_points: bool,
    /// Whether `strict` may stand on a tool.
    pub strict_tools: bool,
    pub extras: Extras,
}

/// Whose own fields a model takes on Bedrock beside those that all models there share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Extras {
    None,
    Claude,
    Nova,
    /// The models with open weights that are told to think by `reasoning_effort`.
    OpenAi,
}

/// Which of temperature, `top_p` and `top_k` are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    Any,
    /// Temperature or `top_p`, not both.
    OneOf,
    None,
}

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thinking {
    /// It does not, or cannot be told.
    None,
    /// By a number of tokens.
    Budget,
    /// By an effort, as it sees fit (Claude).
    Adaptive,
    /// By a level (Gemini).
    Level,
    /// By an effort in a field of the model's own (Nova).
    Effort,
}

/// How thinking is turned off, where `reasoning_effort: none` asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThinkingOff {
    /// By saying nothing.
    Omit,
    Disabled,
    BetweenTools,
    /// It cannot be: the least effort is asked for instead.
    Least,
}

/// What an id of a call must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallIds {
    /// `[a-zA-Z0-9_-]{1,64}`.
    Plain,
    /// Exactly nine letters and digits (Mistral).
    Nine,
}

impl Facts {
    /// `effort`, or what this model has in its place: the next lower, else the least.
    pub fn effort(&self, effort: Effort) -> Option<Effort> {
        let lower = self.efforts.iter().rev().find(|known| **known <= effort);
        lower.or(self.efforts.first()).copied()
    }
}

/// The texts in quotes of a line of the data that come before its first `]`: a list of names, which need
/// no escapes.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    let list = line.split(']').next().unwrap_or_default();
    list.split('"').skip(1).step_by(2)
}

/// What a file of data says, or its first mistake with the line that it is on.
fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml_edit::de::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.bytes().take(start);
        let line = 1 + before.filter(|byte| *byte == b'\n').count();
        format!("line {line}: {}", error.message().replace('\n', ", "))
    })
}
