//! What a record may hold of an exchange.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::*;
use crate::chat::Surface;

/// A number of each built-in class that has one, and what tells it.
const VALUES: [(&str, &str); 8] = [
    ("anna.k@mail.kz", "EMAIL"),
    ("+7 701 123 45 67", "PHONE"),
    ("4111 1111 1111 1111", "CARD"),
    ("KZ86125KZT5004100100", "IBAN"),
    ("880101300209", "IIN"),
    ("192.168.7.41", "IP"),
    ("паспорт N12345678", "PASSPORT"),
    ("г. Алматы, ул. Абая 150, кв. 12", "ADDRESS"),
];

fn transcript(body: &Value) -> Transcript {
    Transcript::of(&Arc::default(), &body.to_string(), None).unwrap()
}

fn said(body: &Value) -> Said {
    let mut said = Said::new(Surface::Chat);
    said.whole(body.to_string().as_bytes());
    said
}

fn says(text: &str) -> Said {
    said(&json!({"choices": [{"index": 0, "message": {"content": text}}]}))
}

#[test]
fn in_a_record_nothing_is_kept_from_the_detectors() {
    for (value, class) in VALUES {
        let body = json!({
            "model": value, "user": value, "temperature": 0.123_456_789, "metadata": {value: value},
            "messages": [{"role": "user", "name": value, "content": [{"type": "text", "text": format!("I: {value}")}]},
                {"role": "assistant", "tool_calls": [{"id": value, "function": {"name": value,
                    "arguments": json!({value: [{"a": value}]}).to_string()}}]},
                {"role": "tool", "tool_call_id": value, "content": json!({"of": value}).to_string()}],
            "tools": [{"function": {"name": "f", "parameters": {"properties": {value: {"enum": [value], "pattern": value}}}}}],
        });
        let kept = transcript(&body);
        let text = kept.request().as_str();
        assert!(!text.contains(value), "{text}");
        assert!(text.contains(&format!("[{class}_1]")), "{text}");
        assert!(!text.contains(&format!("[{class}_2]")), "{text}");
        assert!(text.contains("0.123456789"), "{text}");
        serde_json::from_str::<Value>(text).unwrap();
        // The answer is masked alike, and what is new in it is new.
        let other = "eva@mail.kz";
        let answer = kept
            .answer(&says(&format!("{value}, {other}")), true)
            .unwrap();
        let next = if class == "EMAIL" { 2 } else { 1 };
        let expected = json!([{"text": format!("[{class}_1], [EMAIL_{next}]")}]);
        let expected = expected.to_string().replace("паспорт ", "");
        let answer = answer.as_str().replace("паспорт ", "");
        assert_eq!(answer, expected);
    }
}

#[test]
fn what_was_taken_out_before_keeps_its_placeholder() {
    let detectors: Arc<Detectors> = Arc::default();
    let body = json!({"model": "a@b.kz", "messages": [
        {"role": "user", "content": "I am c@d.kz, +7 701 123 45 67, [EMAIL_2]. Contract № 45-К/2023."},
        {"role": "user", "name": "c@d.kz", "content": "a@b.kz, +7 701 123 45 67, see 45-К/2023"}]})
    .to_string();
    let survey = Survey::read(&detectors, &body).unwrap();
    let emails: Classes = [Class::EMAIL].into_iter().collect();
    let masked = survey.mask(&detectors, &body, emails).unwrap();
    let sent = masked.body.unwrap();
    assert!(sent.contains("I am [EMAIL_1], +7 701"), "{sent}");
    let kept = Transcript::of(&detectors, &sent, Some(&masked.vault)).unwrap();
    let expected = json!({"model": "[EMAIL_3]", "messages": [
        {"role": "user", "content": "I am [EMAIL_1], [PHONE_1], [EMAIL_2]. Contract № [CONTRACT_1]."},
        {"role": "user", "name": "[EMAIL_1]", "content": "[EMAIL_3], [PHONE_1], see [CONTRACT_1]"}]});
    assert_eq!(kept.request().as_str(), expected.to_string());
    // As the model writes them back, repeats what it was shown, and finds out for itself.
    let answer = kept.answer(
        &says("[EMAIL_1], [email 3], 45-К/2023, c@d.kz, e@f.kz, [EMAIL_4]"),
        true,
    );
    let expected =
        json!([{"text": "[EMAIL_1], [email 3], [CONTRACT_1], [EMAIL_1], [EMAIL_5], [EMAIL_4]"}]);
    assert_eq!(answer.unwrap().as_str(), expected.to_string());
}

#[test]
fn a_placeholder_is_no_value_for_an_operators_pattern() {
    let detectors = Detectors::new([("code", r"[A-Z]+_\d+")]).unwrap();
    let detectors = Arc::new(detectors);
    let body = json!({"input": "a@b.kz AB_12"}).to_string();
    let survey = Survey::read(&detectors, &body).unwrap();
    let emails: Classes = [Class::EMAIL].into_iter().collect();
    let masked = survey.mask(&detectors, &body, emails).unwrap();
    let kept = Transcript::of(&detectors, &masked.body.unwrap(), Some(&masked.vault)).unwrap();
    assert_eq!(kept.request().as_str(), r#"{"input":"[EMAIL_1] [CODE_1]"}"#);
}

#[test]
fn what_cannot_be_looked_into_is_a_note() {
    let long = "QUJD".repeat(300);
    for (member, expected) in [
        (
            json!({"messages": [{"content": [{"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{long}")}}]}]}),
            json!({"messages": [{"content": [{"type": "image_url", "image_url": "[an image, 1232 bytes]"}]}]}),
        ),
        (
            json!({"input_audio": {"data": "QUJD", "format": "wav"}, "file": {"file_data": "QUJD", "filename": "a@b.kz"}}),
            json!({"input_audio": "[sound, 30 bytes]", "file": {"file_data": "[a file, 6 bytes]", "filename": "[EMAIL_1]"}}),
        ),
        (
            json!({"source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}),
            json!({"source": "[an image, 56 bytes]"}),
        ),
        (
            json!({"source": {"type": "text", "media_type": "text/plain", "data": "a@b.kz"}}),
            json!({"source": {"type": "text", "media_type": "text/plain", "data": "[EMAIL_1]"}}),
        ),
        (
            json!({"x": long, "y": [long]}),
            json!({"x": "[base64, 1202 bytes]", "y": ["[base64, 1202 bytes]"]}),
        ),
        (
            json!({"arguments": json!({"scan": long}).to_string()}),
            json!({"arguments": json!({"scan": "[base64, 1202 bytes]"}).to_string()}),
        ),
        (
            json!({"input": [1, 2, 3], "prompt": [[4, 5], [6]]}),
            json!({"input": "[numbers of tokens, 7 bytes]", "prompt": ["[numbers of tokens, 5 bytes]", "[numbers of tokens, 3 bytes]"]}),
        ),
        (
            json!({"input": ["a@b.kz", []]}),
            json!({"input": ["[EMAIL_1]", []]}),
        ),
        (
            json!({"input": [{"type": "reasoning", "encrypted_content": "secret"}], "previous_response_id": "resp_1"}),
            json!({"input": [{"type": "reasoning", "encrypted_content": "[sealed, 8 bytes]"}], "previous_response_id": "resp_1"}),
        ),
        (
            json!({"prompt": {"id": "p", "variables": {"who": "a@b.kz"}}, "usage": {"a@b.kz": 1}, "n": 87_011_234_567_u64}),
            json!({"prompt": {"id": "p", "variables": {"who": "[EMAIL_1]"}}, "usage": {"[EMAIL_1]": 1}, "n": "[PHONE_1]"}),
        ),
        (
            json!({"tools": [{"type": "mcp", "headers": {"X": "s3"}, "authorization": "s3"}], "x": {"arguments": {"Password": "s3"}},
                "schema": {"properties": {"password": {"type": "string"}}}}),
            json!({"tools": [{"type": "mcp", "headers": "[a credential, 10 bytes]", "authorization": "[a credential, 4 bytes]"}],
                "x": {"arguments": {"Password": "[a credential, 4 bytes]"}},
                "schema": {"properties": {"password": {"type": "string"}}}}),
        ),
        (
            json!({"seed": 880_101_300_209_u64}),
            json!({"seed": "[IIN_1]"}),
        ),
    ] {
        assert_eq!(transcript(&member).request().as_str(), expected.to_string());
    }
}

#[test]
fn an_answer_is_texts_refusals_and_calls() {
    let kept = transcript(&json!({"messages": [{"content": "a@b.kz"}]}));
    let answer = said(&json!({"choices": [
        {"index": 0, "message": {"content": "{\"to\":\"a@b.kz\"}", "refusal": "No, c@d.kz", "tool_calls": [
            {"function": {"name": "send", "arguments": "{\"c@d.kz\":\"\\u0061@b.kz\"}"}}]}},
        {"index": 1, "message": {"content": "Hi"}}]}));
    let expected = json!([
        {"text": "{\"to\":\"[EMAIL_1]\"}"}, {"refusal": "No, [EMAIL_2]"},
        {"call": "send", "arguments": "{\"[EMAIL_2]\":\"[EMAIL_1]\"}"}, {"choice": 1, "text": "Hi"}]);
    let answer = kept.answer(&answer, true).unwrap();
    assert_eq!(answer.as_str(), expected.to_string());
    assert!(!answer.is_cut());
    assert_eq!(kept.answer(&Said::new(Surface::Chat), true), None);
    let answer = kept.answer(&says(&"QUJD".repeat(300)), true).unwrap();
    assert_eq!(answer.as_str(), r#"[{"text":"[base64, 1200 bytes]"}]"#);
}

#[test]
fn no_beginning_of_a_value_is_left_where_an_answer_broke_off() {
    let kept = transcript(&json!({}));
    let broken = |text: &str| {
        let answer = kept.answer(&says(text), false).unwrap();
        let answer: Value = serde_json::from_str(answer.as_str()).unwrap();
        answer[0]["text"].as_str().unwrap().to_owned()
    };
    for (text, expected) in [
        ("Write to anna.k@mail", "Write to "),
        ("Write to anna.k@mail.kz today", "Write to [EMAIL_1] "),
        ("Pay with 4111 1111 1111 11", "Pay with "),
        ("one two", "one "),
        ("one two ", "one two "),
        ("one", ""),
        ("電話は 4111", "電話は"),
        ("番号4111", "番号"),
    ] {
        assert_eq!(broken(text).trim_end(), expected.trim_end(), "{text}");
    }
    for (value, class) in VALUES {
        let text = format!("It is {value}");
        let start = text.len() - value.len();
        for at in (start..text.len()).filter(|at| text.is_char_boundary(*at)) {
            let left = broken(&text[..at]);
            let digits = left.chars().filter(char::is_ascii_digit).count();
            let is_told = left.contains(&format!("[{class}_"));
            assert!(!left.contains('@') && (digits < 4 || is_told), "{left}");
        }
    }
}

#[test]
fn so_much_is_kept_and_no_more() {
    const LONGEST: usize = 64 << 10;
    let body = |length: usize| {
        let mut text = String::new();
        while text.len() < length {
            let _ = write!(text, "é@ {} a@b.kz ", text.len());
        }
        json!({"input": text})
    };
    for (length, is_cut) in [
        (1000, false),
        (45_000, false),
        (80_000, true),
        (1 << 20, true),
    ] {
        let kept = transcript(&body(length));
        let text = kept.request().as_str();
        assert_eq!(kept.request().is_cut(), is_cut, "{length}");
        assert!(text.len() <= LONGEST && (!is_cut || text.len() > LONGEST - 4));
        assert!(!text.contains("a@b.kz"));
        let text = body(length)["input"].as_str().unwrap().to_owned();
        let answer = kept.answer(&says(&text), true).unwrap();
        assert_eq!(answer.is_cut(), is_cut, "{length}");
        assert!(answer.as_str().len() <= LONGEST && !answer.as_str().contains("a@b.kz"));
    }
    // What has nothing in it is cut as well.
    let kept = transcript(&json!({"input": "é".repeat(1 << 20)}));
    assert!(kept.request().is_cut() && kept.request().as_str().len() >= LONGEST - 1);
    assert!(Transcript::of(&Arc::default(), "{", None).is_err());
}
