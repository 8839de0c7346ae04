//! Turns and their parts, as they are written.

use serde_json::{Value, json};

use super::given::{US, at, call, image, result, said, sent, text, told};
use crate::chat::{Conversation, Media, Part, Role, Thought, Unsupported, thought};
use crate::dialect::gemini::Form;

/// What, where, at which model, in which content, and its parts.
type Written = (&'static str, Conversation, &'static str, usize, Value);

fn check_parts(table: Vec<Written>) {
    for (what, conversation, model, at, parts) in table {
        let sent = sent(&conversation, model);
        assert_eq!(sent["contents"][at]["parts"], parts, "{what}");
        let role = if at == 1 { "model" } else { "user" };
        assert_eq!(sent["contents"][at]["role"], role, "{what}");
    }
}

#[test]
fn every_medium_has_its_form() {
    use Role::User as U;
    check_parts(vec![
        (
            "an image",
            said(&[(U, &[text("see"), image()])]),
            "gemini-3.5-flash",
            0,
            json!([{"text": "see"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]),
        ),
        (
            "a document and a sound",
            said(&[(
                U,
                &[
                    Part::File {
                        name: Some("a.pdf".into()),
                        media: Media::Inline {
                            kind: "application/pdf".into(),
                            data: "BBBB".into(),
                        },
                    },
                    Part::Audio {
                        format: "wav".into(),
                        data: "CCCC".into(),
                    },
                ],
            )]),
            "gemini-2.5-flash",
            0,
            json!([
                {"inlineData": {"mimeType": "application/pdf", "data": "BBBB"}},
                {"inlineData": {"mimeType": "audio/wav", "data": "CCCC"}}
            ]),
        ),
        (
            "a file of Google's own",
            said(&[(
                U,
                &[
                    at("gs://bucket/a.JPG"),
                    at("https://generativelanguage.googleapis.com/v1beta/files/abc"),
                ],
            )]),
            "gemini-2.5-flash",
            0,
            json!([
                {"fileData": {"fileUri": "gs://bucket/a.JPG", "mimeType": "image/jpeg"}},
                {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}}
            ]),
        ),
    ]);
}

#[test]
fn calls_and_thoughts_bear_the_signatures_that_are_ours() {
    use Role::{Assistant as A, User as U};
    let sealed = Some(thought::seal(US, "SIG"));
    let foreign = Some(thought::seal("other/model", "SIG"));
    let skip = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=";
    let ran = |call: Part| {
        let id = match &call {
            Part::Call(call) => call.id.clone(),
            other => panic!("{other:?}"),
        };
        said(&[
            (U, &[text("hi")]),
            (A, &[call]),
            (U, &[result(&id, &[text("ok")], false)]),
        ])
    };
    check_parts(vec![
        (
            "a call with our signature",
            ran(call(
                "adeuph8e",
                "f",
                "{\"b\": 1.0, \"a\":12345678901234567890}",
                sealed.clone(),
            )),
            "gemini-3.5-flash",
            1,
            json!([{
                "functionCall": {"id": "adeuph8e", "name": "f", "args": {"b": 1.0, "a": 12_345_678_901_234_567_890_u64}},
                "thoughtSignature": "SIG"
            }]),
        ),
        (
            "a call with another's, where one must be there",
            ran(call("adeuph8e", "f", "{}", foreign.clone())),
            "gemini-3.5-flash",
            1,
            json!([{"functionCall": {"id": "adeuph8e", "name": "f", "args": {}}, "thoughtSignature": skip}]),
        ),
        (
            "a call with another's, where none must be",
            ran(call("adeuph8e", "f", "{}", foreign)),
            "gemini-2.5-flash",
            1,
            json!([{"functionCall": {"name": "f", "args": {}}}]),
        ),
        (
            "an id that is ours, and arguments that are none",
            ran(call("call_abcdefghijklmnopqrstuvwx", "f", "{\"cut", None)),
            "gemini-2.5-flash",
            1,
            json!([{"functionCall": {"name": "f", "args": {}}}]),
        ),
        (
            "the result of a call with an id that is ours",
            ran(call("call_abcdefghijklmnopqrstuvwx", "f", "", None)),
            "gemini-2.5-flash",
            2,
            json!([{"functionResponse": {"name": "f", "response": {"output": "ok"}}}]),
        ),
        (
            "a thought of ours, one without a seal, and one of another's",
            said(&[
                (U, &[text("hi")]),
                (
                    A,
                    &[
                        Part::Thought(Thought {
                            text: "hm".into(),
                            signature: sealed.clone(),
                            redacted: None,
                        }),
                        Part::Thought(Thought {
                            text: "hm".into(),
                            signature: Some("bare".into()),
                            redacted: None,
                        }),
                        Part::Thought(Thought {
                            text: "hm".into(),
                            ..Thought::default()
                        }),
                        text("yo"),
                    ],
                ),
                (U, &[text("so?")]),
            ]),
            "gemini-3.5-flash",
            1,
            json!([{"text": "", "thoughtSignature": "SIG"}, {"text": "yo"}]),
        ),
    ]);
}

#[test]
fn a_result_is_an_object_with_the_name_of_its_call() {
    use Role::{Assistant as A, User as U};
    let answered = |parts: &[Part], is_error| {
        said(&[
            (U, &[text("hi")]),
            (A, &[call("x1", "f", "{}", None)]),
            (U, &[result("x1", parts, is_error), text("so?")]),
        ])
    };
    let returned = |response: Value| {
        json!([
            {"functionResponse": {"id": "x1", "name": "f", "response": response}}
        ])
    };
    check_parts(vec![
        (
            "a result that is text",
            answered(&[text("[1,2]")], false),
            "gemini-3.5-flash",
            2,
            returned(json!({"output": "[1,2]"})),
        ),
        (
            "a result that is an object",
            answered(&[text(" {\"a\": {\"b\":1}}")], false),
            "gemini-3.5-flash",
            2,
            returned(json!({"a": {"b": 1}})),
        ),
        (
            "a result that is nearly an object, in two pieces",
            answered(&[text("{\"a\":"), text("x")], false),
            "gemini-3.5-flash",
            2,
            returned(json!({"output": "{\"a\":\nx"})),
        ),
        (
            "a result that is an error",
            answered(&[text("{\"a\":1}")], true),
            "gemini-3.5-flash",
            2,
            returned(json!({"error": "{\"a\":1}"})),
        ),
        (
            "a result that is nothing",
            answered(&[], false),
            "gemini-3.5-flash",
            2,
            returned(json!({"output": ""})),
        ),
        (
            "what follows a result stands in a content of its own",
            answered(&[text("ok")], false),
            "gemini-3.5-flash",
            3,
            json!([{"text": "so?"}]),
        ),
        (
            "a result with an image",
            answered(&[text("see"), image()], false),
            "gemini-3.5-flash",
            2,
            json!([{"functionResponse": {
                "id": "x1", "name": "f", "response": {"output": "see"},
                "parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]
            }}]),
        ),
        (
            "a result with an image, where results are text",
            answered(&[image()], false),
            "gemini-2.5-flash",
            2,
            json!([{"functionResponse": {"name": "f", "response": {"output": "(shown below)"}}}]),
        ),
        (
            "the image of that result",
            answered(&[image()], false),
            "gemini-2.5-flash",
            3,
            json!([{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]),
        ),
    ]);
}

#[test]
fn arguments_keep_their_digits() {
    let conversation = said(&[
        (Role::User, &[text("hi")]),
        (
            Role::Assistant,
            &[call("x", "f", "{\"b\": 1.00,\"a\":1e400}", None)],
        ),
        (Role::User, &[result("x", &[text("{\"z\":1.00}")], false)]),
    ]);
    let encoded = told(&conversation, "gemini-2.5-pro", Form::AiStudio, |_| ()).unwrap();
    let body = std::str::from_utf8(&encoded.body).unwrap();
    assert!(body.contains(r#""args":{"b": 1.00,"a":1e400}"#), "{body}");
    assert!(body.contains(r#""response":{"z":1.00}"#), "{body}");
}

#[test]
fn of_calls_side_by_side_the_first_alone_is_excused() {
    use Role::{Assistant as A, User as U};
    let signatures = |calls: &[Part]| {
        let results = [result("1", &[], false), result("2", &[], false)];
        let conversation = said(&[(U, &[text("hi")]), (A, calls), (U, &results)]);
        let sent = sent(&conversation, "gemini-3-pro-preview");
        let parts = sent["contents"][1]["parts"].as_array().unwrap().clone();
        let signatures = parts.iter().map(|part| part["thoughtSignature"].clone());
        signatures.collect::<Vec<_>>()
    };
    let sealed = Some(thought::seal(US, "SIG"));
    assert_eq!(
        signatures(&[call("1", "f", "{}", None), call("2", "f", "{}", None)]),
        [
            json!("c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="),
            Value::Null
        ]
    );
    assert_eq!(
        signatures(&[call("1", "f", "{}", sealed), call("2", "f", "{}", None)]),
        [json!("SIG"), Value::Null]
    );
}

#[test]
fn what_a_model_cannot_be_shown_is_refused() {
    use Form::{AiStudio, Vertex};
    let own = "https://generativelanguage.googleapis.com/v1beta/files/abc";
    let table = [
        (at("https://example.com/a.png"), AiStudio, false),
        (at("https://example.com/a.png?size=2"), Vertex, true),
        (at("https://example.com/a"), Vertex, false),
        (at("http://example.com/a.png"), Vertex, false),
        (
            at("https://example.com/?u=generativelanguage.googleapis.com/files/"),
            AiStudio,
            false,
        ),
        (at(own), Vertex, true),
        (at("file:///etc/passwd.png"), Vertex, false),
        (Part::Image(Media::Id("file-1".into())), AiStudio, false),
    ];
    for (part, form, accepted) in table {
        let conversation = said(&[(Role::User, std::slice::from_ref(&part))]);
        let told = told(&conversation, "gemini-3.5-flash", form, |_| ());
        match told {
            Ok(_) => assert!(accepted, "{part:?}"),
            Err(refused) => {
                assert!(!accepted, "{part:?}");
                assert_eq!(
                    (refused.code, &*refused.param),
                    (Unsupported::PARAMETER, "messages")
                );
            }
        }
    }
    let conversation = said(&[(Role::User, &[image()])]);
    let blind = told(&conversation, "gemini-3.5-flash", AiStudio, |facts| {
        facts.images = false;
    });
    assert_eq!(blind.unwrap_err().param, "messages");
}

#[test]
fn an_id_is_told_where_ids_come_from() {
    let conversation = |id: &str| {
        said(&[
            (Role::User, &[text("hi")]),
            (Role::Assistant, &[call(id, "f", "{}", None)]),
            (Role::User, &[result(id, &[text("ok")], false)]),
        ])
    };
    let ours = "call_abcdefghijklmnopqrstuvwx";
    for (id, model, form, told_of) in [
        ("adeuph8e", "gemini-3.5-flash", Form::AiStudio, true),
        ("call_883098", "gemini-3.5-flash", Form::AiStudio, true),
        (ours, "gemini-3.5-flash", Form::AiStudio, false),
        ("adeuph8e", "gemini-2.5-flash", Form::AiStudio, false),
        // A field that Vertex has answered with 400.
        ("adeuph8e", "gemini-3.5-flash", Form::Vertex, false),
    ] {
        let encoded = told(&conversation(id), model, form, |_| ()).unwrap();
        let body = std::str::from_utf8(&encoded.body).unwrap();
        let count = body.matches(&format!("\"id\":\"{id}\"")).count();
        assert_eq!(count, if told_of { 2 } else { 0 }, "{id} {model} {form:?}");
        assert_eq!(body.matches("\"id\"").count(), count, "{id} {model}");
    }
}
