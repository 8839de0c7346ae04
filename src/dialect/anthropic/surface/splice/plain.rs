//! A plain answer of Messages: judged, and its model replaced.

use bytes::Bytes;

use super::tally::Tally;
use super::{is_cut, is_pause};
use crate::chat::Usage;
use crate::dialect::object;
use crate::outcome::{Failure, broken, judge_reported};
use crate::wire::edit::Object;
use crate::wire::json::{Cursor, quote};

/// Judges the body of a 2xx and makes the caller's answer of it. `model` is what the caller is to
/// see; `None` leaves the provider's.
///
/// # Errors
/// It is no answer: `broken`, or the class of the error it carries.
pub fn splice_answer(body: &Bytes, model: Option<&str>) -> Result<(Bytes, Usage), Failure> {
    let text = std::str::from_utf8(body).map_err(|_| broken("the answer is not UTF-8"))?;
    let top = message(text)?;
    let content = top
        .get("content")
        .filter(|span| text.as_bytes()[span.start] == b'[')
        .ok_or_else(|| broken("the answer has no content"))?;
    let mut says = false;
    Cursor::at(text, content.start).array(|cursor| {
        let block = Object::read(cursor)?;
        says |= shows(text, &block)?;
        Ok::<(), Failure>(())
    })?;
    let reason = top
        .get("stop_reason")
        .and_then(|span| text[span].strip_prefix('"')?.strip_suffix('"'));
    if !says && !reason.is_some_and(|reason| is_cut(reason) || is_pause(reason)) {
        return Err(broken("the answer is empty"));
    }
    let mut tally = Tally::default();
    if let Some(usage) = top.get("usage") {
        tally.read(&mut Cursor::at(text, usage.start), true)?;
    }
    let replaced = model.and_then(|model| {
        let (span, model) = (top.get("model")?, quote(model));
        (text[span.clone()] != model).then(|| {
            let pieces = [&text[..span.start], &model, &text[span.end..]];
            Bytes::from(pieces.concat())
        })
    });
    Ok((replaced.unwrap_or_else(|| body.clone()), tally.usage()))
}

/// The members of a message, if `text` is one.
pub(super) fn message(text: &str) -> Result<Object<'_>, Failure> {
    let mut cursor = object::begun(text)?;
    let top = Object::read(&mut cursor)?;
    cursor.end()?;
    match top.get("type").map(|span| &text[span]) {
        Some("\"message\"") => Ok(top),
        Some("\"error\"") => Err(judge_reported(text.as_bytes())),
        _ if ["error", "message", "detail"]
            .iter()
            .any(|key| top.get(key).is_some()) =>
        {
            Err(judge_reported(text.as_bytes()))
        }
        _ => Err(broken("the answer is not a message")),
    }
}

/// Whether a block holds anything. Every kind that we do not know does.
fn shows(text: &str, block: &Object<'_>) -> Result<bool, Failure> {
    let some = |key| {
        let span = block.get(key);
        span.is_some_and(|span| text.as_bytes()[span.start] == b'"' && span.len() > "\"\"".len())
    };
    Ok(match block.get("type").map_or("", |span| &text[span]) {
        "\"text\"" => some("text"),
        "\"thinking\"" => some("thinking"),
        "\"redacted_thinking\"" | "\"fallback\"" => false,
        "\"tool_use\"" => {
            let input = block.get("input");
            if input.is_none_or(|span| text.as_bytes()[span.start] != b'{') {
                return Err(broken("the arguments of a tool call are no JSON object"));
            }
            true
        }
        _ => true,
    })
}
