//! Messages: a body has its blocks whole, a stream begins and ends each.
//! <https://docs.claude.com/en/docs/build-with-claude/streaming> (read 2026-11)

use std::ops::Range;

use super::{Kind, Said, number, objects};
use crate::privacy::frames::{member, members, string};
use crate::wire::json::Invalid;

impl Said {
    pub(super) fn message(&mut self, data: &str) -> Result<(), Invalid> {
        let top = members(data, 0)?;
        let blocks = objects(data, member(&top, "content"))?;
        for (index, at) in (0..).zip(blocks) {
            self.begins(index, data, at, true)?;
        }
        Ok(())
    }

    pub(super) fn block(&mut self, data: &str) -> Result<(), Invalid> {
        let top = members(data, 0)?;
        let kind = member(&top, "type").and_then(|span| string(data, &span));
        let index = number(data, member(&top, "index"));
        match kind.as_deref() {
            Some("content_block_start") => match member(&top, "content_block") {
                Some(block) => self.begins(index, data, block.start, false),
                None => Ok(()),
            },
            Some("content_block_delta") => match member(&top, "delta") {
                Some(delta) => self.goes_on(index, data, delta.start),
                None => Ok(()),
            },
            Some("content_block_stop") => {
                if let Some(at) = self.find(Kind::Call, (index, 0))
                    && self.parts[at].text.is_empty()
                {
                    self.say(Kind::Call, (index, 0), "{}");
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begins(&mut self, index: u64, data: &str, at: usize, is_whole: bool) -> Result<(), Invalid> {
        let block = members(data, at)?;
        let text = |key: &str| member(&block, key).and_then(|span| string(data, &span));
        let kind = text("type").unwrap_or_default();
        if kind == "text" {
            self.say(Kind::Text, (index, 0), &text("text").unwrap_or_default());
        } else if kind.ends_with("tool_use") {
            self.call((index, 0), &text("name").unwrap_or_default());
            // A stream begins with none, and brings them in pieces.
            let is_there = |span: &Range<usize>| is_whole || &data[span.clone()] != "{}";
            if let Some(input) = member(&block, "input").filter(is_there) {
                self.arguments((index, 0), data, &input);
            }
        }
        Ok(())
    }

    fn goes_on(&mut self, index: u64, data: &str, at: usize) -> Result<(), Invalid> {
        let delta = members(data, at)?;
        for (key, kind) in [("text", Kind::Text), ("partial_json", Kind::Call)] {
            if let Some(piece) = member(&delta, key).and_then(|span| string(data, &span)) {
                self.say(kind, (index, 0), &piece);
            }
        }
        Ok(())
    }
}
