//! A request's facts, read in one walk over its bytes.
//!
//! What is not ours to know is not read: a field newer than this code passes as it came. What we
//! do read must have the type that every provider takes it to have, or the caller gets a clear
//! error from here rather than a puzzling one from far away.
//! <https://platform.openai.com/docs/api-reference/chat/create> (fields as of 2026-11).

mod hosted;
mod weight;

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;

use self::hosted::Hosted;
use self::weight::Media;
pub(super) use self::weight::is_payload;
pub use self::weight::weigh;
use super::{LONGEST_MODEL, Surface};
use crate::error::GatewayError;
use crate::wire::json::{Cursor, Invalid, Kind};

/// A request of one of the JSON surfaces: the bytes that came, and where in them lies what we own.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact about one field of the request"
)]
pub struct Request {
    pub surface: Surface,
    /// Valid JSON: an object.
    pub body: ByteString,
    /// What the caller asked for in `model`.
    pub model: String,
    /// Where that string stands, with its quotes.
    pub model_span: Range<usize>,
    pub stream: bool,
    /// How many choices are wanted (`n`); at least 1.
    pub choices: u64,
    /// The most tokens that an answer may have, where the caller says so.
    pub most: Option<u64>,
    pub usage: UsageOption,
    /// Whether frames without choices are something this caller knows: it asked for `moderation`.
    pub moderation: bool,
    /// Embeddings: whether the vectors are wanted in base64.
    pub base64: bool,
    /// Whether the provider is to do more than answer: run a tool of its own, keep or take up state.
    /// Sent twice, it might be done twice.
    pub executes: bool,
    /// Whether the model is offered tools, of whatever kind: a list that is not empty.
    pub tools: bool,
    /// About how many tokens the prompt is, with an image, a file or a recording as a thousand.
    pub tokens: u64,
}

/// `stream_options.include_usage`, and where to put it when it is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageOption {
    /// The caller asked for usage in its stream.
    Asked,
    /// `stream_options` is absent or null; `null` stands here.
    Absent { null: Option<Range<usize>> },
    /// `stream_options` is an object that starts here and does not name it; `empty` if it has no members.
    Unset { open: usize, empty: bool },
    /// `include_usage` is false or null, and stands here.
    Declined(Range<usize>),
}

impl Request {
    /// Reads `body` as a request of `surface`.
    ///
    /// # Errors
    /// [`GatewayError::Invalid`]: not UTF-8, not JSON, not an object, a field of a wrong type, no
    /// `model`, or `model` twice.
    pub fn read(surface: Surface, body: Bytes) -> Result<Self, GatewayError> {
        let body = text(body)?;
        let facts = Facts::walk(surface, &body)?;
        let (model, model_span) = facts.model.ok_or_else(|| missing("model"))?;
        if let Some(field) = required(surface).filter(|_| !facts.input) {
            return Err(missing(field));
        }
        Ok(Self {
            surface,
            model,
            model_span,
            stream: facts.stream,
            choices: facts.choices,
            most: facts.most,
            usage: facts.usage,
            moderation: facts.moderation,
            base64: facts.base64,
            executes: facts.hosted.executes,
            tools: facts.hosted.tools || facts.hosted.executes,
            tokens: facts.media.tokens(body.len()),
            body,
        })
    }

    /// The same request with other words in some of its texts: `place` tells where in `body` is what stood
    /// elsewhere in its own. What is weighed are the words that came.
    #[must_use]
    pub fn reworded(&self, body: String, place: impl Fn(usize) -> usize) -> Self {
        let moved = |span: &Range<usize>| place(span.start)..place(span.end);
        let usage = match &self.usage {
            UsageOption::Asked => UsageOption::Asked,
            UsageOption::Absent { null } => UsageOption::Absent {
                null: null.as_ref().map(moved),
            },
            UsageOption::Unset { open, empty } => UsageOption::Unset {
                open: place(*open),
                empty: *empty,
            },
            UsageOption::Declined(span) => UsageOption::Declined(moved(span)),
        };
        Self {
            body: body.into(),
            model_span: moved(&self.model_span),
            usage,
            ..self.clone()
        }
    }
}

fn text(body: Bytes) -> Result<ByteString, GatewayError> {
    // Shared, to tell where it is none.
    let came = body.clone();
    ByteString::try_from(body).map_err(|_| {
        let wrong = std::str::from_utf8(&came).err();
        let at = wrong.map_or(0, |wrong| wrong.valid_up_to());
        invalid(
            "invalid_json",
            None,
            format!("The request body is not UTF-8 (byte {at})."),
        )
    })
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact about one field of the request"
)]
struct Facts {
    surface: Surface,
    model: Option<(String, Range<usize>)>,
    /// Whether `messages`, `prompt` or `input` is there.
    input: bool,
    stream: bool,
    choices: u64,
    most: Option<u64>,
    usage: UsageOption,
    moderation: bool,
    base64: bool,
    hosted: Hosted,
    media: Media,
}

impl Facts {
    fn walk(surface: Surface, text: &str) -> Result<Self, GatewayError> {
        let mut facts = Self {
            surface,
            model: None,
            input: false,
            stream: false,
            choices: 1,
            most: None,
            usage: UsageOption::Absent { null: None },
            moderation: false,
            base64: false,
            hosted: Hosted::default(),
            media: Media::default(),
        };
        let mut cursor = Cursor::new(text);
        if cursor.kind()? != Kind::Object {
            return Err(invalid(
                "invalid_json",
                None,
                "The request body is not a JSON object.",
            ));
        }
        cursor.object(|cursor, key| facts.member(text, cursor, &key.decode()))?;
        cursor.end()?;
        Ok(facts)
    }

    fn member(
        &mut self,
        text: &str,
        cursor: &mut Cursor<'_>,
        key: &str,
    ) -> Result<(), GatewayError> {
        match key {
            "model" => {
                expect(cursor, key, &[Kind::String], "a string")?;
                let model = cursor.string()?;
                if model.raw().len() > LONGEST_MODEL {
                    return Err(invalid(
                        "invalid_value",
                        Some(key),
                        format!("`model` is longer than {LONGEST_MODEL} bytes."),
                    ));
                }
                // A parser behind us might take the other one: refused, so that the route that was
                // judged is the model that is asked.
                if self
                    .model
                    .replace((model.decode().into_owned(), model.span()))
                    .is_some()
                {
                    return Err(model_twice());
                }
            }
            "stream" => {
                expect(cursor, key, &[Kind::Bool, Kind::Null], "true or false")?;
                self.stream = &text[cursor.skip()?] == "true";
            }
            "stream_options" => {
                self.usage = match expect(cursor, key, &[Kind::Object, Kind::Null], "an object")? {
                    Kind::Object => stream_options(text, cursor)?,
                    _ => UsageOption::Absent {
                        null: Some(cursor.skip()?),
                    },
                }
            }
            "messages" => {
                expect(cursor, key, &[Kind::Array], "an array")?;
                self.input = true;
                self.media.pass(self.surface, cursor)?;
            }
            "prompt" => {
                self.input = true;
                self.hosted.member(self.surface, text, cursor, key)?;
                self.media.pass(self.surface, cursor)?;
            }
            "input" => {
                self.input = true;
                self.items(cursor)?;
            }
            "tools" => {
                expect(cursor, key, &[Kind::Array, Kind::Null], "an array")?;
                self.hosted.member(self.surface, text, cursor, key)?;
            }
            "n" => self.choices = cursor.integer_or_skip()?.unwrap_or(1).max(1),
            "max_tokens" | "max_completion_tokens" | "max_output_tokens" => {
                // Of several, who knows which one holds.
                self.most = cursor.integer_or_skip()?.max(self.most);
            }
            "moderation" => self.moderation = cursor.kind()? != Kind::Null,
            "encoding_format" => {
                self.base64 = cursor
                    .string_or_skip()?
                    .is_some_and(|format| format.says("base64"));
            }
            _ => self.hosted.member(self.surface, text, cursor, key)?,
        }
        Ok(())
    }

    /// Passes over `input`. Items of Responses may offer tools in the middle of a conversation.
    fn items(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Invalid> {
        let (surface, hosted, media) = (self.surface, &mut self.hosted, &mut self.media);
        if surface != Surface::Responses || cursor.kind()? != Kind::Array {
            return media.pass(surface, cursor);
        }
        cursor.array(|cursor| {
            if cursor.kind()? != Kind::Object {
                return media.pass(surface, cursor);
            }
            cursor.object(|cursor, key| {
                match cursor.kind()? {
                    Kind::Array if key.says("tools") => hosted.list(surface, cursor)?,
                    Kind::String => media.see(surface, Some(key), cursor.string()?),
                    Kind::Array | Kind::Object | Kind::Number | Kind::Bool | Kind::Null => {
                        media.pass(surface, cursor)?;
                    }
                }
                Ok::<(), Invalid>(())
            })?;
            Ok(())
        })?;
        Ok(())
    }
}

fn stream_options(text: &str, cursor: &mut Cursor<'_>) -> Result<UsageOption, GatewayError> {
    let open = cursor.position();
    let mut empty = true;
    let mut named = None;
    cursor.object(|cursor, key| {
        empty = false;
        if key.says("include_usage") {
            let path = "stream_options.include_usage";
            expect(cursor, path, &[Kind::Bool, Kind::Null], "true or false")?;
            named = Some(cursor.skip()?);
        }
        Ok::<(), GatewayError>(())
    })?;
    Ok(match named {
        Some(span) if &text[span.clone()] == "true" => UsageOption::Asked,
        Some(span) => UsageOption::Declined(span),
        None => UsageOption::Unset { open, empty },
    })
}

fn expect(
    cursor: &mut Cursor<'_>,
    path: &str,
    kinds: &[Kind],
    what: &str,
) -> Result<Kind, GatewayError> {
    let kind = cursor.kind()?;
    if kinds.contains(&kind) {
        return Ok(kind);
    }
    Err(invalid(
        "invalid_type",
        Some(path),
        format!("`{path}` must be {what}, not {}.", name(kind)),
    ))
}

/// The field without which a request of this surface means nothing.
fn required(surface: Surface) -> Option<&'static str> {
    match surface {
        Surface::Chat | Surface::Messages | Surface::CountTokens => Some("messages"),
        Surface::Embeddings => Some("input"),
        // A stored prompt or a conversation may stand for `input`.
        Surface::Responses | Surface::Completions | Surface::Models | Surface::Passthrough => None,
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Object => "an object",
        Kind::Array => "an array",
        Kind::String => "a string",
        Kind::Number => "a number",
        Kind::Bool => "true or false",
        Kind::Null => "null",
    }
}

/// Which of the two a provider would take is not known.
pub(super) fn model_twice() -> GatewayError {
    invalid(
        "duplicate_parameter",
        Some("model"),
        "`model` is given twice.",
    )
}

fn missing(field: &str) -> GatewayError {
    invalid(
        "missing_required_parameter",
        Some(field),
        format!("`{field}` is missing."),
    )
}

fn invalid(
    code: &'static str,
    param: Option<&str>,
    message: impl Into<Cow<'static, str>>,
) -> GatewayError {
    GatewayError::Invalid {
        code,
        param: param.map(Into::into),
        message: message.into(),
    }
}

impl From<Invalid> for GatewayError {
    fn from(error: Invalid) -> Self {
        let message = format!(
            "The request body is not valid JSON: {} (byte {}).",
            error.what, error.at
        );
        invalid("invalid_json", None, message)
    }
}

#[cfg(test)]
mod tests;
