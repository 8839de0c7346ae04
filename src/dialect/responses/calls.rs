//! The calls that the application is to make, held back until each is whole.
//!
//! A tool that runs on half its arguments, or twice, cannot be undone. So from the announcement of a
//! call to its end the frames are kept, and with them all that follow, which keeps their order and
//! numbers. Calls that the provider makes itself are not held.

use smallvec::SmallVec;

use crate::chat::calls::{MAX_ARGUMENTS, MAX_CALL, MAX_CALLS, MAX_HELD};
use crate::outcome::{Failure, broken};
use crate::wire::edit::{Edits, Object};
use crate::wire::json::{self, Cursor, Kind, quote};

/// Items that ask the application to do something.
const CALLS: [&str; 7] = [
    "function_call",
    "custom_tool_call",
    "computer_call",
    "local_shell_call",
    "shell_call",
    "apply_patch_call",
    "mcp_approval_request",
];

/// Whether an item of this type is such a call.
pub(super) fn is_call(kind: &str) -> bool {
    CALLS.contains(&kind)
}

#[derive(Debug, Clone, Default)]
pub(super) struct Calls {
    /// By their output index (one server changes the ids under way), with the argument text so far.
    open: SmallVec<[(u64, usize); 2]>,
    count: usize,
    arguments: usize,
    /// A call came whole that is no JSON: fine only if the answer was cut.
    doubtful: bool,
    held: Vec<u8>,
}

/// How a call that has ended looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Whole,
    /// It says itself that it was cut.
    Cut,
    /// No JSON.
    Doubtful,
}

impl Calls {
    pub(super) fn begin(&mut self, index: u64) -> Result<(), Failure> {
        if self.open.iter().any(|(open, _)| *open == index) {
            return Err(broken("a tool call begins twice"));
        }
        self.count += 1;
        if self.count > MAX_CALLS {
            return Err(broken("more tool calls than are allowed"));
        }
        self.open.push((index, 0));
        Ok(())
    }

    /// More of a call's arguments.
    pub(super) fn grow(&mut self, index: u64, by: usize) -> Result<(), Failure> {
        let Some((_, length)) = self.open.iter_mut().find(|(open, _)| *open == index) else {
            return Err(broken("a tool call goes on behind its end"));
        };
        *length += by;
        self.arguments += by;
        if *length > MAX_CALL || self.arguments > MAX_ARGUMENTS {
            return Err(broken("a tool call is too long to hold back"));
        }
        Ok(())
    }

    pub(super) fn end(&mut self, index: u64, state: State) {
        self.open.retain(|(open, _)| *open != index);
        self.doubtful |= state == State::Doubtful;
    }

    /// Whether frames must be kept.
    pub(super) fn holds(&self) -> bool {
        self.doubtful || !self.open.is_empty()
    }

    /// How many have begun.
    pub(super) fn begun(&self) -> usize {
        self.count
    }

    /// How many have begun and not ended.
    pub(super) fn unended(&self) -> usize {
        self.open.len()
    }

    /// Whether a call that has ended was no JSON.
    pub(super) fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    /// Where the next frame goes while frames are kept.
    pub(super) fn held(&mut self) -> &mut Vec<u8> {
        &mut self.held
    }

    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.held.len() > MAX_HELD {
            return Err(broken(
                "the tool calls of one answer are too long to hold back",
            ));
        }
        Ok(())
    }

    /// Lets go of everything. Tells whether anything went.
    pub(super) fn release(&mut self, out: &mut Vec<u8>) -> bool {
        let any = !self.held.is_empty();
        out.append(&mut self.held);
        any
    }
}

/// The call that a finished item is, its arguments mended where only the form was wrong; `None` for
/// an item of another type.
///
/// # Errors
/// `broken`: a function call without a name or an id, or too long.
pub(super) fn ended<'a>(
    text: &'a str,
    item: &Object<'a>,
    edits: &mut Edits<'a>,
) -> Result<Option<State>, Failure> {
    let kind = word(text, item, "type");
    if !is_call(kind) {
        return Ok(None);
    }
    if word(text, item, "status") == "incomplete" {
        return Ok(Some(State::Cut));
    }
    if kind != "function_call" {
        return Ok(Some(State::Whole));
    }
    if word(text, item, "name").is_empty() || word(text, item, "call_id").is_empty() {
        return Err(broken("a tool call lacks its name or id"));
    }
    let Some(span) = item.get("arguments") else {
        item.rewrite(edits, |_| false, "\"arguments\":\"{}\"");
        return Ok(Some(State::Whole));
    };
    if span.len() > MAX_CALL * 2 {
        return Err(broken("a tool call is too long to hold back"));
    }
    let mut cursor = Cursor::at(text, span.start);
    match cursor.kind()? {
        Kind::String => {
            let arguments = cursor.string()?.decode();
            if arguments.trim().is_empty() {
                edits.replace(span, "\"{}\"");
            } else if json::check(&arguments).is_err() {
                return Ok(Some(State::Doubtful));
            }
        }
        Kind::Null => edits.replace(span, "\"{}\""),
        Kind::Object | Kind::Array | Kind::Number | Kind::Bool => {
            edits.replace(span.clone(), quote(&text[span]));
        }
    }
    Ok(Some(State::Whole))
}

/// A member that is a string, as it stands in the text; else nothing.
pub(super) fn word<'a>(text: &'a str, object: &Object<'_>, key: &str) -> &'a str {
    let span = object.get(key);
    let quoted = span.and_then(|span| text[span].strip_prefix('"'));
    quoted
        .and_then(|quoted| quoted.strip_suffix('"'))
        .unwrap_or_default()
}
