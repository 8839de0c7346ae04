//! The request for a provider that speaks Responses itself: the bytes that came, with the model
//! replaced and without the reasoning that another dialect's target did.

use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

use super::calls::word;
use crate::chat::{Request, thought};
use crate::wire::edit::Object;
use crate::wire::json::{Cursor, Invalid, quote};

/// A body in pieces, to be written one after another. The large ones are shared with the caller's.
pub type Pieces = SmallVec<[Bytes; 5]>;

/// `request` for the model that its target names.
pub fn encode(request: &Request, model: &str) -> Pieces {
    let body = request.body.as_bytes();
    let model = (request.model_span.clone(), quote(model).into());
    let mut edits: SmallVec<[(Range<usize>, Bytes); 2]> = SmallVec::from_iter([model]);
    if thought::may_hold_seal(body) {
        let sealed = sealed(&request.body).into_iter();
        edits.extend(sealed.map(|span| (span, Bytes::new())));
    }
    edits.sort_by_key(|(span, _)| span.start);
    let mut pieces = Pieces::new();
    let mut done = 0;
    for (span, with) in edits {
        pieces.push(body.slice(done..span.start));
        pieces.push(with);
        done = span.end;
    }
    pieces.push(body.slice(done..));
    pieces
}

/// The reasoning items of `input` that bear our seal, each with the comma that goes with it.
fn sealed(body: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    // Where the last item ended, and where a run of sealed ones at the list's start begins.
    let (mut end, mut leading, mut kept) = (0, None, false);
    // The body was read before: it is JSON, and what is no list of items is left to the provider.
    let _ = Cursor::new(body).object(|cursor, key| {
        if !key.says("input") || cursor.kind()? != crate::wire::json::Kind::Array {
            return Ok(());
        }
        cursor.array(|cursor| {
            let span = cursor.skip()?;
            if !is_sealed(body, &span) {
                if let Some(from) = leading.take() {
                    spans.push(from..span.start);
                }
                kept = true;
            } else if kept {
                spans.push(end..span.end);
            } else {
                leading.get_or_insert(span.start);
            }
            end = span.end;
            Ok::<(), Invalid>(())
        })?;
        if let Some(from) = leading.take() {
            spans.push(from..end);
        }
        Ok::<(), Invalid>(())
    });
    spans
}

fn is_sealed(body: &str, span: &Range<usize>) -> bool {
    let item = &body[span.clone()];
    if !item.starts_with('{') || !thought::may_hold_seal(item.as_bytes()) {
        return false;
    }
    let Ok(object) = Object::read(&mut Cursor::new(item)) else {
        return false;
    };
    let sealed = object.get("encrypted_content").and_then(|span| {
        let sealed = Cursor::at(item, span.start).string_or_skip().ok()??;
        thought::open(&sealed.decode()).map(|_| ())
    });
    word(item, &object, "type") == "reasoning" && sealed.is_some()
}
