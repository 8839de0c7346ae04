//! What was given last, so that the same is not given twice; and in which format a text is.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::{Document, Fetched, LARGEST, SourceError};
use crate::config::Format;

/// A longer signature is none.
pub(super) const LONGEST_SIGNATURE: usize = 4 << 10;

/// The document that was given last.
#[derive(Default)]
pub(super) struct Seen(Option<Document>);

impl Seen {
    /// The document, unless it is the one that was given last.
    pub(super) fn give(&mut self, document: Document) -> Fetched {
        if self.0.as_ref() == Some(&document) {
            return Fetched::Same;
        }
        self.0 = Some(document.clone());
        Fetched::New(document)
    }
}

/// A text of at most [`LARGEST`] bytes.
pub(super) fn bounded(text: Bytes) -> Result<Bytes, SourceError> {
    if text.len() > LARGEST {
        return Err(too_long());
    }
    Ok(text)
}

pub(super) fn too_long() -> SourceError {
    SourceError::Unusable(format!("it is longer than {} MiB", LARGEST >> 20))
}

/// By the name's extension, else by the type that it is served with, else YAML.
pub(super) fn format(name: &str, headers: Option<&HeaderMap>) -> Format {
    let kind = || {
        let kind = headers?.get(CONTENT_TYPE)?.to_str().ok()?;
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let (_, kind) = kind.split_once('/')?;
        match kind.to_ascii_lowercase().trim_start_matches("x-") {
            "json" => Some(Format::Json),
            "toml" => Some(Format::Toml),
            _ => None,
        }
    };
    Format::of(name.as_ref())
        .or_else(kind)
        .unwrap_or(Format::Yaml)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn document(text: &'static str, signature: Option<&'static str>) -> Document {
        Document {
            text: text.into(),
            format: Format::Yaml,
            signature: signature.map(Bytes::from),
        }
    }

    #[test]
    fn only_another_document_is_new() {
        let mut seen = Seen::default();
        for (text, signature, new) in [
            ("a", None, true),
            ("a", None, false),
            ("b", None, true),
            ("a", None, true),
            ("a", Some(""), true),
            ("a", Some("s"), true),
            ("a", Some("s"), false),
            ("sa", Some(""), true),
            ("", None, true),
        ] {
            let given = seen.give(document(text, signature));
            assert_eq!(
                matches!(given, Fetched::New(_)),
                new,
                "{text} {signature:?}"
            );
        }
    }

    #[test]
    fn the_name_decides_the_format_and_then_the_type() {
        for (name, kind, expected) in [
            ("/a/b.yaml", Some("application/json"), Format::Yaml),
            ("b.YML", None, Format::Yaml),
            ("b.toml", None, Format::Toml),
            ("a.b/c.json", None, Format::Json),
            ("b", Some("application/json; charset=utf-8"), Format::Json),
            ("b", Some("application/toml"), Format::Toml),
            ("b.txt", Some("text/x-toml"), Format::Toml),
            ("b", Some("application/x-yaml"), Format::Yaml),
            ("b", Some("text/plain"), Format::Yaml),
            ("b", None, Format::Yaml),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(kind) = kind {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            }
            assert_eq!(format(name, Some(&headers)), expected, "{name} {kind:?}");
        }
    }
}
