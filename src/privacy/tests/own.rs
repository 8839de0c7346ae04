//! The operator's own patterns.

use super::*;

fn found(detectors: &Detectors, text: &str) -> Vec<(String, String)> {
    let hits = detectors.find(text, Classes::ALL);
    let show = |hit: Hit| {
        (
            detectors.name(hit.class).to_owned(),
            text[hit.span].to_owned(),
        )
    };
    hits.into_iter().map(show).collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn a_pattern_extends_a_class_or_makes_one() {
    let own = [
        ("contract", r"KZ-\d{8}"),
        ("staff-id", r"(?i)табель\d+"),
        ("contract", "ZZ[0-9]+"),
    ];
    let detectors = Detectors::new(own).unwrap();
    assert_eq!(
        found(&detectors, "KZ-12345678, ТАБЕЛЬ77, ZZ5; договор № 12-К"),
        [
            pair("contract", "KZ-12345678"),
            pair("staff-id", "ТАБЕЛЬ77"),
            pair("contract", "ZZ5"),
            pair("contract", "12-К"),
        ]
    );
    let mut vault = Vault::default();
    let out = mask(
        &detectors,
        "табель77 and KZ-12345678",
        Classes::ALL,
        &mut vault,
    )
    .unwrap();
    assert_eq!(out, "[STAFF_ID_1] and [CONTRACT_1]");
    assert_eq!(vault.restore("[staff-id-1]", Form::Text), "табель77");
    assert!(
        detectors
            .class("staff-id")
            .is_some_and(|class| detectors.name(class) == "staff-id")
    );
    assert!(detectors.class("other").is_none());
    assert_eq!(detectors.names().count(), 11);
}

#[test]
fn a_bad_pattern_says_why() {
    let long = "a".repeat(40);
    let own = [
        ("a", "("),
        ("b", r"(?=x)"),
        ("c", r"\d*"),
        ("d", r"(\w{1000}){1000}"),
        ("1", "x"),
        (&long, "x"),
        ("e-f", "x"),
        ("e_f", "x"),
        ("EMAIL", "x"),
    ];
    let problems = Detectors::new(own).unwrap_err();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "`a`: unclosed group".to_owned(),
            "`b`: look-around, including look-ahead and look-behind, is not supported".to_owned(),
            "`c`: the pattern fits the empty text, so it would be found everywhere".to_owned(),
            "`d`: the pattern needs more than 1048576 bytes".to_owned(),
            "`1`: a name is up to 32 letters, digits, `-` and `_`, and starts with a letter"
                .to_owned(),
            format!(
                "`{long}`: a name is up to 32 letters, digits, `-` and `_`, and starts with a letter"
            ),
            "`e_f`: the name reads like `e-f`".to_owned(),
            "`EMAIL`: the name reads like `email`".to_owned(),
        ]
    );
    let many: Vec<String> = (0..=Class::OWN).map(|at| format!("own{at}")).collect();
    let problems = Detectors::new(many.iter().map(|name| (name.as_str(), "x"))).unwrap_err();
    assert_eq!(problems.len(), 1);
}

#[test]
fn only_what_is_asked_for_is_taken_out() {
    let detectors = Detectors::default();
    let text = "a@b.kz, 8 701 123 45 67";
    let mut vault = Vault::default();
    let only = Classes::NONE.with(Class::PHONE);
    let out = mask(&detectors, text, only, &mut vault).unwrap();
    assert_eq!(out, "a@b.kz, [PHONE_1]");
    assert_eq!(mask(&detectors, text, Classes::NONE, &mut vault), None);
}

#[test]
fn within_json_a_value_is_escaped_as_often_whether_it_streams_or_not() {
    let detectors = Detectors::new([("quoted", r#"Q"[^"]*"Q"#)]).unwrap();
    let mut vault = Vault::default();
    mask(&detectors, r#"Q"a\b"Q"#, Classes::ALL, &mut vault).unwrap();
    let vault = Arc::new(vault);
    let nested = |text: &str| serde_json::Value::from(text).to_string();
    let flat = r#"{"t":"[QUOTED_1], \"[QUOTED_1]\""}"#.to_owned();
    let deeper = format!(r#"{{"cmd":{},"then":"[QUOTED_1]"}}"#, nested(&flat));
    let deepest = format!(r#"{{"run":{}}}"#, nested(&deeper));
    for arguments in [flat, deeper, deepest] {
        let body = format!(r#"{{"arguments":{}}}"#, nested(&arguments));
        let whole = vault.restore_body(&body).unwrap().unwrap();
        let whole: serde_json::Value = serde_json::from_str(&whole).unwrap();
        let whole = whole["arguments"].as_str().unwrap();
        assert!(!whole.contains("QUOTED_1"), "{whole}");
        for form in [Form::Json, Form::Text] {
            for cut in (0..=arguments.len()).filter(|at| arguments.is_char_boundary(*at)) {
                let (one, two) = arguments.split_at(cut);
                let out = streamed(&vault, form, [one, two]);
                assert_eq!(out, whole, "{form:?}, cut at {cut}");
            }
        }
    }
}
