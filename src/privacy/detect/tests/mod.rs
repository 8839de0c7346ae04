//! What is found, case by case; and how often, over a generated corpus.

pub(in crate::privacy) mod corpus;
mod figures;
mod forms;
mod letters;
mod quick;
mod unseen;

use super::*;

/// What is found in `text`, as `class: value`.
fn found(text: &str) -> Vec<String> {
    let detectors = Detectors::default();
    let hits = detectors.find(text, Classes::ALL);
    let show = |hit: Hit| format!("{}: {}", detectors.name(hit.class), &text[hit.span]);
    hits.into_iter().map(show).collect()
}

#[test]
fn what_bears_the_checksum_of_another_class_is_no_telephone_number() {
    let detectors = Detectors::default();
    let only = Classes::NONE.with(Class::PHONE);
    for text in ["тел. 880101300209", "call 10.20.30.40"] {
        assert!(detectors.find(text, only).is_empty(), "{text}");
        assert_eq!(detectors.find(text, Classes::ALL).len(), 1, "{text}");
    }
}

#[test]
fn hits_that_overlap_are_one_of_the_surer_class() {
    let own = [("first", "b+c"), ("second", "ab+")];
    let detectors = Detectors::new(own).unwrap();
    let hits = detectors.find("xabbbbc договор № 12-К", Classes::ALL);
    let spans: Vec<_> = hits
        .iter()
        .map(|hit| (detectors.name(hit.class), hit.span.clone()))
        .collect();
    assert_eq!(spans, [("second", 1..7), ("contract", 27..32)]);
    let second = detectors.class("second").unwrap();
    let hits = detectors.find("xabbbbc", Classes::NONE.with(second));
    assert_eq!(hits[0].span, 1..6);
}

/// Whatever stands together, hits lie within the text, in order, at whole characters.
#[test]
fn any_text_can_be_looked_at() {
    let pieces = [
        "0",
        "1",
        "7",
        "8",
        "12",
        "4111",
        "880101",
        "１",
        "٣",
        "\u{1d7d8}",
        "+",
        "(",
        ")",
        "-",
        "–",
        ".",
        ",",
        ":",
        "::",
        "/",
        "\\",
        "\\n",
        "\\\\t",
        "\\u002b",
        "\\u0443\\u043b",
        "\\ud83d\\ude00",
        "\\ud83d",
        "\\u00",
        " ",
        "\u{a0}",
        "\u{200b}",
        "\u{ad}",
        "\u{3000}",
        "\n",
        "@",
        "＠",
        "%40",
        "№",
        "#",
        "_",
        "=",
        "'",
        "N",
        "KZ",
        "кв",
        "д",
        "ул",
        "мкр",
        "Абая",
        "үй",
        "Street",
        "NW1",
        "XE",
        "IL",
        "договор",
        "шарт",
        "паспорт",
        "тел",
        "доб",
        "ext",
        "карта",
        "иин",
        "é",
        "e\u{301}",
        "😀",
        "中",
        "a",
        "fe80",
        "xn--",
        "қ.",
        "5th",
        "І",
        "İ",
        "ß",
        "ﬁ",
    ];
    let detectors = Detectors::default();
    let mut rng = fastrand::Rng::with_seed(9);
    for _ in 0..20_000 {
        let count = rng.usize(..24);
        let text: String = (0..count)
            .map(|_| pieces[rng.usize(..pieces.len())])
            .collect();
        let hits = detectors.find(&text, Classes::ALL);
        let mut end = 0;
        for hit in hits {
            assert!(
                hit.span.start >= end && hit.span.start < hit.span.end,
                "{text:?}"
            );
            assert!(text.get(hit.span.clone()).is_some(), "{text:?}: {hit:?}");
            assert!(
                !normal::normal(hit.class, &text[hit.span.clone()]).is_empty(),
                "{text:?}: {hit:?}"
            );
            end = hit.span.end;
        }
    }
}
