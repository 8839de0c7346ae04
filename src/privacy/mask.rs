//! Personal data of a request: found in one walk, and replaced where it is asked for.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use zeroize::Zeroizing;

use super::again::Again;
use super::class::{Classes, Found};
use super::detect::{Detectors, Hit, resolve};
use super::vault::Vault;
use super::walk::{self, Unscannable};
use crate::wire::json::Invalid;

/// What a request holds: the result of looking at each of its texts once.
pub struct Survey {
    /// The hits of each text that has some, with its number in the walk, and the text.
    texts: Vec<(usize, Vec<Hit>, Zeroizing<String>)>,
    /// What reads like a placeholder in any of them.
    reserved: HashSet<String>,
    unscannable: Vec<Unscannable>,
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
        let hits: usize = self.texts.iter().map(|(_, hits, _)| hits.len()).sum();
        write!(f, "Survey({hits} hits)")
    }
}

impl Survey {
    /// Looks at every text in `body`, a JSON request of any surface, for every class.
    ///
    /// # Errors
    /// Where the body stops being JSON.
    pub fn read(detectors: &Detectors, body: &str) -> Result<Self, Invalid> {
        let (mut texts, mut count, mut vault) = (Vec::new(), 0, Vault::default());
        let walked = walk::walk(body, &mut |text, _| {
            let hits = detectors.all(text);
            if !hits.is_empty() {
                texts.push((count, hits, Zeroizing::new(text.to_owned())));
            }
            vault.reserve(text);
            count += 1;
            None
        })?;
        Ok(Self {
            texts,
            reserved: vault.into_reserved(),
            unscannable: walked.unscannable,
        })
    }

    /// How often each of `classes` is in it.
    pub fn found(&self, classes: Classes) -> Found {
        let mut found = Found::default();
        for (_, hits, _) in &self.texts {
            for hit in resolve(hits, classes) {
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
        let mut texts: Vec<(usize, Vec<Place>)> = Vec::new();
        let mut found = Found::default();
        // Numbers are given in the order of the text, before the first is replaced: what a later text
        // tells is replaced in an earlier one, too.
        let mut vault = Vault::reserving(self.reserved.clone());
        for (number, hits, text) in &self.texts {
            let hits = resolve(hits, classes);
            for hit in &hits {
                found.add(hit.class);
            }
            if !hits.is_empty() {
                let places = keep(detectors, text, &hits, &mut vault);
                texts.push((*number, places));
            }
        }
        if texts.is_empty() {
            return Ok(Masked {
                body: None,
                vault,
                found,
            });
        }
        let again = Again::of(&vault, classes);
        let (mut count, mut places) = (0, texts.iter().peekable());
        let walked = walk::walk(body, &mut |text, _| {
            let own = places.next_if(|(number, _)| *number == count);
            let own = own.map_or(&[][..], |(_, places)| places);
            count += 1;
            replace(text, own, &again, &vault)
        })?;
        Ok(Masked {
            body: walked.text,
            vault,
            found,
        })
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
