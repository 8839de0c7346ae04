//! The least that is said, what is said beside the turns, and what cannot be.

use serde_json::{Value, json};

use super::{
    BEDROCK, ID, MODEL, VERTEX, assistant, encoded, file, hello, image, request, said, text, tool,
    user,
};
use crate::chat::{Media, Part, ToolChoice, Unsupported};
use crate::dialect::Receiver;
use crate::dialect::anthropic::{Form, encode, encode_count, read_count};
use crate::facts::Families;
use crate::outcome::Class;

#[test]
fn the_smallest_request_says_no_more_than_it_must() {
    let facts = Families::built_in().of("claude-haiku-4-5");
    for (form, expected) in [
        (
            Form::Direct,
            r#"{"model":"claude-haiku-4-5","max_tokens":64000,"stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}]}"#,
        ),
        (
            BEDROCK,
            r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":64000,"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}]}"#,
        ),
        (
            VERTEX,
            r#"{"anthropic_version":"vertex-2023-10-16","max_tokens":64000,"stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}]}"#,
        ),
    ] {
        let to = Receiver {
            id: ID,
            model: MODEL,
            facts: &facts,
        };
        assert_eq!(encode(&hello(), to, form).unwrap().body, expected);
    }
}

#[test]
fn every_answer_has_a_limit_that_the_model_takes() {
    for (model, asked, expected) in [
        ("claude-opus-5", None, 128_000),
        ("claude-3-haiku", Some(100), 100),
        ("claude-3-haiku", Some(100_000), 4096),
        ("somebody-elses", None, 4096),
        ("somebody-elses", Some(100_000), 100_000),
    ] {
        let mut conversation = hello();
        conversation.max_tokens = asked;
        let (request, dropped) = encoded(&conversation, model, Form::Direct).unwrap();
        assert_eq!(request["max_tokens"], expected, "{model}");
        let fewer: &[&str] = match asked {
            Some(asked) if asked > expected => &["max_tokens"],
            Some(_) | None => &[],
        };
        assert_eq!(dropped, fewer, "{model}");
    }
}

#[test]
fn what_cannot_be_said_to_this_target_is_refused() {
    let url = Media::Url("https://x.test/a".into());
    let sound = Part::Audio {
        format: "wav".into(),
        data: "AAAA".into(),
    };
    for (form, part) in [
        (Form::Direct, sound),
        (Form::Direct, image("image/tiff", "AAAA")),
        (Form::Direct, Part::Image(Media::Id("file-1".into()))),
        (Form::Direct, file("a", "application/zip", "AAAA")),
        (Form::Direct, file("a", "text/plain", "/w==")),
        (BEDROCK, Part::Image(url.clone())),
        (
            VERTEX,
            Part::File {
                name: None,
                media: url,
            },
        ),
    ] {
        let refused = encoded(&said(vec![user(std::slice::from_ref(&part))]), MODEL, form);
        let error = refused.expect_err(&format!("{part:?}"));
        assert_eq!(
            (error.code, &*error.param),
            (Unsupported::PARAMETER, "messages")
        );
    }
    let mut conversation = hello();
    conversation.asked = vec!["seed".into(), "logprobs".into()];
    let error = encoded(&conversation, MODEL, Form::Direct).unwrap_err();
    assert_eq!(error.param, "logprobs");
    conversation.asked.pop();
    let (_, dropped) = encoded(&conversation, MODEL, Form::Direct).unwrap();
    assert_eq!(dropped, ["seed"]);
    let unfinished = said(vec![user(&[text("Hi")]), assistant(&[text("I ")])]);
    let error = encoded(&unfinished, "claude-opus-5", Form::Direct).unwrap_err();
    assert_eq!(error.param, "messages");
    let request = request(&unfinished);
    assert_eq!(request["messages"][1]["content"][0]["text"], "I");
}

#[test]
fn the_rest_has_its_own_places() {
    let mut conversation = hello();
    conversation.system = vec![
        text("x-anthropic-billing-header: cc_version=2; cch=00000;"),
        text("Be terse."),
    ];
    conversation.stop = vec!["END".into(), " \n".into(), String::new()];
    conversation.user = Some("u-1".into());
    for (tier, said) in [
        ("auto", Some("auto")),
        ("default", Some("standard_only")),
        ("flex", None),
    ] {
        conversation.service_tier = Some(tier.into());
        let (request, dropped) = encoded(&conversation, MODEL, Form::Direct).unwrap();
        assert_eq!(request["service_tier"].as_str(), said);
        let lost: &[&str] = match said {
            Some(_) => &["stop"],
            None => &["stop", "service_tier"],
        };
        assert_eq!(dropped, lost);
        assert_eq!(request["stop_sequences"], json!(["END"]));
        assert_eq!(request["metadata"], json!({"user_id": "u-1"}));
        assert_eq!(request["system"].as_array().unwrap().len(), 2);
    }
    let (request, dropped) = encoded(&conversation, MODEL, BEDROCK).unwrap();
    assert_eq!(
        request["system"],
        json!([{"type": "text", "text": "Be terse."}])
    );
    assert_eq!(dropped, ["stop", "user", "service_tier"]);
    conversation.stop.truncate(1);
    assert!(request.get("metadata").is_none() && request.get("service_tier").is_none());
    conversation.user = Some("u".repeat(257));
    conversation.service_tier = None;
    let (_, dropped) = encoded(&conversation, MODEL, Form::Direct).unwrap();
    assert_eq!(dropped, ["user"]);
    conversation.asked = vec!["safety_identifier".into()];
    let (_, dropped) = encoded(&conversation, MODEL, Form::Direct).unwrap();
    assert_eq!(dropped, ["safety_identifier"]);
}

#[test]
fn a_count_asks_about_the_same_prompt_and_nothing_else() {
    let mut conversation = hello();
    conversation.system = vec![text("Be terse.")];
    conversation.tools = vec![tool("look")];
    conversation.tool_choice = Some(ToolChoice::Auto);
    conversation.stop = vec!["END".into()];
    conversation.temperature = Some(0.5);
    conversation.top_k = Some(3);
    conversation.user = Some("u-1".into());
    conversation.service_tier = Some("auto".into());
    let facts = Families::built_in().of(MODEL);
    let to = Receiver {
        id: ID,
        model: MODEL,
        facts: &facts,
    };
    for (form, version) in [
        (Form::Direct, Value::Null),
        (VERTEX, json!("vertex-2023-10-16")),
    ] {
        let count = encode_count(&conversation, to, form).unwrap();
        let mut count: Value = serde_json::from_slice(&count.body).unwrap();
        let (mut whole, _) = encoded(&conversation, MODEL, form).unwrap();
        assert_eq!(count["anthropic_version"], version);
        assert_eq!(count["model"], MODEL);
        for name in [
            "model",
            "max_tokens",
            "stream",
            "stop_sequences",
            "temperature",
            "top_k",
            "metadata",
            "service_tier",
        ] {
            whole.as_object_mut().unwrap().shift_remove(name);
        }
        count.as_object_mut().unwrap().shift_remove("model");
        assert_eq!(count, whole);
    }
    assert_eq!(read_count(br#"{"input_tokens":14,"x":1}"#).unwrap(), 14);
    for body in ["{}", "", r#"{"input_tokens":"14"}"#] {
        let failure = read_count(body.as_bytes()).unwrap_err();
        assert_eq!(failure.class, Class::Broken);
    }
}
