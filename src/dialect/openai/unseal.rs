//! What is taken out of a chat history that otherwise goes to a server of this dialect as it came.
//!
//! An answer that was translated bears signatures, sealed, in fields beside the schema
//! (see [`super::show`]). They come back with the history; here they are worth nothing, and strict
//! servers refuse the fields. With them goes the `reasoning_content` of the same message: it is
//! another model's. `OpenAI` itself refuses a message with a member that is not of its schema: there
//! what a model thought goes, whoever wrote it. Everything else stays byte for byte. That holds for
//! the ids of calls as well, also where another provider made them longer, or of other characters,
//! than `OpenAI` does: an id stands at the call and at its result, and a request that was not
//! translated is not renamed.

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

/// The fields in which a message holds what a model thought.
const THOUGHTS: [&str; 2] = ["reasoning_content", "thinking_blocks"];

/// What a target takes of what was thought before; none takes a seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thoughts {
    /// Nothing, with a seal or without one.
    None,
    /// What is unsealed, as it came.
    Unsealed,
    /// The same, and it must be there with calls: an empty one stands for another's.
    Wanted,
}

impl Thoughts {
    /// A quick look before a careful one.
    pub(super) fn may_be_cut(self, text: &[u8]) -> bool {
        let holds = |name: &&str| memchr::memmem::find(text, name.as_bytes()).is_some();
        may_hold_seal(text) || self == Self::None && THOUGHTS.iter().any(holds)
    }

    /// What has to be cut out of `body`, a chat request.
    pub(super) fn edits<'a>(self, body: &'a str, edits: &mut Edits<'a>) -> Result<(), Invalid> {
        let top = Object::read(&mut Cursor::new(body))?;
        let Some(messages) = top.get("messages") else {
            return Ok(());
        };
        each(
            body,
            messages.start,
            |text| self.may_be_cut(text),
            |cursor| {
                let message = Object::read(cursor)?;
                let mut unwanted = sealed(body, &message);
                let mut inside = false;
                if let Some(calls) = message.get("tool_calls") {
                    each(body, calls.start, may_hold_seal, |cursor| {
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
                let mut added = "";
                if self == Self::None {
                    unwanted.extend(THOUGHTS);
                } else if inside || !unwanted.is_empty() {
                    unwanted.push("reasoning_content");
                    if self == Self::Wanted && message.get("tool_calls").is_some() {
                        added = "\"reasoning_content\":\"\"";
                    }
                }
                message.rewrite(edits, |key| unwanted.contains(&key), added);
                Ok(())
            },
        )
    }
}

/// Walks the objects of the array at `start` that are worth it.
fn each<'a>(
    body: &'a str,
    start: usize,
    worth: impl Fn(&[u8]) -> bool,
    mut each: impl FnMut(&mut Cursor<'a>) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    let mut cursor = Cursor::at(body, start);
    if cursor.kind()? != Kind::Array {
        return Ok(());
    }
    cursor.array(|cursor| {
        let is_object = cursor.kind()? == Kind::Object;
        let span = cursor.skip()?;
        if is_object && worth(&body.as_bytes()[span.clone()]) {
            each(&mut Cursor::at(body, span.start))?;
        }
        Ok(())
    })?;
    Ok(())
}

/// The fields of `object` that hold one.
fn sealed(body: &str, object: &Object<'_>) -> SmallVec<[&'static str; 6]> {
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
