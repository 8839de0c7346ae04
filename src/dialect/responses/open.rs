//! The item that is being written: how it begins, and how it is closed.

use super::carrier::Cargo;
use super::output::{Frame, Item, OfItem, Part, Place, Says, Status, frame, json};
use crate::chat::Thought;

/// The item that is being written.
#[derive(Debug)]
pub(super) enum Open {
    None,
    Message {
        id: String,
        /// At least one; the last is open.
        parts: Vec<(Voice, String)>,
    },
    Reasoning {
        id: String,
        /// What is shown of it.
        text: String,
        /// Once it has ended.
        thought: Option<Thought>,
        /// The next call and its signature.
        call: Option<(String, String)>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    Text,
    Refusal,
}

impl Voice {
    pub(super) fn part(self, text: &str) -> Part<'_> {
        match self {
            Self::Text => Part::OutputText {
                text,
                annotations: [],
                logprobs: [],
            },
            Self::Refusal => Part::Refusal { refusal: text },
        }
    }
}

impl Open {
    /// Says that its parts have ended, and gives the item itself, as JSON.
    pub(super) fn close(
        self,
        status: Status,
        target: &str,
        output_index: usize,
        sequence: &mut u64,
        out: &mut Vec<u8>,
    ) -> Option<Vec<u8>> {
        let mut done = Vec::new();
        match self {
            Self::None => return None,
            Self::Message { id, parts } => {
                if let Some((voice, text)) = parts.last() {
                    let place = content(&id, output_index, parts.len() - 1);
                    end_part(out, sequence, place, *voice, text);
                }
                let parts: Vec<Part<'_>> =
                    parts.iter().map(|(voice, text)| voice.part(text)).collect();
                let item = Item::Message {
                    id: &id,
                    status,
                    role: "assistant",
                    content: &parts,
                };
                json(&mut done, &item);
            }
            Self::Reasoning {
                id,
                text,
                thought,
                call,
            } => {
                let place = summary(&id, output_index);
                let part = Part::SummaryText { text: &text };
                if !text.is_empty() {
                    let says = Says {
                        text: Some(&text),
                        ..Says::default()
                    };
                    let kind = "response.reasoning_summary_text.done";
                    frame(out, sequence, kind, &Frame { place, says });
                    let says = Says {
                        part: Some(part),
                        ..Says::default()
                    };
                    let kind = "response.reasoning_summary_part.done";
                    frame(out, sequence, kind, &Frame { place, says });
                }
                let shown = [part];
                // Thinking that nobody signed is what was shown of it.
                let thought = thought.unwrap_or_else(|| Thought {
                    text: text.clone(),
                    ..Thought::default()
                });
                let mut cargo = Cargo::thought(&thought);
                if let Some((id, signature)) = &call {
                    cargo.calls.insert(id.into(), signature.into());
                }
                let item = Item::Reasoning {
                    id: &id,
                    summary: if text.is_empty() { &[] } else { &shown },
                    encrypted_content: Some(&cargo.seal(target)),
                };
                json(&mut done, &item);
            }
        }
        Some(done)
    }
}

/// Says that an item begins.
pub(super) fn announce(
    out: &mut Vec<u8>,
    sequence: &mut u64,
    output_index: usize,
    item: &Item<'_>,
) {
    let body = OfItem { output_index, item };
    frame(out, sequence, "response.output_item.added", &body);
}

/// Says that a part of a message has ended.
pub(super) fn end_part(
    out: &mut Vec<u8>,
    sequence: &mut u64,
    place: Place<'_>,
    voice: Voice,
    text: &str,
) {
    let (kind, says) = match voice {
        Voice::Text => (
            "response.output_text.done",
            Says {
                text: Some(text),
                logprobs: Some([]),
                ..Says::default()
            },
        ),
        Voice::Refusal => (
            "response.refusal.done",
            Says {
                refusal: Some(text),
                ..Says::default()
            },
        ),
    };
    frame(out, sequence, kind, &Frame { place, says });
    let says = Says {
        part: Some(voice.part(text)),
        ..Says::default()
    };
    frame(
        out,
        sequence,
        "response.content_part.done",
        &Frame { place, says },
    );
}

/// A part of a message.
pub(super) fn content(item_id: &str, output_index: usize, index: usize) -> Place<'_> {
    Place {
        item_id,
        output_index,
        content_index: Some(index),
        summary_index: None,
    }
}

/// What is shown of a reasoning item: one part.
pub(super) fn summary(item_id: &str, output_index: usize) -> Place<'_> {
    Place {
        item_id,
        output_index,
        content_index: None,
        summary_index: Some(0),
    }
}
