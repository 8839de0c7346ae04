//! Every text that the JSON of a request or an answer carries, wherever it lies; and what carries none.
//!
//! The bytes are walked once, without a tree, and only changed strings are written anew. What names,
//! points or chooses is no text: keys, models, types, ids, roles, names of tools. All other strings are,
//! also in fields that are newer than this code. Arguments and results of tools are the application's
//! own data: there every string is text, and a long number, too; JSON in a string is walked in its turn.

use std::ops::Range;

use super::unmask::Form;
use crate::wire::json::{Cursor, Invalid, Kind, Text, check, quote};

/// Strings that hold JSON that holds strings that hold JSON…
const DEEPEST: u8 = 4;
/// What a string that is opaque has at least, in bytes, without a blank or a mark.
const UNBROKEN: usize = 1024;
/// Digits that a number has at least to be looked at.
const LONG_NUMBER: usize = 7;

/// What cannot be looked at, so that it may hold personal data of every class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unscannable {
    Image,
    Audio,
    Video,
    File,
    /// Base64 where nobody says of what.
    Data,
    /// Text as numbers of tokens.
    Tokens,
    /// What the provider keeps from earlier: a conversation, an answer, a stored prompt.
    State,
}

impl Unscannable {
    /// For a message.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "an image",
            Self::Audio => "sound",
            Self::Video => "a video",
            Self::File => "a file",
            Self::Data => "base64",
            Self::Tokens => "numbers of tokens",
            Self::State => "what the provider keeps from earlier",
        }
    }
}

/// What a walk came to.
pub(super) struct Walked {
    /// The text with what `visit` gave in the place of strings; `None` where it gave nothing.
    pub(super) text: Option<String>,
    pub(super) unscannable: Vec<Unscannable>,
}

/// What looks at the texts of a body.
pub(super) trait Visit {
    /// Whether nothing in a text can matter, told by how it stands in the body, escapes and all. It is not
    /// undone then, nor shown.
    fn passes(&self, raw: &str) -> bool;

    /// Is shown each other text, in order, and gives what is to stand in its place. `span` is where in the
    /// body it stands; what lies within a string that is JSON has none.
    fn text(&mut self, text: &str, form: Form, span: Option<Range<usize>>) -> Option<String>;
}

/// Walks a whole body.
pub(super) fn walk(body: &str, visit: &mut dyn Visit) -> Result<Walked, Invalid> {
    let mut walk = Walk {
        text: body,
        visit,
        depth: 0,
        splices: Vec::new(),
        unscannable: Vec::new(),
    };
    let mut cursor = Cursor::new(body);
    walk.value(&mut cursor, None, Zone::Frame)?;
    cursor.end()?;
    walk.unscannable.sort_unstable();
    walk.unscannable.dedup();
    Ok(Walked {
        text: walk.spliced(),
        unscannable: walk.unscannable,
    })
}

/// Whose words an object speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    /// The API's: its keys have a meaning.
    Frame,
    /// A JSON schema.
    Schema,
    /// The application's: keys mean nothing to us.
    Content,
}

struct Walk<'a, 'v> {
    text: &'a str,
    visit: &'v mut dyn Visit,
    depth: u8,
    splices: Vec<(Range<usize>, String)>,
    unscannable: Vec<Unscannable>,
}

impl<'a> Walk<'a, '_> {
    fn value(
        &mut self,
        cursor: &mut Cursor<'a>,
        key: Option<&str>,
        zone: Zone,
    ) -> Result<(), Invalid> {
        match cursor.kind()? {
            Kind::String => {
                let text = cursor.string()?;
                self.string(key, text, zone);
            }
            Kind::Number => {
                let span = cursor.skip()?;
                self.number(key, span, zone);
            }
            Kind::Object => {
                cursor.object(|cursor, key| self.member(cursor, &key.decode(), zone))?;
            }
            Kind::Array => {
                cursor.array(|cursor| self.value(cursor, key, zone))?;
            }
            Kind::Bool | Kind::Null => {
                cursor.skip()?;
            }
        }
        Ok(())
    }

    fn member(&mut self, cursor: &mut Cursor<'a>, key: &str, zone: Zone) -> Result<(), Invalid> {
        let kind = cursor.kind()?;
        let zone = match (zone, key) {
            (Zone::Content, _) | (Zone::Frame, "arguments" | "metadata" | "action") => {
                Zone::Content
            }
            (Zone::Frame, "input") if kind == Kind::Object => Zone::Content,
            (_, "parameters" | "input_schema" | "schema" | "json_schema") => Zone::Schema,
            (zone, _) => zone,
        };
        if zone == Zone::Frame && kind != Kind::Null {
            let medium = match key {
                "source" if kind == Kind::Object => self.source(cursor)?,
                "prompt" if kind == Kind::Object => Some(Unscannable::State),
                _ => medium(key),
            };
            if let Some(medium) = medium {
                self.unscannable.push(medium);
                if key != "prompt" {
                    cursor.skip()?;
                    return Ok(());
                }
            }
        }
        if zone == Zone::Frame && is_opaque(key) {
            cursor.skip()?;
            return Ok(());
        }
        self.value(cursor, Some(key), zone)
    }

    /// What the `source` of a document or an image of Messages is, if it is no text.
    fn source(&self, cursor: &mut Cursor<'a>) -> Result<Option<Unscannable>, Invalid> {
        let mut ahead = Cursor::at(self.text, cursor.position());
        let (mut readable, mut image) = (false, false);
        ahead.object(|ahead, key| {
            if key.says("type") {
                let kind = ahead.string_or_skip()?;
                readable = kind.is_some_and(|kind| kind.says("text") || kind.says("content"));
            } else if key.says("media_type") {
                let kind = ahead.string_or_skip()?;
                image = kind.is_some_and(|kind| kind.decode().starts_with("image/"));
            }
            Ok::<(), Invalid>(())
        })?;
        let medium = if image {
            Unscannable::Image
        } else {
            Unscannable::File
        };
        Ok((!readable).then_some(medium))
    }

    fn string(&mut self, key: Option<&str>, text: Text<'a>, zone: Zone) {
        if zone != Zone::Content && key.is_some_and(is_structure) {
            return;
        }
        if text.raw().len() >= UNBROKEN && is_base64(text.raw()) {
            self.unscannable.push(Unscannable::Data);
            return;
        }
        if self.visit.passes(text.raw()) && !may_be_json(text.raw()) {
            return;
        }
        let form = match key {
            Some("arguments" | "partial_json") => Form::Json,
            _ => Form::Text,
        };
        if let Some(changed) = self.said(&text.decode(), form, text.span()) {
            self.splices.push((text.span(), quote(&changed)));
        }
    }

    /// A text: JSON is walked, anything else is shown.
    fn said(&mut self, text: &str, form: Form, span: Range<usize>) -> Option<String> {
        if self.depth < DEEPEST && text.trim_start().starts_with(['{', '[']) && check(text).is_ok()
        {
            let mut inner = Walk {
                text,
                visit: &mut *self.visit,
                depth: self.depth + 1,
                splices: Vec::new(),
                unscannable: Vec::new(),
            };
            let walked = inner.value(&mut Cursor::new(text), None, Zone::Content);
            self.unscannable.append(&mut inner.unscannable);
            // It has been checked.
            return walked.ok().and_then(|()| inner.spliced());
        }
        let span = (self.depth == 0).then_some(span);
        self.visit.text(text, form, span)
    }

    /// A long number may be somebody's; text takes its place.
    fn number(&mut self, key: Option<&str>, span: Range<usize>, zone: Zone) {
        let digits = &self.text[span.clone()];
        match (zone, key) {
            (Zone::Content, _) => {
                let long = digits.len() >= LONG_NUMBER;
                if !long || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return;
                }
                let place = (self.depth == 0).then(|| span.clone());
                if let Some(changed) = self.visit.text(digits, Form::Text, place) {
                    self.splices.push((span, quote(&changed)));
                }
            }
            (Zone::Frame, Some("input" | "prompt")) => {
                if self.unscannable.last() != Some(&Unscannable::Tokens) {
                    self.unscannable.push(Unscannable::Tokens);
                }
            }
            (Zone::Frame | Zone::Schema, _) => {}
        }
    }

    fn spliced(&self) -> Option<String> {
        spliced(self.text, &self.splices)
    }
}

/// `text` with others in some places, in order; `None` where there are none.
pub(super) fn spliced(text: &str, splices: &[(Range<usize>, String)]) -> Option<String> {
    if splices.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (span, other) in splices {
        out.push_str(&text[done..span.start]);
        out.push_str(other);
        done = span.end;
    }
    out.push_str(&text[done..]);
    Some(out)
}

/// Whether a string may hold JSON, told by how it stands in the body.
fn may_be_json(raw: &str) -> bool {
    raw.trim_start().starts_with(['{', '[', '\\'])
}

/// Members that show, play, or point to something outside of the request.
fn medium(key: &str) -> Option<Unscannable> {
    Some(match key {
        "image_url" => Unscannable::Image,
        "input_audio" => Unscannable::Audio,
        "video_url" => Unscannable::Video,
        "file_data" | "file_id" | "file_url" | "file_ids" | "vector_store_ids" => Unscannable::File,
        "previous_response_id" | "conversation" | "container" => Unscannable::State,
        _ => return None,
    })
}

/// Strings that name, point or choose.
pub(super) fn is_structure(key: &str) -> bool {
    matches!(
        key,
        "model"
            | "models"
            | "type"
            | "id"
            | "role"
            | "name"
            | "object"
            | "status"
            | "phase"
            | "call_id"
            | "tool_call_id"
            | "tool_use_id"
            | "item_id"
            | "response_id"
            | "server_label"
            | "finish_reason"
            | "stop_reason"
            | "detail"
            | "format"
            | "encoding_format"
            | "media_type"
            | "tool_choice"
            | "modalities"
            | "include"
            | "betas"
            | "voice"
            | "service_tier"
            | "reasoning_effort"
            | "effort"
            | "verbosity"
            | "truncation"
            | "required"
            | "pattern"
            | "$ref"
            | "$schema"
            | "$id"
    )
}

/// What the provider has signed or sealed, and what is only for it.
pub(super) fn is_opaque(key: &str) -> bool {
    matches!(
        key,
        "signature"
            | "encrypted_content"
            | "encrypted_index"
            | "thought_signature"
            | "cache_control"
            | "logprobs"
            | "logit_bias"
            | "usage"
            | "stream_options"
    )
}

/// Whether a long string is base64, bare or in a data URL. Its beginning tells; JSON may escape a slash.
fn is_base64(raw: &str) -> bool {
    let data = match raw.strip_prefix("data:") {
        Some(url) => url.split_once(',').map_or(url, |(_, data)| data),
        None => raw,
    };
    let mut beginning = data.bytes().take(UNBROKEN);
    beginning.all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_\\".contains(&byte))
}
