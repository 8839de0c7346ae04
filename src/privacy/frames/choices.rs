//! Frames of chat completions and completions: texts lie within choices, wherever the provider puts them.

use std::fmt::Write as _;

use super::{Frames, Place, edited, member, members};
use crate::privacy::keys::{is_opaque, is_structure};
use crate::privacy::unmask::Form;
use crate::wire::edit::Edits;
use crate::wire::json::{Cursor, Invalid, Kind, quote};

/// What the frames of one answer have in common.
const HEAD: [&str; 6] = [
    "id",
    "object",
    "created",
    "model",
    "system_fingerprint",
    "service_tier",
];

/// Where a value stands, as the JSON around it.
struct Around<'a> {
    choice: &'a str,
    open: String,
    close: String,
    /// No more of it follows.
    last: bool,
}

impl Around<'_> {
    fn within(&self, open: &str, close: &str) -> Self {
        Self {
            choice: self.choice,
            open: format!("{}{open}", self.open),
            close: format!("{close}{}", self.close),
            last: self.last,
        }
    }
}

impl Frames {
    pub(super) fn choices(
        &mut self,
        data: &str,
        out: &mut Vec<u8>,
    ) -> Result<Option<String>, Invalid> {
        let top = members(data, 0)?;
        let Some(choices) = member(&top, "choices") else {
            return Ok(None);
        };
        self.head.clear();
        for (key, span) in &top {
            if HEAD.iter().any(|name| key.says(name)) {
                let value = &data[span.clone()];
                let _ = write!(self.head, "\"{}\":{value},", key.raw());
            }
        }
        let mut edits = Edits::default();
        let mut cursor = Cursor::at(data, choices.start);
        if cursor.kind()? != Kind::Array {
            return Ok(None);
        }
        cursor.array(|cursor| {
            if cursor.kind()? != Kind::Object {
                return Ok(());
            }
            let at = cursor.position();
            let choice = members(data, at)?;
            let index = member(&choice, "index").map_or("0", |span| &data[span]);
            let last = member(&choice, "finish_reason").is_some_and(|span| &data[span] != "null");
            for (key, span) in &choice {
                if key.says("delta") || key.says("text") {
                    let name = key.decode();
                    let around = Around {
                        choice: index,
                        open: format!("{}:", quote(&name)),
                        close: String::new(),
                        last,
                    };
                    let mut inner = Cursor::at(data, span.start);
                    self.value(data, &mut inner, &name, &around, &mut edits)?;
                }
            }
            if last {
                self.release(|place| place.whose == index, out);
            }
            Ok::<(), Invalid>(())
        })?;
        Ok(edited(data, edits))
    }

    fn value(
        &mut self,
        data: &str,
        cursor: &mut Cursor<'_>,
        key: &str,
        around: &Around<'_>,
        edits: &mut Edits<'_>,
    ) -> Result<(), Invalid> {
        match cursor.kind()? {
            Kind::String => {
                let text = cursor.string()?;
                let form = match key {
                    "arguments" => Form::Json,
                    "content" | "text" => self.said(),
                    _ => Form::Text,
                };
                let place = Place {
                    whose: around.choice.to_owned(),
                    name: around.open.clone(),
                    open: around.open.clone(),
                    close: around.close.clone(),
                };
                if let Some(changed) = self.piece(place, form, &text.decode(), around.last) {
                    edits.replace(text.span(), quote(&changed));
                }
            }
            Kind::Object => {
                let at = cursor.position();
                let all = members(data, at)?;
                // Which of several it is of, as the caller puts them together.
                let index = member(&all, "index")
                    .map_or_else(String::new, |span| format!("\"index\":{},", &data[span]));
                // A thought is signed when it is whole.
                let signed =
                    member(&all, "signature").is_some_and(|span| data[span].len() > "null".len());
                cursor.object(|cursor, key| {
                    let key = key.decode();
                    if is_structure(&key) || is_opaque(&key) {
                        return Ok(());
                    }
                    let mut around = around.within(&format!("{{{index}{}:", quote(&key)), "}");
                    around.last |= signed;
                    self.value(data, cursor, &key, &around, edits)
                })?;
            }
            Kind::Array => {
                let around = around.within("[", "]");
                cursor.array(|cursor| self.value(data, cursor, key, &around, edits))?;
            }
            Kind::Number | Kind::Bool | Kind::Null => {
                cursor.skip()?;
            }
        }
        Ok(())
    }
}
