//! Postal addresses.

use fastrand::Rng;

use super::{Item, frame, pick, put};
use crate::privacy::Class;

pub(super) fn address(rng: &mut Rng) -> Item {
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
