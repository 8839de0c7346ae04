//! What rules and targets ask of a request beyond its facts: looked for in its bytes when it is asked
//! for, and not before.

use std::borrow::Cow;
use std::cell::OnceCell;

use http::HeaderMap;

use super::Surface;
use super::affinity::{affinity, named};
use super::drawn::drawn;
use super::request::{Request, is_payload};
use crate::wire::json::{Cursor, Invalid, Kind, Text};

/// The members of a body that the model reads.
const READ: [&str; 5] = ["messages", "system", "instructions", "input", "prompt"];
/// The members below them that say how a body is built, and nothing that anybody has written.
const STRUCTURE: [&str; 9] = [
    "type",
    "role",
    "id",
    "call_id",
    "tool_call_id",
    "tool_use_id",
    "status",
    "detail",
    "media_type",
];

/// What an answer is to be that is not to be text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Schema,
    /// Whatever JSON.
    Object,
}

/// A request, looked at.
#[derive(Debug)]
pub struct Look<'a> {
    /// `None`: it passes through, and is not read.
    request: Option<&'a Request>,
    body: &'a [u8],
    images: OnceCell<bool>,
    format: OnceCell<Option<Format>>,
    affinity: OnceCell<Option<u64>>,
}

impl<'a> Look<'a> {
    pub fn at(request: &'a Request) -> Self {
        Self {
            request: Some(request),
            ..Self::unread(request.body.as_bytes())
        }
    }

    /// A request that passes through as it came: of what it says nothing is known.
    pub fn unread(body: &'a [u8]) -> Self {
        Self {
            request: None,
            body,
            images: OnceCell::new(),
            format: OnceCell::new(),
            affinity: OnceCell::new(),
        }
    }

    /// The request, where it is read.
    pub fn request(&self) -> Option<&'a Request> {
        self.request
    }

    /// Whether the model is shown an image.
    pub fn images(&self) -> bool {
        *self.images.get_or_init(|| {
            let mut found = false;
            let surface = self.surface();
            self.read(|key, string| {
                found |= key == Some("type") && is_image(surface, &string);
                !found
            });
            found
        })
    }

    /// Whether the answer is to fit a JSON schema.
    pub fn json_schema(&self) -> bool {
        self.format() == Some(Format::Schema)
    }

    /// Whether the answer is to be JSON, by a schema or without.
    pub fn json(&self) -> bool {
        self.format().is_some()
    }

    fn format(&self) -> Option<Format> {
        *self.format.get_or_init(|| {
            let said = match self.surface() {
                Surface::Chat => self.member(&["response_format", "type"]),
                Surface::Responses => self.member(&["text", "format", "type"]),
                // The second is what it was called before.
                Surface::Messages | Surface::CountTokens => self
                    .member(&["output_config", "format", "type"])
                    .or_else(|| self.member(&["output_format", "type"])),
                Surface::Completions
                | Surface::Embeddings
                | Surface::Models
                | Surface::Passthrough => None,
            };
            match &*said? {
                "json_schema" => Some(Format::Schema),
                "json_object" => Some(Format::Object),
                _ => None,
            }
        })
    }

    /// What `metadata` says under this name: text, or a number or a word as it stands there.
    pub fn metadata(&self, name: &str) -> Option<Cow<'a, str>> {
        self.member(&["metadata", name])
    }

    /// Whether `fits` says so of one of the texts: whatever was written for the model to read, by whomever.
    pub fn any_text(&self, mut fits: impl FnMut(&str) -> bool) -> bool {
        let mut found = false;
        self.read(|key, string| {
            let is_text = !key.is_some_and(|key| STRUCTURE.contains(&key));
            found |= is_text && fits(&string);
            !found
        });
        found
    }

    /// What all requests of the conversation have in common, where anything tells.
    pub fn affinity(&self, headers: &HeaderMap) -> Option<u64> {
        let found = || match self.request {
            Some(request) => affinity(request, headers),
            None => named(headers),
        };
        *self.affinity.get_or_init(found)
    }

    /// A number that is the same for all requests of the conversation, or else for all that are the same.
    pub fn conversation(&self, headers: &HeaderMap) -> u64 {
        let alike = || drawn([self.body]);
        self.affinity(headers).unwrap_or_else(alike)
    }

    fn surface(&self) -> Surface {
        let surface = self.request.map(|request| request.surface);
        surface.unwrap_or(Surface::Passthrough)
    }

    /// Shows `each` the strings of what the model reads, with the keys that they are members by, until
    /// it has seen enough. What is no text is left out.
    fn read(&self, mut each: impl FnMut(Option<&str>, Cow<'a, str>) -> bool) {
        let Some(request) = self.request else { return };
        let mut more = true;
        // The body has been walked before: nothing in it is wrong.
        let walked = Cursor::new(&request.body).object(|cursor, key| {
            if more && READ.iter().any(|name| key.says(name)) {
                cursor.strings(|key, string| {
                    if more && !is_payload(string.raw()) {
                        let key = key.map(Text::decode);
                        more = each(key.as_deref(), string.decode());
                    }
                })?;
            }
            Ok::<(), Invalid>(())
        });
        drop(walked);
    }

    /// The text of the member at this path.
    fn member(&self, path: &[&str]) -> Option<Cow<'a, str>> {
        let text: &str = &self.request?.body;
        let mut found = None;
        walk(&mut Cursor::new(text), text, path, &mut found).ok()?;
        found
    }
}

/// Of members that are there twice, the last one counts, as it does with most who read JSON.
fn walk<'a>(
    cursor: &mut Cursor<'a>,
    text: &'a str,
    path: &[&str],
    found: &mut Option<Cow<'a, str>>,
) -> Result<(), Invalid> {
    let Some((first, rest)) = path.split_first() else {
        *found = match cursor.kind()? {
            Kind::String => Some(cursor.string()?.decode()),
            Kind::Number | Kind::Bool => Some(Cow::Borrowed(&text[cursor.skip()?])),
            Kind::Object | Kind::Array | Kind::Null => None,
        };
        return Ok(());
    };
    if cursor.kind()? == Kind::Object {
        cursor.object(|cursor, key| {
            if key.says(first) {
                walk(cursor, text, rest, found)?;
            }
            Ok::<(), Invalid>(())
        })?;
    }
    Ok(())
}

/// The types of parts that show an image.
fn is_image(surface: Surface, kind: &str) -> bool {
    match surface {
        Surface::Chat => kind == "image_url",
        Surface::Responses => matches!(kind, "input_image" | "computer_screenshot"),
        Surface::Messages | Surface::CountTokens => kind == "image",
        Surface::Completions | Surface::Embeddings | Surface::Models | Surface::Passthrough => {
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(surface: Surface, body: &str) -> Request {
        Request::read(surface, body.to_owned().into()).unwrap()
    }

    #[test]
    fn an_image_is_known_by_the_type_of_its_part() {
        let url = "data:image/png;base64,AAAA";
        for (surface, body, expected) in [
            (
                Surface::Chat,
                format!(
                    r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"{url}"}}}}]}}]}}"#
                ),
                true,
            ),
            (
                Surface::Chat,
                r#"{"model":"m","messages":[{"role":"user","content":"image_url"}]}"#.into(),
                false,
            ),
            (
                Surface::Responses,
                format!(
                    r#"{{"model":"m","input":[{{"role":"user","content":[{{"type":"input_image","image_url":"{url}"}}]}}]}}"#
                ),
                true,
            ),
            (
                Surface::Messages,
                r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x/y.png"}}]}]}"#
                    .into(),
                true,
            ),
            (
                Surface::Messages,
                r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","source":{}}]}]}"#
                    .into(),
                false,
            ),
        ] {
            let request = request(surface, &body);
            assert_eq!(Look::at(&request).images(), expected, "{body}");
        }
    }

    #[test]
    fn a_schema_is_where_its_surface_has_it() {
        for (surface, more, expected) in [
            (
                Surface::Chat,
                r#","response_format":{"type":"json_schema","json_schema":{"name":"a"}}"#,
                true,
            ),
            (
                Surface::Chat,
                r#","response_format":{"type":"json_object"}"#,
                false,
            ),
            (Surface::Chat, "", false),
            (
                Surface::Messages,
                r#","max_tokens":9,"output_config":{"format":{"type":"json_schema"}}"#,
                true,
            ),
            (
                Surface::Messages,
                r#","max_tokens":9,"output_format":{"type":"json_schema"}"#,
                true,
            ),
        ] {
            let body = format!(r#"{{"model":"m","messages":[]{more}}}"#);
            let request = request(surface, &body);
            assert_eq!(Look::at(&request).json_schema(), expected, "{body}");
        }
        let body =
            r#"{"model":"m","input":"a","text":{"format":{"type":"json_schema","name":"a"}}}"#;
        assert!(Look::at(&request(Surface::Responses, body)).json_schema());
    }

    #[test]
    fn an_answer_is_json_by_a_schema_or_without() {
        let chat = |kind: &str| {
            let more = format!(r#""response_format":{{"type":"{kind}"}}"#);
            request(
                Surface::Chat,
                &format!(r#"{{"model":"m","messages":[],{more}}}"#),
            )
        };
        let responses = |kind: &str| {
            let more = format!(r#""text":{{"format":{{"type":"{kind}"}}}}"#);
            request(
                Surface::Responses,
                &format!(r#"{{"model":"m","input":"a",{more}}}"#),
            )
        };
        for (kind, expected) in [
            ("json_object", true),
            ("json_schema", true),
            ("text", false),
        ] {
            assert_eq!(Look::at(&chat(kind)).json(), expected, "{kind}");
            assert_eq!(Look::at(&responses(kind)).json(), expected, "{kind}");
        }
    }

    #[test]
    fn metadata_is_read_as_text() {
        let body = r#"{"model":"m","metadata":{"a":"x\u0079","n":7,"b":true,"o":{},"a2":null},"messages":[]}"#;
        let request = request(Surface::Chat, body);
        let look = Look::at(&request);
        for (name, said) in [
            ("a", Some("xy")),
            ("n", Some("7")),
            ("b", Some("true")),
            ("o", None),
            ("a2", None),
            ("none", None),
        ] {
            assert_eq!(look.metadata(name).as_deref(), said, "{name}");
        }
    }

    #[test]
    fn texts_are_what_was_written_for_the_model() {
        let body = r#"{"model":"secret","user":"secret","metadata":{"a":"secret"},"messages":[
            {"role":"system","content":"one"},
            {"role":"user","content":[{"type":"text","text":"t\u0077o"}]},
            {"role":"assistant","tool_calls":[{"id":"secret","type":"function","function":{"name":"f","arguments":"{\"a\":\"three\"}"}}]},
            {"role":"tool","tool_call_id":"secret","content":"four"}]}"#;
        let chat = request(Surface::Chat, body);
        let look = Look::at(&chat);
        for (word, expected) in [
            ("one", true),
            ("two", true),
            ("three", true),
            ("four", true),
            ("secret", false),
            ("assistant", false),
        ] {
            assert_eq!(
                look.any_text(|text| text.contains(word)),
                expected,
                "{word}"
            );
        }
        let body = r#"{"model":"m","instructions":"one","input":[{"type":"function_call_output","call_id":"c","output":"two"}]}"#;
        let responses = request(Surface::Responses, body);
        let look = Look::at(&responses);
        assert!(look.any_text(|text| text == "one") && look.any_text(|text| text == "two"));
        let payload = "QUJD".repeat(1000);
        let body = format!(
            r#"{{"model":"m","input":[{{"role":"user","content":[{{"type":"input_image","image_url":"data:image/png;base64,{payload}"}}]}}]}}"#
        );
        let shown = request(Surface::Responses, &body);
        assert!(!Look::at(&shown).any_text(|text| text.contains("QUJD")));
    }

    #[test]
    fn what_passes_through_says_nothing_and_has_a_conversation_by_its_header() {
        let look = Look::unread(br#"{"model":"m","metadata":{"a":"x"}}"#);
        assert!(!look.images() && !look.json_schema() && look.metadata("a").is_none());
        let mut headers = HeaderMap::new();
        let by_body = look.conversation(&headers);
        assert_ne!(by_body, Look::unread(b"else").conversation(&headers));
        headers.insert("x-pillion-tag-conversation", "c".parse().unwrap());
        let named = Look::unread(b"else").conversation(&headers);
        let body = r#"{"model":"m","messages":[{"role":"user","content":"a"}]}"#;
        let read = request(Surface::Chat, body);
        assert_eq!(Look::at(&read).conversation(&headers), named);
    }
}
