//! What the record of an exchange may hold of it: its request and its answer, masked, whatever the route
//! does about personal data.
//!
//! All classes are looked for. What was taken out of the request before it was sent has the same placeholder
//! here, and what is found beyond that the next numbers. A text is masked before it is cut, so that no part of
//! a value stands where the cut is.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use super::class::Classes;
use super::detect::Detectors;
use super::mask::{Survey, Write};
use super::said::{Kind, Said};
use super::splice::spliced;
use super::vault::Vault;
use super::walk::{self, To, Visit};
use crate::wire::json::{Invalid, quote};

/// How much of a request and of an answer is kept, in bytes each: nearly all conversations are shorter, and
/// a record stays well below the batches in which collectors get them.
pub(super) const LONGEST: usize = 64 << 10;
/// Of a text that was cut off, words of digits are left out before its end, as they may be the beginning of
/// a value: as many bytes as the longest value that has blanks in it.
const DIGITS: usize = 64;

/// A text without what the detectors know of. Only this room makes one.
#[derive(Clone, PartialEq, Eq)]
pub struct MaskedText {
    text: String,
    /// Whether it goes on.
    is_cut: bool,
}

/// An exchange as its record may hold it.
pub struct Transcript {
    detectors: Arc<Detectors>,
    request: MaskedText,
    /// What was taken out of the request, for the answer, which may say it again.
    vault: Vault,
}

impl MaskedText {
    fn of(mut text: String, is_cut: bool) -> Self {
        let is_long = text.len() > LONGEST;
        if is_long {
            text.truncate(text.floor_char_boundary(LONGEST));
            // It may have been some MiB.
            text.shrink_to_fit();
        }
        Self {
            text,
            is_cut: is_cut || is_long,
        }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}

impl fmt::Debug for MaskedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MaskedText({} bytes)", self.text.len())
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transcript({:?})", self.request)
    }
}

impl Transcript {
    /// Of an exchange whose request is `body`, from which the values of `vault` were taken out before.
    ///
    /// # Errors
    /// Where the body stops being JSON.
    pub fn of(
        detectors: &Arc<Detectors>,
        body: &str,
        vault: Option<&Vault>,
    ) -> Result<Self, Invalid> {
        let none = Vault::default();
        let known = vault.unwrap_or(&none);
        let survey = Survey::of_body(detectors, known, body, To::Record)?;
        let mut vault = known.going_on(survey.reserved());
        let (_, texts) = survey.replaced(detectors, Classes::ALL, &mut vault);
        let splices = survey.splices(detectors, body, To::Record, texts)?;
        let text = spliced(body, &splices).unwrap_or_else(|| {
            // Where it is cut anyway, the rest need not be copied.
            let end = body.floor_char_boundary(LONGEST + 4);
            body[..end].to_owned()
        });
        Ok(Self {
            detectors: Arc::clone(detectors),
            request: MaskedText::of(text, false),
            vault,
        })
    }

    pub fn request(&self) -> &MaskedText {
        &self.request
    }

    /// What was answered, as JSON: a list of texts, refusals and calls in the order in which they began. An
    /// answer that is not whole may end within a value: then the last word of a text is left out, and a
    /// call's arguments that are none. `None` where nothing was said.
    pub fn answer(&self, said: &Said, is_whole: bool) -> Option<MaskedText> {
        let parts = said.parts(is_whole);
        if parts.is_empty() {
            return None;
        }
        let walk = |visit: &mut dyn Visit| -> Vec<[Option<String>; 2]> {
            let parts = parts.iter();
            parts
                .map(|(part, _)| [&part.name, &part.text].map(|text| walk::text(text, visit)))
                .collect()
        };
        let (survey, mut changed) = Survey::of(&self.detectors, &self.vault, walk);
        let mut vault = self.vault.going_on(survey.reserved());
        let (_, texts) = survey.replaced(&self.detectors, Classes::ALL, &mut vault);
        if texts.iter().any(Option::is_some) {
            changed = walk(&mut Write::new(&self.detectors, texts));
        }
        let mut out = String::new();
        for ((part, is_torn), [name, text]) in parts.iter().zip(changed) {
            let comma = if out.is_empty() { "[{" } else { ",{" };
            out.push_str(comma);
            // A string takes whatever is written to it.
            if part.choice > 0 {
                let _ = write!(out, "\"choice\":{},", part.choice);
            }
            let text = text.as_deref().unwrap_or(&part.text);
            let _ = match part.kind {
                Kind::Text | Kind::Refusal => {
                    let key = if part.kind == Kind::Text {
                        "text"
                    } else {
                        "refusal"
                    };
                    let text = if *is_torn { without_end(text) } else { text };
                    write!(out, "\"{key}\":{}", quote(text))
                }
                Kind::Call => {
                    let name = quote(name.as_deref().unwrap_or(&part.name));
                    // What is no JSON any more may have its values behind escapes.
                    let is_known = !is_torn && !text.is_empty();
                    let arguments = is_known.then(|| quote(text));
                    let arguments = arguments.as_deref().unwrap_or("null");
                    write!(out, "\"call\":{name},\"arguments\":{arguments}")
                }
            };
            out.push('}');
        }
        out.push(']');
        Some(MaskedText::of(out, said.is_cut()))
    }
}

/// A text that was cut off anywhere, without what may be the beginning of a value: its last word, and words
/// with digits before that.
fn without_end(text: &str) -> &str {
    // Scripts without blanks are not what values are written in.
    let is_between =
        |c: char| c.is_whitespace() || ('\u{2e80}'..'\u{ff00}').contains(&c) && c.is_alphabetic();
    let end_of_word = |text: &str| text.trim_end_matches(is_between).len();
    let start_of_word = |text: &str| text.trim_end_matches(|c| !is_between(c)).len();
    let mut left = start_of_word(text);
    loop {
        let end = end_of_word(&text[..left]);
        let start = start_of_word(&text[..end]);
        let word = &text[start..end];
        let is_placeholder = word.contains('[') && word.contains(']');
        let is_number = word.contains(char::is_numeric) && !is_placeholder;
        if !is_number || text.len() - start > DIGITS {
            return &text[..left];
        }
        left = start;
    }
}
