//! Frames of Responses: each text comes in deltas, and once more whole when it is done. Frames are numbered.

use super::{Frames, Place, edited, member, members, string};
use crate::privacy::unmask::Form;
use crate::wire::edit::Edits;
use crate::wire::json::{Invalid, quote};

/// What says which text a piece is of. The id of its item does not: some servers make a new one each time.
const WHERE: [&str; 3] = ["output_index", "content_index", "summary_index"];

impl Frames {
    pub(super) fn responses(
        &mut self,
        data: &str,
        out: &mut Vec<u8>,
    ) -> Result<Option<String>, Invalid> {
        let top = members(data, 0)?;
        let kind = member(&top, "type").and_then(|span| string(data, &span));
        let kind = kind.unwrap_or_default();
        let number = member(&top, "sequence_number");
        let number = number.and_then(|span| data[span].parse::<u64>().ok());
        let place = |what: &str| {
            let raw =
                |key: &str| member(&top, key).map(|span| format!("\"{key}\":{},", &data[span]));
            let place: String = WHERE.iter().filter_map(|key| raw(key)).collect();
            let logprobs = if what == "response.output_text" {
                "\"logprobs\":[],"
            } else {
                ""
            };
            Place {
                whose: what.to_owned(),
                open: format!(
                    "{}{place}{logprobs}\"delta\":",
                    raw("item_id").unwrap_or_default()
                ),
                name: place,
                close: String::new(),
            }
        };
        let piece = kind.strip_suffix(".delta").and_then(|what| {
            let span = member(&top, "delta")?;
            Some((what, string(data, &span)?, span))
        });
        let rewritten = if let Some((what, text, span)) = piece {
            let form = match what {
                "response.output_text" => self.said(),
                what if what.ends_with("arguments") => Form::Json,
                _ => Form::Text,
            };
            let mut edits = Edits::default();
            if let Some(changed) = self.piece(place(what), form, &text, false) {
                edits.replace(span, quote(&changed));
            }
            edited(data, edits)
        } else {
            if let Some(what) = kind.strip_suffix(".done") {
                let done = place(what);
                self.release(|place| place.is(&done), out);
            }
            if matches!(
                &*kind,
                "response.completed" | "response.incomplete" | "response.failed" | "error"
            ) {
                self.release(|_| true, out);
            }
            self.whole(data)?
        };
        self.number = number.or(self.number);
        match number {
            Some(number) if self.added > 0 => {
                let text = rewritten.as_deref().unwrap_or(data);
                let numbered = renumbered(text, number + self.added)?;
                Ok(numbered.or(rewritten))
            }
            _ => Ok(rewritten),
        }
    }
}

fn renumbered(data: &str, number: u64) -> Result<Option<String>, Invalid> {
    let mut edits = Edits::default();
    if let Some(span) = member(&members(data, 0)?, "sequence_number") {
        edits.replace(span, number.to_string());
    }
    Ok(edited(data, edits))
}
