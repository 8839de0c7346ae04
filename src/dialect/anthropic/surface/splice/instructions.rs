//! The instructions of a request in a cloud.
//!
//! Those that stand among the messages are not known there ("role 'system' is not supported"): they
//! go behind those at the head, and every other byte stays, so that what the model thought is shown
//! to it as it signed it. Claude Code's header in disguise, which Bedrock refuses, is taken out.

use std::fmt::Write as _;
use std::ops::Range;

use super::cloud::{Left, narrow_cache_control};
use crate::chat::without_billing;
use crate::wire::edit::{Edits, Object};
use crate::wire::json::{Cursor, Invalid, Kind, quote};

/// Instructions as one target may see them.
#[derive(Debug, Default)]
pub(super) struct Instructions {
    /// Blocks of those among the messages, with a comma between two.
    within: String,
    /// Whether a cache mark was made what clouds know.
    pub(super) narrowed: bool,
}

impl Instructions {
    /// Reads the `content` of messages of the role `system`.
    pub(super) fn within(text: &str, contents: &[Range<usize>]) -> Result<Self, Invalid> {
        let mut read = Self::default();
        for span in contents {
            let mut cursor = Cursor::at(text, span.start);
            match cursor.kind()? {
                Kind::String => read.say(text, span.clone(), "")?,
                Kind::Array => {
                    cursor.array(|cursor| {
                        if cursor.kind()? != Kind::Object {
                            cursor.skip()?;
                            return Ok(());
                        }
                        let block = Object::read(cursor)?;
                        let mark = match block.get("cache_control") {
                            Some(mark) if text.as_bytes()[mark.start] == b'{' => {
                                // What is dropped of it is all that it may hold beside its type.
                                let mut unseen = Edits::default();
                                read.narrowed |= narrow_cache_control(text, mark, &mut unseen)?;
                                r#","cache_control":{"type":"ephemeral"}"#
                            }
                            Some(_) | None => "",
                        };
                        match block.get("text") {
                            Some(said) => read.say(text, said, mark),
                            None => Ok(()),
                        }
                    })?;
                }
                Kind::Object | Kind::Number | Kind::Bool | Kind::Null => {}
            }
        }
        Ok(read)
    }

    /// Adds the string at `span`, unless it is blank, which is refused.
    fn say(&mut self, text: &str, span: Range<usize>, mark: &str) -> Result<(), Invalid> {
        let said = Cursor::at(text, span.start).string_or_skip()?;
        if said.is_some_and(|said| !said.decode().trim().is_empty()) {
            let comma = if self.within.is_empty() { "" } else { "," };
            let said = &text[span];
            // Writing to a string does not fail.
            let _ = write!(
                self.within,
                r#"{comma}{{"type":"text","text":{said}{mark}}}"#
            );
        }
        Ok(())
    }

    /// Puts the member `system` right, which stands at `head`.
    pub(super) fn splice<'a>(
        &mut self,
        text: &'a str,
        head: Option<Range<usize>>,
        edits: &mut Edits<'a>,
    ) -> Result<Left, Invalid> {
        let instead = |within: &str| match within {
            "" => Left::Gone,
            within => Left::Instead(format!("[{within}]")),
        };
        let Some(span) = head else {
            return Ok(match &*self.within {
                "" => Left::Stands,
                within => instead(within),
            });
        };
        let mut cursor = Cursor::at(text, span.start);
        match cursor.kind()? {
            Kind::String => {
                let said = cursor.string()?;
                let decoded = said.decode();
                let kept = without_billing(&decoded);
                if kept.is_empty() && (!decoded.is_empty() || !self.within.is_empty()) {
                    return Ok(instead(&self.within));
                }
                if !self.within.is_empty() {
                    let (kept, within) = (quote(kept), &self.within);
                    return Ok(Left::Instead(format!(
                        r#"[{{"type":"text","text":{kept}}},{within}]"#
                    )));
                }
                if kept.len() < decoded.len() {
                    edits.replace(said.span(), quote(kept));
                }
                Ok(Left::Stands)
            }
            Kind::Array => self.blocks(text, &mut cursor, edits),
            Kind::Null if !self.within.is_empty() => Ok(instead(&self.within)),
            // What is no list of blocks is the provider's to refuse.
            Kind::Null | Kind::Object | Kind::Number | Kind::Bool => Ok(Left::Stands),
        }
    }

    fn blocks<'a>(
        &mut self,
        text: &'a str,
        cursor: &mut Cursor<'a>,
        edits: &mut Edits<'a>,
    ) -> Result<Left, Invalid> {
        let mut blocks = Vec::new();
        let list = cursor.array(|cursor| {
            if cursor.kind()? != Kind::Object {
                blocks.push((cursor.skip()?, true));
                return Ok(());
            }
            let block = Object::read(cursor)?;
            let mut keep = true;
            if let Some(span) = block.get("text")
                && let Some(said) = Cursor::at(text, span.start).string_or_skip()?
            {
                let decoded = said.decode();
                let kept = without_billing(&decoded);
                keep = decoded.is_empty() || !kept.is_empty();
                if keep && kept.len() < decoded.len() {
                    edits.replace(span, quote(kept));
                }
            }
            if keep && let Some(mark) = block.get("cache_control") {
                self.narrowed |= narrow_cache_control(text, mark, edits)?;
            }
            blocks.push((block.span.clone(), keep));
            Ok::<(), Invalid>(())
        })?;
        edits.thin(&blocks);
        let any = blocks.iter().any(|(_, keep)| *keep);
        if !self.within.is_empty() {
            let comma = if any { "," } else { "" };
            edits.insert(list.end - 1, format!("{comma}{}", self.within));
        } else if !any && !blocks.is_empty() {
            return Ok(Left::Gone);
        }
        Ok(Left::Stands)
    }
}
