//! Passports and contracts.

use fastrand::Rng;

use super::{Item, digits, pick, put};
use crate::privacy::Class;

pub(super) fn passport(rng: &mut Rng) -> Item {
    let (form, frames): (&str, &[&str]) = match rng.u8(..4) {
        0 | 1 => (
            "N########",
            &[
                "паспорт {}",
                "Passport {} issued 2019",
                "төлқұжат {}",
                "{} МВД РК",
                "{}",
            ],
        ),
        2 => (
            pick(
                rng,
                &["## ## ######", "#### ######", "#### № ######", "##########"],
            ),
            &[
                "паспорт {}",
                "Паспорт РФ: {}, выдан ОВД",
                "паспортные данные {}",
                "серия и номер паспорта {}",
                "passport {}",
            ],
        ),
        _ => (
            "#########",
            &[
                "удостоверение личности № {}",
                "уд. личности {} от 2015",
                "жеке куәлік {}",
                "passport no. {}",
            ],
        ),
    };
    let value = digits(rng, form);
    put(pick(rng, frames), Class::PASSPORT, &value)
}

pub(super) fn contract(rng: &mut Rng) -> Item {
    let form = pick(
        rng,
        &[
            "##-К/2023",
            "###",
            "KZ-########",
            "ABC-####-##",
            "##/##",
            "2024/##-Д",
            "######",
            "%#-%#-%##",
            "ДП-###",
        ],
    );
    let value = digits(rng, form);
    let frame = pick(
        rng,
        &[
            "Договор № {} от 12.03.2023",
            "по договору №{} оплачено",
            "Contract No. {}",
            "contract number {} is signed",
            "шарт № {}",
            "№ {} шарт бойынша",
            "договор поставки от 01.02.2024 № {}",
            "Agreement #{} dated May 5",
            "кредитный договор №{},",
            "келісімшарт нөмірі {}",
            "Доп. соглашение к договору № {}",
            "договор займа N {}",
            "номер договора: {}",
            "условия контракта № {} изменены",
        ],
    );
    put(frame, Class::CONTRACT, &value)
}
