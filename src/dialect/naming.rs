//! Our names of fields in the caller's words: one table.
//!
//! A conversation's fields go by the names of chat completions, whatever surface it came in by. Who
//! is told that one is dropped or refused knows the names of its own surface alone.

use std::borrow::Cow;

use super::Dropped;
use crate::chat::{Surface, Unsupported};

/// A field that the other surfaces call otherwise than we do.
struct Name {
    ours: &'static str,
    messages: &'static str,
    responses: &'static str,
}

#[rustfmt::skip]
const fn name(ours: &'static str, messages: &'static str, responses: &'static str) -> Name {
    Name { ours, messages, responses }
}

const NAMES: &[Name] = &[
    name("block_binding", "thinking.block_binding", "block_binding"),
    name("max_tokens", "max_tokens", "max_output_tokens"),
    name("messages", "messages", "input"),
    name(
        "parallel_tool_calls",
        "tool_choice.disable_parallel_tool_use",
        "parallel_tool_calls",
    ),
    name(
        "reasoning_effort",
        "output_config.effort",
        "reasoning.effort",
    ),
    name("response_format", "output_config.format", "text.format"),
    name("stop", "stop_sequences", "stop"),
    name("task_budget", "output_config.task_budget", "task_budget"),
    name("user", "metadata.user_id", "user"),
];

/// The words of one request's caller.
#[derive(Debug, Clone, Copy)]
pub struct Words<'a> {
    pub surface: Surface,
    /// What its request named, as in [`asked`](crate::chat::Conversation::asked).
    pub asked: &'a [Cow<'static, str>],
}

impl Words<'_> {
    pub fn dropped(self, dropped: Dropped) -> Dropped {
        dropped.into_iter().map(|name| self.name(name)).collect()
    }

    pub fn refused(self, refused: Unsupported) -> Unsupported {
        let ours = refused.param.clone();
        let theirs = self.name(refused.param);
        let message = if ours == theirs {
            refused.message
        } else {
            let (ours, theirs) = (format!("`{ours}`"), format!("`{theirs}`"));
            refused.message.replace(&ours, &theirs).into()
        };
        Unsupported {
            code: refused.code,
            param: theirs,
            message,
        }
    }

    fn name(self, ours: Cow<'static, str>) -> Cow<'static, str> {
        let known = NAMES.iter().find(|name| name.ours == ours);
        match (self.surface, known) {
            (Surface::Messages | Surface::CountTokens, Some(name)) => name.messages.into(),
            (Surface::Responses, Some(name)) => name.responses.into(),
            // It has two for one thing.
            (Surface::Chat, Some(Name { ours, .. }))
                if *ours == "max_tokens"
                    && self.asked.iter().any(|it| it == "max_completion_tokens") =>
            {
                "max_completion_tokens".into()
            }
            (
                Surface::Chat
                | Surface::Completions
                | Surface::Embeddings
                | Surface::Models
                | Surface::Passthrough,
                Some(_),
            )
            | (_, None) => ours,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(surface: Surface) -> Words<'static> {
        Words {
            surface,
            asked: &[],
        }
    }

    #[test]
    fn every_surface_is_told_its_own_names() {
        let all = || -> Dropped {
            let names = NAMES.iter().map(|name| name.ours);
            names.chain(["seed"]).map(Cow::Borrowed).collect()
        };
        assert_eq!(words(Surface::Chat).dropped(all()), all());
        for surface in [Surface::Messages, Surface::CountTokens] {
            assert_eq!(
                words(surface).dropped(all()).as_slice(),
                [
                    "thinking.block_binding",
                    "max_tokens",
                    "messages",
                    "tool_choice.disable_parallel_tool_use",
                    "output_config.effort",
                    "output_config.format",
                    "stop_sequences",
                    "output_config.task_budget",
                    "metadata.user_id",
                    "seed",
                ]
            );
        }
        assert_eq!(
            words(Surface::Responses).dropped(all()).as_slice(),
            [
                "block_binding",
                "max_output_tokens",
                "input",
                "parallel_tool_calls",
                "reasoning.effort",
                "text.format",
                "stop",
                "task_budget",
                "user",
                "seed",
            ]
        );
        let asked = ["max_completion_tokens".into()];
        let newer = Words {
            surface: Surface::Chat,
            asked: &asked,
        };
        let dropped = newer.dropped(std::iter::once("max_tokens".into()).collect());
        assert_eq!(dropped.as_slice(), ["max_completion_tokens"]);
    }

    #[test]
    fn a_refusal_says_the_callers_name_in_its_sentence_too() {
        let refused = || super::super::support::refused("stop");
        let told = words(Surface::Messages).refused(refused());
        assert_eq!(told.param, "stop_sequences");
        assert!(
            told.message.starts_with("`stop_sequences` is not"),
            "{}",
            told.message
        );
        assert_eq!(words(Surface::Chat).refused(refused()), refused());
    }
}
