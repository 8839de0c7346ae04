//! One frame of a stream, read once: what it means for the answer, and what must change in it.
//!
//! The official SDKs accept less than the compatible servers send: a role in every delta becomes
//! `assistantassistant`, a tool fragment without an index is dropped or throws, an id that repeats
//! is concatenated. Such dirt is edited out here; everything else in a frame stays as it came.

mod call;

use std::ops::Range;

use smallvec::SmallVec;

use super::calls::{CallId, CallSet, Calls};
use super::content;
use super::schema::finish_reason;
use super::stream::Shape;
use crate::chat::Usage;
use crate::outcome::{Failure, broken};
use crate::wire::edit::{Added, Edits, Object};
use crate::wire::json::{Cursor, quote};

/// The most choices in one answer: `n` is at most 128, but completions have `n` for each prompt.
const MAX_CHOICES: usize = 1024;

/// What the frames of one stream add up to.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    pub(super) choices: SmallVec<[Choice; 1]>,
    pub(super) calls: Calls,
    pub(super) usage: Usage,
    /// The call ids that servers forget are made from this.
    rng: fastrand::Rng,
}

#[derive(Debug, Clone)]
pub(super) struct Choice {
    index: u64,
    /// Whether a delta has named the role.
    role: bool,
    pub(super) finish: Option<Finish>,
}

/// Why a choice ended, as far as that matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    /// The model ended by itself: there must be an answer.
    Complete,
    /// `length` or `content_filter`: little or nothing is an answer, too.
    Cut,
}

/// What a frame of choices is.
#[derive(Debug, Default)]
pub(super) struct Read<'a> {
    pub(super) edits: Edits<'a>,
    /// Text, reasoning or a refusal is in it.
    pub(super) text: bool,
    /// The calls it is part of.
    pub(super) calls: CallSet,
    /// Calls that ended without arguments.
    pub(super) bare: Vec<CallId>,
    /// The choice being read ends in this very frame.
    pub(super) ends: bool,
    /// And it does because it was cut short.
    cut: bool,
    /// How many choices it holds.
    pub(super) count: usize,
    /// The one string in its delta, where that is all there is.
    pub(super) only: Option<Range<usize>>,
}

impl Progress {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            choices: SmallVec::new(),
            calls: Calls::default(),
            usage: Usage::default(),
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    /// Reads the `choices` array at the cursor, which holds at least one.
    ///
    /// # Errors
    /// `broken`: not what the schema says, in a way that cannot be mended.
    pub(super) fn choices<'a>(
        &mut self,
        shape: Shape,
        text: &'a str,
        cursor: &mut Cursor<'a>,
        read: &mut Read<'a>,
    ) -> Result<(), Failure> {
        cursor.array(|cursor| {
            let object = Object::read(cursor)?;
            read.count += 1;
            self.choice(shape, text, &object, read)
        })?;
        Ok(())
    }

    fn choice<'a>(
        &mut self,
        shape: Shape,
        text: &'a str,
        object: &Object<'a>,
        read: &mut Read<'a>,
    ) -> Result<(), Failure> {
        let mut added = Added::default();
        let index = match object.get("index") {
            None => {
                added.push("index", 0);
                0
            }
            Some(span) => text[span]
                .parse()
                .map_err(|_| broken("a choice has no index"))?,
        };
        let at = self.choice_at(index)?;
        let finish = object.get("finish_reason");
        read.ends = finish
            .as_ref()
            .is_some_and(|span| span.len() > "null".len());
        read.cut = match &finish {
            Some(span) if read.ends => {
                let reason = Cursor::at(text, span.start).string_or_skip()?;
                reason.is_some_and(|reason| is_cut(&reason.decode()))
            }
            _ => false,
        };
        match shape {
            Shape::Chat => match object.get("delta") {
                None => added.push("delta", "{}"),
                Some(span) if &text[span.clone()] == "null" => read.edits.replace(span, "{}"),
                Some(span) => {
                    let delta = Object::read(&mut Cursor::at(text, span.start))?;
                    self.delta(text, at, &delta, read)?;
                }
            },
            Shape::Completions => {
                read.only = object
                    .get("text")
                    .filter(|span| text.as_bytes()[span.start] == b'"');
                read.text |= read
                    .only
                    .as_ref()
                    .is_some_and(|span| span.len() > "\"\"".len());
            }
        }
        if let Some(span) = finish {
            self.finish(at, text, span, read)?;
        }
        object.rewrite(&mut read.edits, |_| false, added);
        Ok(())
    }

    fn choice_at(&mut self, index: u64) -> Result<usize, Failure> {
        let known = self.choices.iter().position(|it| it.index == index);
        if let Some(at) = known {
            return Ok(at);
        }
        if self.choices.len() == MAX_CHOICES {
            return Err(broken("more choices than are allowed"));
        }
        self.choices.push(Choice {
            index,
            role: false,
            finish: None,
        });
        Ok(self.choices.len() - 1)
    }

    fn delta<'a>(
        &mut self,
        text: &'a str,
        at: usize,
        delta: &Object<'a>,
        read: &mut Read<'a>,
    ) -> Result<(), Failure> {
        let mut added = Added::default();
        let had_role = std::mem::replace(&mut self.choices[at].role, true);
        // The first delta of a choice has the role, and no other frame is like it.
        read.only = only_text(text, delta).filter(|_| had_role);
        match delta.get("role") {
            None if !had_role => added.push("role", "\"assistant\""),
            Some(span) if !had_role && text.as_bytes()[span.start] != b'"' => {
                read.edits.replace(span, "\"assistant\"");
            }
            _ => {}
        }
        for key in TEXTS.into_iter().chain(["audio", "reasoning_details"]) {
            if let Some(span) = delta.get(key) {
                match text.as_bytes()[span.start] {
                    b'"' => read.text |= span.len() > "\"\"".len(),
                    b'[' if key == "content" => {
                        let parts = content::flatten(&text[span.clone()]);
                        read.text |= !parts.is_empty();
                        if let Some(reasoning) = &parts.reasoning {
                            added.push("reasoning_content", quote(reasoning));
                        }
                        read.edits.replace(span, parts.content());
                    }
                    b'[' | b'{' => read.text |= span.len() > "[]".len(),
                    _ => {}
                }
            }
        }
        if let Some(span) = delta
            .get("tool_calls")
            .filter(|span| text.as_bytes()[span.start] == b'[')
        {
            Cursor::at(text, span.start).array(|cursor| {
                let call = Object::read(cursor)?;
                self.tool_call(text, at, &call, read)
            })?;
        }
        if let Some(span) = delta
            .get("function_call")
            .filter(|span| text.as_bytes()[span.start] == b'{')
        {
            let function = Object::read(&mut Cursor::at(text, span.start))?;
            // The deprecated form has one call and no index of its own.
            let call = self
                .calls
                .locate(self.choices[at].index, Some(u64::MAX), None)?;
            read.calls |= 1 << call;
            self.function(text, call, &function, read)?;
        }
        delta.rewrite(&mut read.edits, |key| had_role && key == "role", added);
        Ok(())
    }

    fn finish<'a>(
        &mut self,
        at: usize,
        text: &'a str,
        span: Range<usize>,
        read: &mut Read<'a>,
    ) -> Result<(), Failure> {
        let Some(reason) = Cursor::at(text, span.start).string_or_skip()? else {
            return Ok(());
        };
        if reason.is_empty() {
            read.edits.replace(span, "null");
            return Ok(());
        }
        if self.choices[at].finish.is_some() {
            // OpenRouter says it again beside the usage.
            read.edits.replace(span, "null");
            return Ok(());
        }
        let reason = reason.decode();
        let known = finish_reason(&reason)?;
        if known != reason {
            read.edits.replace(span, format!("\"{known}\""));
        }
        let finish = if is_cut(known) {
            Finish::Cut
        } else {
            Finish::Complete
        };
        self.choices[at].finish = Some(finish);
        read.bare.extend(
            self.calls
                .finish(self.choices[at].index, finish == Finish::Cut)?,
        );
        Ok(())
    }
}

/// Whether a reason says that the answer was cut short.
fn is_cut(reason: &str) -> bool {
    let known = finish_reason(reason);
    known.is_ok_and(|known| matches!(known, "length" | "content_filter"))
}

/// The strings of a delta that are an answer's words.
const TEXTS: [&str; 4] = ["content", "refusal", "reasoning_content", "reasoning"];

/// Where a delta's words stand, when it holds one string of them and, at most, a role.
fn only_text(text: &str, delta: &Object<'_>) -> Option<Range<usize>> {
    let mut words = TEXTS.iter().filter_map(|key| delta.get(key));
    let only = words
        .next()
        .filter(|span| text.as_bytes()[span.start] == b'"')?;
    let others = 1 + usize::from(delta.get("role").is_some());
    (words.next().is_none() && delta.len() == others).then_some(only)
}
