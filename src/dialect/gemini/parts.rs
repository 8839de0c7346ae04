//! Turns and their parts, as Gemini takes them.
//!
//! Calls get their signatures back, results the names of their calls; what another model thought is
//! left out. <https://ai.google.dev/gemini-api/docs/function-calling> and
//! <https://ai.google.dev/gemini-api/docs/thought-signatures> (read 2026-11).

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use super::Form;
use super::names::theirs;
use super::wire::{
    Blob, Content, FileData, FunctionCall, FunctionResponse, Part, Response, ResponseText,
};
use crate::chat::thought::signature_for;
use crate::chat::turns::{Ordered, OrderedTurn};
use crate::chat::{self, Call, CallResult, Media, Role, Unsupported};
use crate::dialect::Receiver;

/// What stands for a signature that is not ours: Google's own word for a history from elsewhere,
/// `skip_thought_signature_validator`. Signatures are bytes, which in JSON are base64.
const SKIP_SIGNATURE: &str = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=";

/// What the encoder of parts needs to know.
pub(super) struct Encoder<'a> {
    to: Receiver<'a>,
    form: Form,
    /// Ids of calls and the names of their functions, which a result must bear.
    names: HashMap<&'a str, &'a str>,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(ordered: &'a Ordered<'_>, to: Receiver<'a>, form: Form) -> Self {
        let parts = ordered.turns.iter().flat_map(|turn| &turn.parts);
        let names = parts.filter_map(|part| match &**part {
            chat::Part::Call(call) => Some((call.id.as_str(), call.name.as_str())),
            chat::Part::Text(_)
            | chat::Part::Image(_)
            | chat::Part::File { .. }
            | chat::Part::Audio { .. }
            | chat::Part::Thought(_)
            | chat::Part::Result(_)
            | chat::Part::CachePoint(_) => None,
        });
        Self {
            to,
            form,
            names: names.collect(),
        }
    }

    /// # Errors
    /// A medium that this model, or Gemini, cannot be shown.
    pub(super) fn contents<'o>(
        &self,
        ordered: &'o Ordered<'_>,
    ) -> Result<Vec<Content<'o>>, Unsupported>
    where
        'a: 'o,
    {
        let mut contents = Vec::with_capacity(ordered.turns.len());
        for turn in &ordered.turns {
            match turn.role {
                Role::User => self.user(turn, &mut contents)?,
                Role::Assistant => self.model(turn, &mut contents)?,
            }
        }
        Ok(contents)
    }

    fn user<'o>(
        &self,
        turn: &'o OrderedTurn<'_>,
        contents: &mut Vec<Content<'o>>,
    ) -> Result<(), Unsupported>
    where
        'a: 'o,
    {
        let mut parts = Vec::with_capacity(turn.parts.len());
        // What results show and may not hold comes behind all of them.
        let mut shown = Vec::new();
        for part in &turn.parts {
            match &**part {
                chat::Part::Result(result) => parts.push(self.result(result, &mut shown)?),
                other => parts.extend(self.said(other)?),
            }
        }
        push(contents, "user", parts);
        push(contents, "user", shown);
        Ok(())
    }

    fn model<'o>(
        &self,
        turn: &'o OrderedTurn<'_>,
        contents: &mut Vec<Content<'o>>,
    ) -> Result<(), Unsupported>
    where
        'a: 'o,
    {
        let mut parts = Vec::with_capacity(turn.parts.len());
        for part in &turn.parts {
            match &**part {
                chat::Part::Call(call) => parts.push(self.call(call)),
                // The signature holds it; the text was a summary, for people.
                chat::Part::Thought(thought) => {
                    parts.extend(
                        self.own(thought.signature.as_deref())
                            .map(|signature| Part {
                                text: Some(""),
                                thought_signature: Some(signature),
                                ..Part::default()
                            }),
                    );
                }
                other => parts.extend(self.said(other)?),
            }
        }
        if self.to.facts.call_signatures {
            let mut calls = parts.iter_mut().filter(|part| part.function_call.is_some());
            // Of calls side by side only the first bears one.
            if let Some(first) = calls.next()
                && first.thought_signature.is_none()
                && calls.all(|call| call.thought_signature.is_none())
            {
                first.thought_signature = Some(SKIP_SIGNATURE);
            }
        }
        push(contents, "model", parts);
        Ok(())
    }

    /// A signature that this target made. One without a seal may be anybody's, and a wrong one is a
    /// 400 at every turn to come.
    fn own<'o>(&self, signature: Option<&'o str>) -> Option<&'o str> {
        signature.and_then(|signature| signature_for(signature, self.to.id))
    }

    /// An id, where the model gives them itself. Older ones have answered the field with 400, and so
    /// has Vertex; results stand in the order of their calls all the same. Ours (`call_` and 24
    /// characters, as OpenAI's) are told to nobody.
    fn id<'o>(&self, id: &'o str) -> Option<&'o str> {
        let given = match self.form {
            Form::AiStudio => self.to.facts.call_signatures,
            Form::Vertex => false,
        };
        let ours = id
            .strip_prefix("call_")
            .is_some_and(|rest| rest.len() == 24);
        (given && !ours && !id.is_empty()).then_some(id)
    }

    fn call<'o>(&self, call: &'o Call) -> Part<'o> {
        Part {
            function_call: Some(FunctionCall {
                id: self.id(&call.id),
                name: theirs(&call.name),
                // Half a call in history would be a 400 at every turn to come.
                args: object(&call.arguments).unwrap_or_else(nothing),
            }),
            thought_signature: self.own(call.signature.as_deref()),
            ..Part::default()
        }
    }

    fn result<'o>(
        &self,
        result: &'o CallResult,
        shown: &mut Vec<Part<'o>>,
    ) -> Result<Part<'o>, Unsupported>
    where
        'a: 'o,
    {
        let mut texts = Vec::new();
        let mut media = Vec::new();
        for part in &result.parts {
            match part {
                chat::Part::Text(text) => texts.push(text.as_str()),
                other => media.extend(self.said(other)?),
            }
        }
        let beside = !media.is_empty() && !self.to.facts.images_in_results;
        let text = match texts.as_slice() {
            [] if beside => Cow::Borrowed("(shown below)"),
            [text] => Cow::Borrowed(*text),
            several => Cow::Owned(several.join("\n")),
        };
        if beside {
            shown.append(&mut media);
        }
        let name = self.names.get(result.id.as_str()).copied();
        Ok(Part {
            function_response: Some(FunctionResponse {
                id: self.id(&result.id),
                // Results without their calls were taken out before.
                name: theirs(name.unwrap_or("unknown")),
                response: response(text, result.is_error),
                parts: media,
            }),
            ..Part::default()
        })
    }

    /// What both sides may say. `None` for what Gemini has no word for and does without.
    fn said<'o>(&self, part: &'o chat::Part) -> Result<Option<Part<'o>>, Unsupported> {
        Ok(match part {
            chat::Part::Text(text) => Some(words(text)),
            chat::Part::Image(media) | chat::Part::File { name: _, media } => {
                Some(self.media(media)?)
            }
            chat::Part::Audio { format, data } => Some(blob(format!("audio/{format}"), data)),
            chat::Part::CachePoint(_)
            | chat::Part::Thought(_)
            | chat::Part::Call(_)
            | chat::Part::Result(_) => None,
        })
    }

    fn media<'o>(&self, media: &'o Media) -> Result<Part<'o>, Unsupported> {
        if !self.to.facts.images {
            return Err(refused("This model takes text alone."));
        }
        match media {
            Media::Inline { kind, data } => Ok(blob(kind.as_str(), data)),
            Media::Url(url) => match self.fetched(url) {
                Some(file_data) => Ok(Part {
                    file_data: Some(file_data),
                    ..Part::default()
                }),
                None => Err(refused(
                    "This provider does not fetch that URL: send the file inline, as base64.",
                )),
            },
            Media::Id(_) => Err(refused(
                "This provider does not have that file: send it inline, as base64.",
            )),
        }
    }

    /// A file that Google fetches itself: its own wherever they are, any other from Vertex alone and
    /// with a type.
    fn fetched<'o>(&self, url: &'o str) -> Option<FileData<'o>> {
        let mime_type = kind_of(url);
        let (scheme, rest) = url.split_once("://")?;
        let own = scheme == "gs"
            || scheme == "https"
                && rest.starts_with("generativelanguage.googleapis.com/")
                && rest.contains("/files/");
        let public = match self.form {
            Form::AiStudio => false,
            Form::Vertex => scheme == "https" && mime_type.is_some(),
        };
        (own || public).then_some(FileData {
            file_uri: url,
            mime_type,
        })
    }
}

/// The instructions, if there are any.
pub(super) fn system<'o>(ordered: &'o Ordered<'_>) -> Option<Content<'o>> {
    let texts = ordered.system.iter().filter_map(|part| match &**part {
        chat::Part::Text(text) => Some(chat::without_billing(text))
            .filter(|text| !text.is_empty())
            .map(words),
        chat::Part::Image(_)
        | chat::Part::File { .. }
        | chat::Part::Audio { .. }
        | chat::Part::Thought(_)
        | chat::Part::Call(_)
        | chat::Part::Result(_)
        | chat::Part::CachePoint(_) => None,
    });
    let parts: Vec<Part<'_>> = texts.collect();
    // Without parts it is a 400.
    (!parts.is_empty()).then_some(Content { role: None, parts })
}

fn push<'o>(contents: &mut Vec<Content<'o>>, role: &'static str, parts: Vec<Part<'o>>) {
    if !parts.is_empty() {
        contents.push(Content {
            role: Some(role),
            parts,
        });
    }
}

fn words(text: &str) -> Part<'_> {
    Part {
        text: Some(text),
        ..Part::default()
    }
}

fn blob<'o>(mime_type: impl Into<Cow<'o, str>>, data: &'o str) -> Part<'o> {
    Part {
        inline_data: Some(Blob {
            mime_type: mime_type.into(),
            data,
        }),
        ..Part::default()
    }
}

fn refused(message: &'static str) -> Unsupported {
    Unsupported::parameter("messages", message)
}

/// `text` as a JSON object, byte for byte, if it is one.
fn object(text: &str) -> Option<Cow<'_, RawValue>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    serde_json::from_str::<&RawValue>(text)
        .ok()
        .map(Cow::Borrowed)
}

fn nothing<'a>() -> Cow<'a, RawValue> {
    Cow::Borrowed(serde_json::from_str("{}").unwrap_or(RawValue::NULL))
}

fn response(text: Cow<'_, str>, is_error: bool) -> Response<'_> {
    if is_error {
        return Response::Text(ResponseText::Error(text));
    }
    match object(&text) {
        Some(object) => Response::Object(object.into_owned()),
        None => Response::Text(ResponseText::Output(text)),
    }
}

/// The type of a file, by the end of its name: Vertex does not guess.
fn kind_of(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next()?;
    let (_, end) = path.rsplit_once('.')?;
    Some(match end.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "gif" => "image/gif",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "mp3" => "audio/mp3",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        _ => return None,
    })
}
