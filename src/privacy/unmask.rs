//! Values put back in the place of their placeholders: in whole texts, and in streams that may cut a
//! placeholder anywhere.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::nesting::Nesting;
use super::placeholder::{self, Reading};
use super::splice::spliced;
use super::vault::Vault;
use super::walk::{self, Context, To};
use crate::wire::json::{self, Invalid};

/// What kind of text a value is put back into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text for a reader.
    Text,
    /// JSON as it is written: arguments of a tool. The value is escaped.
    Json,
}

impl Vault {
    /// `text` with every known placeholder replaced by its value.
    pub fn restore<'a>(&self, text: &'a str, form: Form) -> Cow<'a, str> {
        if self.is_empty() || placeholder::next(text, 0).is_none() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let times = usize::from(form == Form::Json);
        let certain = self.put_back(text, &mut out, |_| times);
        out.push_str(&text[certain.end..]);
        Cow::Owned(out)
    }

    /// A plain answer with every known placeholder in its texts replaced; `None` where there is none.
    ///
    /// # Errors
    /// Where the body stops being JSON.
    pub fn restore_body(&self, body: &str) -> Result<Option<String>, Invalid> {
        if self.is_empty() {
            return Ok(None);
        }
        let walked = walk::walk(body, To::Peer, &mut PutBack(self))?;
        Ok(spliced(body, &walked.splices))
    }

    /// Writes what is certain of `text`. Returns what of it is behind the last value; the rest may be the beginning
    /// of a placeholder. `escaped` is shown what stands before a value, and says how often that is escaped.
    fn put_back(
        &self,
        text: &str,
        out: &mut String,
        mut escaped: impl FnMut(&str) -> usize,
    ) -> Range<usize> {
        let (mut done, mut at) = (0, 0);
        while let Some(place) = placeholder::next(text, at) {
            match placeholder::read(text, place, |name| self.begins(name)) {
                Reading::Begun => {
                    out.push_str(&text[done..place]);
                    return done..place;
                }
                Reading::Nothing { next } => at = next.max(place + 1),
                Reading::Whole { start, end, name } => {
                    at = end;
                    if let Some(value) = self.value(&name) {
                        let before = &text[done..start];
                        out.push_str(before);
                        write(value, escaped(before), out);
                        done = end;
                    }
                }
            }
        }
        out.push_str(&text[done..]);
        done..text.len()
    }
}

/// Puts the values back into all texts of an answer.
struct PutBack<'v>(&'v Vault);

impl walk::Visit for PutBack<'_> {
    fn passes(&self, raw: &str) -> bool {
        placeholder::next(raw, 0).is_none()
    }

    fn text(&mut self, text: &str, context: Context) -> Option<String> {
        match self.0.restore(text, context.form) {
            Cow::Owned(restored) if restored != text => Some(restored),
            Cow::Owned(_) | Cow::Borrowed(_) => None,
        }
    }
}

/// Writes a value that is escaped so often.
fn write(value: &str, times: usize, out: &mut String) {
    let Some(times) = times.checked_sub(1) else {
        out.push_str(value);
        return;
    };
    let quoted = Zeroizing::new(json::quote(value));
    write(&quoted[1..quoted.len() - 1], times, out);
}

/// One text of an answer that comes in pieces: a choice's content, a call's arguments.
///
/// What may be the beginning of a placeholder is held back, at most some 130 bytes.
#[derive(Debug)]
pub struct Unmask {
    vault: Arc<Vault>,
    nesting: Nesting,
    held: String,
}

impl Unmask {
    pub fn new(vault: Arc<Vault>, form: Form) -> Self {
        Self {
            vault,
            nesting: Nesting::of(form),
            held: String::new(),
        }
    }

    /// Takes the next piece, and appends to `out` what is certain of the text so far.
    pub fn push(&mut self, piece: &str, out: &mut String) {
        if self.vault.is_empty() {
            out.push_str(piece);
            return;
        }
        if self.held.is_empty() && placeholder::next(piece, 0).is_none() {
            out.push_str(piece);
            self.nesting.take(piece);
            return;
        }
        self.held.push_str(piece);
        let nesting = &mut self.nesting;
        let certain = self.vault.put_back(&self.held, out, |before| {
            nesting.take(before);
            let depth = nesting.depth();
            nesting.pass();
            depth
        });
        self.nesting.take(&self.held[certain.clone()]);
        self.held.drain(..certain.end);
    }

    /// Whether something is held back.
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// The text has ended: what was held back is no placeholder.
    pub fn finish(&mut self, out: &mut String) {
        out.push_str(&self.held);
        self.held.clear();
    }
}
