//! A response object of a provider: judged, and its model replaced.
//!
//! A 200 is not yet an answer: its status may be `failed`, its output empty, the arguments of a call
//! no JSON.

use super::calls::{self, State, word};
use super::usage;
use crate::chat::Usage;
use crate::dialect::object;
use crate::outcome::{Failure, broken, judge_reported};
use crate::wire::edit::{Edits, Object};
use crate::wire::json::{Cursor, quote};

/// A response object that is an answer.
#[derive(Debug)]
pub(super) struct Judged<'a> {
    pub(super) object: Object<'a>,
    pub(super) usage: Usage,
    pub(super) end: End,
    /// Whether it has an output at all.
    outputs: bool,
    /// Whether its output holds anything but reasoning.
    pub(super) says: bool,
    /// How many calls are in it.
    pub(super) calls: usize,
    /// Whether they are whole.
    pub(super) whole: bool,
}

/// How far a response has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Completed,
    /// Cut by a limit or a filter: little or nothing is an answer, too.
    Incomplete,
    /// In the background.
    Pending,
}

/// Judges the response object that starts at `at`, and notes what must change in it. `model` is JSON.
///
/// # Errors
/// It is no answer: `broken`, or the class of the error it carries.
pub(super) fn judge<'a>(
    text: &'a str,
    at: usize,
    model: Option<&str>,
    edits: &mut Edits<'a>,
) -> Result<Judged<'a>, Failure> {
    let object = Object::read(&mut Cursor::at(text, at))?;
    let end = match word(text, &object, "status") {
        "failed" => return Err(judge_reported(text[object.span].as_bytes())),
        "cancelled" => return Err(broken("the provider cancelled the answer")),
        "incomplete" => End::Incomplete,
        "queued" | "in_progress" => End::Pending,
        // Some servers have words of their own for the one that is left.
        _ => End::Completed,
    };
    let output = object
        .get("output")
        .filter(|span| text.as_bytes()[span.start] == b'[');
    let is_error = ["error", "message", "detail"]
        .iter()
        .any(|key| object.get(key).is_some_and(|span| &text[span] != "null"));
    if output.is_none() && is_error {
        return Err(judge_reported(text[object.span].as_bytes()));
    }
    let mut judged = Judged {
        usage: usage::of(text, &object)?,
        object,
        end,
        outputs: output.is_some(),
        says: false,
        calls: 0,
        whole: true,
    };
    if let Some(output) = output {
        Cursor::at(text, output.start).array(|cursor| {
            let item = Object::read(cursor)?;
            let state = calls::ended(text, &item, edits)?;
            judged.calls += usize::from(state.is_some());
            judged.whole &= state != Some(State::Doubtful);
            judged.says |= says(text, &item);
            Ok::<(), Failure>(())
        })?;
    }
    splice_model(text, &judged.object, model, edits);
    Ok(judged)
}

/// Whether an item is anything but reasoning, or an empty message.
fn says(text: &str, item: &Object<'_>) -> bool {
    match word(text, item, "type") {
        "reasoning" => false,
        "message" => item.get("content").is_some_and(|span| {
            let content = &text[span];
            match content.as_bytes()[0] {
                b'[' => !content[1..content.len() - 1].trim().is_empty(),
                b'"' => content.len() > "\"\"".len(),
                _ => false,
            }
        }),
        _ => true,
    }
}

impl Judged<'_> {
    /// Whether it is all that an answer must be, when nothing else of it is known.
    ///
    /// # Errors
    /// `broken`: half a call, or nothing at all.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if !self.outputs {
            return Err(broken("the answer has no output"));
        }
        match self.end {
            End::Completed if !self.whole => {
                Err(broken("the arguments of a tool call are not JSON"))
            }
            End::Completed if !self.says => Err(broken("the answer is empty")),
            End::Completed | End::Incomplete | End::Pending => Ok(()),
        }
    }
}

/// Puts the caller's model (as JSON) in the place of the provider's.
pub(super) fn splice_model<'a>(
    text: &'a str,
    response: &Object<'a>,
    model: Option<&str>,
    edits: &mut Edits<'a>,
) {
    if let (Some(model), Some(span)) = (model, response.get("model"))
        && &text[span.clone()] != model
    {
        edits.replace(span, model.to_owned());
    }
}

/// The body of a 2xx: a response object, judged; its model is replaced if there is one to show.
///
/// # Errors
/// It is no answer: `broken`, or the class of the error it carries.
pub fn splice_answer(
    body: &bytes::Bytes,
    model: Option<&str>,
) -> Result<(bytes::Bytes, Usage), Failure> {
    let text = object_text(body)?;
    let mut edits = Edits::default();
    let model = model.map(quote);
    let judged = judge(text, 0, model.as_deref(), &mut edits)?;
    judged.check()?;
    if edits.is_empty() {
        return Ok((body.clone(), judged.usage));
    }
    Ok((edited(text, &mut edits).into(), judged.usage))
}

/// `body` as the text of one JSON object.
pub(super) fn object_text(body: &[u8]) -> Result<&str, Failure> {
    let text = std::str::from_utf8(body).map_err(|_| broken("the answer is not UTF-8"))?;
    let mut cursor = object::begun(text)?;
    cursor.skip()?;
    cursor.end()?;
    Ok(text)
}

pub(super) fn edited<'a>(text: &'a str, edits: &mut Edits<'a>) -> Vec<u8> {
    let mut edited = Vec::with_capacity(text.len() + 64);
    edits.apply(text, |piece| edited.extend_from_slice(piece.as_bytes()));
    edited
}
