//! Images and files of a request: what they are and where their bytes stand.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::chat::Media;

/// How much of the base64 is looked at to tell what it is: 12 bytes of it are enough.
const LOOK: usize = 16;

/// An `image_url.url`: a data URL or one that the provider fetches.
///
/// # Errors
/// Neither, in the words of a sentence's end.
pub(super) fn image(url: String) -> Result<Media, &'static str> {
    if is_web(&url) {
        return Ok(Media::Url(url));
    }
    let (declared, data) = data_url(url)?;
    let kind = match magic(&data)? {
        Some(seen) => seen.to_owned(),
        None if declared == "image/jpg" => "image/jpeg".into(),
        None if declared.starts_with("image/") => declared,
        None => return Err("must be an image"),
    };
    if !kind.starts_with("image/") {
        return Err("must be an image");
    }
    Ok(Media::Inline { kind, data })
}

/// A `file.file_data`: a data URL, or base64 alone.
///
/// # Errors
/// As [`image`].
pub(super) fn file(data: String) -> Result<Media, &'static str> {
    let (declared, data) = if data.starts_with("data:") {
        data_url(data)?
    } else {
        (String::new(), packed(data))
    };
    match magic(&data)? {
        Some(seen) => Ok(Media::Inline {
            kind: seen.to_owned(),
            data,
        }),
        None if declared.is_empty() => Err("must be a data URL that says what it is"),
        None => Ok(Media::Inline {
            kind: declared,
            data,
        }),
    }
}

/// Whether a provider could fetch it.
fn is_web(url: &str) -> bool {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http")
    })
}

/// The media type, in lower case and without parameters, and the base64.
fn data_url(mut url: String) -> Result<(String, String), &'static str> {
    const WRONG: &str = "must be a data URL in base64 or an http(s) URL";
    let scheme = url.get(..5).unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("data:") {
        return Err(WRONG);
    }
    let comma = url.find(',').ok_or(WRONG)?;
    let mut words = url[5..comma].split(';');
    let kind = words.next().unwrap_or_default().trim().to_ascii_lowercase();
    if !words.any(|word| word.trim().eq_ignore_ascii_case("base64")) {
        return Err(WRONG);
    }
    url.drain(..=comma);
    Ok((kind, packed(url)))
}

/// Base64 without line breaks.
fn packed(mut data: String) -> String {
    if memchr::memchr3(b'\n', b'\r', b' ', data.as_bytes()).is_some() {
        data.retain(|c| !c.is_ascii_whitespace());
    }
    data
}

/// What the first bytes of it say it is; providers refuse what is declared as something else.
fn magic(data: &str) -> Result<Option<&'static str>, &'static str> {
    const WRONG: &str = "must hold data in base64";
    if data.is_empty() {
        return Err(WRONG);
    }
    let head = data.as_bytes();
    let head = head[..head.len().min(LOOK)].trim_ascii_end();
    let padding = head.iter().rev().take_while(|byte| **byte == b'=').count();
    let bytes = STANDARD_NO_PAD
        .decode(&head[..head.len() - padding])
        .map_err(|_| WRONG)?;
    let kinds: [(&[u8], &str); 6] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"%PDF-", "application/pdf"),
        (b"BM", "image/bmp"),
    ];
    if bytes.starts_with(b"RIFF") && bytes[4..].ends_with(b"WEBP") {
        return Ok(Some("image/webp"));
    }
    let known = kinds.iter().find(|(start, _)| bytes.starts_with(start));
    Ok(known.map(|(_, kind)| *kind))
}
