//! When two written forms are one value: `8 (701) 123-45-67` and `+77011234567`.

use super::chars::{digit, is_blank, is_dash, is_invisible, latin, narrow, small};
use crate::privacy::Class;

/// The form that all ways to write a value of `class` share.
pub(in crate::privacy) fn normal(class: Class, text: &str) -> String {
    let visible = text.chars().filter(|c| !is_invisible(*c));
    match class {
        // `anna%40mail.kz` is of a URL, where the other form would mean something else, and the other way round.
        Class::EMAIL => {
            let mut plain = String::with_capacity(text.len());
            plain.extend(visible.map(|c| small(narrow(c))).filter(|c| !is_blank(*c)));
            plain
        }
        Class::PHONE => phone(text),
        Class::CARD | Class::IIN | Class::BIN => digits(text),
        Class::IBAN | Class::PASSPORT => visible
            .filter_map(|c| {
                let digit = digit(c).map(|digit| char::from(b'0' + digit));
                digit.or_else(|| latin(c))
            })
            .collect(),
        Class::ADDRESS => {
            let plain: String = visible
                .map(|c| small(narrow(c)))
                .map(|c| if c.is_alphanumeric() { c } else { ' ' })
                .collect();
            plain.split_whitespace().collect::<Vec<_>>().join(" ")
        }
        Class::CONTRACT => visible
            .map(|c| if is_dash(c) { '-' } else { small(narrow(c)) })
            .collect(),
        Class::IP => text.to_ascii_lowercase(),
        // What the operator's pattern means is not known.
        _ => text.to_owned(),
    }
}

fn digits(text: &str) -> String {
    let digits = text.chars().filter_map(digit);
    let mut plain = String::with_capacity(text.len());
    plain.extend(digits.map(|digit| char::from(b'0' + digit)));
    plain
}

fn phone(text: &str) -> String {
    let plain = digits(text);
    let plus = text.contains(['+', '\u{ff0b}']);
    match (plain.len(), plain.as_bytes().first()) {
        (11, Some(b'8')) if !plus => format!("7{}", &plain[1..]),
        (10, Some(b'7' | b'9')) if !plus => format!("7{plain}"),
        (12.., Some(b'0')) if plain.starts_with("00") => plain[2..].to_owned(),
        _ => plain,
    }
}
