//! What Converse answers: the events of its stream, and its plain form.
//!
//! Shapes: `ConverseStreamOutput` and `ConverseResponse` in the `Bedrock` Runtime API reference (read
//! 2026-11), and recorded exchanges. Every event also has a key `p`, padding of random length.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::Usage;

/// `contentBlockStart`: only what has a name or a format of its own begins so; text does not.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockStart<'a> {
    pub(super) content_block_index: u64,
    #[serde(borrow)]
    pub(super) start: Start<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Start<'a> {
    #[serde(borrow)]
    pub(super) tool_use: Option<ToolUse<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ToolUse<'a> {
    #[serde(borrow, default, rename = "toolUseId")]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    /// `server_tool_use` is run by the provider; absent or anything else, by the caller.
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
    /// Only in a plain answer.
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
}

impl ToolUse<'_> {
    pub(super) fn is_the_providers(&self) -> bool {
        self.kind == "server_tool_use"
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockDelta<'a> {
    pub(super) content_block_index: u64,
    #[serde(borrow)]
    pub(super) delta: Delta<'a>,
}

/// One of these; citations, results of the provider's own tools and images are none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Delta<'a> {
    pub(super) text: Option<String>,
    #[serde(borrow)]
    pub(super) tool_use: Option<ToolUseDelta<'a>>,
    pub(super) reasoning_content: Option<ReasoningDelta>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ToolUseDelta<'a> {
    /// A piece of the JSON text.
    #[serde(borrow)]
    pub(super) input: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReasoningDelta {
    pub(super) text: Option<String>,
    pub(super) signature: Option<String>,
    pub(super) redacted_content: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockStop {
    pub(super) content_block_index: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageStop<'a> {
    #[serde(borrow)]
    pub(super) stop_reason: Cow<'a, str>,
    /// What was asked for by `additionalModelResponseFieldPaths`, in the model's own form.
    #[serde(borrow)]
    pub(super) additional_model_response_fields: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) usage: Option<TokenUsage>,
}

/// `inputTokens` does not include the cache; there is no word for tokens of reasoning.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct TokenUsage {
    #[serde(rename = "inputTokens")]
    input: Option<u64>,
    #[serde(rename = "outputTokens")]
    output: Option<u64>,
    #[serde(rename = "cacheReadInputTokens")]
    read: Option<u64>,
    #[serde(rename = "cacheWriteInputTokens")]
    written: Option<u64>,
}

impl From<TokenUsage> for Usage {
    fn from(usage: TokenUsage) -> Self {
        let cache = [usage.read, usage.written].into_iter().flatten();
        let cache = cache.fold(0, u64::saturating_add);
        Self {
            prompt: usage.input.map(|fresh| fresh.saturating_add(cache)),
            cached: usage.read,
            cache_write: usage.written,
            reasoning: None,
            completion: usage.output,
            ..Self::default()
        }
    }
}

/// A plain answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Whole<'a> {
    #[serde(borrow)]
    pub(super) output: Option<Output<'a>>,
    #[serde(borrow)]
    pub(super) stop_reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) additional_model_response_fields: Option<&'a RawValue>,
    pub(super) usage: Option<TokenUsage>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Output<'a> {
    #[serde(borrow)]
    pub(super) message: Message<'a>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) content: Vec<Block<'a>>,
}

/// One of these, or none that we know.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Block<'a> {
    pub(super) text: Option<String>,
    #[serde(borrow)]
    pub(super) tool_use: Option<ToolUse<'a>>,
    pub(super) reasoning_content: Option<Reasoning>,
    /// Text with its sources; a stream sends the text by itself.
    pub(super) citations_content: Option<Cited>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reasoning {
    pub(super) reasoning_text: Option<ReasoningText>,
    pub(super) redacted_content: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ReasoningText {
    #[serde(default)]
    pub(super) text: String,
    pub(super) signature: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Cited {
    #[serde(default)]
    pub(super) content: Vec<CitedText>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CitedText {
    #[serde(default)]
    pub(super) text: String,
}

/// The payload of an exception, or the body of an error.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Exception {
    #[serde(alias = "Message")]
    pub(super) message: Option<String>,
    /// Of the model behind the API.
    pub(super) original_status_code: Option<u16>,
    pub(super) original_message: Option<String>,
}
