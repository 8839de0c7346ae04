//! Personal data of a request: found in one walk, and replaced where it is asked for.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use zeroize::Zeroizing;

use super::again::Again;
use super::class::{Classes, Found};
use super::detect::{Detectors, Hit, resolve};
use super::unmask::Form;
use super::vault::Vault;
use super::walk::{self, Unscannable, Visit};
use crate::wire::json::{Invalid, quote};

/// What a request holds: the result of looking at each of its texts once.
pub struct Survey {
    texts: Vec<Seen>,
    /// What reads like a placeholder in any of them.
    reserved: HashSet<String>,
    unscannable: Vec<Unscannable>,
}

/// A text that may hold a value.
struct Seen {
    text: Zeroizing<String>,
    hits: Vec<Hit>,
    /// Where in the body it stands; what lies within a string that is JSON has no place there.
    span: Option<Range<usize>>,
}

/// A request without what was taken out of it.
#[derive(Debug)]
pub struct Masked {
    /// `None` where nothing had to be taken out: the body goes as it came.
    pub body: Option<String>,
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
        let mut look = Look {
            detectors,
            texts: Vec::new(),
            vault: Vault::default(),
        };
        let walked = walk::walk(body, &mut look)?;
        Ok(Self {
            texts: look.texts,
            reserved: look.vault.into_reserved(),
            unscannable: walked.unscannable,
        })
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
        let mut found = Found::default();
        // Numbers are given in the order of the text, before the first is replaced: what a later text
        // tells is replaced in an earlier one, too.
        let mut vault = Vault::reserving(self.reserved.clone());
        let mut places = Vec::with_capacity(self.texts.len());
        for Seen { text, hits, .. } in &self.texts {
            let hits = resolve(hits, classes);
            for hit in &hits {
                found.add(hit.class);
            }
            places.push(keep(detectors, text, &hits, &mut vault));
        }
        let body = if vault.is_empty() {
            None
        } else {
            let again = Again::of(&vault, classes);
            let texts = self.texts.iter().zip(&places);
            let mut changed =
                texts.map(|(seen, places)| replace(&seen.text, places, &again, &vault));
            if self.texts.iter().all(|seen| seen.span.is_some()) {
                let spans = self.texts.iter().filter_map(|seen| seen.span.clone());
                let splices = spans.zip(changed);
                let splices = splices.filter_map(|(span, text)| Some((span, quote(&text?))));
                walk::spliced(body, &splices.collect::<Vec<_>>())
            } else {
                // What is within a string that is JSON is written within it.
                let mut write = Write {
                    detectors,
                    changed: &mut changed,
                };
                walk::walk(body, &mut write)?.text
            }
        };
        Ok(Masked { body, vault, found })
    }
}

/// Looks at all texts that may hold a value.
struct Look<'d> {
    detectors: &'d Detectors,
    texts: Vec<Seen>,
    vault: Vault,
}

impl Visit for Look<'_> {
    fn passes(&self, raw: &str) -> bool {
        self.detectors.pass(raw)
    }

    fn text(&mut self, text: &str, _: Form, span: Option<Range<usize>>) -> Option<String> {
        self.texts.push(Seen {
            text: Zeroizing::new(text.to_owned()),
            hits: self.detectors.all(text),
            span,
        });
        self.vault.reserve(text);
        None
    }
}

/// Writes what the texts have become, in the order in which they were looked at.
struct Write<'w> {
    detectors: &'w Detectors,
    changed: &'w mut dyn Iterator<Item = Option<String>>,
}

impl Visit for Write<'_> {
    fn passes(&self, raw: &str) -> bool {
        self.detectors.pass(raw)
    }

    fn text(&mut self, _: &str, _: Form, _: Option<Range<usize>>) -> Option<String> {
        self.changed.next().flatten()
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
