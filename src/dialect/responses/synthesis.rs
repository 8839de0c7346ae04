//! A plain answer as the frames of a stream, for servers that ignore `stream: true`.
//!
//! The order is that of the recorded streams. Items other than messages and function calls have
//! events of their own, which only show progress: they come whole.

use super::calls::word;
use super::output::{json, open_frame};
use crate::outcome::Failure;
use crate::wire::edit::{Edits, Object};
use crate::wire::json::Cursor;

/// Writes `response`, a judged response object on one line, as a stream.
pub(super) fn stream(
    response: &str,
    incomplete: bool,
    sequence: &mut u64,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let object = Object::read(&mut Cursor::new(response))?;
    let begun = changed(
        response,
        &object,
        &[
            ("status", "\"in_progress\""),
            ("output", "[]"),
            ("usage", "null"),
            ("completed_at", "null"),
            ("incomplete_details", "null"),
        ],
    );
    for kind in ["response.created", "response.in_progress"] {
        frame(out, sequence, kind, &[("response", &begun)]);
    }
    if let Some(output) = object.get("output") {
        let mut index = 0;
        Cursor::at(response, output.start).array(|cursor| {
            let item = Object::read(cursor)?;
            write_item(response, &item, &index.to_string(), sequence, out)?;
            index += 1;
            Ok::<(), Failure>(())
        })?;
    }
    let kind = if incomplete {
        "response.incomplete"
    } else {
        "response.completed"
    };
    frame(out, sequence, kind, &[("response", response)]);
    Ok(())
}

fn write_item(
    text: &str,
    item: &Object<'_>,
    index: &str,
    sequence: &mut u64,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let whole = &text[item.span.clone()];
    let kind = word(text, item, "type");
    let announced = match kind {
        "message" => changed(
            text,
            item,
            &[("content", "[]"), ("status", "\"in_progress\"")],
        ),
        "function_call" => changed(
            text,
            item,
            &[("arguments", "\"\""), ("status", "\"in_progress\"")],
        ),
        _ => whole.to_owned(),
    };
    let place = ("output_index", index);
    let id = item.get("id").map_or("\"\"", |span| &text[span]);
    let added = "response.output_item.added";
    frame(out, sequence, added, &[place, ("item", &announced)]);
    match kind {
        "message" => {
            if let Some(content) = item.get("content")
                && text.as_bytes()[content.start] == b'['
            {
                let mut at = 0;
                Cursor::at(text, content.start).array(|cursor| {
                    let part = Object::read(cursor)?;
                    let number = at.to_string();
                    let place = [("item_id", id), place, ("content_index", &*number)];
                    write_part(text, &part, place, sequence, out);
                    at += 1;
                    Ok::<(), Failure>(())
                })?;
            }
        }
        "function_call" => {
            let arguments = item.get("arguments").map_or("\"{}\"", |span| &text[span]);
            let of = ("item_id", id);
            let kind = "response.function_call_arguments.delta";
            frame(out, sequence, kind, &[of, place, ("delta", arguments)]);
            let kind = "response.function_call_arguments.done";
            frame(out, sequence, kind, &[of, place, ("arguments", arguments)]);
        }
        _ => {}
    }
    frame(
        out,
        sequence,
        "response.output_item.done",
        &[place, ("item", whole)],
    );
    Ok(())
}

fn write_part(
    text: &str,
    part: &Object<'_>,
    place: [(&str, &str); 3],
    sequence: &mut u64,
    out: &mut Vec<u8>,
) {
    let (key, delta, done) = match word(text, part, "type") {
        "output_text" => (
            "text",
            "response.output_text.delta",
            "response.output_text.done",
        ),
        "refusal" => ("refusal", "response.refusal.delta", "response.refusal.done"),
        _ => return,
    };
    let [of, item, number] = place;
    let said = part.get(key).map_or("\"\"", |span| &text[span]);
    let logprobs = part.get("logprobs").map_or("[]", |span| &text[span]);
    let empty = changed(text, part, &[(key, "\"\"")]);
    let whole = &text[part.span.clone()];
    let kind = "response.content_part.added";
    frame(out, sequence, kind, &[of, item, number, ("part", &empty)]);
    let (with, without) = (
        [of, item, number, ("delta", said), ("logprobs", logprobs)],
        [of, item, number, (key, said), ("logprobs", logprobs)],
    );
    let fields = if key == "text" { 5 } else { 4 };
    frame(out, sequence, delta, &with[..fields]);
    frame(out, sequence, done, &without[..fields]);
    let kind = "response.content_part.done";
    frame(out, sequence, kind, &[of, item, number, ("part", whole)]);
}

/// The object with some of its members, where it has them, as other JSON.
fn changed(text: &str, object: &Object<'_>, members: &[(&str, &str)]) -> String {
    let mut edits = Edits::default();
    for &(key, with) in members {
        if let Some(span) = object.get(key) {
            edits.replace(span, with);
        }
    }
    edits.apply(text, |_| {});
    let mut changed = String::new();
    // No edit crosses the end of the object that it lies in.
    let _ = edits.apply_within(text, object.span.clone(), |piece| changed.push_str(piece));
    changed
}

/// Writes one frame; the members are JSON.
fn frame(out: &mut Vec<u8>, sequence: &mut u64, kind: &str, members: &[(&str, &str)]) {
    open_frame(out, sequence, kind);
    for (key, value) in members {
        out.push(b',');
        json(out, *key);
        out.push(b':');
        out.extend_from_slice(value.as_bytes());
    }
    out.extend_from_slice(b"}\n\n");
}
