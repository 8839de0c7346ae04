//! The messages of a request as one target may see them.
//!
//! What another provider left in the history is a 400 at this one, each time anew: thinking with a
//! signature that is not its own, ids that do not match its pattern.

use std::borrow::Cow;
use std::ops::Range;

use super::super::of_next_call;
use super::cloud::narrow_cache_control;
use crate::chat::thought;
use crate::dialect::anthropic::ids;
use crate::wire::edit::Edits;
use crate::wire::json::{Cursor, Invalid, Kind, Text, quote};

pub(super) struct History<'a> {
    text: &'a str,
    /// Whose seals are its own.
    target: &'a str,
    in_cloud: bool,
    /// Whether a cache mark was made what clouds know.
    pub(super) narrowed: bool,
    /// Where the contents of instructions stand that were taken out from among the messages, as the
    /// clouds do not know them there.
    pub(super) instructions: Vec<Range<usize>>,
    /// The last message of the assistant, as it goes out.
    answer: Left,
    /// Whether the last message of all answers calls.
    answers_calls: bool,
}

/// What is left of a message's content.
#[derive(Debug, Clone, Copy, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact about what is left"
)]
struct Left {
    anything: bool,
    thinks_first: bool,
    calls: bool,
    results: bool,
}

/// What of a block is looked at.
#[derive(Default)]
struct Block<'a> {
    kind: Option<Text<'a>>,
    id: Option<Text<'a>>,
    answers: Option<Text<'a>>,
    signature: Option<Text<'a>>,
    data: Option<Text<'a>>,
}

impl<'a> History<'a> {
    pub(super) fn new(text: &'a str, target: &'a str, in_cloud: bool) -> Self {
        Self {
            text,
            target,
            in_cloud,
            narrowed: false,
            instructions: Vec::new(),
            answer: Left::default(),
            answers_calls: false,
        }
    }

    /// Whether calls are being answered that no thinking stands before: models that think by a budget
    /// refuse to think on from there.
    pub(super) fn lacks_thinking(&self) -> bool {
        self.answers_calls && self.answer.calls && !self.answer.thinks_first
    }

    /// Walks the list of messages at the cursor. One that nothing is left of goes.
    pub(super) fn messages(
        &mut self,
        cursor: &mut Cursor<'a>,
        edits: &mut Edits<'a>,
    ) -> Result<(), Invalid> {
        if cursor.kind()? != Kind::Array {
            return Ok(());
        }
        let mut messages = Vec::new();
        cursor.array(|cursor| {
            if cursor.kind()? != Kind::Object {
                messages.push((cursor.skip()?, true));
                return Ok(());
            }
            if self.in_cloud && self.instructs(cursor)? {
                messages.push((cursor.skip()?, false));
                return Ok(());
            }
            let mut left = Left {
                anything: true,
                ..Left::default()
            };
            let mut assistant = false;
            let span = cursor.object(|cursor, key| {
                if key.says("role") {
                    let role = cursor.string_or_skip()?;
                    assistant = role.is_some_and(|role| role.says("assistant"));
                } else if key.says("content") && cursor.kind()? == Kind::Array {
                    left = self.content(cursor, edits)?;
                }
                Ok::<(), Invalid>(())
            })?;
            if assistant && left.anything {
                self.answer = left;
            }
            self.answers_calls = left.results;
            messages.push((span, left.anything));
            Ok::<(), Invalid>(())
        })?;
        edits.thin(&messages);
        Ok(())
    }

    /// Whether the message that comes next is one of instructions; where they stand is noted.
    fn instructs(&mut self, cursor: &mut Cursor<'a>) -> Result<bool, Invalid> {
        let (mut system, mut content) = (false, None);
        Cursor::at(self.text, cursor.position()).object(|cursor, key| {
            if key.says("role") {
                let role = cursor.string_or_skip()?;
                system = role.is_some_and(|role| role.says("system"));
            } else if key.says("content") {
                content = Some(cursor.skip()?);
            }
            Ok::<(), Invalid>(())
        })?;
        if system {
            self.instructions.extend(content);
        }
        Ok(system)
    }

    /// Walks a list of blocks.
    fn content(&mut self, cursor: &mut Cursor<'a>, edits: &mut Edits<'a>) -> Result<Left, Invalid> {
        let mut blocks: Vec<(Range<usize>, bool)> = Vec::new();
        let mut left = Left::default();
        cursor.array(|cursor| {
            if cursor.kind()? != Kind::Object {
                blocks.push((cursor.skip()?, true));
                left.anything = true;
                return Ok(());
            }
            let mut block = Block::default();
            let span = cursor.object(|cursor, key| self.member(&mut block, cursor, key, edits))?;
            let keep = self.block(&block, edits);
            if keep {
                let kind = block.kind.map(Text::decode).unwrap_or_default();
                if !left.anything {
                    left.thinks_first = matches!(&*kind, "thinking" | "redacted_thinking");
                }
                left.anything = true;
                left.calls |= kind == "tool_use";
                left.results |= kind == "tool_result";
            }
            blocks.push((span, keep));
            Ok::<(), Invalid>(())
        })?;
        edits.thin(&blocks);
        // An empty list is the caller's own.
        left.anything |= blocks.is_empty();
        Ok(left)
    }

    fn member(
        &mut self,
        block: &mut Block<'a>,
        cursor: &mut Cursor<'a>,
        key: Text<'a>,
        edits: &mut Edits<'a>,
    ) -> Result<(), Invalid> {
        match &*key.decode() {
            "type" => block.kind = cursor.string_or_skip()?,
            "id" => block.id = cursor.string_or_skip()?,
            "tool_use_id" => block.answers = cursor.string_or_skip()?,
            "signature" => block.signature = cursor.string_or_skip()?,
            "data" => block.data = cursor.string_or_skip()?,
            "cache_control" if self.in_cloud => {
                let span = cursor.skip()?;
                self.narrowed |= narrow_cache_control(self.text, span, edits)?;
            }
            // Of a result: its blocks may bear marks of their own.
            "content" if self.in_cloud && cursor.kind()? == Kind::Array => {
                self.content(cursor, edits)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Puts a block right; tells whether it stays.
    fn block(&self, block: &Block<'a>, edits: &mut Edits<'a>) -> bool {
        let kind = block.kind.map(Text::decode).unwrap_or_default();
        match &*kind {
            "thinking" => self.signed(block.signature, edits),
            "redacted_thinking" => self.signed(block.data, edits),
            "tool_use" => {
                rename(block.id, edits);
                true
            }
            "tool_result" => {
                rename(block.answers, edits);
                true
            }
            _ => true,
        }
    }

    /// Whether this target may see what was signed so; the seal is taken off.
    fn signed(&self, signature: Option<Text<'a>>, edits: &mut Edits<'a>) -> bool {
        let Some(signature) = signature.filter(|signature| !signature.is_empty()) else {
            // Made of another provider's reasoning.
            return false;
        };
        let sealed = signature.decode();
        if of_next_call(&sealed).is_some() {
            return false;
        }
        match thought::open(&sealed) {
            Some((maker, bare)) if maker == self.target && !bare.is_empty() => {
                edits.replace(signature.span(), quote(bare));
                true
            }
            Some(_) => false,
            None => true,
        }
    }
}

fn rename<'a>(id: Option<Text<'a>>, edits: &mut Edits<'a>) {
    if let Some(id) = id
        && let Cow::Owned(fit) = ids::plain(&id.decode())
    {
        edits.replace(id.span(), format!("\"{fit}\""));
    }
}
