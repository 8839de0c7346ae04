//! The blocks of a message as parts of a turn.
//!
//! What only Anthropic can read is refused in what the user says, since an answer without it would
//! be one to another question. In what the assistant said it is left out and named: its words stand
//! beside it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::fields::{Fields, Path, items, string};
use super::of_next_call;
use super::read::Asked;
use crate::chat::asked::note;
use crate::chat::{Call, CallResult, Lifetime, Media, Part, Role, Thought, Unsupported};

/// The blocks of one message.
pub(super) struct Blocks<'c> {
    role: Role,
    asked: &'c mut Asked,
    parts: Vec<Part>,
    /// The signature that the next call is to bear.
    signature: Option<String>,
}

impl<'c> Blocks<'c> {
    pub(super) fn new(role: Role, asked: &'c mut Asked) -> Self {
        Self {
            role,
            asked,
            parts: Vec::new(),
            signature: None,
        }
    }

    /// Reads the content `raw`: a string, or a list of blocks.
    pub(super) fn read(mut self, raw: &str, path: &Path<'_>) -> Result<Vec<Part>, Unsupported> {
        if raw.starts_with('"') {
            self.parts.push(Part::Text(string(raw, path)?));
            return Ok(self.parts);
        }
        for (index, raw) in items(raw, path)?.into_iter().enumerate() {
            let path = Path::Index(path, index);
            self.block(&Fields::read(raw, &path)?)?;
        }
        Ok(self.parts)
    }

    fn block(&mut self, block: &Fields<'_, '_>) -> Result<(), Unsupported> {
        let kind = block.some_text("type")?;
        let mut inner_mark = None;
        match (self.role, kind.as_str()) {
            (_, "text") => self.parts.push(Part::Text(block.some_text("text")?)),
            (Role::User, "image") => self.parts.push(Part::Image(image(block)?)),
            (Role::User, "document") => document(block, &mut self.parts, self.asked)?,
            (Role::User, "tool_result") => {
                let result = result(block, self.asked, &mut inner_mark)?;
                self.parts.push(Part::Result(result));
            }
            (Role::Assistant, "thinking") => self.thinking(block)?,
            (Role::Assistant, "redacted_thinking") => self.parts.push(Part::Thought(Thought {
                redacted: Some(block.some_text("data")?),
                ..Thought::default()
            })),
            (Role::Assistant, "tool_use") => {
                let call = self.call(block)?;
                self.parts.push(Part::Call(call));
            }
            // What stood before it in the history may be gone: this is what it said.
            (Role::Assistant, "compaction") => {
                self.parts.extend(block.text("content")?.map(Part::Text));
            }
            (Role::Assistant, _) => note(self.asked, kind),
            (Role::User, _) => {
                return Err(block.path.refused(&format!("a block of the type `{kind}`")));
            }
        }
        if let Some(lifetime) = lifetime(block)?.or(inner_mark) {
            self.parts.push(Part::CachePoint(lifetime));
            note(self.asked, "cache_control");
        }
        Ok(())
    }

    fn thinking(&mut self, block: &Fields<'_, '_>) -> Result<(), Unsupported> {
        let signature = block.text("signature")?.filter(|it| !it.is_empty());
        if let Some(sealed) = signature.as_deref().and_then(of_next_call) {
            self.signature = Some(sealed.to_owned());
            return Ok(());
        }
        self.parts.push(Part::Thought(Thought {
            text: block.text("thinking")?.unwrap_or_default(),
            signature,
            redacted: None,
        }));
        Ok(())
    }

    fn call(&mut self, block: &Fields<'_, '_>) -> Result<Call, Unsupported> {
        let input = block.raw("input").unwrap_or("{}");
        if !input.starts_with('{') {
            return Err(Path::Key(block.path, "input").must_be("an object"));
        }
        Ok(Call {
            id: block.some_text("id")?,
            name: block.some_text("name")?,
            arguments: input.to_owned(),
            whole: true,
            signature: self.signature.take(),
        })
    }
}

/// The cache mark on a block, a tool or the whole request.
pub(super) fn lifetime(block: &Fields<'_, '_>) -> Result<Option<Lifetime>, Unsupported> {
    let Some(raw) = block.raw("cache_control") else {
        return Ok(None);
    };
    let path = Path::Key(block.path, "cache_control");
    Fields::read(raw, &path)?.text("ttl").map(Some)
}

/// What came of a call. Marks inside it cannot be kept apart: the last one stands behind it.
fn result(
    block: &Fields<'_, '_>,
    asked: &mut Asked,
    mark: &mut Option<Lifetime>,
) -> Result<CallResult, Unsupported> {
    let mut parts = Vec::new();
    let path = Path::Key(block.path, "content");
    match block.raw("content") {
        None => {}
        Some(raw) if raw.starts_with('"') => parts.push(Part::Text(string(raw, &path)?)),
        Some(raw) => {
            for (index, raw) in items(raw, &path)?.into_iter().enumerate() {
                let path = Path::Index(&path, index);
                let inner = Fields::read(raw, &path)?;
                match inner.some_text("type")?.as_str() {
                    "text" => parts.push(Part::Text(inner.some_text("text")?)),
                    "image" => parts.push(Part::Image(image(&inner)?)),
                    "document" => document(&inner, &mut parts, asked)?,
                    kind => return Err(path.refused(&format!("a block of the type `{kind}`"))),
                }
                *mark = lifetime(&inner)?.or(mark.take());
            }
        }
    }
    Ok(CallResult {
        id: block.some_text("tool_use_id")?,
        parts,
        is_error: block.boolean("is_error")?.unwrap_or(false),
    })
}

fn image(block: &Fields<'_, '_>) -> Result<Media, Unsupported> {
    let path = Path::Key(block.path, "source");
    let source = source(block, &path)?;
    media(&source)?.ok_or_else(|| Path::Key(&path, "type").must_be("`base64`, `url` or `file`"))
}

/// A document: what is text already stays text, with what stands about it before it.
fn document(
    block: &Fields<'_, '_>,
    parts: &mut Vec<Part>,
    asked: &mut Asked,
) -> Result<(), Unsupported> {
    if let Some(raw) = block.raw("citations") {
        let path = Path::Key(block.path, "citations");
        if Fields::read(raw, &path)?.boolean("enabled")? == Some(true) {
            note(asked, "citations");
        }
    }
    let name = block.text("title")?;
    parts.extend(block.text("context")?.map(Part::Text));
    let path = Path::Key(block.path, "source");
    let source = source(block, &path)?;
    let media = match (media(&source)?, source.some_text("type")?.as_str()) {
        (Some(media), _) => media,
        (None, "text") => Media::Inline {
            kind: kind_of(&source)?.unwrap_or_else(|| "text/plain".into()),
            data: STANDARD.encode(source.some_text("data")?),
        },
        (None, "content") => {
            parts.extend(name.map(Part::Text));
            return inner_content(&source, parts);
        }
        (None, _) => {
            return Err(
                Path::Key(&path, "type").must_be("`base64`, `text`, `url`, `file` or `content`")
            );
        }
    };
    parts.push(Part::File { name, media });
    Ok(())
}

/// A document that is a list of blocks itself: of text and of images.
fn inner_content(source: &Fields<'_, '_>, parts: &mut Vec<Part>) -> Result<(), Unsupported> {
    let path = Path::Key(source.path, "content");
    let raw = source.raw("content");
    let raw = raw.ok_or_else(|| path.must_be("a string or a list of blocks"))?;
    if raw.starts_with('"') {
        parts.push(Part::Text(string(raw, &path)?));
        return Ok(());
    }
    for (index, raw) in items(raw, &path)?.into_iter().enumerate() {
        let path = Path::Index(&path, index);
        let inner = Fields::read(raw, &path)?;
        parts.push(match inner.some_text("type")?.as_str() {
            "text" => Part::Text(inner.some_text("text")?),
            "image" => Part::Image(image(&inner)?),
            kind => return Err(path.refused(&format!("a block of the type `{kind}`"))),
        });
    }
    Ok(())
}

fn source<'a, 'p>(
    block: &Fields<'a, '_>,
    path: &'p Path<'p>,
) -> Result<Fields<'a, 'p>, Unsupported> {
    let raw = block
        .raw("source")
        .ok_or_else(|| path.must_be("an object"))?;
    Fields::read(raw, path)
}

/// The kinds of source that images and documents share.
fn media(source: &Fields<'_, '_>) -> Result<Option<Media>, Unsupported> {
    Ok(Some(match source.some_text("type")?.as_str() {
        "base64" => {
            let kind = kind_of(source)?;
            let must_be = || Path::Key(source.path, "media_type").must_be("a string");
            let mut data = source.some_text("data")?;
            if data.bytes().any(|byte| byte.is_ascii_whitespace()) {
                data.retain(|c| !c.is_ascii_whitespace());
            }
            Media::Inline {
                kind: kind.ok_or_else(must_be)?,
                data,
            }
        }
        "url" => Media::Url(source.some_text("url")?),
        "file" => Media::Id(source.some_text("file_id")?),
        _ => return Ok(None),
    }))
}

/// `image/png`: in lower case, without parameters.
fn kind_of(source: &Fields<'_, '_>) -> Result<Option<String>, Unsupported> {
    Ok(source.text("media_type")?.map(|kind| {
        let essence = kind.split(';').next().unwrap_or_default();
        essence.trim().to_ascii_lowercase()
    }))
}
