//! The walk against `serde_json`, and what it finds.

use super::*;

fn agrees(text: &str) {
    let ours = check(text).is_ok();
    let theirs = serde_json::from_str::<serde_json::Value>(text).is_ok();
    assert_eq!(ours, theirs, "{text:?}: {:?}", check(text));
}

#[test]
fn accepts_and_refuses_what_serde_json_does() {
    for text in [
        "{}",
        "[]",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1.5e+3",
        "\"\"",
        " [ 1 , 2 ] ",
        "{\"a\":[{}]}",
        "\"\\u00e9\\ud83d\\ude00\"",
        "[[],{},[{}]]",
        "{\"a\":{\"b\":[1,{\"c\":null}]},\"d\":\"e\"}",
        "",
        "{",
        "[1,]",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "01",
        "1.",
        ".5",
        "1e",
        "+1",
        "-",
        "tru",
        "nul",
        "\"a",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\n\"",
        "[1 2]",
        "{\"a\" 1}",
        "{a:1}",
        "1 2",
        "[}",
        "{]",
        "{\"a\":[}",
        "\u{feff}{}",
        "nan",
    ] {
        agrees(text);
    }
}

#[test]
fn agrees_with_serde_json_on_damaged_documents() {
    let whole = r#"{"model":"x","n":[1,-2.5e3,true,null,{"k":"v\n\u00e9"}],"o":{"p":[[]]}}"#;
    let mut rng = fastrand::Rng::with_seed(7);
    for _ in 0..20_000 {
        let mut bytes = whole.as_bytes().to_vec();
        for _ in 0..rng.usize(1..4) {
            let at = rng.usize(..bytes.len());
            match rng.u8(..3) {
                0 => drop(bytes.remove(at)),
                1 => bytes[at] = *rng.choice(br#"{}[],:"\0e-nt"#).unwrap(),
                _ => bytes.insert(at, *rng.choice(br#"{}[],:"\0e-nt"#).unwrap()),
            }
        }
        if let Ok(text) = std::str::from_utf8(&bytes) {
            agrees(text);
        }
    }
}

#[test]
fn depth_is_limited_and_never_overflows() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(check(&nested(127)).is_ok());
    assert_eq!(check(&nested(128)).unwrap_err().what, "nests too deep");
    assert!(check(&"{\"a\":".repeat(1_000_000)).is_err());
    let inside = format!("{{\"a\":{}}}", nested(127));
    let walked = Cursor::new(&inside).object(|_, _| Ok::<(), Invalid>(()));
    assert_eq!(walked.unwrap_err().what, "nests too deep");
}

#[test]
fn a_walk_finds_keys_and_spans() {
    let text = r#" {"a": "x\"y", "mod\u0065l" : [1, {"b":2}] , "c":-1.5} "#;
    let mut seen = Vec::new();
    let mut cursor = Cursor::new(text);
    cursor
        .object(|cursor, key| {
            let span = cursor.skip()?;
            seen.push((key.decode().into_owned(), text[span].to_owned()));
            Ok::<(), Invalid>(())
        })
        .unwrap();
    cursor.end().unwrap();
    let expected = [
        ("a", r#""x\"y""#),
        ("model", r#"[1, {"b":2}]"#),
        ("c", "-1.5"),
    ];
    assert_eq!(
        seen,
        expected.map(|(key, value)| (key.to_owned(), value.to_owned()))
    );
}

#[test]
fn a_string_decodes_to_what_it_says() {
    let text = r#""a\"\\\/\b\f\n\r\t\u0416\ud83d\ude00""#;
    let decoded = Cursor::new(text).string().unwrap().decode().into_owned();
    assert_eq!(decoded, "a\"\\/\u{8}\u{c}\n\r\t\u{416}\u{1f600}");
}

#[test]
fn decodes_as_serde_json_does() {
    let pieces = [
        "a",
        "ж",
        "\u{1f600}",
        "\\\"",
        "\\\\",
        "\\/",
        "\\b",
        "\\f",
        "\\n",
        "\\r",
        "\\t",
        "\\u0041",
        "\\u0416",
        "\\u20AC",
        "\\ud83d\\ude00",
        "\\uDBFF\\uDFFF",
        "\\u0000",
        "\\uffff",
        "u0041",
    ];
    let mut rng = fastrand::Rng::with_seed(11);
    for _ in 0..5_000 {
        let mut text = String::from("\"");
        for _ in 0..rng.usize(..8) {
            text.push_str(rng.choice(pieces).unwrap());
        }
        text.push('"');
        let ours = Cursor::new(&text).string().unwrap().decode().into_owned();
        assert_eq!(
            ours,
            serde_json::from_str::<String>(&text).unwrap(),
            "{text}"
        );
    }
}

#[test]
fn every_string_is_shown_with_its_key() {
    let text = r#" {"a":"1","b":[ "2",{"c":"3","d":{}},"4"],"e":{"f":[],"g":5},"h":"\u0036"} "7" "#;
    let mut cursor = Cursor::new(text);
    let mut shown = Vec::new();
    let mut each = |key: Option<Text<'_>>, string: Text<'_>| {
        shown.push((
            key.map(|key| key.raw().to_owned()),
            string.decode().into_owned(),
        ));
    };
    let span = cursor.strings(&mut each).unwrap();
    assert_eq!(&text[span], &text[1..text.len() - 5]);
    cursor.strings(&mut each).unwrap();
    cursor.end().unwrap();
    let expected = [
        (Some("a"), "1"),
        (None, "2"),
        (Some("c"), "3"),
        (None, "4"),
        (Some("h"), "6"),
        (None, "7"),
    ];
    let expected = expected.map(|(key, string)| (key.map(str::to_owned), string.to_owned()));
    assert_eq!(shown, expected);
}

#[test]
fn a_string_ends_at_the_first_byte_that_ends_it() {
    for byte in 0..0x80_u8 {
        for place in 0..20 {
            let mut text = vec![b'\x7f'; 24];
            text[place] = byte;
            // What comes behind it must not be taken for it.
            text[place + 1..].fill(b'"');
            let ends = byte < 0x20 || byte == b'"' || byte == b'\\';
            let expected = place + usize::from(!ends);
            assert_eq!(token::plain(&text), expected, "{byte:#x} at {place}");
            assert_eq!(token::plain(&text[..=place]), expected);
        }
    }
    let letters = "é日𝄞ÿ".repeat(5);
    assert_eq!(token::plain(letters.as_bytes()), letters.len());
}

#[test]
fn quotes_as_serde_json_does() {
    let every: String = ('\0'..='\u{ff}').chain(['日', '𝄞', '\u{2028}']).collect();
    let mut texts: Vec<String> = every.chars().map(String::from).collect();
    texts.extend([String::new(), "plain".into(), "ends with \\".into(), every]);
    for text in texts {
        assert_eq!(quote(&text), serde_json::to_string(&text).unwrap());
    }
}
