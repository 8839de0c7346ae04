//! The least and the most that a request holds, its instructions, and a count of it.

use serde_json::{Value, json};

use super::{US, hello, sent, text, told, tool, turn};
use crate::chat::{Part, Role};
use crate::dialect::Receiver;
use crate::dialect::gemini::Form;
use crate::dialect::gemini::count::{encode_count, read_count};
use crate::facts::Families;

#[test]
fn the_smallest_request_has_contents_alone() {
    let encoded = told(&hello(), "gemini-3.5-flash", Form::AiStudio, |_| ()).unwrap();
    assert_eq!(
        encoded.body,
        r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#
    );
    assert!(encoded.dropped.is_empty());
}

#[test]
fn instructions_stand_apart_and_never_empty() {
    let system = |parts: &[Part]| {
        let mut conversation = hello();
        conversation.system = parts.to_vec();
        sent(&conversation, "gemini-3.5-flash")["systemInstruction"].take()
    };
    assert_eq!(
        system(&[text("a"), Part::CachePoint(None), text("b")]),
        json!({"parts": [{"text": "a"}, {"text": "b"}]})
    );
    let billing = text("x-anthropic-billing-header: cc_version=2; cch=00000;");
    assert_eq!(
        system(&[billing.clone(), text("a")]),
        json!({"parts": [{"text": "a"}]})
    );
    assert_eq!(system(&[billing]), Value::Null);
}

#[test]
fn a_count_is_asked_for_and_read() {
    let mut conversation = hello();
    conversation.system = vec![text("s")];
    conversation.tools = vec![tool("f", None)];
    conversation.max_tokens = Some(1);
    let facts = Families::built_in().of("gemini-4-argon");
    for (model, form, expected) in [
        (
            "gemini-3.5-flash",
            Form::AiStudio,
            r#"{"generateContentRequest":{"model":"models/gemini-3.5-flash","systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"hi"}]}],"tools":[{"functionDeclarations":[{"name":"f"}]}]}}"#,
        ),
        (
            "gemini-3.5-flash",
            Form::Vertex,
            r#"{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"hi"}]}],"tools":[{"functionDeclarations":[{"name":"f"}]}]}"#,
        ),
    ] {
        let to = Receiver {
            id: US,
            model,
            facts: &facts,
        };
        let encoded = encode_count(&conversation, to, form).unwrap();
        assert_eq!(encoded.body, expected);
    }
    // What cannot be gone on from can still be counted.
    conversation
        .turns
        .push(turn(Role::Assistant, &[text("So")]));
    let to = Receiver {
        id: US,
        model: "gemini-4-argon",
        facts: &facts,
    };
    assert!(encode_count(&conversation, to, Form::Vertex).is_ok());
    assert_eq!(read_count(br#"{"totalTokens": 61}"#).unwrap(), 61);
    assert!(read_count(b"{}").is_err());
}
