//! Responses: a body has its items whole; a stream brings their texts in pieces, and each item once more
//! when it is done.
//! <https://platform.openai.com/docs/api-reference/responses-streaming> (read 2026-11)

use super::{Kind, Said, number, objects};
use crate::privacy::frames::{member, members, string};
use crate::wire::json::Invalid;

/// What a call has its arguments in, by what is called.
const ARGUMENTS: [&str; 4] = ["arguments", "input", "action", "operation"];

impl Said {
    pub(super) fn response(&mut self, data: &str) -> Result<(), Invalid> {
        let top = members(data, 0)?;
        let items = objects(data, member(&top, "output"))?;
        for (index, at) in (0..).zip(items) {
            let item = members(data, at)?;
            let parts = objects(data, member(&item, "content"))?;
            for (place, at) in (0..).zip(parts) {
                let part = members(data, at)?;
                let text = |key: &str| member(&part, key).and_then(|span| string(data, &span));
                match text("type").as_deref() {
                    Some("output_text") => {
                        let text = text("text").unwrap_or_default();
                        self.say(Kind::Text, (index, place), &text);
                    }
                    Some("refusal") => {
                        let text = text("refusal").unwrap_or_default();
                        self.say(Kind::Refusal, (index, place), &text);
                    }
                    _ => {}
                }
            }
            self.item(index, data, at, true)?;
        }
        Ok(())
    }

    pub(super) fn event(&mut self, data: &str) -> Result<(), Invalid> {
        let top = members(data, 0)?;
        let kind = member(&top, "type").and_then(|span| string(data, &span));
        let kind = kind.unwrap_or_default();
        let index = number(data, member(&top, "output_index"));
        if let Some(what) = kind.strip_suffix(".delta") {
            let place = (index, number(data, member(&top, "content_index")));
            let (kind, place) = match what {
                "response.output_text" => (Kind::Text, place),
                "response.refusal" => (Kind::Refusal, place),
                _ if what.ends_with("arguments") || what.ends_with("_input") => {
                    (Kind::Call, (index, 0))
                }
                _ => return Ok(()),
            };
            if let Some(piece) = member(&top, "delta").and_then(|span| string(data, &span)) {
                self.say(kind, place, &piece);
            }
            return Ok(());
        }
        let is_done = kind == "response.output_item.done";
        match member(&top, "item") {
            Some(item) if is_done || kind == "response.output_item.added" => {
                self.item(index, data, item.start, is_done)
            }
            _ => Ok(()),
        }
    }

    /// An item that is a call. What is called without a name is what the item is.
    fn item(&mut self, index: u64, data: &str, at: usize, is_done: bool) -> Result<(), Invalid> {
        let item = members(data, at)?;
        let text = |key: &str| member(&item, key).and_then(|span| string(data, &span));
        let Some(kind) = text("type").filter(|kind| kind.ends_with("_call")) else {
            return Ok(());
        };
        self.call((index, 0), &text("name").unwrap_or(kind));
        let arguments = ARGUMENTS.iter().find_map(|key| member(&item, key));
        if let Some(arguments) = arguments.filter(|_| is_done) {
            self.arguments((index, 0), data, &arguments);
        }
        Ok(())
    }
}
