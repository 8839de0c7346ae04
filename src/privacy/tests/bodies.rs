//! Whole requests and answers, of every surface.

use serde_json::{Value, json};

use super::*;

fn mask_body(body: &str) -> (String, Survey, Masked) {
    let detectors = Detectors::default();
    let survey = Survey::read(&detectors, body).unwrap();
    let masked = survey.mask(&detectors, body, Classes::ALL).unwrap();
    let out = masked.body.clone().unwrap_or_else(|| body.to_owned());
    serde_json::from_str::<Value>(&out).unwrap();
    (out, survey, masked)
}

/// Each body, and what it is without what is personal.
#[track_caller]
fn becomes(body: &Value, expected: &Value) {
    let (out, ..) = mask_body(&body.to_string());
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), *expected);
}

#[test]
fn every_text_of_a_chat_request_is_masked() {
    becomes(
        &json!({
            "model": "a@b.kz", "user": "a@b.kz", "metadata": {"id": "c@d.kz", "type": "a@b.kz"},
            "messages": [
                {"role": "system", "content": "You help a@b.kz"},
                {"role": "user", "name": "a@b.kz", "content": [{"type": "text", "text": "I am c@d.kz"}]},
                {"role": "assistant", "content": null, "tool_calls": [
                    {"id": "a@b.kz", "type": "function",
                     "function": {"name": "find", "arguments": "{\"id\": \"c@d.kz\", \"iin\": 880101300209, \"n\": 7}"}}]},
                {"role": "tool", "tool_call_id": "a@b.kz", "content": "{\"name\":\"e@f.kz\",\"note\":\"\\u0061@b.kz\"}"},
            ],
            "tools": [{"type": "function", "function": {"name": "find", "description": "Ask a@b.kz",
                "parameters": {"type": "object", "required": ["a@b.kz"], "properties": {
                    "file_id": {"type": "string", "description": "as c@d.kz", "enum": ["a@b.kz"]}}}}}],
            "stop": ["e@f.kz"], "seed": 87_011_234_567_u64,
        }),
        &json!({
            "model": "a@b.kz", "user": "[EMAIL_1]", "metadata": {"id": "[EMAIL_2]", "type": "[EMAIL_1]"},
            "messages": [
                {"role": "system", "content": "You help [EMAIL_1]"},
                {"role": "user", "name": "[EMAIL_1]", "content": [{"type": "text", "text": "I am [EMAIL_2]"}]},
                {"role": "assistant", "content": null, "tool_calls": [
                    {"id": "a@b.kz", "type": "function",
                     "function": {"name": "find", "arguments": "{\"id\": \"[EMAIL_2]\", \"iin\": \"[IIN_1]\", \"n\": 7}"}}]},
                {"role": "tool", "tool_call_id": "a@b.kz", "content": "{\"name\":\"[EMAIL_3]\",\"note\":\"[EMAIL_1]\"}"},
            ],
            "tools": [{"type": "function", "function": {"name": "find", "description": "Ask [EMAIL_1]",
                "parameters": {"type": "object", "required": ["a@b.kz"], "properties": {
                    "file_id": {"type": "string", "description": "as [EMAIL_2]", "enum": ["[EMAIL_1]"]}}}}}],
            "stop": ["[EMAIL_3]"], "seed": 87_011_234_567_u64,
        }),
    );
}

#[test]
fn every_text_of_the_other_surfaces_is_masked() {
    becomes(
        &json!({
            "model": "m", "instructions": "for a@b.kz", "input": [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a@b.kz"}]},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{\"to\":\"a@b.kz\"}"},
                {"type": "function_call_output", "call_id": "c", "output": "c@d.kz"},
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "c@d.kz"}], "encrypted_content": "a@b.kz"},
            ],
        }),
        &json!({
            "model": "m", "instructions": "for [EMAIL_1]", "input": [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "[EMAIL_1]"}]},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{\"to\":\"[EMAIL_1]\"}"},
                {"type": "function_call_output", "call_id": "c", "output": "[EMAIL_2]"},
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "[EMAIL_2]"}], "encrypted_content": "a@b.kz"},
            ],
        }),
    );
    becomes(
        &json!({
            "model": "m", "system": [{"type": "text", "text": "a@b.kz"}], "metadata": {"user_id": "a@b.kz"},
            "messages": [
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "a@b.kz", "signature": "a@b.kz"},
                    {"type": "tool_use", "id": "t", "name": "n", "input": {"type": "c@d.kz", "iin": 880_101_300_209_u64}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "c@d.kz"}]},
                    {"type": "document", "title": "a@b.kz", "source": {"type": "text", "media_type": "text/plain", "data": "a@b.kz"}}]},
            ],
        }),
        &json!({
            "model": "m", "system": [{"type": "text", "text": "[EMAIL_1]"}], "metadata": {"user_id": "[EMAIL_1]"},
            "messages": [
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "[EMAIL_1]", "signature": "a@b.kz"},
                    {"type": "tool_use", "id": "t", "name": "n", "input": {"type": "[EMAIL_2]", "iin": "[IIN_1]"}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "[EMAIL_2]"}]},
                    {"type": "document", "title": "[EMAIL_1]", "source": {"type": "text", "media_type": "text/plain", "data": "[EMAIL_1]"}}]},
            ],
        }),
    );
    becomes(
        &json!({"model": "m", "prompt": ["a@b.kz", "x"], "input": "a@b.kz", "suffix": "c@d.kz"}),
        &json!({"model": "m", "prompt": ["[EMAIL_1]", "x"], "input": "[EMAIL_1]", "suffix": "[EMAIL_2]"}),
    );
}

#[test]
fn the_applications_own_data_is_masked_with_its_keys() {
    let rows = json!({"a@b.kz": {"name": "c@d.kz", "a": 1}, "list": [{"e@f.kz": "\u{0}"}]});
    let masked_rows =
        json!({"[EMAIL_1]": {"name": "[EMAIL_2]", "a": 1}, "list": [{"[EMAIL_3]": "\u{0}"}]});
    let body = |rows: &Value, mail: &str| {
        json!({"model": "m", "a@b.kz": 1, "messages": [
            {"role": "user", "content": rows.to_string()},
            {"role": "assistant", "tool_calls": [{"id": "t", "type": "function",
                "function": {"name": "f", "arguments": rows.to_string()}}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": rows}]}],
            "tools": [{"name": "f", "input_examples": [{"name": mail}], "input_schema": {
                "type": "object", "properties": {"a@b.kz": {"default": {"name": mail}}, "l": {"examples": [{"name": mail, "id": [mail]}],
                "enum": [mail], "const": {"status": mail}, "default": [{"type": mail}]}}}}],
            "prompt": {"id": "p", "variables": {"name": mail, "of": {"type": "input_text", "text": mail}}}})
    };
    becomes(&body(&rows, "a@b.kz"), &body(&masked_rows, "[EMAIL_1]"));
    let (_, _, masked) = mask_body(&body(&rows, "a@b.kz").to_string());
    let answer = body(&masked_rows, "[EMAIL_1]").to_string();
    let restored = masked.vault.restore_body(&answer).unwrap().unwrap();
    assert_eq!(restored, body(&rows, "a@b.kz").to_string());
}

#[test]
fn a_long_text_without_a_blank_is_a_text() {
    let letters = "QUJD".repeat(300);
    let lines = format!("{}\r\n", &letters[..76]).repeat(20);
    for data in [
        &letters,
        &lines,
        &format!("data:image/png;base64,{letters}"),
        &lines.replace('Q', "/"),
    ] {
        let body = json!({"messages": [{"content": data}]}).to_string();
        for body in [body.replace('/', "\\/"), body] {
            let (.., survey, masked) = mask_body(&body);
            assert_eq!(survey.unscannable(), [Unscannable::Data], "{body}");
            assert!(masked.body.is_none());
        }
    }
    for text in [format!("{letters} a@b.kz"), "я".repeat(600) + ",a@b.kz"] {
        let body = json!({"messages": [{"content": text}]}).to_string();
        let ascii: String = body
            .chars()
            .map(|c| match c {
                'я' => "\\u044f".to_owned(),
                c => c.to_string(),
            })
            .collect();
        for body in [body, ascii] {
            let (out, survey, _) = mask_body(&body);
            assert!(survey.unscannable().is_empty(), "{body}");
            assert!(
                out.contains("[EMAIL_1]") && !out.contains("a@b.kz"),
                "{out}"
            );
        }
    }
}

#[test]
fn a_new_turn_changes_no_number_before_the_conversation() {
    for (head, turns) in [
        (json!({"tools": [{"description": "x@y.kz"}]}), "messages"),
        (json!({"system": "x@y.kz"}), "messages"),
        (json!({"instructions": "x@y.kz"}), "input"),
    ] {
        let body = |said: &[&str]| {
            let turns_said: Vec<_> = said
                .iter()
                .map(|said| json!({"role": "user", "content": said}))
                .collect();
            let mut body = json!({ turns: turns_said, "model": "m" });
            // Behind the turns, where the SDKs of some write it.
            for (key, value) in head.as_object().unwrap() {
                body[key] = value.clone();
            }
            body.to_string()
        };
        let (first, ..) = mask_body(&body(&["a@b.kz"]));
        let (second, _, masked) = mask_body(&body(&["a@b.kz", "c@d.kz"]));
        let behind = |body: &str| body[body.find("\"model\"").unwrap()..].to_owned();
        assert_eq!(behind(&first), behind(&second));
        assert!(
            first.contains("[EMAIL_1]") && second.contains("[EMAIL_3]"),
            "{second}"
        );
        assert_eq!(masked.vault.restore("[EMAIL_1]", Form::Text), "x@y.kz");
    }
}

#[test]
fn only_changed_strings_are_written_anew() {
    let body = r#"{ "model":"m",  "x":1.50, "messages":[{"role":"user","content":"\u0430\/"},{"content":"\u0430 a\u0040b.kz"}] }"#;
    let (out, _, masked) = mask_body(body);
    assert_eq!(
        out,
        r#"{ "model":"m",  "x":1.50, "messages":[{"role":"user","content":"\u0430\/"},{"content":"а [EMAIL_1]"}] }"#
    );
    assert_eq!(masked.found.count(Class::EMAIL), 1);
    assert_eq!(masked.found.iter().count(), 1);
    let (same, survey, masked) = mask_body(r#"{"messages":[{"content":"nothing here"}]}"#);
    assert!(masked.body.is_none() && masked.vault.is_empty() && !same.is_empty());
    assert!(survey.found(Classes::ALL).classes().is_empty());
}

#[test]
fn the_next_turn_numbers_alike() {
    let first = json!({"messages": [{"role": "user", "content": "a@b.kz, 8 701 123 45 67"}]});
    let second = json!({"messages": [
        {"role": "user", "content": "a@b.kz, 8 701 123 45 67"},
        {"role": "assistant", "content": "Asked c@d.kz"},
        {"role": "user", "content": "and +77011234567?"}]});
    let (first, ..) = mask_body(&first.to_string());
    let (second, ..) = mask_body(&second.to_string());
    let shared = first.trim_end_matches("]}");
    assert!(second.starts_with(shared), "{second}");
    assert!(second.contains("Asked [EMAIL_2]") && second.contains("and [PHONE_1]?"));
}

#[test]
fn a_text_like_a_placeholder_anywhere_in_the_request_is_numbered_around() {
    let body = json!({"messages": [{"content": "a@b.kz"}, {"content": "what is [EMAIL_1]?"}]});
    let (out, _, masked) = mask_body(&body.to_string());
    assert!(
        out.contains("[EMAIL_2]") && out.contains("what is [EMAIL_1]?"),
        "{out}"
    );
    assert_eq!(
        masked.vault.restore("[EMAIL_1] [EMAIL_2]", Form::Text),
        "[EMAIL_1] a@b.kz"
    );
}

#[test]
fn what_words_told_once_is_replaced_everywhere() {
    let body = json!({"messages": [
        {"content": "по 45-К/2023 просрочка, X45-К/2023 нет"},
        {"content": "Договор № 45-К/2023"}]});
    let (out, ..) = mask_body(&body.to_string());
    assert!(
        out.contains("по [CONTRACT_1] просрочка, X45-К/2023 нет"),
        "{out}"
    );
    assert!(out.contains("Договор № [CONTRACT_1]"), "{out}");
}

#[test]
fn what_cannot_be_looked_at_is_told() {
    let data = "iVBORw0KGgo/".repeat(200);
    for (part, expected) in [
        (
            json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{data}")}}),
            Unscannable::Image,
        ),
        (
            json!({"type": "input_image", "image_url": "https://a.example/b.png"}),
            Unscannable::Image,
        ),
        (
            json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}),
            Unscannable::Image,
        ),
        (
            json!({"type": "document", "source": {"type": "url", "url": "https://a.example/b.pdf"}}),
            Unscannable::File,
        ),
        (
            json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
            Unscannable::Audio,
        ),
        (
            json!({"type": "file", "file": {"file_id": "file-1"}}),
            Unscannable::File,
        ),
        (
            json!({"type": "input_file", "file_data": "AAAA"}),
            Unscannable::File,
        ),
        (
            json!({"type": "video_url", "video_url": {"url": "https://a.example/b"}}),
            Unscannable::Video,
        ),
        (
            json!({"type": "audio_url", "audio_url": {"url": "https://a.example/b"}}),
            Unscannable::Audio,
        ),
        (
            json!({"type": "document_url", "document_url": "https://a.example/b"}),
            Unscannable::File,
        ),
        (
            json!({"type": "image", "image": "https://a.example/b.png"}),
            Unscannable::Image,
        ),
        (
            json!({"type": "video", "video": ["https://a.example/b"]}),
            Unscannable::Video,
        ),
        (
            json!({"type": "media", "file_uri": "gs://a/b"}),
            Unscannable::File,
        ),
        (
            json!({"type": "image_generation_call", "result": data}),
            Unscannable::Data,
        ),
        (
            json!({"type": "tool_result", "content": json!({"scan": data}).to_string()}),
            Unscannable::Data,
        ),
    ] {
        let body =
            json!({"model": "m", "messages": [{"role": "user", "content": [part]}]}).to_string();
        let (out, survey, _) = mask_body(&body);
        assert_eq!(survey.unscannable(), [expected], "{body:.200}");
        assert_eq!(out, body);
    }
    for (body, expected) in [
        (
            json!({"previous_response_id": "resp_1", "input": "x"}),
            Unscannable::State,
        ),
        (
            json!({"prompt": {"id": "pmpt_1", "variables": {"a": "b"}}}),
            Unscannable::State,
        ),
        (
            json!({"input": [{"type": "item_reference", "id": "msg_1"}]}),
            Unscannable::State,
        ),
        (
            json!({"audio": {"voice": "x"}, "messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}),
            Unscannable::Audio,
        ),
        (json!({"input": [[1, 2, 3], [4]]}), Unscannable::Tokens),
    ] {
        assert_eq!(
            mask_body(&body.to_string()).1.unscannable(),
            [expected],
            "{body}"
        );
    }
    let sealed = json!({"messages": [{"role": "assistant", "content": [
        {"type": "redacted_thinking", "data": data},
        {"type": "text", "text": "a", "data": "a@b.kz"}]}]});
    let (out, survey, _) = mask_body(&sealed.to_string());
    assert!(survey.unscannable().is_empty() && out.contains(&data) && !out.contains("a@b.kz"));
    let plain =
        json!({"conversation": null, "input": [{"content": "x", "source": "web"}], "seed": 5});
    assert!(mask_body(&plain.to_string()).1.unscannable().is_empty());
}

#[test]
fn a_plain_answer_gets_its_values_back() {
    let (_, _, masked) = mask_body(&json!({"messages": [{"content": "a@b.kz"}]}).to_string());
    let answer = json!({"id": "[EMAIL_1]", "model": "m", "choices": [{"message": {
        "role": "assistant", "content": "Wrote to [EMAIL_1].", "tool_calls": [
            {"id": "t", "function": {"name": "f", "arguments": "{\"to\": \"[EMAIL_1]\"}"}},
            {"id": "t", "function": {"name": "f", "arguments": "{\"to\": \"[EMAIL_1]"}}]}}]});
    let restored = masked
        .vault
        .restore_body(&answer.to_string())
        .unwrap()
        .unwrap();
    let expected = answer.to_string().replace("[EMAIL_1]", "a@b.kz");
    assert_eq!(restored, expected.replacen("a@b.kz", "[EMAIL_1]", 1));
    assert_eq!(
        masked
            .vault
            .restore_body(r#"{"content":"nothing"}"#)
            .unwrap(),
        None
    );
}

#[test]
fn what_is_no_json_is_refused() {
    let detectors = Detectors::default();
    for body in ["", "{", "{\"a\":}", "{} x"] {
        assert!(Survey::read(&detectors, body).is_err(), "{body}");
    }
}

#[test]
fn an_item_that_is_only_named_is_kept_by_its_provider() {
    for (item, is_kept) in [
        (json!({"id": "msg_1"}), true),
        (json!({"id": "msg_1", "type": null}), true),
        (json!({"id": "msg_1", "type": "item_reference"}), true),
        (
            json!({"id": "msg_1", "role": "user", "content": "a"}),
            false,
        ),
        (json!({"role": "user", "content": "a"}), false),
    ] {
        let body = json!({"model": "m", "input": [item]}).to_string();
        let (.., survey, _) = mask_body(&body);
        let expected: &[Unscannable] = if is_kept { &[Unscannable::State] } else { &[] };
        assert_eq!(survey.unscannable(), expected, "{body}");
    }
}

#[test]
fn an_address_in_a_url_comes_back_as_it_stood_there() {
    let body = json!({"messages": [{"content": "?to=anna%40mail.kz or anna@mail.kz"}]}).to_string();
    let (out, _, masked) = mask_body(&body);
    assert!(out.contains("?to=[EMAIL_1] or [EMAIL_2]"), "{out}");
    assert_eq!(masked.vault.restore_body(&out).unwrap().unwrap(), body);
}
