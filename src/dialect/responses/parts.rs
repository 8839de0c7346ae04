//! The content of one item.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{kept_elsewhere, value};
use crate::chat::{Media, Part, Unsupported};

#[derive(Deserialize)]
struct Piece {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    refusal: Option<String>,
    image_url: Option<String>,
    file_id: Option<String>,
    file_data: Option<String>,
    file_url: Option<String>,
    filename: Option<String>,
    input_audio: Option<Audio>,
}

#[derive(Deserialize)]
struct Audio {
    data: String,
    format: String,
}

/// A message's content: a string, or parts of any kind.
pub(super) fn message(path: &str, content: &RawValue) -> Result<Vec<Part>, Unsupported> {
    if content.get().starts_with('"') {
        return Ok(vec![Part::Text(value(path, content.get(), "a string")?)]);
    }
    let pieces: Vec<&RawValue> = value(path, content.get(), "a string or a list of parts")?;
    let numbered = pieces.into_iter().enumerate();
    numbered
        .map(|(at, raw)| {
            let path = format!("{path}[{at}]");
            let piece = value(&path, raw.get(), "a part of the Responses API")?;
            part(&path, piece)
        })
        .collect()
}

/// What came of a call: a string, or text, images and files.
pub(super) fn result(path: &str, output: &RawValue) -> Result<Vec<Part>, Unsupported> {
    let first = output.get().as_bytes().first();
    if !matches!(first, Some(b'"' | b'[')) {
        // Not of the schema, but plain enough: an object, or a number.
        return Ok(vec![Part::Text(output.get().to_owned())]);
    }
    let parts = message(path, output)?;
    if let Some(at) = parts
        .iter()
        .position(|part| matches!(part, Part::Audio { .. }))
    {
        return Err(Unsupported::parameter(
            format!("{path}[{at}]"),
            "A call's output is text, images and files.",
        ));
    }
    Ok(parts)
}

/// A string's text; of another value, the JSON.
pub(super) fn text_of(raw: &RawValue) -> String {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
}

fn part(path: &str, piece: Piece) -> Result<Part, Unsupported> {
    let missing = |field: &str| {
        Unsupported::invalid(
            format!("{path}.{field}"),
            format!("`{path}` has no `{field}`."),
        )
    };
    match &*piece.kind {
        "input_text" | "output_text" | "text" => {
            Ok(Part::Text(piece.text.ok_or_else(|| missing("text"))?))
        }
        "refusal" => Ok(Part::Text(piece.refusal.ok_or_else(|| missing("refusal"))?)),
        "input_image" => match (piece.image_url, piece.file_id) {
            (Some(url), _) => Ok(Part::Image(media(&format!("{path}.image_url"), url)?)),
            (None, Some(_)) => Err(kept_elsewhere(&format!("{path}.file_id"))),
            (None, None) => Err(missing("image_url")),
        },
        "input_file" => file(path, piece),
        "input_audio" => {
            let audio = piece.input_audio.ok_or_else(|| missing("input_audio"))?;
            Ok(Part::Audio {
                format: audio.format,
                data: audio.data,
            })
        }
        kind => Err(Unsupported::parameter(
            format!("{path}.type"),
            format!(
                "A part of type `{kind}` can only be read by a provider that serves the Responses API itself."
            ),
        )),
    }
}

fn file(path: &str, piece: Piece) -> Result<Part, Unsupported> {
    let media = if let Some(data) = piece.file_data {
        if data.starts_with("data:") {
            media(&format!("{path}.file_data"), data)?
        } else {
            Media::Inline {
                kind: kind_by_name(piece.filename.as_deref().unwrap_or_default()).into(),
                data,
            }
        }
    } else if let Some(url) = piece.file_url {
        media(&format!("{path}.file_url"), url)?
    } else if piece.file_id.is_some() {
        return Err(kept_elsewhere(&format!("{path}.file_id")));
    } else {
        return Err(Unsupported::invalid(
            format!("{path}.file_data"),
            format!("`{path}` has neither `file_data` nor `file_url`."),
        ));
    };
    Ok(Part::File {
        name: piece.filename,
        media,
    })
}

/// Bare base64 does not say what it holds; nearly always it is a PDF.
fn kind_by_name(name: &str) -> &'static str {
    let end = name
        .rsplit_once('.')
        .map(|(_, end)| end.to_ascii_lowercase());
    match end.as_deref() {
        Some("txt" | "log") => "text/plain",
        Some("md") => "text/markdown",
        Some("csv") => "text/csv",
        Some("html" | "htm") => "text/html",
        Some("json") => "application/json",
        _ => "application/pdf",
    }
}

/// A data URL, or one that the provider fetches.
fn media(path: &str, url: String) -> Result<Media, Unsupported> {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme);
    let wrong = |what: &str| Unsupported::invalid(path.to_owned(), format!("`{path}` {what}."));
    match scheme.map(str::to_ascii_lowercase).as_deref() {
        Some("http" | "https") => Ok(Media::Url(url)),
        Some("data") => {
            let (head, data) = url["data:".len()..]
                .split_once(',')
                .ok_or_else(|| wrong("is a data URL without data"))?;
            let mut parameters = head.split(';');
            let kind = parameters.next().unwrap_or_default().trim();
            if !parameters.any(|parameter| parameter.trim() == "base64") {
                return Err(wrong("is a data URL that is not base64"));
            }
            Ok(Media::Inline {
                kind: kind.to_ascii_lowercase(),
                data: data.split_ascii_whitespace().collect(),
            })
        }
        _ => Err(wrong("is neither an http(s) nor a data URL")),
    }
}
