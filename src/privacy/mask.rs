//! Personal data of a request: found in one walk, and replaced where it is asked for.

use std::collections::HashSet;
use std::fmt;

use zeroize::Zeroizing;

use super::again::Again;
use super::class::{Classes, Found};
use super::detect::{Detectors, Hit, resolve};
use super::vault::Vault;
use super::walk::{self, Part, To, Unscannable, Visit};
use crate::wire::json::Invalid;

/// What a request holds: the result of looking at each of its texts once.
pub struct Survey {
    /// Those that have some.
    texts: Vec<Told>,
    /// What reads like a placeholder in any of them.
    reserved: HashSet<String>,
    unscannable: Vec<Unscannable>,
}

/// A text with hits.
struct Told {
    /// Which text of the walk.
    number: usize,
    part: Part,
    hits: Vec<Hit>,
    text: Zeroizing<String>,
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
        let hits: usize = self.texts.iter().map(|told| told.hits.len()).sum();
        write!(f, "Survey({hits} hits)")
    }
}

impl Survey {
    /// Looks at every text in `body`, a JSON request of any surface, for every class.
    ///
    /// # Errors
    /// Where the body stops being JSON.
    pub fn read(detectors: &Detectors, body: &str) -> Result<Self, Invalid> {
        let known = Vault::default();
        let (mut survey, walked) =
            Self::of(detectors, &known, |visit| walk::walk(body, To::Peer, visit));
        survey.unscannable = walked?.unscannable;
        Ok(survey)
    }

    /// Looks at what `walk` shows, and returns what that came to as well. A placeholder of `known` is no value.
    pub(super) fn of<W>(
        detectors: &Detectors,
        known: &Vault,
        walk: impl FnOnce(&mut Visit<'_>) -> W,
    ) -> (Self, W) {
        let (mut texts, mut count, mut vault) = (Vec::new(), 0, Vault::default());
        let walked = walk(&mut |text, _, part| {
            let mut hits = detectors.all(text);
            known.pass_over(text, &mut hits);
            if !hits.is_empty() {
                texts.push(Told {
                    number: count,
                    part,
                    hits,
                    text: Zeroizing::new(text.to_owned()),
                });
            }
            vault.reserve(text);
            count += 1;
            None
        });
        let survey = Self {
            texts,
            reserved: vault.into_reserved(),
            unscannable: Vec::new(),
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
        for told in &self.texts {
            for hit in resolve(&told.hits, classes) {
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
        let mut vault = Vault::reserving(self.reserved.clone());
        let walk = |visit: &mut Visit<'_>| walk::walk(body, To::Peer, visit);
        let (found, walked) = self.take_out(detectors, classes, &mut vault, walk);
        Ok(Masked {
            body: walked.transpose()?.and_then(|walked| walked.text),
            vault,
            found,
        })
    }

    /// Gives `walk`, which shows what was surveyed, what is to stand in the place of `classes`. It is not
    /// called where there is nothing to be taken out.
    pub(super) fn take_out<W>(
        &self,
        detectors: &Detectors,
        classes: Classes,
        vault: &mut Vault,
        walk: impl FnOnce(&mut Visit<'_>) -> W,
    ) -> (Found, Option<W>) {
        let mut texts: Vec<(&Told, Vec<Hit>)> = Vec::new();
        let mut found = Found::default();
        for told in &self.texts {
            let hits = resolve(&told.hits, classes);
            for hit in &hits {
                found.add(hit.class);
            }
            if !hits.is_empty() {
                texts.push((told, hits));
            }
        }
        // Numbers are given before the first is replaced: what a later text tells is replaced in an
        // earlier one, too. What stands before a conversation comes first, wherever a body has it, so
        // that a new turn changes no number there.
        for part in [Part::Head, Part::Rest] {
            for (told, hits) in texts.iter().filter(|(told, _)| told.part == part) {
                keep(detectors, &told.text, hits, vault);
            }
        }
        if vault.is_empty() {
            return (found, None);
        }
        let again = Again::of(vault, classes);
        let (mut count, mut hits) = (0, texts.iter().peekable());
        let walked = walk(&mut |text, _, _| {
            let own = hits.next_if(|(told, _)| told.number == count);
            let own = own.map_or(&[][..], |(_, hits)| hits);
            count += 1;
            replace(detectors, text, own, &again, vault)
        });
        (found, Some(walked))
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
    keep(detectors, text, &hits, vault);
    let again = Again::of(vault, classes);
    replace(detectors, text, &hits, &again, vault)
}

fn keep(detectors: &Detectors, text: &str, hits: &[Hit], vault: &mut Vault) {
    for hit in hits {
        let value = &text[hit.span.clone()];
        vault.placeholder(detectors, hit.class, value);
    }
}

/// `text` with its hits replaced, and with the values in it that were found elsewhere.
fn replace(
    detectors: &Detectors,
    text: &str,
    hits: &[Hit],
    again: &Again,
    vault: &mut Vault,
) -> Option<String> {
    let mut places: Vec<_> = hits
        .iter()
        .map(|hit| (hit.span.clone(), hit.class))
        .collect();
    let mut from = 0;
    let mut more = Vec::new();
    for hit in hits {
        again.find(text, from..hit.span.start, &mut more);
        from = hit.span.end;
    }
    again.find(text, from..text.len(), &mut more);
    if places.is_empty() && more.is_empty() {
        return None;
    }
    places.append(&mut more);
    places.sort_by_key(|(span, _)| span.start);
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (span, class) in places {
        out.push_str(&text[done..span.start]);
        out.push_str(vault.placeholder(detectors, class, &text[span.clone()]));
        done = span.end;
    }
    out.push_str(&text[done..]);
    Some(out)
}
