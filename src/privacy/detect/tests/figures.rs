//! How much is found, and how much is found wrongly: printed, and asserted.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::corpus::{Item, business, negatives, positives};
use super::letters::{LETTERS, NOBODY};
use super::unseen::UNSEEN;
use crate::privacy::{Class, Classes, Detectors};

#[derive(Default)]
struct Tally {
    there: u32,
    found: u32,
    wrong: u32,
    missed: Vec<String>,
    false_hits: Vec<String>,
}

impl Tally {
    fn recall(&self) -> f64 {
        f64::from(self.found) / f64::from(self.there.max(1))
    }

    fn precision(&self) -> f64 {
        f64::from(self.found) / f64::from((self.found + self.wrong).max(1))
    }
}

fn tally(detectors: &Detectors, items: &[Item], tallies: &mut BTreeMap<Class, Tally>) {
    for item in items {
        let hits = detectors.find(&item.text, Classes::ALL);
        for (class, span) in &item.labels {
            let covered: usize = hits
                .iter()
                .filter(|hit| hit.class == *class)
                .map(|hit| {
                    hit.span
                        .end
                        .min(span.end)
                        .saturating_sub(hit.span.start.max(span.start))
                })
                .sum();
            let tally = tallies.entry(*class).or_default();
            tally.there += 1;
            // An address is found when next to all of it is.
            let least = if *class == Class::ADDRESS {
                span.len() * 4 / 5
            } else {
                span.len()
            };
            if covered >= least {
                tally.found += 1;
            } else {
                tally.missed.push(item.text.clone());
            }
        }
        for hit in &hits {
            let meant = item.labels.iter().any(|(class, span)| {
                *class == hit.class && hit.span.start < span.end && span.start < hit.span.end
            });
            if !meant {
                let tally = tallies.entry(hit.class).or_default();
                tally.wrong += 1;
                tally
                    .false_hits
                    .push(format!("{} <- {}", &item.text[hit.span.clone()], item.text));
            }
        }
    }
}

#[test]
fn each_detector_finds_what_it_promises() {
    let mut rng = Rng::with_seed(20_261_126);
    let detectors = Detectors::default();
    let mut tallies = BTreeMap::new();
    let count = 600;
    let positives = positives(&mut rng, count);
    let negatives = negatives(&mut rng, 4000);
    println!(
        "{} items, and {} that are none",
        positives.len(),
        negatives.len()
    );
    tally(&detectors, &positives, &mut tallies);
    tally(&detectors, &negatives, &mut tallies);
    println!("| class | items | recall | precision |\n|---|---:|---:|---:|");
    let mut short = Vec::new();
    for (class, tally) in &tallies {
        let name = detectors.name(*class);
        println!(
            "| `{name}` | {} | {:.4} | {:.4} |",
            tally.there,
            tally.recall(),
            tally.precision()
        );
        for text in tally.missed.iter().take(12) {
            println!("  missed {name}: {text:?}");
        }
        for text in tally.false_hits.iter().take(12) {
            println!("  wrong {name}: {text:?}");
        }
        let (recall, precision) = match *class {
            Class::CARD | Class::IBAN | Class::IIN | Class::BIN => (0.999, 0.99),
            Class::EMAIL => (0.995, 0.97),
            Class::PHONE => (0.99, 0.97),
            Class::ADDRESS => (0.85, 0.80),
            _ => (0.95, 0.95),
        };
        if tally.recall() < recall || tally.precision() < precision {
            short.push(name.to_owned());
        }
    }
    assert!(short.is_empty(), "{short:?}");
}

#[test]
fn business_text_is_left_alone() {
    let mut rng = Rng::with_seed(7);
    let detectors = Detectors::default();
    let text = business(&mut rng, 300_000);
    let hits = detectors.find(&text, Classes::ALL);
    println!("{} false hits in {} KB", hits.len(), text.len() / 1000);
    for hit in hits.iter().take(30) {
        println!(
            "  {}: {:?}",
            detectors.name(hit.class),
            &text[hit.span.clone()]
        );
    }
    assert!(
        hits.len() * 10_000 <= text.len(),
        "{} false hits",
        hits.len()
    );
}

/// Reads what is written with `⟦…⟧` around what is personal: of the class `name`, or of the one that is
/// named there, as `⟦email|a@b.kz⟧`.
fn read(detectors: &Detectors, name: &str, marked: &str) -> Item {
    let mut labels = Vec::new();
    let mut text = String::new();
    for piece in marked.split_inclusive(['⟦', '⟧']) {
        let start = text.len();
        let Some(value) = piece.strip_suffix('⟧') else {
            text.push_str(piece.trim_end_matches('⟦'));
            continue;
        };
        let (name, value) = value.split_once('|').unwrap_or((name, value));
        text.push_str(value);
        labels.push((detectors.class(name).unwrap(), start..text.len()));
    }
    Item { text, labels }
}

/// The sum over all classes, each of which is printed.
fn told(detectors: &Detectors, items: &[Item]) -> Tally {
    let mut tallies = BTreeMap::new();
    tally(detectors, items, &mut tallies);
    let mut sum = Tally::default();
    for (class, tally) in &tallies {
        let name = detectors.name(*class);
        println!(
            "{name}: {} of {}, {} wrong",
            tally.found, tally.there, tally.wrong
        );
        for text in tally.missed.iter().chain(&tally.false_hits) {
            println!("  missed or wrong, {name}: {text:?}");
        }
        sum.there += tally.there;
        sum.found += tally.found;
        sum.wrong += tally.wrong;
    }
    println!("all: {} of {}, {} wrong", sum.found, sum.there, sum.wrong);
    sum
}

#[test]
fn most_of_what_the_detectors_were_not_made_for_is_found() {
    let detectors = Detectors::default();
    let unseen = UNSEEN.iter();
    let unseen: Vec<Item> = unseen
        .map(|(name, text)| read(&detectors, name, text))
        .collect();
    let sum = told(&detectors, &unseen);
    assert!(sum.recall() >= 0.95 && sum.precision() >= 0.95);
    let letters = LETTERS.iter().chain(NOBODY);
    let letters: Vec<Item> = letters.map(|text| read(&detectors, "", text)).collect();
    let sum = told(&detectors, &letters);
    assert!(sum.recall() >= 0.95 && sum.precision() >= 0.95);
}
