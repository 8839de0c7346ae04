//! A streamed answer in its caller's own frames, with the values put back that its request was sent without.
//!
//! The one place where that happens, whoever answers and in whatever dialect: what goes out are frames
//! of the caller's surface. A frame without a placeholder stays byte for byte. What may be the beginning
//! of one is held back, and leaves with the next frame of the same text; where the text ends before that,
//! a frame of its own is made for it, ahead of the one that says so. Nothing is lost, and nothing invented.
//! <https://platform.openai.com/docs/api-reference/responses-streaming>,
//! <https://docs.claude.com/en/docs/build-with-claude/streaming> (both read 2026-11)

mod choices;
mod messages;
mod responses;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use memchr::{memchr2, memmem};

use super::unmask::{Form, Unmask};
use super::vault::Vault;
use crate::chat::Surface;
use crate::wire::edit::Edits;
use crate::wire::json::{Cursor, Invalid, Text, quote};

/// Puts the values of one request back into the frames of its answer.
#[derive(Debug)]
pub struct Frames {
    vault: Arc<Vault>,
    speech: Speech,
    /// Whether the answer's own text is JSON, too.
    json: bool,
    /// The texts of which something is held back.
    held: Vec<Held>,
    /// The beginning of a frame whose end has not come.
    torn: Vec<u8>,
    /// What each frame begins with, where frames of our own do so too.
    head: String,
    /// The number of the last frame, and how many of our own went before, where frames are numbered.
    number: Option<u64>,
    added: u64,
}

/// What the frames are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    /// Chat completions and completions.
    Choices,
    Messages,
    Responses,
}

impl Speech {
    pub(super) fn of(surface: Surface) -> Self {
        match surface {
            Surface::Messages | Surface::CountTokens => Self::Messages,
            Surface::Responses => Self::Responses,
            Surface::Chat
            | Surface::Completions
            | Surface::Embeddings
            | Surface::Models
            | Surface::Passthrough => Self::Choices,
        }
    }
}

#[derive(Debug)]
struct Held {
    place: Place,
    text: Unmask,
}

/// Where a text stands.
#[derive(Debug, Clone)]
struct Place {
    /// Of what it is a part: a choice, a block, an item.
    whose: String,
    /// What tells it from the other texts there.
    name: String,
    /// What a frame of its own has before it, and behind it.
    open: String,
    close: String,
}

impl Place {
    fn is(&self, other: &Self) -> bool {
        self.whose == other.whose && self.name == other.name
    }
}

impl Frames {
    /// `json` says that the answer is to be JSON, in which values are escaped.
    pub fn new(vault: Arc<Vault>, surface: Surface, json: bool) -> Self {
        Self {
            vault,
            speech: Speech::of(surface),
            json,
            held: Vec::new(),
            torn: Vec::new(),
            head: String::new(),
            number: None,
            added: 0,
        }
    }

    /// What goes out of what was to go out.
    pub fn pass(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let idle = self.torn.is_empty() && self.held.is_empty();
        if self.vault.is_empty() || idle && bytes.is_empty() {
            return bytes;
        }
        // Frames of the others always hold a bracket, or a number to be counted.
        let plain = idle && self.speech == Speech::Messages && bytes.ends_with(b"\n\n");
        if plain && memchr2(b'[', b'\\', &bytes).is_none() {
            return bytes;
        }
        let bytes = if self.torn.is_empty() {
            bytes
        } else {
            let mut torn = std::mem::take(&mut self.torn);
            torn.extend_from_slice(&bytes);
            torn
        };
        let mut out = Vec::with_capacity(bytes.len());
        let mut from = 0;
        for end in memmem::find_iter(&bytes, b"\n\n") {
            self.frame(&bytes[from..end], &mut out);
            out.extend_from_slice(b"\n\n");
            from = end + 2;
        }
        self.torn.extend_from_slice(&bytes[from..]);
        out
    }

    /// The answer ends here, or breaks off: what was held back goes out.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.release(|_| true, out);
        out.append(&mut self.torn);
    }

    /// By how much the numbers of frames have grown.
    pub fn added(&self) -> u64 {
        self.added
    }

    fn frame(&mut self, frame: &[u8], out: &mut Vec<u8>) {
        const DATA: &str = "data: ";
        let text = str::from_utf8(frame).unwrap_or_default();
        let at = if text.starts_with(DATA) {
            Some(0)
        } else {
            text.find("\ndata: ").map(|at| at + 1)
        };
        let Some(at) = at else {
            out.extend_from_slice(frame);
            return;
        };
        let (before, data) = text.split_at(at + DATA.len());
        if !data.starts_with('{') {
            // `[DONE]`.
            self.release(|_| true, out);
            out.extend_from_slice(frame);
            return;
        }
        let rewritten = match self.speech {
            Speech::Choices => self.choices(data, out),
            Speech::Messages => self.messages(data, out),
            Speech::Responses => self.responses(data, out),
        };
        match rewritten {
            Ok(Some(changed)) => {
                out.extend_from_slice(before.as_bytes());
                out.extend_from_slice(changed.as_bytes());
            }
            // Our own frames are JSON; what is none goes as it came.
            Ok(None) | Err(Invalid { .. }) => out.extend_from_slice(frame),
        }
    }

    /// The next piece of the text at `place`; `None` where it stays as it came. `last` says that no more
    /// of it follows.
    fn piece(&mut self, place: Place, form: Form, piece: &str, last: bool) -> Option<String> {
        let known = self.held.iter().position(|held| held.place.is(&place));
        let mut text = match known {
            Some(at) => self.held.swap_remove(at).text,
            None => Unmask::new(Arc::clone(&self.vault), form),
        };
        let mut out = String::with_capacity(piece.len());
        text.push(piece, &mut out);
        if last {
            text.finish(&mut out);
        }
        if text.holds() {
            self.held.push(Held { place, text });
        }
        (out != piece).then_some(out)
    }

    /// Writes frames for what is held back of the texts that are over.
    fn release(&mut self, is_over: impl Fn(&Place) -> bool, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        let (over, on) = held.into_iter().partition(|held| is_over(&held.place));
        self.held = on;
        let over: Vec<Held> = over;
        for Held { place, mut text } in over {
            let mut rest = String::new();
            text.finish(&mut rest);
            let frame = self.own(&place, &quote(&rest));
            out.extend_from_slice(frame.as_bytes());
        }
    }

    /// A frame with one piece of one text.
    fn own(&mut self, place: &Place, text: &str) -> String {
        let Place {
            whose, open, close, ..
        } = place;
        match self.speech {
            Speech::Choices => {
                let head = &self.head;
                format!(
                    "data: {{{head}\"choices\":[{{\"index\":{whose},{open}{text}{close},\"finish_reason\":null}}]}}\n\n"
                )
            }
            Speech::Messages => format!(
                "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":{whose},{open}{text}{close}}}\n\n"
            ),
            Speech::Responses => {
                let mut number = String::new();
                if let Some(last) = self.number {
                    // Behind the last frame: its own number has grown already.
                    let _ = write!(number, ",\"sequence_number\":{}", last + 1 + self.added);
                }
                self.added += 1;
                format!(
                    "event: {whose}.delta\ndata: {{\"type\":\"{whose}.delta\",{open}{text}{close}{number}}}\n\n"
                )
            }
        }
    }

    /// The form of the answer's own text.
    fn said(&self) -> Form {
        if self.json { Form::Json } else { Form::Text }
    }

    /// A frame whose texts are whole.
    fn whole(&self, data: &str) -> Result<Option<String>, Invalid> {
        self.vault.restore_body(data)
    }
}

/// The members of an object that comes at `at` of `text`, as they stand there.
pub(super) fn members(text: &str, at: usize) -> Result<Vec<(Text<'_>, Range<usize>)>, Invalid> {
    let mut members = Vec::new();
    Cursor::at(text, at).object(|cursor, key| {
        members.push((key, cursor.skip()?));
        Ok::<(), Invalid>(())
    })?;
    Ok(members)
}

/// The member of this name.
pub(super) fn member(members: &[(Text<'_>, Range<usize>)], name: &str) -> Option<Range<usize>> {
    let mut found = members.iter().filter(|(key, _)| key.says(name));
    found.next_back().map(|(_, span)| span.clone())
}

/// The string that stands there.
pub(super) fn string(text: &str, span: &Range<usize>) -> Option<String> {
    let string = Cursor::at(text, span.start).string_or_skip().ok()??;
    Some(string.decode().into_owned())
}

/// `text` with the edits made; `None` where there are none.
fn edited(text: &str, mut edits: Edits<'_>) -> Option<String> {
    if edits.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    edits.apply(text, |piece| out.push_str(piece));
    Some(out)
}
