//! A fragment of a tool call, in either form that chat has for it: an index, an id and a type where
//! there is none, nothing twice, and arguments as a string.

use super::{Progress, Read};
use crate::dialect::openai::calls::CallId;
use crate::dialect::openai::schema::call_id;
use crate::outcome::Failure;
use crate::wire::edit::{Added, Object};
use crate::wire::json::{Cursor, Kind, Text, quote};

impl Progress {
    pub(super) fn tool_call<'a>(
        &mut self,
        text: &'a str,
        at: usize,
        object: &Object<'a>,
        read: &mut Read<'a>,
    ) -> Result<(), Failure> {
        let choice = self.choices[at].index;
        let index_span = object.get("index");
        let theirs = index_span
            .as_ref()
            .and_then(|span| text[span.clone()].parse().ok());
        let id = match object.get("id") {
            Some(span) => Cursor::at(text, span.start)
                .string_or_skip()?
                .filter(|id| !id.is_empty()),
            None => None,
        };
        let call = self
            .calls
            .locate(choice, theirs, id.map(Text::decode).as_deref())?;
        self.calls.next(call);
        read.calls |= 1 << call;
        let custom = object.get("custom");
        let state = self.calls.call(call);
        state.free_text |= custom.is_some();
        let (ours, first) = (state.index, !std::mem::replace(&mut state.begun, true));

        let mut added = Added::default();
        match index_span {
            None => added.push("index", ours),
            Some(_) if theirs == Some(ours) => {}
            Some(span) => read.edits.replace(span, ours.to_string()),
        }
        if first {
            if id.is_none() {
                let made = self.call_id();
                match object.get("id") {
                    Some(span) => read.edits.replace(span, format!("\"{made}\"")),
                    None => added.push("id", format_args!("\"{made}\"")),
                }
            }
            let kind = if custom.is_some() {
                "\"custom\""
            } else {
                "\"function\""
            };
            match object.get("type") {
                None => added.push("type", kind),
                Some(span)
                    if text[span.clone()].len() <= "\"\"".len()
                        || &text[span.clone()] == "null" =>
                {
                    read.edits.replace(span, kind);
                }
                Some(_) => {}
            }
        }
        if let Some(span) = object
            .get("function")
            .filter(|span| text.as_bytes()[span.start] == b'{')
        {
            let function = Object::read(&mut Cursor::at(text, span.start))?;
            self.function(text, call, &function, read)?;
        }
        if let Some(span) = custom.filter(|span| text.as_bytes()[span.start] == b'{') {
            let custom = Object::read(&mut Cursor::at(text, span.start))?;
            if let Some(input) = custom.get("input")
                && let Some(input) = Cursor::at(text, input.start).string_or_skip()?
            {
                self.calls.append(call, &input.decode())?;
            }
        }
        object.rewrite(
            &mut read.edits,
            |key| !first && matches!(key, "id" | "type"),
            added,
        );
        Ok(())
    }

    pub(super) fn function<'a>(
        &mut self,
        text: &'a str,
        call: CallId,
        object: &Object<'a>,
        read: &mut Read<'a>,
    ) -> Result<(), Failure> {
        let named_before = self.calls.call(call).named;
        let mut added = "";
        if let Some(span) = object.get("name") {
            self.calls.call(call).named |=
                text.as_bytes()[span.start] == b'"' && span.len() > "\"\"".len();
        }
        match object.get("arguments") {
            None if !named_before => added = "\"arguments\":\"\"",
            None => {}
            Some(span) => match Cursor::at(text, span.start).kind()? {
                Kind::String => {
                    let arguments = Cursor::at(text, span.start).string()?;
                    if !named_before && arguments.is_empty() && read.ends && !read.cut {
                        // The whole call is in this frame, and applications parse what they are given.
                        read.edits.replace(span, "\"{}\"");
                        self.calls.append(call, "{}")?;
                    }
                    self.calls.append(call, &arguments.decode())?;
                }
                Kind::Null => read.edits.replace(span, "\"\""),
                Kind::Object | Kind::Array | Kind::Number | Kind::Bool => {
                    let raw = &text[span.clone()];
                    self.calls.append(call, raw)?;
                    read.edits.replace(span, quote(raw));
                }
            },
        }
        object.rewrite(&mut read.edits, |key| named_before && key == "name", added);
        Ok(())
    }

    fn call_id(&mut self) -> String {
        call_id(&mut self.rng)
    }
}
