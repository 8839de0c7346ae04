//! How people are reached: e-mail, telephone, the network.

use fastrand::Rng;

use super::{Item, digits, frame, pick, put};
use crate::privacy::Class;

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

pub(super) fn email(rng: &mut Rng) -> Item {
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

pub(super) fn phone(rng: &mut Rng) -> Item {
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
pub(super) fn called(rng: &mut Rng) -> Item {
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

pub(super) fn ip(rng: &mut Rng) -> Item {
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
