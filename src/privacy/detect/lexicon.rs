//! The words that tell what a number is: English, Russian, Kazakh. A star stands for any ending.

use super::words::Cue;

pub(super) const WORDS: &[(Cue, &str)] = &[
    (
        Cue::PHONE,
        "тел телефон* моб мобильн* сотов* сот звон* позвон* перезвон* дозвон* whatsapp ватсап* вотсап* вацап* \
         вайбер* viber факс* контактн* phone* tel telephone* mobile* cell call* fax reach text sms смс dial ring \
         ұялы байланыс* қоңырау* хабарлас* нөмірім* whats вап wa telegram телеграм* hotline доб",
    ),
    (
        Cue::CONTRACT,
        "договор* контракт* contract* agreement* шарт шарты* шартқа шартта шарттың шартпен шарттар* келісім* \
         соглашени* полис* policy дог допсоглашени* займ* loan",
    ),
    (
        Cue::PASSPORT,
        "паспорт* passport* удостоверени* удост удостовер* личности куәлік* куәлігі* төлқұжат* identity \
         серия серии серией загранпаспорт* пасп уд",
    ),
    (
        Cue::CARD,
        "карта карты карте карту картой карточк* card cards cc visa mastercard картасы* картам* картаң* картан* \
         amex maestro мир pan unionpay виза",
    ),
    (
        Cue::OTHER,
        "заказ* накладн* трек* tracking order orders invoice* inv счет счёт счету счёту счета счёта счетов сч \
         фактур* артикул* арт sku isbn imei ean штрих* штрих-код* barcode чек чека receipt* ticket* тикет* заявк* \
         обращени* транзакц* transaction* txn тапсырыс* шот* акт акта приказ* бұйрық* бұйрығ* приложени* қосымша* \
         серийн* serial огрн* инн кпп бик bik swift окпо снилс shipment* посылк* parcel* партия партии batch lot \
         лот лота модель model part parts деталь детал* претензи* протокол* постановлени* закон* указ* \
         task tasks issue* request* case bug задач* инцидент* incident* rfc iso гост build commit revision \
         uuid guid hash timestamp unix epoch доставк* отправлени* сумм* amount* жөнелтілім* приемк* спецификаци* \
         upc asin po quote offer* предложени* тендер* лицензи* license* licence* patent патент*",
    ),
    (
        Cue::VERSION,
        "version* ver v верси* release* релиз* сборк* сборка build нұсқа* firmware прошивк* драйвер* driver* \
         обновлени* update* upgrade* patch kernel sdk chrome firefox",
    ),
    (
        Cue::CLAUSE,
        "п пп пункт* подпункт* ст стать* раздел* section* clause* глав* chapter* тармақ* бап бабы* бабын* \
         paragraph* para рис таблиц* table* figure* step article* подраздел* см see бөлім* раз oid",
    ),
    (
        Cue::MARK,
        "no n номер* number* num nr нөмір* нөмірі* ref № id код",
    ),
    (
        Cue::STREET,
        "ул улица улице улицы улицу пр просп проспект* пр-т пр-та пр-ту пр-те пр-кт пер переул* бульвар* б-р бул шоссе ш наб \
         набережн* пл площадь площади проезд* пр-д тупик* алле* тракт* көшесі* көш көшеде даңғыл* даң алаңы* \
         тұйығы* жолы к-сі* д-лы ul ulitsa ulica prospekt prospect pr pereulok per kosh koshesi dangyly",
    ),
    (
        Cue::ROAD,
        "street st avenue ave av road rd boulevard blvd lane ln drive dr highway hwy square sq court ct terrace \
         parkway pkwy way close crescent place plaza koshesi dangyly prospekt",
    ),
    (
        Cue::QUARTER,
        "мкр мкрн мкр-н м-н микрорайон* квартал* кв-л ықшамаудан* мөлтекаудан* ы-а шағынаудан* mkr microdistrict* \
         mikrorayon мкр-не жилмассив жк массив",
    ),
    (
        Cue::HOUSE,
        "д дом доме дома house үй үйі* bldg building зд здание здании уч участок вл владение",
    ),
    (
        Cue::UNIT,
        "кв квартир* kv к корп корпус* стр строени* оф офис* office apt apartment* suite ste unit flat floor fl этаж* \
         подъезд* под пом помещени* блок литер* лит room rm каб кабинет* ком комнат* пәтер* қабат* кеңсе* бокс нп \
         вп секци* block entrance кіреберіс* т п",
    ),
    (
        Cue::TOWN,
        "г гор город город* обл област* р-н район* с село пос посел* посёл* ауыл* қ қаласы* қала облыс* ауданы* \
         city край респ республик* индекс* postal zip пгт ст-ца д аул станиц* почтов*",
    ),
    (
        Cue::PLACE,
        "казахстан* қазақстан* kazakhstan росси* russia рф рк алматы алмате almaty астана астане астаны astana \
         нур-султан* шымкент* shymkent караганд* қарағанды* karaganda* актобе ақтөбе aktobe тараз* taraz павлодар* \
         pavlodar усть-каменогорск* өскемен* oskemen семей* semey атырау atyrau костана* қостанай* kostanay \
         кызылорд* қызылорда* уральск* орал oral петропавловск* актау ақтау aktau кокшетау көкшетау талдыкорган* \
         талдықорған* туркестан* түркістан* экибастуз* темиртау рудный жезказган* москв* moscow петербург* \
         санкт-петербург* спб екатеринбург* казань казани новосибирск* омск* самар* london berlin paris usa uk \
         england germany france springfield boston chicago seattle austin manchester dublin бишкек* ташкент* \
         челябинск* ростов* уф* краснодар* воронеж* перм* тюмен*",
    ),
    (
        Cue::WITHIN,
        "жолы батыра батыр жырау би хана хан лет жыл года имени им атындағы аль ата ана марта мая октября ноября и of the \
         de la тов генерала академика маршала героя космонавта улы ұлы кызы қызы победы бригады дивизии",
    ),
    (
        Cue::UNITS,
        "тг тенге теңге руб рублей рубля kzt rub usd eur долл* доллар* dollars euro* тыс млн млрд million thousand \
         bytes байт мб гб kb mb gb кг kg шт штук дана процент* percent мс ms сек секунд* units единиц м км тонн* \
         литр* часов дней человек адам",
    ),
    (Cue::PERSON, "иин iin жсн бин bin бсн"),
];
