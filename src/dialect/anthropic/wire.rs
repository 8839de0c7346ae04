//! What Anthropic's answers look like: events, blocks and usage, as serde reads them in place.
//!
//! `docs/en/api/messages` and `docs/en/build-with-claude/streaming` at platform.claude.com, version
//! 2023-06-01 (read 2026-11), and the types of the SDK anthropic-python 2.12.0. The fields of all
//! kinds of event lie in one struct, so that an event is parsed once and its tag needs no buffer.
//! What only newer versions have is passed over.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Text that is borrowed behind an `Option` too: a bare `Option<Cow>` would be copied.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// One event of a stream.
#[derive(Debug, Deserialize)]
pub(super) struct Event<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(super) kind: Cow<'a, str>,
    #[serde(default)]
    pub(super) index: u64,
    #[serde(borrow)]
    pub(super) delta: Option<Delta<'a>>,
    #[serde(borrow)]
    pub(super) content_block: Option<Block<'a>>,
    #[serde(borrow)]
    pub(super) message: Option<Message<'a>>,
    pub(super) usage: Option<Usage>,
    pub(super) error: Option<IgnoredAny>,
}

/// What an event adds to a block, or (as the event `message_delta`) to the message.
#[derive(Debug, Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) signature: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) partial_json: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) stop_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) stop_sequence: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) stop_details: Option<StopDetails<'a>>,
}

/// A block of content: whole in a plain answer, its beginning in a stream.
#[derive(Debug, Deserialize)]
pub(super) struct Block<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) signature: Option<Text<'a>>,
    /// Of `redacted_thinking`.
    #[serde(borrow)]
    pub(super) data: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
}

/// A plain answer, or what a stream opens with.
#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(rename = "type", borrow, default)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    /// [`Block`]s, read one by one: one of an unknown kind may be of any form.
    #[serde(borrow)]
    pub(super) content: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    pub(super) stop_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) stop_sequence: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) stop_details: Option<StopDetails<'a>>,
    pub(super) usage: Option<Usage>,
    pub(super) error: Option<IgnoredAny>,
}

/// Why an answer was refused.
#[derive(Debug, Deserialize)]
pub(super) struct StopDetails<'a> {
    #[serde(borrow)]
    pub(super) explanation: Option<Text<'a>>,
}

/// Tokens so far. `input_tokens` counts neither what the cache gave nor what was written to it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Usage {
    pub(super) input_tokens: Option<u64>,
    pub(super) cache_creation_input_tokens: Option<u64>,
    pub(super) cache_read_input_tokens: Option<u64>,
    /// Thinking included.
    pub(super) output_tokens: Option<u64>,
    pub(super) output_tokens_details: Option<OutputDetails>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct OutputDetails {
    pub(super) thinking_tokens: Option<u64>,
}

/// The kinds in an event and nothing else: what is left to read of one that does not parse.
#[derive(Debug, Deserialize)]
struct Kinds<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    index: Option<&'a RawValue>,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    #[serde(borrow)]
    content_block: Option<&'a RawValue>,
}

/// What may be passed over although it does not parse, because it is newer than us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Newer {
    /// An event, or a change of a block.
    Event,
    /// The beginning of the block at this index: all that follows of it is of its own form.
    Block(u64),
}

/// What `event`, which does not parse, is, if it is of a kind that we do not know.
pub(super) fn newer(event: &str) -> Option<Newer> {
    let kinds: Kinds<'_> = serde_json::from_str(event).ok()?;
    match &*kinds.kind {
        "" | "message_start" | "message_delta" | "message_stop" | "content_block_stop"
        | "error" => None,
        "content_block_start" => {
            let index = kinds.index?.get().parse().ok()?;
            is_newer_block(kinds.content_block?.get()).then_some(Newer::Block(index))
        }
        "content_block_delta" => {
            let kind = kind_of(kinds.delta?.get())?;
            (!is_known_delta(&kind)).then_some(Newer::Event)
        }
        _ => Some(Newer::Event),
    }
}

/// Whether `block`, which does not parse, is of a kind that we do not know.
pub(super) fn is_newer_block(block: &str) -> bool {
    kind_of(block).is_some_and(|kind| !is_known_block(&kind))
}

fn kind_of(object: &str) -> Option<Cow<'_, str>> {
    let kinds: Kinds<'_> = serde_json::from_str(object).ok()?;
    Some(kinds.kind)
}

fn is_known_block(kind: &str) -> bool {
    matches!(kind, "text" | "thinking" | "redacted_thinking" | "tool_use")
}

fn is_known_delta(kind: &str) -> bool {
    matches!(
        kind,
        "text_delta" | "thinking_delta" | "signature_delta" | "input_json_delta"
    )
}
