//! Frames of Messages: texts come in deltas of blocks, and end with their block.

use super::{Frames, Place, edited, member, members, string};
use crate::privacy::unmask::Form;
use crate::wire::edit::Edits;
use crate::wire::json::{Invalid, quote};

/// The kinds of deltas that are pieces of a text, with the member that has it.
const PIECES: [(&str, &str, Form); 3] = [
    ("text_delta", "text", Form::Text),
    ("thinking_delta", "thinking", Form::Text),
    ("input_json_delta", "partial_json", Form::Json),
];

impl Frames {
    pub(super) fn messages(
        &mut self,
        data: &str,
        out: &mut Vec<u8>,
    ) -> Result<Option<String>, Invalid> {
        let top = members(data, 0)?;
        let kind = member(&top, "type").and_then(|span| string(data, &span));
        let index = member(&top, "index").map_or("0", |span| &data[span]);
        match kind.as_deref() {
            Some("content_block_delta") => {}
            Some("content_block_stop") => {
                self.release(|place| place.whose == index, out);
                return Ok(None);
            }
            Some("message_delta" | "message_stop" | "error") => {
                self.release(|_| true, out);
                return self.whole(data);
            }
            _ => return self.whole(data),
        }
        let Some(delta) = member(&top, "delta").filter(|span| data[span.clone()].starts_with('{'))
        else {
            return Ok(None);
        };
        let delta = members(data, delta.start)?;
        let kind = member(&delta, "type").and_then(|span| string(data, &span));
        let piece = PIECES
            .iter()
            .find(|(name, ..)| kind.as_deref() == Some(*name));
        let Some((kind, key, form)) = piece else {
            return self.whole(data);
        };
        let Some(span) = member(&delta, key) else {
            return Ok(None);
        };
        let Some(text) = string(data, &span) else {
            return Ok(None);
        };
        let form = match *kind {
            "text_delta" => self.said(),
            _ => *form,
        };
        let place = Place {
            whose: index.to_owned(),
            name: (*kind).to_owned(),
            open: format!("\"delta\":{{\"type\":\"{kind}\",\"{key}\":"),
            close: "}".to_owned(),
        };
        let mut edits = Edits::default();
        if let Some(changed) = self.piece(place, form, &text, false) {
            edits.replace(span, quote(&changed));
        }
        Ok(edited(data, edits))
    }
}
