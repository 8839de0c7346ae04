//! Personal data of a request: found in one walk, and replaced where it is asked for.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use super::again::Again;
use super::class::{Classes, Found};
use super::detect::{Detectors, Hit, present, resolve};
use super::keys::Unscannable;
use super::splice::{Moved, Splice, spliced};
use super::vault::Vault;
use super::walk::{self, Context, Part, To, Visit};
use crate::wire::json::{Invalid, quote};

/// What a request holds: the result of looking at each of its texts once.
pub struct Survey {
    texts: Vec<Seen>,
    /// What reads like a placeholder in any of them.
    reserved: HashSet<String>,
    unscannable: Vec<Unscannable>,
    /// What stands in the place of what cannot be looked at, on its way into a record.
    notes: Vec<Splice>,
}

/// A text that may hold a value.
struct Seen {
    text: String,
    part: Part,
    hits: Vec<Hit>,
    /// Where in the body it stands, unless within a string that is JSON.
    span: Option<Range<usize>>,
}

/// A request without what was taken out of it.
#[derive(Debug)]
pub struct Masked {
    /// `None` where nothing had to be taken out: the body goes as it came.
    pub body: Option<String>,
    pub moved: Moved,
    pub vault: Vault,
    pub found: Found,
}

impl fmt::Debug for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hits: usize = self.texts.iter().map(|seen| seen.hits.len()).sum();
        write!(f, "Survey({hits} hits)")
    }
}

impl Survey {
    /// Looks at every text in `body`, a JSON request of any surface, for every class.
    ///
    /// # Errors
    /// Where the body stops being JSON.
    pub fn read(detectors: &Detectors, body: &str) -> Result<Self, Invalid> {
        Self::of_body(detectors, &Vault::default(), body, To::Peer)
    }

    /// The same for a body on its way to `to`. A placeholder of `known` is no value.
    ///
    /// # Errors
    /// Where the body stops being JSON.
    pub(super) fn of_body(
        detectors: &Detectors,
        known: &Vault,
        body: &str,
        to: To,
    ) -> Result<Self, Invalid> {
        let walk = |visit: &mut dyn Visit| walk::walk(body, to, visit);
        let (survey, walked) = Self::of(detectors, known, walk);
        let walked = walked?;
        Ok(Self {
            unscannable: walked.unscannable,
            notes: walked.splices,
            ..survey
        })
    }

    /// Looks at what `walk` shows, and returns what that came to as well.
    pub(super) fn of<W>(
        detectors: &Detectors,
        known: &Vault,
        walk: impl FnOnce(&mut dyn Visit) -> W,
    ) -> (Self, W) {
        let mut look = Look {
            detectors,
            known,
            texts: Vec::new(),
            vault: Vault::default(),
        };
        let walked = walk(&mut look);
        let survey = Self {
            texts: look.texts,
            reserved: look.vault.into_reserved(),
            unscannable: Vec::new(),
            notes: Vec::new(),
        };
        (survey, walked)
    }

    /// What the texts hold that reads like a placeholder.
    pub(super) fn reserved(&self) -> &HashSet<String> {
        &self.reserved
    }

    /// How often each of `classes` is in it.
    pub fn found(&self, classes: Classes) -> Found {
        let mut found = Found::default();
        for seen in self.texts.iter().filter(|seen| !seen.hits.is_empty()) {
            for hit in resolve(&seen.hits, classes) {
                found.add(hit.class);
            }
        }
        found
    }

    /// Which of `classes` are in it, each as if it alone were asked for: what two detectors take for theirs is of
    /// both.
    pub fn present(&self, classes: Classes) -> Classes {
        let each = self.texts.iter();
        each.fold(Classes::NONE, |all, seen| {
            all.and(present(&seen.hits, classes))
        })
    }

    /// What could not be looked at: it may hold anything.
    pub fn unscannable(&self) -> &[Unscannable] {
        &self.unscannable
    }

    /// Takes `classes` out of `body`, the one that was surveyed.
    ///
    /// # Errors
    /// Where the body stops being JSON.
    pub fn mask(
        &self,
        detectors: &Detectors,
        body: &str,
        classes: Classes,
    ) -> Result<Masked, Invalid> {
        let mut vault = Vault::reserving(self.reserved.clone());
        let (found, texts) = self.replaced(detectors, classes, &mut vault);
        let splices = self.splices(detectors, body, To::Peer, texts)?;
        Ok(Masked {
            body: spliced(body, &splices),
            moved: Moved::by(&splices),
            vault,
            found,
        })
    }

    /// What the texts become without `classes`, in their order; `None` for one that stays as it is.
    pub(super) fn replaced(
        &self,
        detectors: &Detectors,
        classes: Classes,
        vault: &mut Vault,
    ) -> (Found, Vec<Option<String>>) {
        let mut found = Found::default();
        let mut places = vec![Vec::new(); self.texts.len()];
        // Numbers are given before the first is replaced: what a later text tells is replaced in an
        // earlier one, too. What stands before a conversation comes first, wherever a body has it, so
        // that a new turn changes no number there.
        for part in [Part::Head, Part::Rest] {
            let texts = self.texts.iter().zip(&mut places);
            for (seen, places) in texts.filter(|(seen, _)| seen.part == part) {
                let hits = resolve(&seen.hits, classes);
                for hit in &hits {
                    found.add(hit.class);
                }
                *places = keep(detectors, &seen.text, &hits, vault);
            }
        }
        if vault.is_empty() {
            return (found, Vec::new());
        }
        let again = Again::of(vault, classes);
        let texts = self.texts.iter().zip(&places);
        let texts = texts.map(|(seen, places)| replace(&seen.text, places, &again, vault));
        (found, texts.collect())
    }

    /// What is to stand in which places of `body`, the one that was surveyed, where its texts have become `texts`.
    ///
    /// # Errors
    /// Where the body stops being JSON.
    pub(super) fn splices(
        &self,
        detectors: &Detectors,
        body: &str,
        to: To,
        texts: Vec<Option<String>>,
    ) -> Result<Vec<Splice>, Invalid> {
        let is_nested =
            |(seen, text): (&Seen, &Option<String>)| text.is_some() && seen.span.is_none();
        if self.texts.iter().zip(&texts).any(is_nested) {
            // What stands within a string that is JSON is written where it is walked.
            let walked = walk::walk(body, to, &mut Write::new(detectors, texts))?;
            return Ok(walked.splices);
        }
        let spans = self.texts.iter().map(|seen| seen.span.clone());
        let changed = spans.zip(texts);
        let changed = changed.filter_map(|(span, text)| Some((span?, quote(&text?))));
        let mut splices: Vec<Splice> = self.notes.iter().cloned().chain(changed).collect();
        splices.sort_by_key(|(span, _)| span.start);
        Ok(splices)
    }
}

/// Looks at all texts that may hold a value.
struct Look<'d> {
    detectors: &'d Detectors,
    known: &'d Vault,
    texts: Vec<Seen>,
    /// Takes what reads like a placeholder.
    vault: Vault,
}

impl Visit for Look<'_> {
    fn passes(&self, raw: &str) -> bool {
        self.detectors.pass(raw)
    }

    fn text(&mut self, text: &str, context: Context) -> Option<String> {
        let mut hits = self.detectors.all(text);
        self.known.pass_over(text, &mut hits);
        self.vault.reserve(text);
        self.texts.push(Seen {
            text: text.to_owned(),
            part: context.part,
            hits,
            span: context.span,
        });
        None
    }
}

/// Writes what the texts have become, in the order in which they were looked at.
pub(super) struct Write<'d> {
    detectors: &'d Detectors,
    texts: std::vec::IntoIter<Option<String>>,
}

impl<'d> Write<'d> {
    pub(super) fn new(detectors: &'d Detectors, texts: Vec<Option<String>>) -> Self {
        let texts = texts.into_iter();
        Self { detectors, texts }
    }
}

impl Visit for Write<'_> {
    fn passes(&self, raw: &str) -> bool {
        self.detectors.pass(raw)
    }

    fn text(&mut self, _: &str, _: Context) -> Option<String> {
        self.texts.next().flatten()
    }
}

/// Takes `classes` out of one text; `None` where nothing is to be taken out. Texts that share a vault
/// share their placeholders; what they hold that reads like one is to be reserved before.
pub fn mask(
    detectors: &Detectors,
    text: &str,
    classes: Classes,
    vault: &mut Vault,
) -> Option<String> {
    let hits = detectors.find(text, classes);
    vault.reserve(text);
    let places = keep(detectors, text, &hits, vault);
    let again = Again::of(vault, classes);
    replace(text, &places, &again, vault)
}

/// Where an entry of the vault stands in a text.
type Place = (Range<usize>, usize);

fn keep(detectors: &Detectors, text: &str, hits: &[Hit], vault: &mut Vault) -> Vec<Place> {
    let mut entry = |hit: &Hit| vault.entry(detectors, hit.class, &text[hit.span.clone()]);
    let places = hits.iter().map(|hit| (hit.span.clone(), entry(hit)));
    places.collect()
}

/// `text` with the values at `own` places replaced, and with those in it that were found elsewhere.
fn replace(text: &str, own: &[Place], again: &Again<'_>, vault: &Vault) -> Option<String> {
    let mut places = Vec::with_capacity(own.len());
    let mut from = 0;
    for place in own {
        again.find(text, from..place.0.start, &mut places);
        from = place.0.end;
        places.push(place.clone());
    }
    again.find(text, from..text.len(), &mut places);
    if places.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (span, entry) in places {
        out.push_str(&text[done..span.start]);
        out.push_str(vault.placeholder(entry));
        done = span.end;
    }
    out.push_str(&text[done..]);
    Some(out)
}
