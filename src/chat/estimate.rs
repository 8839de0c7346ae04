//! About how many tokens a conversation is, for targets that cannot count.
//!
//! No tokenizer is asked: each model has its own, and the count is wanted to decide when to shorten
//! a conversation, where a tenth more or less does not matter. Latin text is about four characters a
//! token, other alphabets about two, scripts without alphabets about one; what stands around a
//! message, a call or a tool is a few tokens more.

use super::conversation::{CallResult, Conversation, Format, Media, Part};
use super::weight::Weight;

/// Around a message, a call or its result.
const FRAME: u64 = 4;
/// Around a tool's name, description and schema.
const TOOL_FRAME: u64 = 12;
/// An image as large as providers keep it, since its size is not looked at.
const IMAGE: u64 = 1600;
/// A document that lies elsewhere: one page with its picture, since its length is not known.
const ELSEWHERE: u64 = 2500;
/// Bytes of a binary document for a token: a page of a PDF is some 75 kB and 2500 tokens.
const DOCUMENT_BYTES: u64 = 30;
/// Bytes of sound for a token: compressed sound is 16 kB and 32 tokens a second.
const AUDIO_BYTES: u64 = 500;

/// The tokens of `conversation` as a prompt; at least 1.
pub fn estimate(conversation: &Conversation) -> u64 {
    let mut tokens = of_parts(&conversation.system);
    for turn in &conversation.turns {
        tokens += FRAME + of_parts(&turn.parts);
    }
    for tool in &conversation.tools {
        tokens += TOOL_FRAME + of_text(&tool.name);
        tokens += tool.description.as_deref().map_or(0, of_text);
        tokens += tool
            .schema
            .as_ref()
            .map_or(0, |schema| of_text(schema.get()));
    }
    if let Format::JsonSchema {
        schema: Some(schema),
        ..
    } = &conversation.format
    {
        tokens += of_text(schema.get());
    }
    tokens.max(1)
}

fn of_parts(parts: &[Part]) -> u64 {
    parts.iter().map(of_part).sum()
}

fn of_part(part: &Part) -> u64 {
    match part {
        Part::Text(text) => of_text(text),
        Part::Image(_) => IMAGE,
        Part::File { name, media } => name.as_deref().map_or(0, of_text) + of_file(media),
        Part::Audio { data, .. } => bytes(data) / AUDIO_BYTES,
        Part::Thought(thought) => of_text(&thought.text),
        Part::Call(call) => FRAME + of_text(&call.name) + of_text(&call.arguments),
        Part::Result(CallResult { parts, .. }) => FRAME + of_parts(parts),
        Part::CachePoint(_) => 0,
    }
}

fn of_file(media: &Media) -> u64 {
    match media {
        Media::Inline { kind, data } if kind.starts_with("text/") => bytes(data) / 4,
        Media::Inline { data, .. } => bytes(data) / DOCUMENT_BYTES,
        Media::Url(_) | Media::Id(_) => ELSEWHERE,
    }
}

/// Bytes behind base64.
fn bytes(base64: &str) -> u64 {
    base64.len() as u64 / 4 * 3
}

fn of_text(text: &str) -> u64 {
    Weight::of(text).tokens()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Role, Turn};

    #[test]
    fn text_weighs_by_its_script() {
        for (text, expected) in [
            ("", 0),
            ("a", 1),
            ("What is the weather like in Paris?", 9),
            ("Какая погода?", 6),
            ("天気は？", 4),
            ("👋", 1),
        ] {
            assert_eq!(of_text(text), expected, "{text}");
        }
    }

    #[test]
    fn everything_that_is_sent_is_counted() {
        let nothing = Conversation::default();
        assert_eq!(estimate(&nothing), 1);
        let said = |parts: Vec<Part>| Conversation {
            turns: vec![Turn {
                role: Role::User,
                parts,
            }],
            ..Conversation::default()
        };
        let inline = |kind: &str, length: usize| Media::Inline {
            kind: kind.into(),
            data: "A".repeat(length),
        };
        let file = |media| Part::File { name: None, media };
        for (part, expected) in [
            (Part::Text("abcdefgh".into()), 6),
            (Part::Image(inline("image/png", 4)), 1604),
            (file(inline("text/plain", 400)), 79),
            (file(inline("application/pdf", 4000)), 104),
            (file(Media::Id("f".into())), 2504),
            (Part::CachePoint(None), 4),
        ] {
            assert_eq!(estimate(&said(vec![part.clone()])), expected, "{part:?}");
        }
    }
}
