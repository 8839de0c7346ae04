//! What a simulated model says: text in pieces of one token each.

use serde_json::json;

use super::ask::{Ask, Form};
use super::behaviour::Behaviour;
use super::schema;

/// Follows the first sentence for as long as words are wanted.
const MORE: &str = "This answer is simulated, so no tokens were paid for; its length, its pace and \
                    its faults are those of the configuration.";

/// How much of a JSON text one token holds.
const JSON_PIECE: usize = 4;

/// An answer's text.
pub(super) struct Words {
    /// In order; each is one token. Together they are the text.
    pub(super) pieces: Vec<String>,
    /// Whether the request's limit ended it.
    pub(super) cut_short: bool,
}

impl Words {
    pub(super) fn new(provider: &str, behaviour: &Behaviour, ask: &Ask) -> Self {
        let pieces = match (ask.form(), &behaviour.text) {
            (Form::Text, Some(text)) => words(text).map(str::to_owned).collect(),
            (Form::Text, None) => default_text(provider, &ask.model, behaviour.tokens),
            (Form::JsonObject, Some(text)) => json_pieces(&json!({ "answer": text }).to_string()),
            (Form::JsonObject, None) => {
                let answer = json!({ "provider": provider, "model": ask.model });
                json_pieces(&answer.to_string())
            }
            (Form::JsonSchema(schema), _) => json_pieces(&schema::fitting(schema).to_string()),
        };
        Self::limited(pieces, ask.limit)
    }

    fn limited(mut pieces: Vec<String>, limit: Option<usize>) -> Self {
        let cut_short = limit.is_some_and(|limit| limit < pieces.len());
        pieces.truncate(limit.unwrap_or(usize::MAX));
        Self { pieces, cut_short }
    }

    pub(super) fn finish_reason(&self) -> &'static str {
        if self.cut_short { "length" } else { "stop" }
    }
}

fn default_text(provider: &str, model: &str, tokens: u32) -> Vec<String> {
    let hello = format!("Hello! This is {provider} speaking, in the part of {model}.");
    let count = usize::try_from(tokens).unwrap_or(usize::MAX);
    let mut pieces: Vec<String> = hello
        .split(' ')
        .chain(MORE.split(' ').cycle())
        .take(count)
        .map(|word| format!("{word} "))
        .collect();
    if let Some(last) = pieces.last_mut() {
        last.truncate(last.trim_end().len());
    }
    pieces
}

/// The words of `text`, each with the space that follows it.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

/// `text` in pieces that may end anywhere, also within an escape, as a real model's do.
pub(super) fn json_pieces(text: &str) -> Vec<String> {
    let mut rest = text;
    let mut pieces = Vec::with_capacity(text.len().div_ceil(JSON_PIECE));
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.ceil_char_boundary(JSON_PIECE));
        pieces.push(piece.to_owned());
        rest = after;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_text_has_as_many_words_as_asked() {
        for tokens in [0, 1, 5, 24, 200] {
            let pieces = default_text("west", "m-1", tokens);
            assert_eq!(pieces.len(), tokens as usize);
            let text = pieces.concat();
            assert_eq!(text.split_whitespace().count(), tokens as usize);
            assert_eq!(text, text.trim_end());
        }
        let text = default_text("west", "m-1", 10).concat();
        assert_eq!(text, "Hello! This is west speaking, in the part of m-1.");
    }

    #[test]
    fn pieces_join_to_the_text_they_were_cut_from() {
        for text in ["", "ab", r#"{"город":"Алматы","n":"\u00e9"}"#] {
            assert_eq!(json_pieces(text).concat(), text);
            assert_eq!(words(text).collect::<String>(), text);
        }
    }

    #[test]
    fn a_limit_cuts_short_only_what_is_longer() {
        for (limit, left, reason) in [
            (None, 3, "stop"),
            (Some(3), 3, "stop"),
            (Some(2), 2, "length"),
        ] {
            let words = Words::limited(vec!["a".into(), "b".into(), "c".into()], limit);
            assert_eq!((words.pieces.len(), words.finish_reason()), (left, reason));
        }
    }
}
