//! Taking our seals out of a chat history that goes to a server of this dialect as it came.
//!
//! An answer that was translated bears signatures, sealed, in fields beside the schema
//! (see [`super::show`]). They come back with the history; here they are worth nothing, and strict
//! servers refuse the fields. With them goes the `reasoning_content` of the same message: it is
//! another model's. Everything else stays byte for byte. That holds for the ids of calls as well,
//! also where another provider made them longer, or of other characters, than `OpenAI` does: an id
//! stands at the call and at its result, and a request that was not translated is not renamed.

use smallvec::SmallVec;

use crate::chat::thought::may_hold_seal;
use crate::wire::edit::{Edits, Object};
use crate::wire::json::{Cursor, Invalid, Kind};

/// The fields in which a seal may stand, of a message, of a call and of its function.
const CARRIERS: [&str; 4] = [
    "thinking_blocks",
    "extra_content",
    "provider_specific_fields",
    "thought_signature",
];

/// What has to be cut out of `body`, a chat request, so that no seal is left in those fields.
pub(super) fn edits<'a>(body: &'a str, edits: &mut Edits<'a>) -> Result<(), Invalid> {
    let top = Object::read(&mut Cursor::new(body))?;
    let Some(messages) = top.get("messages") else {
        return Ok(());
    };
    each_sealed(body, messages.start, |cursor| {
        let message = Object::read(cursor)?;
        let mut sealed = sealed(body, &message);
        let mut inside = false;
        if let Some(calls) = message.get("tool_calls") {
            each_sealed(body, calls.start, |cursor| {
                let call = Object::read(cursor)?;
                inside |= cut(body, &call, edits);
                if let Some(function) = call.get("function")
                    && Cursor::at(body, function.start).kind()? == Kind::Object
                {
                    let function = Object::read(&mut Cursor::at(body, function.start))?;
                    inside |= cut(body, &function, edits);
                }
                Ok(())
            })?;
        }
        if inside || !sealed.is_empty() {
            sealed.push("reasoning_content");
            message.rewrite(edits, |key| sealed.contains(&key), "");
        }
        Ok(())
    })
}

/// Walks the objects of the array at `start` in which there may be a seal.
fn each_sealed<'a>(
    body: &'a str,
    start: usize,
    mut each: impl FnMut(&mut Cursor<'a>) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    let mut cursor = Cursor::at(body, start);
    if cursor.kind()? != Kind::Array {
        return Ok(());
    }
    cursor.array(|cursor| {
        let is_object = cursor.kind()? == Kind::Object;
        let span = cursor.skip()?;
        if is_object && may_hold_seal(&body.as_bytes()[span.clone()]) {
            each(&mut Cursor::at(body, span.start))?;
        }
        Ok(())
    })?;
    Ok(())
}

/// The fields of `object` that hold one.
fn sealed(body: &str, object: &Object<'_>) -> SmallVec<[&'static str; 5]> {
    let holds = |key: &&&'static str| {
        object
            .get(key)
            .is_some_and(|span| may_hold_seal(&body.as_bytes()[span]))
    };
    CARRIERS.iter().filter(holds).copied().collect()
}

fn cut<'a>(body: &'a str, object: &Object<'a>, edits: &mut Edits<'a>) -> bool {
    let sealed = sealed(body, object);
    if !sealed.is_empty() {
        object.rewrite(edits, |key| sealed.contains(&key), "");
    }
    !sealed.is_empty()
}
