//! Every text that the JSON of a request or an answer carries, wherever it lies; and what carries none.
//!
//! The bytes are walked once, without a tree, and only changed strings are written anew. What names,
//! points or chooses is no text: keys, models, types, ids, roles, names of tools. All other strings are,
//! also in fields that are newer than this code. Arguments and results of tools are the application's
//! own data: there every string is text, also a key, and a long number; JSON in a string is walked in its
//! turn. In a record nothing has to work: there all keys and names are texts, and what cannot be looked at
//! gives way to a note.

use std::ops::Range;

use super::keys::{Unscannable, is_credential, is_opaque, is_structure, medium};
use super::splice::{Splice, spliced};
use super::unmask::Form;
use crate::wire::json::{Cursor, Invalid, Kind, Text, check, quote};

/// Strings that hold JSON that holds strings that hold JSON…
pub(super) const DEEPEST: u8 = 4;
/// What a string that is opaque has at least, in bytes, without a blank or a mark.
const UNBROKEN: usize = 1024;
/// Digits that a number has at least to be looked at.
const LONG_NUMBER: usize = 7;
/// What a provider has signed or sealed, in a note.
const SEALED: &str = "sealed";
/// What opens another server, such as one of tools, in a note.
const CREDENTIAL: &str = "a credential";

/// Where what is walked goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    /// To who must understand it: a provider, the caller.
    Peer,
    Record,
}

/// What a walk came to.
pub(super) struct Walked {
    /// Where something else is to stand than stood there, in order: what was given for texts, and notes.
    pub(super) splices: Vec<Splice>,
    pub(super) unscannable: Vec<Unscannable>,
}

/// Of what a text is a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// What stands before the first turn of a conversation, wherever the body has it: instructions, tools.
    Head,
    /// Turns, and all else.
    Rest,
}

impl Part {
    /// By the name of a member of the body itself.
    fn of(key: &str) -> Self {
        match key {
            "system" | "instructions" | "tools" | "functions" | "response_format" | "text"
            | "output_config" | "output_format" => Self::Head,
            _ => Self::Rest,
        }
    }
}

/// What looks at the texts of a body.
pub(super) trait Visit {
    /// Whether nothing in a text can matter, told by how it stands in the body, escapes and all. It is not
    /// undone then, nor shown.
    fn passes(&self, raw: &str) -> bool;

    /// Is shown each other text, in order, and gives what is to stand in its place.
    fn text(&mut self, text: &str, context: Context) -> Option<String>;
}

/// What is known of a text beside it.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) form: Form,
    pub(super) part: Part,
    /// Where in the body it stands, if it stands there by itself: not within a string that is JSON.
    pub(super) span: Option<Range<usize>>,
}

/// Walks a whole body.
pub(super) fn walk(body: &str, to: To, visit: &mut dyn Visit) -> Result<Walked, Invalid> {
    let mut walk = Walk::of(body, to, 0, visit);
    let mut cursor = Cursor::new(body);
    walk.value(&mut cursor, None, Zone::Frame)?;
    cursor.end()?;
    walk.unscannable.sort_unstable();
    walk.unscannable.dedup();
    Ok(Walked {
        splices: walk.splices,
        unscannable: walk.unscannable,
    })
}

/// Walks one text on its way into a record; gives what is to stand in its place.
pub(super) fn text(text: &str, visit: &mut dyn Visit) -> Option<String> {
    if text.len() >= UNBROKEN && is_base64(text) {
        return Some(note(Unscannable::Data.name(), text.len()));
    }
    Walk::of(text, To::Record, 0, visit).said(text, Form::Text, None)
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
    to: To,
    visit: &'v mut dyn Visit,
    depth: u8,
    part: Part,
    /// The type that was named last says that the `data` behind it is for its provider alone.
    sealed: bool,
    splices: Vec<Splice>,
    unscannable: Vec<Unscannable>,
}

impl<'a, 'v> Walk<'a, 'v> {
    fn of(text: &'a str, to: To, depth: u8, visit: &'v mut dyn Visit) -> Self {
        Self {
            text,
            to,
            visit,
            depth,
            part: Part::Rest,
            sealed: false,
            splices: Vec::new(),
            unscannable: Vec::new(),
        }
    }

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
                if zone == Zone::Frame && key == Some("input") && self.is_reference(cursor)? {
                    self.unscannable.push(Unscannable::State);
                }
                cursor.object(|cursor, name| {
                    if zone == Zone::Content || self.to == To::Record {
                        self.key(name);
                    }
                    self.member(cursor, key, &name.decode(), zone)
                })?;
            }
            Kind::Array if self.is_tokens(cursor, key, zone)? => {
                self.unscannable.push(Unscannable::Tokens);
                let span = cursor.skip()?;
                self.note(span, Unscannable::Tokens.name());
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

    /// `of` is the name of what the object is or stands in.
    fn member(
        &mut self,
        cursor: &mut Cursor<'a>,
        of: Option<&str>,
        key: &str,
        zone: Zone,
    ) -> Result<(), Invalid> {
        if self.depth == 0 && of.is_none() {
            self.part = Part::of(key);
        }
        let kind = cursor.kind()?;
        let zone = match (zone, key) {
            (Zone::Content, _)
            | (Zone::Frame, "arguments" | "metadata" | "action" | "variables" | "input_examples") => {
                Zone::Content
            }
            (Zone::Frame, "input") if kind == Kind::Object => Zone::Content,
            (Zone::Schema, "default" | "example" | "examples" | "enum" | "const")
                if matches!(kind, Kind::Object | Kind::Array) =>
            {
                Zone::Content
            }
            (_, "parameters" | "input_schema" | "schema" | "json_schema") => Zone::Schema,
            (zone, _) => zone,
        };
        if self.to == To::Record && zone != Zone::Schema && is_credential(key) {
            let span = cursor.skip()?;
            self.note(span, CREDENTIAL);
            return Ok(());
        }
        if zone == Zone::Frame && kind != Kind::Null {
            let medium = match key {
                "source" if kind == Kind::Object => self.source(cursor)?,
                "prompt" if kind == Kind::Object => Some(Unscannable::State),
                // What was said earlier, by its id.
                "audio" if of == Some("messages") => Some(Unscannable::Audio),
                _ => medium(key),
            };
            if let Some(medium) = medium {
                self.unscannable.push(medium);
                // A record may name what the provider keeps.
                let is_walked =
                    key == "prompt" || self.to == To::Record && medium == Unscannable::State;
                if !is_walked {
                    let span = cursor.skip()?;
                    self.note(span, medium.name());
                    return Ok(());
                }
            }
        }
        if zone == Zone::Frame && is_opaque(key) && (self.to == To::Peer || kind == Kind::String) {
            let span = cursor.skip()?;
            self.note(span, SEALED);
            return Ok(());
        }
        // Who speaks is no name of a tool.
        let named = zone == Zone::Frame && key == "name" && of == Some("messages");
        self.value(cursor, (!named).then_some(key), zone)
    }

    /// Whether an item of what is asked is no more than the id of one that the provider keeps.
    fn is_reference(&self, cursor: &mut Cursor<'a>) -> Result<bool, Invalid> {
        let mut ahead = Cursor::at(self.text, cursor.position());
        let (mut named, mut says) = (false, false);
        ahead.object(|ahead, key| {
            let is_null = ahead.kind()? == Kind::Null;
            if key.says("id") {
                named = !is_null;
            } else if key.says("type") || key.says("role") || key.says("content") {
                says |= !is_null;
            }
            ahead.skip().map(|_| ())
        })?;
        Ok(named && !says)
    }

    fn key(&mut self, key: Text<'a>) {
        if !self.visit.passes(key.raw()) {
            self.show(&key.decode(), key.span());
        }
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
        if zone == Zone::Frame && key == Some("type") {
            self.sealed = text.says("redacted_thinking");
            if text.says("item_reference") {
                self.unscannable.push(Unscannable::State);
            }
        }
        if self.to == To::Peer && zone != Zone::Content && key.is_some_and(is_structure) {
            return;
        }
        if zone == Zone::Frame && key == Some("data") && self.sealed {
            self.note(text.span(), SEALED);
            return;
        }
        if self.visit.passes(text.raw()) && !is_more(text.raw()) {
            return;
        }
        let said = text.decode();
        if said.len() >= UNBROKEN && is_base64(&said) {
            self.unscannable.push(Unscannable::Data);
            self.note(text.span(), Unscannable::Data.name());
            return;
        }
        let form = match key {
            Some("arguments" | "partial_json") => Form::Json,
            _ => Form::Text,
        };
        if let Some(changed) = self.said(&said, form, Some(text.span())) {
            self.splices.push((text.span(), quote(&changed)));
        }
    }

    /// A text that is no more than that.
    fn show(&mut self, text: &str, span: Range<usize>) {
        let context = self.context(Form::Text, Some(span.clone()));
        if let Some(changed) = self.visit.text(text, context) {
            self.splices.push((span, quote(&changed)));
        }
    }

    fn context(&self, form: Form, span: Option<Range<usize>>) -> Context {
        Context {
            form,
            part: self.part,
            span: span.filter(|_| self.depth == 0),
        }
    }

    /// A text: JSON is walked, anything else is shown.
    fn said(&mut self, text: &str, form: Form, span: Option<Range<usize>>) -> Option<String> {
        if self.depth < DEEPEST && text.trim_start().starts_with(['{', '[']) && check(text).is_ok()
        {
            let mut inner = Walk::of(text, self.to, self.depth + 1, &mut *self.visit);
            inner.part = self.part;
            let walked = inner.value(&mut Cursor::new(text), None, Zone::Content);
            self.unscannable.append(&mut inner.unscannable);
            // It has been checked.
            return walked
                .ok()
                .and_then(|()| spliced(text, inner.splices.iter()));
        }
        let context = self.context(form, span);
        self.visit.text(text, context)
    }

    /// A long number may be somebody's; text takes its place.
    fn number(&mut self, key: Option<&str>, span: Range<usize>, zone: Zone) {
        let digits = &self.text[span.clone()];
        match (zone, key) {
            (Zone::Frame, Some("input" | "prompt")) => {
                if self.unscannable.last() != Some(&Unscannable::Tokens) {
                    self.unscannable.push(Unscannable::Tokens);
                }
                self.note(span, Unscannable::Tokens.name());
            }
            (Zone::Frame | Zone::Schema, _) if self.to == To::Peer => {}
            (_, _) => {
                let whole = digits.bytes().all(|byte| byte.is_ascii_digit());
                if digits.len() < LONG_NUMBER || !whole && self.to == To::Peer {
                    return;
                }
                self.show(digits, span);
            }
        }
    }

    /// Whether a list, on its way into a record, is a text as numbers of tokens.
    fn is_tokens(
        &self,
        cursor: &mut Cursor<'a>,
        key: Option<&str>,
        zone: Zone,
    ) -> Result<bool, Invalid> {
        if self.to == To::Peer || zone != Zone::Frame || !matches!(key, Some("input" | "prompt")) {
            return Ok(false);
        }
        let list = &self.text[cursor.position() + 1..];
        Ok(!list.trim_start().starts_with(']') && Cursor::new(list).kind()? == Kind::Number)
    }

    /// In a record, what stands in the place of something that cannot be looked at.
    fn note(&mut self, span: Range<usize>, what: &str) {
        if self.to == To::Record {
            let note = quote(&note(what, span.len()));
            self.splices.push((span, note));
        }
    }
}

/// Whether a string in which nothing matters may be more than a text, told by how it stands in the body: JSON,
/// or base64.
fn is_more(raw: &str) -> bool {
    let is_unbroken = || {
        let bytes = &mut raw.bytes();
        raw.len() >= UNBROKEN && bytes.all(|byte| byte == b'\\' || is_of_base64(byte))
    };
    raw.trim_start().starts_with(['{', '[', '\\']) || is_unbroken()
}

/// What stands in the place of so many bytes that cannot be looked at.
fn note(what: &str, bytes: usize) -> String {
    format!("[{what}, {bytes} bytes]")
}

/// Whether a long text is base64, bare or in a data URL, perhaps in lines.
fn is_base64(text: &str) -> bool {
    let data = match text.strip_prefix("data:") {
        Some(url) => url.split_once(',').map_or(url, |(_, data)| data),
        None => text,
    };
    data.bytes().all(is_of_base64)
}

fn is_of_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'\r' | b'\n')
}
