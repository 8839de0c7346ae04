//! A plain answer as one frame of a stream, for servers that ignore `stream: true`.

use crate::outcome::Failure;
use crate::wire::edit::{Edits, Object};
use crate::wire::json::Cursor;

/// `answer` with its `message` called `delta`, which is all that sets a frame apart. What a delta
/// needs beside that (an index for each tool call, usage behind the finish) the decoder sees to.
///
/// # Errors
/// `broken` when it is not JSON of the schema.
pub(super) fn as_frame(answer: &str) -> Result<String, Failure> {
    let mut edits = Edits::default();
    let mut cursor = Cursor::new(answer);
    let top = Object::read(&mut cursor)?;
    cursor.end()?;
    if let Some(span) = top
        .get("object")
        .filter(|span| &answer[span.clone()] == "\"chat.completion\"")
    {
        edits.replace(span, "\"chat.completion.chunk\"");
    }
    if let Some(choices) = top
        .get("choices")
        .filter(|span| answer.as_bytes()[span.start] == b'[')
    {
        Cursor::at(answer, choices.start).array(|cursor| {
            let choice = Object::read(cursor)?;
            if let Some(key) = choice.key("message") {
                edits.replace(key, "\"delta\"");
            }
            Ok::<(), Failure>(())
        })?;
    }
    let mut frame = String::with_capacity(answer.len());
    edits.apply(answer, |piece| frame.push_str(piece));
    Ok(frame)
}
