//! Images, documents and sound: bytes with a format, never a link.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::wire::{Audio, Document, Image, Source};
use crate::chat::{Media, Unsupported};

/// The longest name of a document.
const LONGEST_NAME: usize = 200;

/// The names of a request's documents: no two may be the same.
#[derive(Debug, Default)]
pub(super) struct Names {
    seen: HashMap<String, u32>,
}

pub(super) fn image(media: &Media) -> Result<Image<'_>, Unsupported> {
    let (kind, data) = inline(media, "images")?;
    // What the bytes are, whatever they are called: a wrong format is refused.
    let format = match beginning(data).as_slice() {
        [0x89, b'P', b'N', b'G', ..] => "png",
        [0xff, 0xd8, 0xff, ..] => "jpeg",
        [b'G', b'I', b'F', b'8', ..] => "gif",
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => "webp",
        _ => match kind {
            "image/png" => "png",
            "image/jpeg" | "image/jpg" => "jpeg",
            "image/gif" => "gif",
            "image/webp" => "webp",
            _ => {
                return Err(Unsupported::parameter(
                    "messages",
                    "Images must be PNG, JPEG, GIF or WebP for the provider that this route leads to.",
                ));
            }
        },
    };
    Ok(Image {
        format,
        source: Source { bytes: data },
    })
}

pub(super) fn document<'a>(
    name: Option<&str>,
    media: &'a Media,
    names: &mut Names,
) -> Result<Document<'a>, Unsupported> {
    let (kind, data) = inline(media, "documents")?;
    let format = match kind {
        _ if beginning(data).starts_with(b"%PDF") => "pdf",
        "application/pdf" => "pdf",
        "text/csv" => "csv",
        "application/msword" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.ms-excel" => "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        "text/html" => "html",
        "text/plain" => "txt",
        "text/markdown" => "md",
        _ => {
            return Err(Unsupported::parameter(
                "messages",
                "The provider that this route leads to does not take documents of this type.",
            ));
        }
    };
    Ok(Document {
        format,
        name: names.next(name),
        source: Source { bytes: data },
    })
}

pub(super) fn audio<'a>(format: &'a str, data: &'a str) -> Audio<'a> {
    Audio {
        format,
        source: Source { bytes: data },
    }
}

fn inline<'a>(media: &'a Media, what: &str) -> Result<(&'a str, &'a str), Unsupported> {
    match media {
        Media::Inline { kind, data } if !data.is_empty() => Ok((kind, data)),
        Media::Inline { .. } => Err(Unsupported::invalid(
            "messages",
            format!("{what} must not be empty."),
        )),
        Media::Url(_) => Err(Unsupported::parameter(
            "messages",
            format!(
                "The provider that this route leads to takes {what} as data alone, not by URL."
            ),
        )),
        Media::Id(_) => Err(Unsupported::parameter(
            "messages",
            format!("The provider that this route leads to does not know {what} by an id."),
        )),
    }
}

/// The first twelve bytes, as far as they can be read.
fn beginning(data: &str) -> Vec<u8> {
    let text = data.get(..16).unwrap_or_default();
    STANDARD.decode(text).unwrap_or_default()
}

impl Names {
    /// Letters, digits, single blanks, hyphens, parentheses and brackets: without an extension, as
    /// there are no dots.
    fn next(&mut self, name: Option<&str>) -> String {
        let name = name.unwrap_or_default();
        let stem = match name.rsplit_once('.') {
            Some((stem, end)) if (1..=5).contains(&end.len()) => stem,
            _ => name,
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || "-()[]".contains(c);
        let words = stem.split(|c| !fits(c)).filter(|word| !word.is_empty());
        let mut name = words.collect::<Vec<_>>().join(" ");
        // Room for a number.
        name.truncate(LONGEST_NAME - 10);
        let trimmed = match name.trim_end() {
            "" => "document",
            name => name,
        };
        let count = self.seen.entry(trimmed.to_owned()).or_default();
        *count += 1;
        match *count {
            1 => trimmed.to_owned(),
            more => format!("{trimmed} [{more}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_documents_name_is_made_to_fit_and_no_two_are_the_same() {
        let mut names = Names::default();
        let long = "x".repeat(300);
        for (name, expected) in [
            (Some("report.pdf"), "report"),
            (Some("report.docx"), "report [2]"),
            (Some("Q3  (final)_v2.1.pdf"), "Q3 (final) v2 1"),
            (Some("отчёт.pdf"), "document"),
            (Some(".pdf"), "document [2]"),
            (None, "document [3]"),
            (Some(&long), &long[..190]),
        ] {
            assert_eq!(names.next(name), expected);
        }
    }
}
