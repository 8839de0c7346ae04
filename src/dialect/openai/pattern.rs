//! The frame before this one, as what the next will most likely be but for its text.
//!
//! The frames of a stream differ in a token and, at some providers, in a padding of random length;
//! id, model and all else repeat. So a frame of text that was read in full is remembered as its
//! fixed parts, as they came and as they went out, with holes between them. A frame that has the
//! same parts needs no second reading: its texts are checked and copied into the same holes.

use std::ops::Range;

use smallvec::SmallVec;

use crate::wire::edit::Edits;
use crate::wire::json;

/// A frame with holes where its strings were.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    /// One more than there are holes. A hole's quotes belong to the parts beside it.
    parts: SmallVec<[Part; 3]>,
}

#[derive(Debug, Clone)]
struct Part {
    came: Box<[u8]>,
    /// With the framing of the event, in the first and the last part.
    goes: Box<[u8]>,
}

impl Pattern {
    /// Remembers a frame. `holes` are strings in it with their quotes, in order; `edits` are those
    /// that were made to it. `None` when an edit touches a hole.
    pub(super) fn learn(text: &str, edits: &Edits<'_>, holes: &[Range<usize>]) -> Option<Self> {
        let mut parts = SmallVec::new();
        let mut start = 0;
        let ends = holes.iter().map(|hole| hole.start + 1).chain([text.len()]);
        let starts = holes.iter().map(|hole| hole.end - 1);
        let mut goes = b"data: ".to_vec();
        for (end, next) in ends.zip(starts.chain([text.len()])) {
            if end < start {
                return None;
            }
            edits.apply_within(text, start..end, |piece| {
                goes.extend_from_slice(piece.as_bytes());
            })?;
            parts.push(Part {
                came: text.as_bytes()[start..end].into(),
                goes: std::mem::take(&mut goes).into(),
            });
            start = next;
        }
        let last: &mut Part = parts.last_mut()?;
        last.goes = [&last.goes, b"\n\n".as_slice()].concat().into();
        Some(Self { parts })
    }

    /// Writes `frame` out as the one before it was, if it differs in the holes alone: then what it says
    /// is returned, which stands in the hole of number `words`.
    pub(super) fn copy<'a>(
        &self,
        frame: &'a [u8],
        words: usize,
        out: &mut Vec<u8>,
    ) -> Option<&'a [u8]> {
        let before = out.len();
        let said = self.try_copy(frame, words, out);
        if said.is_none() {
            out.truncate(before);
        }
        said
    }

    fn try_copy<'a>(&self, frame: &'a [u8], words: usize, out: &mut Vec<u8>) -> Option<&'a [u8]> {
        let (last, first) = self.parts.split_last()?;
        let mut rest = frame;
        let mut said: &[u8] = &[];
        for (place, part) in first.iter().enumerate() {
            let hole = rest.strip_prefix(&*part.came)?;
            let length = string_length(hole)?;
            out.extend_from_slice(&part.goes);
            out.extend_from_slice(&hole[..length]);
            if place == words {
                said = &hole[..length];
            }
            rest = &hole[length..];
        }
        (rest == &*last.came).then(|| {
            out.extend_from_slice(&last.goes);
            said
        })
    }
}

/// How long the string is whose opening quote stands before `bytes`. `None` when it is no string of
/// JSON; whoever reads the frame in full says why.
fn string_length(bytes: &[u8]) -> Option<usize> {
    let (mut ascii, mut escaped, mut length) = (true, false, 0);
    loop {
        match bytes.get(length)? {
            b'"' => break,
            b'\\' => {
                escaped = true;
                length += 1;
            }
            0..0x20 => return None,
            byte => ascii &= byte.is_ascii(),
        }
        length += 1;
    }
    if ascii && !escaped {
        return Some(length);
    }
    let text = std::str::from_utf8(bytes.get(..length)?).ok()?;
    let whole = !escaped || json::check(&format!("\"{text}\"")).is_ok();
    whole.then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_differs_in_its_texts_is_copied_with_the_same_edits() {
        let text = r#"{"m":"x","c":"one","n":1,"o":"ab"}"#;
        let mut edits = Edits::default();
        edits.replace(5..8, "\"mine\"");
        edits.apply(text, |_| {});
        let pattern = Pattern::learn(text, &edits, &[13..18, 29..33]).unwrap();
        for (came, expected) in [
            (
                r#"{"m":"x","c":"two \"é\" \n","n":1,"o":""}"#,
                Some(r#"{"m":"mine","c":"two \"é\" \n","n":1,"o":""}"#),
            ),
            (text, Some(r#"{"m":"mine","c":"one","n":1,"o":"ab"}"#)),
            (r#"{"m":"x","c":"two","n":2,"o":"ab"}"#, None),
            (r#"{"m":"x","c":"two","n":1,"o":"ab"},"#, None),
            (r#"{"m":"x","c":"bad \x","n":1,"o":"ab"}"#, None),
            (r#"{"m":"x","c":"cut"#, None),
            ("", None),
        ] {
            let mut out = b"before".to_vec();
            let copied = pattern.copy(came.as_bytes(), 0, &mut out);
            assert_eq!(copied.is_some(), expected.is_some(), "{came}");
            let frame = expected
                .map(|frame| format!("data: {frame}\n\n"))
                .unwrap_or_default();
            assert_eq!(String::from_utf8(out).unwrap(), format!("before{frame}"));
        }
    }

    #[test]
    fn an_edit_in_a_hole_is_not_learnt() {
        let text = r#"{"c":"one"}"#;
        let mut edits = Edits::default();
        edits.replace(5..10, "\"two\"");
        edits.apply(text, |_| {});
        let hole = 5..10;
        assert!(Pattern::learn(text, &edits, std::slice::from_ref(&hole)).is_none());
    }
}
