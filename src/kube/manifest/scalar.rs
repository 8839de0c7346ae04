//! What a plain scalar of YAML is to who reads manifests, and which texts need quotes so that nobody takes
//! them for something else.
//!
//! kubectl reads by YAML 1.1, in which `yes` is true and `0644` is 420; others read by 1.2. So what is read
//! goes by the former, and what is written must be the same in both.
//! <https://yaml.org/type/>, <https://yaml.org/spec/1.2.2/#103-core-schema> (read 2026-11)

use serde_json::{Number, Value};

/// The value of a plain scalar.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => true.into(),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => false.into(),
        text => number(text).map_or_else(|| text.into(), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let bare = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !bare.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let digits = bare.replace('_', "");
    let based = |radix: u32, digits: &str| {
        let is_all = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        is_all
            .then(|| i128::from_str_radix(digits, radix).ok())
            .flatten()
    };
    let whole = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => based(16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => based(8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => based(2, &digits[2..]),
        [b'0', _, ..] if digits.bytes().all(|b| b.is_ascii_digit()) => based(8, &digits[1..]),
        _ => based(10, &digits),
    };
    if let Some(whole) = whole {
        let whole = if text.starts_with('-') { -whole } else { whole };
        return Number::from_i128(whole);
    }
    let is_float = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    if !bare.chars().all(is_float) {
        return None;
    }
    text.parse::<f64>().ok().and_then(Number::from_f64)
}

/// Whether a text may stand without quotes.
pub(super) fn is_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else {
        return false;
    };
    // What begins with a digit, a sign or a dot is a number, a date or a time to somebody.
    (first.is_ascii_alphabetic() || first == '/')
        && text.chars().all(|c| {
            c.is_ascii_alphanumeric()
                || matches!(
                    c,
                    '/' | '.'
                        | '_'
                        | '-'
                        | ':'
                        | '@'
                        | '='
                        | '+'
                        | ','
                        | '('
                        | ')'
                        | '$'
                        | '%'
                        | ' '
                )
        })
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && !is_word(text)
}

/// Words that are no text to somebody.
fn is_word(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    matches!(
        &*lower,
        "y" | "yes" | "true" | "on" | "n" | "no" | "false" | "off" | "null" | "nan" | "inf"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_scalars_are_read_as_kubectl_reads_them() {
        for (text, value) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("0644", json!(420)),
            ("0o644", json!(420)),
            ("0x1F", json!(31)),
            ("0b11", json!(3)),
            ("1_000", json!(1000)),
            ("-12", json!(-12)),
            ("+5", json!(5)),
            ("0", json!(0)),
            ("089", json!(89.0)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000.0)),
            (".5", json!(0.5)),
            ("1.2.3", json!("1.2.3")),
            ("10m", json!("10m")),
            ("127.0.0.1:80", json!("127.0.0.1:80")),
            ("2026-11-01", json!("2026-11-01")),
            ("-", json!("-")),
            ("y", json!("y")),
            ("0x", json!("0x")),
            (".", json!(".")),
        ] {
            assert_eq!(plain(text), value, "{text}");
        }
    }

    #[test]
    fn what_could_be_something_else_has_quotes() {
        for text in [
            "app",
            "a b",
            "/bin/sh",
            "http://127.0.0.1:4100/v1",
            "apps/v1",
            "a=b,c",
        ] {
            assert!(is_plain(text), "{text}");
        }
        for text in [
            "",
            " a",
            "a ",
            "a: b",
            "a:",
            "a #b",
            "yes",
            "No",
            "ON",
            "y",
            "N",
            "null",
            "~",
            "1",
            "0644",
            "1:30",
            "10m",
            "2026-11-01",
            ".5",
            ".inf",
            "NaN",
            "-a",
            "- a",
            "{a",
            "[a",
            "*a",
            "&a",
            "!a",
            "|",
            ">",
            "'a",
            "\"a",
            "%a",
            "@a",
            "`a",
            "#a",
            "$(A)",
            "?",
            "=",
            "<<",
            "a\nb",
            "a\tb",
            "é",
            "_1",
        ] {
            assert!(!is_plain(text), "{text}");
        }
    }
}
