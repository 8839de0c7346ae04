//! A plain answer: judged, and its model and known dirt replaced.
//!
//! A provider's 200 is not yet an answer: an error object, half a body, no choices, or tool
//! arguments that are not JSON would each reach the application as a crash far from its cause.

use std::ops::Range;

use bytes::Bytes;

use super::schema::{call_id, finish_reason};
use super::{content, embeddings, usage};
use crate::chat::{Surface, Usage};
use crate::dialect::object;
use crate::outcome::{Failure, broken, judge_reported};
use crate::wire::edit::{Added, Edits, Object};
use crate::wire::json::{self, Cursor, Kind, quote};

/// A complete, valid answer.
#[derive(Debug)]
pub struct Answer {
    pub body: Bytes,
    pub usage: Usage,
}

/// What the caller is to see of a plain answer.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    pub surface: Surface,
    /// The `model` string; `None` leaves the provider's.
    pub model: Option<&'a str>,
    /// Embeddings: whether vectors are wanted in base64.
    pub base64: bool,
    /// The call ids that servers forget are made from this.
    pub seed: u64,
}

/// Judges the body of a 2xx and makes the caller's answer of it.
///
/// # Errors
/// It is no answer: `broken`, or the class of the error it carries.
pub fn answer(body: &Bytes, shown: Shown<'_>) -> Result<Answer, Failure> {
    let text = std::str::from_utf8(body).map_err(|_| broken("the answer is not UTF-8"))?;
    let mut cursor = object::begun(text)?;
    let top = Object::read(&mut cursor)?;
    cursor.end()?;
    let mut reading = Reading {
        text,
        edits: Edits::default(),
        usage: Usage::default(),
        shown,
    };
    reading.top(&top)?;
    let Reading {
        mut edits, usage, ..
    } = reading;
    if edits.is_empty() {
        return Ok(Answer {
            body: body.clone(),
            usage,
        });
    }
    let mut edited = Vec::with_capacity(text.len() + 64);
    edits.apply(text, |piece| edited.extend_from_slice(piece.as_bytes()));
    Ok(Answer {
        body: edited.into(),
        usage,
    })
}

struct Reading<'a> {
    text: &'a str,
    edits: Edits<'a>,
    usage: Usage,
    shown: Shown<'a>,
}

impl<'a> Reading<'a> {
    fn top(&mut self, top: &Object<'a>) -> Result<(), Failure> {
        let text = self.text;
        let items = match self.shown.surface {
            Surface::Embeddings => "data",
            Surface::Chat
            | Surface::Completions
            | Surface::Responses
            | Surface::Messages
            | Surface::CountTokens
            | Surface::Models
            | Surface::Passthrough => "choices",
        };
        let Some(items) = top
            .get(items)
            .filter(|span| text.as_bytes()[span.start] == b'[')
        else {
            let says_error = ["error", "message", "detail"]
                .iter()
                .any(|key| top.get(key).is_some());
            return Err(if says_error {
                judge_reported(text.as_bytes())
            } else {
                broken("the answer has no choices")
            });
        };
        let mut count = 0;
        Cursor::at(text, items.start).array(|cursor| {
            count += 1;
            if self.shown.surface == Surface::Embeddings {
                let item = Object::read(cursor)?;
                return embeddings::vector(text, &item, self.shown.base64, &mut self.edits);
            }
            let choice = Object::read(cursor)?;
            self.choice(&choice)
        })?;
        if count == 0 {
            return Err(broken("the answer has no choices"));
        }
        if let Some(span) = top.get("usage") {
            usage::read(&mut Cursor::at(text, span.start), &mut self.usage)?;
        }
        if let (Some(model), Some(span)) = (self.shown.model, top.get("model")) {
            let model = quote(model);
            if text[span.clone()] != model {
                self.edits.replace(span, model);
            }
        }
        Ok(())
    }

    fn choice(&mut self, choice: &Object<'a>) -> Result<(), Failure> {
        let text = self.text;
        let mut cut = false;
        if let Some(span) = choice.get("finish_reason")
            && let Some(reason) = Cursor::at(text, span.start).string_or_skip()?
        {
            let reason = reason.decode();
            let known = finish_reason(&reason)?;
            cut = matches!(known, "length" | "content_filter");
            if known != reason {
                self.edits.replace(span, format!("\"{known}\""));
            }
        }
        let (key, missing) = match self.shown.surface {
            Surface::Completions => ("text", "the answer has no text"),
            _ => ("message", "the answer has no message"),
        };
        let says = match choice.get(key) {
            Some(span) if key == "text" => span.len() > "\"\"".len(),
            Some(span) if text.as_bytes()[span.start] == b'{' => {
                let message = Object::read(&mut Cursor::at(text, span.start))?;
                self.message(&message, cut)?
            }
            // Azure leaves the message out of a choice that its filter has blocked.
            None if cut && key == "message" => {
                let mut added = Added::default();
                added.push("message", "{\"role\":\"assistant\",\"content\":null}");
                choice.rewrite(&mut self.edits, |_| false, added);
                return Ok(());
            }
            _ if cut => return Ok(()),
            _ => return Err(broken(missing)),
        };
        if says || cut {
            Ok(())
        } else {
            Err(broken("the answer is empty"))
        }
    }

    /// Tells whether there is anything in the message.
    fn message(&mut self, message: &Object<'a>, cut: bool) -> Result<bool, Failure> {
        let text = self.text;
        let mut added = Added::default();
        let no_role = message
            .get("role")
            .is_none_or(|span| text.as_bytes()[span.start] != b'"');
        if no_role {
            added.push("role", "\"assistant\"");
        }
        let mut says = false;
        for key in [
            "content",
            "refusal",
            "reasoning_content",
            "reasoning",
            "audio",
        ] {
            let Some(span) = message.get(key) else {
                continue;
            };
            match text.as_bytes()[span.start] {
                b'"' => says |= span.len() > "\"\"".len(),
                b'[' if key == "content" => {
                    let parts = content::flatten(&text[span.clone()]);
                    says |= !parts.is_empty();
                    if let Some(reasoning) = &parts.reasoning {
                        added.push("reasoning_content", quote(reasoning));
                    }
                    self.edits.replace(span, parts.content());
                }
                b'{' => says = true,
                _ => {}
            }
        }
        if let Some(span) = message
            .get("tool_calls")
            .filter(|span| text.as_bytes()[span.start] == b'[')
        {
            let mut rng = fastrand::Rng::with_seed(self.shown.seed);
            Cursor::at(text, span.start).array(|cursor| {
                says = true;
                let call = Object::read(cursor)?;
                self.tool_call(&call, cut, &mut rng)
            })?;
        }
        if let Some(span) = message
            .get("function_call")
            .filter(|span| text.as_bytes()[span.start] == b'{')
        {
            says = true;
            let function = Object::read(&mut Cursor::at(text, span.start))?;
            self.arguments(&function, cut)?;
        }
        message.rewrite(&mut self.edits, |key| no_role && key == "role", added);
        Ok(says)
    }

    fn tool_call(
        &mut self,
        call: &Object<'a>,
        cut: bool,
        rng: &mut fastrand::Rng,
    ) -> Result<(), Failure> {
        let text = self.text;
        let mut added = Added::default();
        let quoted =
            |span: &Range<usize>| text.as_bytes()[span.start] == b'"' && span.len() > "\"\"".len();
        match call.get("id") {
            Some(span) if quoted(&span) => {}
            Some(span) => self.edits.replace(span, format!("\"{}\"", call_id(rng))),
            None => added.push("id", quote(&call_id(rng))),
        }
        let is_custom = call.get("custom").is_some();
        if call.get("type").is_none() {
            added.push(
                "type",
                if is_custom {
                    "\"custom\""
                } else {
                    "\"function\""
                },
            );
        }
        if let Some(span) = call
            .get("function")
            .filter(|span| text.as_bytes()[span.start] == b'{')
        {
            let function = Object::read(&mut Cursor::at(text, span.start))?;
            self.arguments(&function, cut)?;
        } else if !is_custom {
            return Err(broken("a tool call names no function"));
        }
        call.rewrite(&mut self.edits, |_| false, added);
        Ok(())
    }

    fn arguments(&mut self, function: &Object<'a>, cut: bool) -> Result<(), Failure> {
        let text = self.text;
        let Some(span) = function.get("arguments") else {
            function.rewrite(&mut self.edits, |_| false, "\"arguments\":\"{}\"");
            return Ok(());
        };
        let mut cursor = Cursor::at(text, span.start);
        match cursor.kind()? {
            Kind::String => {
                let arguments = cursor.string()?.decode();
                if cut || json::check(&arguments).is_ok() {
                    return Ok(());
                }
                if !arguments.trim().is_empty() {
                    return Err(broken("the arguments of a tool call are not JSON"));
                }
                self.edits.replace(span, "\"{}\"");
            }
            Kind::Null => self.edits.replace(span, "\"{}\""),
            Kind::Object | Kind::Array | Kind::Number | Kind::Bool => {
                let raw = quote(&text[span.clone()]);
                self.edits.replace(span, raw);
            }
        }
        Ok(())
    }
}
