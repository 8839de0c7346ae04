//! What this dialect has no word for: dropped and named, or refused.

use super::{OPENAI, OTHERS, facts, hi, image, said, text, tool, written};
use crate::chat::{Conversation, Format, Media, Part, Role, ToolChoice, Unsupported};
use crate::facts::{Facts, Sampling};

#[test]
fn what_cannot_be_said_is_dropped_and_named() {
    let plain = facts();
    let strict = Facts {
        sampling: Sampling::None,
        penalties: false,
        max_output: Some(100),
        ..facts()
    };
    let one_of = Facts {
        sampling: Sampling::OneOf,
        ..facts()
    };
    let asks = |names: &[&'static str]| Conversation {
        asked: names.iter().map(|name| (*name).into()).collect(),
        ..hi()
    };
    for (conversation, facts, names) in [
        (
            asks(&["top_k", "cache_control", "metadata", "new_in_2031"]),
            &plain,
            &["top_k", "cache_control", "metadata", "new_in_2031"][..],
        ),
        (
            asks(&["verbosity", "logit_bias"]),
            &plain,
            &["verbosity", "logit_bias"],
        ),
        (
            Conversation {
                stop: vec!["x".into(); 5],
                ..hi()
            },
            &plain,
            &["stop"],
        ),
        (
            Conversation {
                temperature: Some(0.5),
                top_p: Some(0.5),
                ..hi()
            },
            &one_of,
            &["top_p"],
        ),
        (
            Conversation {
                temperature: Some(0.5),
                top_p: Some(0.5),
                ..hi()
            },
            &strict,
            &["temperature", "top_p"],
        ),
        (
            Conversation {
                presence_penalty: Some(1.0),
                frequency_penalty: Some(1.0),
                ..hi()
            },
            &strict,
            &["presence_penalty", "frequency_penalty"],
        ),
    ] {
        let (body, dropped) = written(&conversation, facts, OTHERS).unwrap();
        assert_eq!(dropped.as_slice(), names);
        for name in names.iter().filter(|name| **name != "stop") {
            assert!(body.get(*name).is_none(), "{name}");
        }
    }
    let many = Conversation {
        max_tokens: Some(1000),
        tool_choice: Some(ToolChoice::Required),
        ..hi()
    };
    let (body, dropped) = written(&many, &strict, OTHERS).unwrap();
    assert_eq!(body["max_tokens"], 100);
    assert!(body.get("tool_choice").is_none());
    assert_eq!(dropped.as_slice(), ["tool_choice", "max_tokens"]);
}

#[test]
fn what_would_be_another_answer_is_refused() {
    let plain = facts();
    let poor = Facts {
        tools: false,
        images: false,
        json_schema: false,
        prefill: false,
        ..facts()
    };
    let schema = Format::JsonSchema {
        name: "n".into(),
        description: None,
        schema: None,
        strict: None,
    };
    let asks = |name: &'static str| Conversation {
        asked: vec![name.into()],
        ..hi()
    };
    let shows = |part: Part| said(vec![(Role::User, vec![part])]);
    for (conversation, facts, param) in [
        (asks("previous_response_id"), &plain, "previous_response_id"),
        (asks("logprobs"), &plain, "logprobs"),
        (asks("top_logprobs"), &plain, "top_logprobs"),
        (
            shows(Part::Image(Media::Id("file-1".into()))),
            &plain,
            "messages",
        ),
        (
            shows(Part::File {
                name: None,
                media: Media::Url("web".into()),
            }),
            &plain,
            "messages",
        ),
        (
            shows(Part::File {
                name: None,
                media: Media::Id("file-1".into()),
            }),
            &plain,
            "messages",
        ),
        (shows(image()), &poor, "messages"),
        (
            said(vec![
                (Role::User, vec![text("a")]),
                (Role::Assistant, vec![text("b")]),
            ]),
            &poor,
            "messages",
        ),
        (
            Conversation {
                tools: vec![tool("f")],
                ..hi()
            },
            &poor,
            "tools",
        ),
        (
            Conversation {
                format: schema,
                ..hi()
            },
            &poor,
            "response_format",
        ),
    ] {
        let error = written(&conversation, facts, OPENAI).unwrap_err();
        assert_eq!((&*error.param, error.code), (param, Unsupported::PARAMETER));
    }
}
