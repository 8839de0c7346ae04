//! About how many tokens a request's prompt is, told by the bytes that are walked over anyway.
//!
//! This decides which account has room and what is cheapest, before a target is chosen; what the
//! answer's usage says puts it right. Text is about four bytes a token in any script. An image, a file
//! or a recording is not: its base64 may be a megabyte, for which providers count some hundred tokens up
//! to a few thousand. Here each is the same.

use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};

use crate::chat::Surface;
use crate::wire::json::{Cursor, Invalid, Text};

/// Of JSON with text in it, about so many bytes are a token.
const BYTES_PER_TOKEN: u64 = 4;
/// An image, a file or a recording.
const EACH: u64 = 1000;
const JSON: &[u8] = b"application/json";
/// A string that goes on for so many bytes without a blank or a mark is no text.
const UNBROKEN: usize = 1024;

/// What in a request is no text.
#[derive(Debug, Default)]
pub(super) struct Media {
    /// Parts whose type says so; what they show may lie elsewhere.
    parts: u64,
    /// What lies in the request itself: the tokens of all, and their bytes.
    within: u64,
    bytes: u64,
}

impl Media {
    /// Passes over the value that comes next.
    pub(super) fn pass(
        &mut self,
        surface: Surface,
        cursor: &mut Cursor<'_>,
    ) -> Result<(), Invalid> {
        cursor.strings(|key, string| self.see(surface, key, string))?;
        Ok(())
    }

    /// Looks at a string, and the key that it is a member by.
    pub(super) fn see(&mut self, surface: Surface, key: Option<Text<'_>>, string: Text<'_>) {
        let raw = string.raw();
        if raw.len() < UNBROKEN {
            let is_part = is_media(surface, raw) && key.is_some_and(|key| key.says("type"));
            self.parts += u64::from(is_part);
        } else if is_payload(raw) {
            let bytes = raw.len() as u64;
            self.bytes += bytes;
            // What is short may be a signature.
            self.within += (bytes / BYTES_PER_TOKEN).min(EACH);
        }
    }

    /// The tokens of a request of so many bytes.
    pub(super) fn tokens(&self, bytes: usize) -> u64 {
        // Most of what lies within belongs to a part that has been counted.
        let media = self.within.max(self.parts * EACH);
        (bytes as u64).saturating_sub(self.bytes) / BYTES_PER_TOKEN + media
    }
}

/// The tokens of what passes through unread: of JSON as of any request, of anything else (a form with a
/// recording, say) as of one file at most.
pub fn weigh(headers: &HeaderMap, body: &[u8]) -> u64 {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_json = kind.is_some_and(|kind| {
        let name = kind.get(..JSON.len());
        name.is_some_and(|name| name.eq_ignore_ascii_case(JSON))
    });
    let text = std::str::from_utf8(body).ok().filter(|_| is_json);
    let Some(text) = text else {
        return (body.len() as u64 / BYTES_PER_TOKEN).min(EACH);
    };
    let mut media = Media::default();
    // What is no JSON after all is weighed as text.
    let passed = media.pass(Surface::Passthrough, &mut Cursor::new(text));
    passed.map_or(body.len() as u64 / BYTES_PER_TOKEN, |()| {
        media.tokens(body.len())
    })
}

/// The types of parts that show, hold or play something.
fn is_media(surface: Surface, kind: &str) -> bool {
    match surface {
        Surface::Chat => matches!(kind, "image_url" | "input_audio" | "video_url" | "file"),
        Surface::Responses => matches!(
            kind,
            "input_image" | "input_file" | "input_audio" | "computer_screenshot"
        ),
        Surface::Messages | Surface::CountTokens => matches!(kind, "image" | "document"),
        Surface::Completions | Surface::Embeddings | Surface::Models | Surface::Passthrough => {
            false
        }
    }
}

/// Whether a string is so long and base64, bare or in a data URL, that it is no text. Its beginning
/// tells; JSON may escape a slash.
pub(in crate::chat) fn is_payload(raw: &str) -> bool {
    if raw.len() < UNBROKEN {
        return false;
    }
    let data = match raw.strip_prefix("data:") {
        Some(url) => url.split_once(',').map_or(url, |(_, data)| data),
        None => raw,
    };
    let mut beginning = data.bytes().take(UNBROKEN);
    beginning.all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_\\".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(surface: Surface, text: &str) -> u64 {
        let mut media = Media::default();
        media.pass(surface, &mut Cursor::new(text)).unwrap();
        media.tokens(text.len())
    }

    #[test]
    fn media_weigh_the_same_however_long_they_are() {
        let short = "iVBORw0KGgo=";
        let long = "iVBORw0KGgo/".repeat(10_000);
        let escaped = long.replace('/', r"\/");
        for data in [short, &long, &escaped] {
            for (surface, part) in [
                (
                    Surface::Chat,
                    format!(
                        r#"{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{data}"}}}}"#
                    ),
                ),
                (
                    Surface::Chat,
                    format!(
                        r#"{{"type":"input_audio","input_audio":{{"format":"mp3","data":"{data}"}}}}"#
                    ),
                ),
                (
                    Surface::Chat,
                    format!(
                        r#"{{"type":"file","file":{{"file_data":"data:application\/pdf;base64,{data}"}}}}"#
                    ),
                ),
                (
                    Surface::Responses,
                    format!(
                        r#"{{"type":"input_image","image_url":"data:image/png;base64,{data}"}}"#
                    ),
                ),
                (
                    Surface::Messages,
                    format!(
                        r#"{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{data}"}}}}"#
                    ),
                ),
            ] {
                let one = tokens(surface, &format!("[{part}]"));
                assert!((1000..1040).contains(&one), "{one}: {part:.80}");
                let two = tokens(surface, &format!("[{part},{part}]"));
                assert!((2000..2080).contains(&two), "{two}: {part:.80}");
            }
        }
    }

    #[test]
    fn what_lies_elsewhere_weighs_too_and_what_has_no_type_does() {
        let elsewhere = r#"[{"type":"image_url","image_url":{"url":"https://a.example/b.png"}}]"#;
        assert!((1000..1040).contains(&tokens(Surface::Chat, elsewhere)));
        let drawn = format!(
            r#"[{{"type":"image_generation_call","result":"{}"}}]"#,
            "A".repeat(1_000_000)
        );
        assert!((1000..1040).contains(&tokens(Surface::Responses, &drawn)));
    }

    #[test]
    fn text_is_weighed_by_its_length() {
        let line = "The image at data:image/png;base64,AAAA is \\\"small\\\". ";
        let cyrillic = "Какаяпогода".repeat(100);
        for text in [
            line.repeat(1000),
            cyrillic,
            "A".repeat(UNBROKEN - 1),
            r#"{\"type\":\"image_url\"}"#.to_owned(),
        ] {
            let body = format!(r#"[{{"type":"text","text":"{text}"}},"image_url"]"#);
            assert_eq!(tokens(Surface::Chat, &body), body.len() as u64 / 4);
        }
    }

    #[test]
    fn what_passes_through_is_weighed_by_what_it_is() {
        let long = "A".repeat(4_000_000);
        let image = format!(r#"{{"model":"m","image":"data:image/png;base64,{long}"}}"#);
        for (kind, body, tokens) in [
            (Some("application/json"), r#"{"input":"twelve bytes"}"#, 6),
            (Some("Application/JSON; charset=utf-8"), &*image, 1006),
            (Some("application/json"), "no JSON, but text", 4),
            (Some("multipart/form-data; boundary=x"), &*long, 1000),
            (Some("audio/mpeg"), "short", 1),
            (None, &*long, 1000),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(kind) = kind {
                headers.insert(CONTENT_TYPE, kind.parse().unwrap());
            }
            assert_eq!(weigh(&headers, body.as_bytes()), tokens, "{kind:?}");
        }
    }

    #[test]
    fn a_signature_is_no_image() {
        let signed = format!(
            r#"[{{"type":"thinking","thinking":"Hm.","signature":"{}"}}]"#,
            "A".repeat(1200)
        );
        assert_eq!(tokens(Surface::Messages, &signed), signed.len() as u64 / 4);
    }
}
