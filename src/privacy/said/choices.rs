//! Chat completions and completions: their bodies and their frames differ by a word.
//! <https://platform.openai.com/docs/api-reference/chat> (read 2026-11)

use super::{Kind, Said, number, objects};
use crate::privacy::frames::{member, members, string};
use crate::wire::json::Invalid;

impl Said {
    pub(super) fn choices(&mut self, data: &str) -> Result<(), Invalid> {
        let top = members(data, 0)?;
        for at in objects(data, member(&top, "choices"))? {
            let choice = members(data, at)?;
            let index = number(data, member(&choice, "index"));
            if let Some(text) = member(&choice, "text").and_then(|span| string(data, &span)) {
                self.say(Kind::Text, (index, 0), &text);
            }
            let said = member(&choice, "delta").or_else(|| member(&choice, "message"));
            if let Some(said) = said.filter(|span| data[span.clone()].starts_with('{')) {
                self.message_of(index, data, said.start)?;
            }
        }
        Ok(())
    }

    fn message_of(&mut self, choice: u64, data: &str, at: usize) -> Result<(), Invalid> {
        let message = members(data, at)?;
        for (key, kind) in [("content", Kind::Text), ("refusal", Kind::Refusal)] {
            let Some(span) = member(&message, key) else {
                continue;
            };
            if let Some(text) = string(data, &span) {
                self.say(kind, (choice, 0), &text);
            }
        }
        let calls = objects(data, member(&message, "tool_calls"))?;
        for (position, at) in (0..).zip(calls) {
            let call = members(data, at)?;
            let index = member(&call, "index");
            let index = index.map_or(position, |span| number(data, Some(span)));
            for key in ["function", "custom"] {
                if let Some(span) = member(&call, key) {
                    self.called((choice, index), data, span.start)?;
                }
            }
        }
        // As calls were made before there could be several.
        match member(&message, "function_call") {
            Some(span) => self.called((choice, 0), data, span.start),
            None => Ok(()),
        }
    }

    fn called(&mut self, place: (u64, u64), data: &str, at: usize) -> Result<(), Invalid> {
        if !data[at..].starts_with('{') {
            return Ok(());
        }
        let call = members(data, at)?;
        if let Some(name) = member(&call, "name").and_then(|span| string(data, &span)) {
            self.call(place, &name);
        }
        let arguments = member(&call, "arguments").or_else(|| member(&call, "input"));
        if let Some(piece) = arguments.and_then(|span| string(data, &span)) {
            self.say(Kind::Call, place, &piece);
        }
        Ok(())
    }
}
