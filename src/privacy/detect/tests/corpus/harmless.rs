//! What looks like personal data and is none.

use fastrand::Rng;

use super::{FRAMES, Item, digits, pick};
use crate::privacy::detect::numbers::class_of;

/// What looks like personal data and is none.
const NEGATIVES: &[&str] = &[
    "Заказ № ########",
    "order #########",
    "Order ID %##########",
    "заказ %######",
    "tracking 1Z999AA1########",
    "трек-номер %#############",
    "2024-0%-1# 1#:2#:3#",
    "17########",
    "17###########",
    "17##############",
    "версия %.#.#.#",
    "version %#.%.%##.#",
    "v%.%.#",
    "Chrome/1##.0.####.1##",
    "ISBN 978-5-%##-#####-%",
    "ISBN 978%#########",
    "%## ### ### тенге",
    "%# ### ### ₸",
    "$%,###,###.##",
    "%## ###,## руб.",
    "сумма %#######",
    "%#######-####-4###-8###-############",
    "a%b#c#d#e#f%a#b#c#d#e#f#",
    "sha256:%########a########b########c#######",
    "ГОСТ #####-20##",
    "RFC %###",
    "пункт %.#.#",
    "п. %.%.%.%",
    "раздел %.#.#.#",
    "стр. %##",
    "рис. %#",
    "с 0%.1#.2024 по 1%.1#.2024",
    "%#:%# – %#:%#",
    "1#:%#:%#",
    "артикул %#########",
    "штрих-код 487##########",
    "IMEI 35%############",
    "invoice INV-2024-####",
    "счёт № ####",
    "счет-фактура № ##### от 12.03.2024",
    "акт №###",
    "накладная %########",
    "for i in 0..%###",
    "x[%#] = %###;",
    "0x%f#a#b#c",
    "std::vec::Vec<u%#>",
    "a::b::c%",
    "git@github.com:org/repo%.git",
    "lodash@%.#.#",
    "image@2x.png",
    "@user%##",
    "#%####",
    "JIRA-%###",
    "ticket %#######",
    "%##%",
    "%.### км",
    "%#° C",
    "номер задачи %####",
    "площадь %##.# кв. м",
    "кв.м: %##",
    "%# шт.",
    "%# 000 000 человек",
    "коэффициент 0.%########",
    "%.##E-##",
    "GPS 43.2#####, 76.9#####",
    "тираж %# ### экз.",
    "код ошибки %####",
    "порт %####",
    "http://localhost:%###/v1",
    "%###x%###",
    "Q% 20##",
    "20## жылғы %# мамыр",
    "%# мамыр 20## ж.",
    "build %####",
    "commit %a#b#c#",
    "лицензия № ##########",
    "приказ № ###-П",
    "протокол №%#",
    "закон № %##-V",
    "рост %#,#%",
    "RTX %###",
    "iPhone 1#",
    "ИНН ##########",
    "ОГРН 1############",
    "БИК ######### ",
    "КПП #########",
    "%########### ед.",
    "12 цифр: %###########",
    "код %###########",
    "%### %### %### %### %###",
    "2019 2020 2021 2022 2023",
    "%##\t%##\t%##\t%##",
    "%##,%##,%##,%##,%##",
    "1 2 3 4 5 6 7 8 9 10 11 12",
    "id=%#####",
    "page=%#&size=%##",
    "в 20## году",
    "Wall Street 2008",
    "улица длиной %### метров",
    "проспект закрыт на % дня",
    "%# квартир",
    "дом построен в 19##",
    "Windows 10.0.1%###",
    "макс. %## Мбит/с",
    "12/34/%#",
    "%#-%#-%#",
    "матч %:%",
    "1#.0#.20##",
    "контракт 20## года",
    "договор подписан %# марта",
    "в договоре %# страниц",
    "contract of %#,### dollars",
    "passport control at gate %#",
    "карта района %###",
    "card game for % players",
    "позвоните через %# минут",
    "call back in %# minutes",
    "тел. не указан, %#.1#.2024",
    "%# звонков за 20##",
    "%##-%###",
    "%######",
    "№ %####",
    "%## %## %##",
];

/// As many of them, in frames.
pub(in crate::privacy) fn negatives(rng: &mut Rng, count: usize) -> Vec<Item> {
    (0..count)
        .map(|_| {
            let form = pick(rng, NEGATIVES);
            let value = digits(rng, form);
            let text = pick(rng, &FRAMES[..8]).replacen("{}", &value, 1);
            Item {
                text,
                labels: Vec::new(),
            }
        })
        // One in some hundred has a right checksum by chance, and then it is one.
        .filter(|item| {
            let runs = item.text.split(|c: char| !c.is_ascii_digit());
            let mut runs = runs.map(|run| run.bytes().map(|b| b - b'0').collect::<Vec<u8>>());
            !runs.any(|run| run.len() == 12 && class_of(&run).is_some())
        })
        .collect()
}

/// Business text without personal data: paragraphs whose figures are drawn.
pub(in crate::privacy) fn business(rng: &mut Rng, bytes: usize) -> String {
    let mut text = String::new();
    while text.len() < bytes {
        let paragraph = pick(rng, super::business::PARAGRAPHS);
        text.push_str(&digits(rng, paragraph));
        text.push_str(pick(rng, &["\n", "\n\n", " "]));
    }
    text
}
