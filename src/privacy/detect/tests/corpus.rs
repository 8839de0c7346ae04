//! Texts with known personal data in them, and texts that only look so; drawn by a seed.

use fastrand::Rng;

use super::super::numbers::class_of;
use crate::privacy::Class;

/// A text, and what is personal in it: the class and the place.
pub(in crate::privacy) struct Item {
    pub(in crate::privacy) text: String,
    pub(super) labels: Vec<(Class, std::ops::Range<usize>)>,
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
pub(super) fn digits(rng: &mut Rng, form: &str) -> String {
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

const NAMES: &[&str] = &[
    "anna",
    "a.petrov",
    "Ivan_Ivanov",
    "d.akhmetova-88",
    "info",
    "no-reply",
    "o'neil",
    "sales+kz",
    "k",
    "AIGERIM.S",
    "x1y2z3",
    "first.middle.last",
    "zhanna_1990",
    "support.team",
    "иван.петров",
    "әсел",
    "müller",
    "user%tag",
    "_root",
    "2fast4you",
    "hr",
];
const HOSTS: &[&str] = &[
    "gmail.com",
    "mail.ru",
    "company.kz",
    "sub.domain.example.org",
    "yandex.ru",
    "UNI.EDU",
    "x.io",
    "my-firm.co.uk",
    "пример.рф",
    "bank.com.kz",
    "xn--80ak6aa92e.com",
    "münchen.de",
    "foo.museum",
    "a-b-c.travel",
    "proton.me",
];

fn email(rng: &mut Rng) -> Item {
    let value = format!("{}@{}", pick(rng, NAMES), pick(rng, HOSTS));
    let frame = frame(
        rng,
        &[
            "E-mail: {}",
            "mail:{};",
            "почта {}.",
            "Пишите на {}, ответим",
            "<{}>",
            "mailto:{}?subject=Hi",
            "поштам {}",
            "To: {}; Cc: nobody",
            "[{}](https://example.org)",
            "contact {}! now",
            "From {}\n",
            "email={}&x=1",
            "адрес — {} —",
            "Электрондық пошта: {}",
            "login:{},role:admin",
            "*{}*",
            "{}: please reply",
        ],
    );
    put(frame, Class::EMAIL, &value)
}

const KZ: &[&str] = &[
    "700", "701", "702", "705", "707", "708", "747", "771", "775", "776", "777", "778", "727",
];
const RU: &[&str] = &[
    "903", "916", "925", "999", "495", "812", "343", "383", "960",
];

fn phone(rng: &mut Rng) -> Item {
    let area = if rng.bool() {
        pick(rng, KZ)
    } else {
        pick(rng, RU)
    };
    let form = pick(
        rng,
        &[
            "+7 A ### ## ##",
            "+7A#######",
            "8 A ### ## ##",
            "8(A)###-##-##",
            "8-A-###-##-##",
            "+7 (A) ### ####",
            "8A#######",
            "7A#######",
            "+7-A-###-##-##",
            "8 (A) ### ## ##",
            "+7 A #######",
            "8 A #######",
            "8 A ###-##-##",
            "+7.A.###.##.##",
            "+7(A)#######",
            "8A ### ## ##",
            "+7 A ###-####",
            "8 A ### ####",
            "+7\u{a0}A\u{a0}###\u{a0}##\u{a0}##",
            "+7 A – ### – ## – ##",
            "(A) ###-##-##",
            "A ### ## ##",
            "+44 20 7### ####",
            "+44 7### ######",
            "+1 (%##) %##-####",
            "+1-%##-%##-####",
            "(%##) %##-####",
            "%##-%##-####",
            "+49 30 ########",
            "+49 151 #######",
            "+998 90 ### ## ##",
            "+996 555 ######",
            "+380 67 ### ## ##",
            "+971 50 ### ####",
            "+86 138 #### ####",
            "+33 6 ## ## ## ##",
            "+90 532 ### ## ##",
            "0049 30 #######",
            "1-%##-%##-####",
            "+91 98### #####",
            "+61 4## ### ###",
            "+34 6## ### ###",
            "+48 ### ### ###",
            "+7\u{200b}A#######",
            "+77##\u{2060}#######",
        ],
    );
    let value = digits(rng, &form.replace('A', area));
    let frame = frame(
        rng,
        &[
            "Тел.: {}",
            "мой номер {}, звоните",
            "Phone: {}",
            "call me at {} after 6",
            "WhatsApp {}",
            "Телефон {}\n",
            "моб. {};",
            "байланыс: {}",
            "ұялы телефон {}",
            "Перезвоните на {} завтра",
            "tel:{}",
            "контакты: {}, Анна",
            "my cell is {}.",
            "Свяжитесь с менеджером ({}).",
            "нөмірім {}",
            "fax {}",
            "{} - Марат",
        ],
    );
    put(frame, Class::PHONE, &value)
}

/// Digits of telephone numbers that only words around them tell.
fn called(rng: &mut Rng) -> Item {
    let form = pick(
        rng,
        &[
            "###-##-##",
            "## ## ##",
            "%######",
            "7%########",
            "%## ## ##",
            "020 7### ####",
            "0## ### ## ##",
        ],
    );
    let value = digits(rng, form);
    let frame = pick(
        rng,
        &[
            "тел. {}",
            "Телефон: {}",
            "call {}",
            "phone {}",
            "звоните: {}",
            "факс {}",
            "ұялы {}",
            "моб.: {}",
        ],
    );
    put(frame, Class::PHONE, &value)
}

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

fn card(rng: &mut Rng) -> Item {
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

fn national(rng: &mut Rng, class: Class) -> Item {
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

fn iban(rng: &mut Rng) -> Item {
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

fn passport(rng: &mut Rng) -> Item {
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

fn contract(rng: &mut Rng) -> Item {
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

fn address(rng: &mut Rng) -> Item {
    let ru = pick(
        rng,
        &[
            "Абая",
            "Ленина",
            "Кабанбай батыра",
            "8 Марта",
            "Толе би",
            "Розыбакиева",
            "Красная",
            "Достык",
            "Аль-Фараби",
            "Мира",
            "Жибек Жолы",
            "генерала Панфилова",
            "30 лет Победы",
            "Сыганак",
            "Байтурсынова",
        ],
    );
    let kz = pick(
        rng,
        &[
            "Абай",
            "Қабанбай батыр",
            "Төле би",
            "Достық",
            "Бауыржан Момышұлы",
            "Сәтбаев",
            "Жібек жолы",
            "Мәңгілік Ел",
            "Сығанақ",
        ],
    );
    let en = pick(
        rng,
        &[
            "Baker",
            "Main",
            "Abay",
            "King George",
            "Oak Hill",
            "5th",
            "Elm",
            "New Oxford",
            "Saint Mary",
            "Martin Luther King",
        ],
    );
    // `<` is a Russian name, `>` a Kazakh one, `=` an English one, `@` the house, `&` the flat.
    let form = pick(
        rng,
        &[
            "ул. <, д. @, кв. &",
            "улица <, @",
            "ул. < @",
            "г. Алматы, ул. <, @, кв. &",
            "пр. <, @",
            "проспект <, дом @",
            "< ул., д. @",
            "050000, г. Алматы, ул. <, д. @, офис &",
            "мкр. Самал-2, д. @, кв. &",
            "микрорайон Аксай-4, дом @",
            "5 мкр, @ дом, кв. &",
            "ул.< @-&",
            "пер. <, дом @ корп. 2",
            "г.Москва, наб. <, д.@, стр. 1",
            "бульвар < @",
            "ул < д @ кв &",
            "Алматинская область, с. Бесагаш, ул. <, @",
            "<, @, кв. &",
            "ш. <, @",
            "> көшесі, @",
            "> көшесі @ үй, & пәтер",
            "> даңғылы, @-үй",
            "Алматы қаласы, > көшесі @",
            "> к-сі @, & пәтер",
            "Астана қ., > даңғылы, @ үй",
            "10 ықшамауданы, @ үй",
            "@ = Street",
            "@ = St.",
            "@ = Ave, Apt &",
            "@ = Road, London NW1 6XE",
            "@ = Boulevard, Springfield, IL 62704",
            "= Street @",
            "= avenue @, office &",
            "flat &, @ = Lane",
            "Suite &, @ = Drive",
        ],
    );
    let letter = pick(rng, &["", "", "", "А", "/1", "Б", "-2"]);
    let house = format!(
        "{}{}",
        rng.u8(1..250),
        if form.contains('=') { "" } else { letter }
    );
    let flat = rng.u8(1..200).to_string();
    let value = form.replace('<', ru).replace('>', kz).replace('=', en);
    let value = value.replace('@', &house).replace('&', &flat);
    let frame = frame(
        rng,
        &[
            "Адрес: {}",
            "адрес доставки {}.",
            "живёт по адресу {}; звонить",
            "Address: {}",
            "ship to {}, please",
            "мекенжайы: {}",
            "Офис находится: {}. Ждём вас",
            "мы на {}\nтел. позже",
            "I live at {} since May.",
            "Зарегистрирован: {}, с 2012 года",
        ],
    );
    put(frame, Class::ADDRESS, &value)
}

fn ip(rng: &mut Rng) -> Item {
    let value = if rng.u8(..3) == 0 {
        let group = |rng: &mut Rng| format!("{:x}", rng.u16(0x10..));
        let all: Vec<String> = (0..8).map(|_| group(rng)).collect();
        match rng.u8(..3) {
            0 => all.join(":"),
            1 => format!("2001:db8::{}:{}1", all[0], all[1].get(..2).unwrap_or("a")),
            _ => format!("fe80::{}:{}", all[0], rng.u16(10..100)),
        }
    } else {
        format!(
            "{}.{}.{}.{}",
            rng.u8(32..224),
            rng.u8(..),
            rng.u8(..),
            rng.u8(..)
        )
    };
    let frame = frame(
        rng,
        &[
            "from {} port 22",
            "IP {}",
            "адрес {}:8080",
            "хост {} недоступен",
            "http://{}/index",
            "ping {}",
            "{} - - [10/Oct]",
            "allow {}/24;",
            "IP-мекенжай {}",
        ],
    );
    let frame = if value.contains(':')
        && (frame.contains(":8080") || frame.contains("value") || frame.contains("/24"))
    {
        "host {} up"
    } else {
        frame
    };
    put(frame, Class::IP, &value)
}

/// As many items of each class.
pub(in crate::privacy) fn positives(rng: &mut Rng, count: usize) -> Vec<Item> {
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(email(rng));
        items.push(phone(rng));
        if items.len() % 3 == 0 {
            items.push(called(rng));
        }
        items.push(card(rng));
        items.push(national(rng, Class::IIN));
        items.push(national(rng, Class::BIN));
        items.push(iban(rng));
        items.push(passport(rng));
        items.push(contract(rng));
        items.push(address(rng));
        items.push(ip(rng));
    }
    items
}

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
