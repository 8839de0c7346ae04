//! What bears a checksum: cards, IBAN, national numbers.

use fastrand::Rng;

use super::{Item, digits, frame, pick, put};
use crate::privacy::Class;

fn luhn(digits: &mut Vec<u8>) {
    let sum: u32 = digits.iter().rev().enumerate().fold(0, |sum, (at, d)| {
        let d = u32::from(*d) * if at % 2 == 0 { 2 } else { 1 };
        sum + if d > 9 { d - 9 } else { d }
    });
    digits.push(u8::try_from((10 - sum % 10) % 10).unwrap());
}

fn cut(digits: &str, lengths: &[usize], by: &str) -> String {
    let (mut out, mut at) = (String::new(), 0);
    for length in lengths {
        if at >= digits.len() {
            break;
        }
        if at > 0 {
            out.push_str(by);
        }
        let end = (at + length).min(digits.len());
        out.push_str(&digits[at..end]);
        at = end;
    }
    out
}

pub(super) fn card(rng: &mut Rng) -> Item {
    let (lead, length) = match rng.u8(..12) {
        0..=3 => ("4", 16),
        4 | 5 => (pick(rng, &["51", "53", "55", "2221", "2720"]), 16),
        6 => (pick(rng, &["34", "37"]), 15),
        7 => (pick(rng, &["2200", "2202", "2204"]), 16),
        8 => (pick(rng, &["36", "38"]), 14),
        9 => (pick(rng, &["62", "6011", "65"]), 16),
        10 => (pick(rng, &["3530", "8600", "6759"]), 16),
        _ => ("4", 19),
    };
    let mut number: Vec<u8> = lead.bytes().map(|b| b - b'0').collect();
    while number.len() < length - 1 {
        number.push(rng.u8(..10));
    }
    luhn(&mut number);
    let solid: String = number.iter().map(|d| char::from(b'0' + d)).collect();
    let lengths: &[usize] = if length < 16 {
        &[4, 6, 5]
    } else {
        &[4, 4, 4, 4, 3]
    };
    let by = pick(rng, &["", " ", " ", "-", "\u{a0}", "\u{200b}", ".", " - "]);
    let value = if by.is_empty() {
        solid
    } else {
        cut(&solid, lengths, by)
    };
    let frame = frame(
        rng,
        &[
            "Карта {}",
            "карта: {}, срок 12/27",
            "card number {}",
            "Visa {} exp 01/29 cvv 123",
            "Спишите с {} пожалуйста",
            "картаның нөмірі {}",
            "pan={}",
            "Оплата с карты {} не прошла",
            "My card {} was declined.",
            "{} 11/26",
        ],
    );
    put(frame, Class::CARD, &value)
}

/// Twelve digits with a right checksum, of the class that is wanted.
fn person(rng: &mut Rng, class: Class) -> String {
    loop {
        let year = rng.u8(..100);
        let month = rng.u8(1..13);
        let tail = if class == Class::IIN {
            format!(
                "{:02}{}{:04}",
                rng.u8(1..29),
                rng.u8(1..7),
                rng.u16(..10000)
            )
        } else {
            format!("{}{}{:05}", rng.u8(4..7), rng.u8(..4), rng.u32(..100_000))
        };
        let eleven = format!("{year:02}{month:02}{tail}");
        let mut number: Vec<u8> = eleven.bytes().map(|b| b - b'0').collect();
        let control = checksum(&number);
        if control < 10 {
            number.push(control);
            return number.iter().map(|d| char::from(b'0' + d)).collect();
        }
    }
}

/// Written again, from the rule: weights 1 to 11, and 3 to 11, 1, 2 where that gives ten.
fn checksum(digits: &[u8]) -> u8 {
    let by = |from: usize| -> u32 {
        let weigh = |(at, d): (usize, &u8)| {
            let weight = (at + from - 1) % 11 + 1;
            u32::try_from(weight).unwrap() * u32::from(*d)
        };
        digits.iter().take(11).enumerate().map(weigh).sum::<u32>() % 11
    };
    let first = by(1);
    u8::try_from(if first == 10 { by(3) } else { first }).unwrap()
}

pub(super) fn national(rng: &mut Rng, class: Class) -> Item {
    let solid = person(rng, class);
    let value = match rng.u8(..8) {
        0 => cut(&solid, &[6, 6], " "),
        1 => cut(&solid, &[6, 6], "-"),
        2 => cut(&solid, &[6, 6], "\u{200b}"),
        3 => solid
            .chars()
            .map(|c| char::from_u32(u32::from(c) - 0x30 + 0xff10).unwrap())
            .collect(),
        _ => solid,
    };
    let frame = frame(
        rng,
        &[
            "ИИН {}",
            "ИИН: {}",
            "БИН {}, Алматы",
            "IIN={}",
            "ЖСН {} азаматы",
            "БСН: {}",
            "иин{}",
            "ТОО «Ромашка», БИН {}",
            "id: {}",
            "гражданин с ИИН {} обратился",
            "my iin is {}.",
            "ИИН/БИН {}",
            "№ {}",
        ],
    );
    put(frame, class, &value)
}

pub(super) fn iban(rng: &mut Rng) -> Item {
    let (country, form) = match rng.u8(..8) {
        0..=3 => ("KZ", "###?#?#?########"),
        4 => ("DE", "##################"),
        5 => ("GB", "????##############"),
        6 => ("FR", "##########?#?#?####?#?#"),
        _ => ("TR", "#####0################"),
    };
    let account = digits(rng, form);
    let value = |c: char| c.to_digit(36).unwrap();
    let remainder = account
        .chars()
        .chain(country.chars())
        .chain("00".chars())
        .fold(0_u32, |left, c| {
            let n = value(c);
            (left * if n > 9 { 100 } else { 10 } + n) % 97
        });
    let solid = format!("{country}{:02}{account}", 98 - remainder);
    let value = match rng.u8(..5) {
        0 => cut(&solid, &[4; 9], " "),
        1 => cut(&solid, &[4; 9], "\u{a0}"),
        2 => cut(&solid, &[4; 9], "-"),
        3 => solid.to_lowercase(),
        _ => solid,
    };
    let frame = frame(
        rng,
        &[
            "IBAN {}",
            "ИИК {}, БИК CASPKZKA",
            "счёт {} в банке",
            "Р/с: {}",
            "account: {}",
            "шот {}",
            "IBAN: {}\nBIC: X",
            "перевести на {} сегодня",
        ],
    );
    put(frame, Class::IBAN, &value)
}
