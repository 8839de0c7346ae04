//! Texts with known personal data in them, and texts that only look so; drawn by a seed.

mod business;
mod checked;
mod contact;
mod documents;
mod harmless;
mod place;

use fastrand::Rng;

use crate::privacy::Class;

pub(in crate::privacy) use harmless::{business, negatives};

/// A text, and what is personal in it: the class and the place.
pub(in crate::privacy) struct Item {
    pub(in crate::privacy) text: String,
    pub(in crate::privacy) labels: Vec<(Class, std::ops::Range<usize>)>,
}

/// Puts `value` into a frame with `{}` in it.
fn put(frame: &str, class: Class, value: &str) -> Item {
    let at = frame.find("{}").unwrap();
    Item {
        text: frame.replacen("{}", value, 1),
        labels: vec![(class, at..at + value.len())],
    }
}

fn pick<'a>(rng: &mut Rng, of: &[&'a str]) -> &'a str {
    of[rng.usize(..of.len())]
}

/// `#` is any digit, `%` one that is not zero, `?` a capital letter.
pub(in crate::privacy) fn digits(rng: &mut Rng, form: &str) -> String {
    form.chars()
        .map(|c| match c {
            '#' => rng.digit(10),
            '%' => char::from(b'1' + rng.u8(..9)),
            '?' => char::from(b'A' + rng.u8(..26)),
            c => c,
        })
        .collect()
}

/// Frames without a word that names what is in them, and some with one.
const FRAMES: &[&str] = &[
    "{}",
    "Please check {} and answer today.",
    "Here it is: {}.",
    "Проверьте, пожалуйста: {}, заранее спасибо.",
    "Клиент оставил {} вчера вечером.",
    "Құрметті әріптестер, {} тексеріп беріңіз.",
    "({})",
    "\"{}\"",
    "row 7;{};ok",
    "| {} | active |",
    "{\"value\": \"{}\", \"n\": 3}",
    "Смотри {}\nи ответь до 15.03.2025",
    "value={}",
];

fn frame(rng: &mut Rng, named: &[&'static str]) -> &'static str {
    if rng.u8(..3) == 0 {
        pick(rng, FRAMES)
    } else {
        pick(rng, named)
    }
}

/// As many items of each class.
pub(in crate::privacy) fn positives(rng: &mut Rng, count: usize) -> Vec<Item> {
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(contact::email(rng));
        items.push(contact::phone(rng));
        if items.len() % 3 == 0 {
            items.push(contact::called(rng));
        }
        items.push(checked::card(rng));
        items.push(checked::national(rng, Class::IIN));
        items.push(checked::national(rng, Class::BIN));
        items.push(checked::iban(rng));
        items.push(documents::passport(rng));
        items.push(documents::contract(rng));
        items.push(place::address(rng));
        items.push(contact::ip(rng));
    }
    items
}
