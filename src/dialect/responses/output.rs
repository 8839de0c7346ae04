//! What an answer is made of on this wire: items, and the frames that announce them.
//!
//! `ResponseOutputItem` and `ResponseStreamEvent` of the official SDK (3.54, read 2026-11). Every
//! field that its types require is there, also where it is always empty.

use std::io::Write as _;

use serde::Serialize;

use crate::chat::Usage;

/// Neither annotations nor log probabilities are known of another dialect's answer.
pub(super) type Nothing = [(); 0];

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    InProgress,
    Completed,
    Incomplete,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Item<'a> {
    Message {
        id: &'a str,
        status: Status,
        role: &'static str,
        content: &'a [Part<'a>],
    },
    Reasoning {
        id: &'a str,
        summary: &'a [Part<'a>],
        #[serde(skip_serializing_if = "Option::is_none")]
        encrypted_content: Option<&'a str>,
    },
    FunctionCall {
        id: &'a str,
        status: Status,
        call_id: &'a str,
        name: &'a str,
        arguments: &'a str,
    },
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Part<'a> {
    OutputText {
        text: &'a str,
        annotations: Nothing,
        logprobs: Nothing,
    },
    Refusal {
        refusal: &'a str,
    },
    SummaryText {
        text: &'a str,
    },
}

#[derive(Serialize)]
pub(super) struct OfItem<'a> {
    pub(super) output_index: usize,
    pub(super) item: &'a Item<'a>,
}

/// Where in the answer a frame belongs.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Place<'a> {
    pub(super) item_id: &'a str,
    pub(super) output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary_index: Option<usize>,
}

/// What a frame says of its place: the fields that its event has.
#[derive(Default, Serialize)]
pub(super) struct Says<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) part: Option<Part<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<Nothing>,
}

#[derive(Serialize)]
pub(super) struct Frame<'a> {
    #[serde(flatten)]
    pub(super) place: Place<'a>,
    #[serde(flatten)]
    pub(super) says: Says<'a>,
}

#[derive(Serialize)]
struct Counted {
    input_tokens: u64,
    input_tokens_details: InputDetails,
    output_tokens: u64,
    output_tokens_details: OutputDetails,
    total_tokens: u64,
}

#[derive(Serialize)]
struct InputDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Serialize)]
struct OutputDetails {
    reasoning_tokens: u64,
}

/// Writes the frame of one event: both its lines, and `body`, an object, behind `type` and number.
pub(super) fn frame(out: &mut Vec<u8>, sequence: &mut u64, kind: &str, body: &impl Serialize) {
    open_frame(out, sequence, kind);
    let brace = out.len();
    json(out, body);
    out[brace] = b',';
    out.extend_from_slice(b"\n\n");
}

/// The beginning of a frame, up to its first own member.
pub(super) fn open_frame(out: &mut Vec<u8>, sequence: &mut u64, kind: &str) {
    // Writing to a vector does not fail.
    let _ = write!(
        out,
        "event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{sequence}"
    );
    *sequence += 1;
}

/// Writes `value` as JSON, which these types and strings always are.
pub(super) fn json(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(before);
        out.extend_from_slice(b"{}");
    }
}

/// The `usage` object. Its type has no word for a number that is not known: without the two main
/// ones there is none, and a detail that is not known is 0.
pub(super) fn usage(out: &mut Vec<u8>, usage: Usage) {
    let (Some(input_tokens), Some(output_tokens)) = (usage.prompt, usage.completion) else {
        out.extend_from_slice(b"null");
        return;
    };
    let tokens = Counted {
        input_tokens,
        input_tokens_details: InputDetails {
            cached_tokens: usage.cached.unwrap_or(0),
            cache_write_tokens: usage.cache_write.unwrap_or(0),
        },
        output_tokens,
        output_tokens_details: OutputDetails {
            reasoning_tokens: usage.reasoning.unwrap_or(0),
        },
        total_tokens: input_tokens.saturating_add(output_tokens),
    };
    json(out, &tokens);
}
