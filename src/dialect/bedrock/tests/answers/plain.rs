//! Answers in one piece, and the tokens that an answer of either form counts.

use super::{DELTA, call, decode, event, finish, reasoning, text, thought, usage};
use crate::chat::{Event, Reason, Thought, Usage};
use crate::dialect::bedrock::Decoder;
use crate::outcome::Class;

#[test]
fn the_prompt_is_counted_with_its_cache_and_unknown_is_not_zero() {
    for (counted, expected) in [
        (
            r#"{"inputTokens":10,"outputTokens":4,"totalTokens":7365,"cacheReadInputTokens":7000,"cacheWriteInputTokens":351}"#,
            Some(Usage {
                prompt: Some(7361),
                cached: Some(7000),
                cache_write: Some(351),
                reasoning: None,
                completion: Some(4),
                ..Usage::default()
            }),
        ),
        (
            r#"{"inputTokens":10,"outputTokens":0}"#,
            Some(Usage {
                prompt: Some(10),
                completion: Some(0),
                ..Usage::default()
            }),
        ),
        ("{}", None),
    ] {
        let frames = [
            event(DELTA, r#"{"contentBlockIndex":0,"delta":{"text":"a"}}"#),
            event("messageStop", r#"{"stopReason":"end_turn"}"#),
            event("metadata", &format!("{{\"usage\":{counted}}}")),
        ];
        let said = decode(&[&frames.concat()]).unwrap();
        let found = said.iter().find_map(|event| match event {
            Event::Usage(usage) => Some(*usage),
            _ => None,
        });
        assert_eq!(found, expected, "{counted}");
    }
}

#[test]
fn a_plain_answer_says_what_its_stream_would() {
    let (mut decoder, mut out) = (Decoder::new(7), Vec::new());
    let body = r#"{"output":{"message":{"role":"assistant","content":[
        {"reasoningContent":{"reasoningText":{"text":"Hm","signature":"c2ln"}}},
        {"reasoningContent":{"redactedContent":"b3BhcXVl"}},
        {"text":""},{"text":"I look."},
        {"citationsContent":{"content":[{"text":" It is so."}],"citations":[]}},
        {"searchResult":{"title":"t"}},
        {"toolUse":{"toolUseId":"t0","name":"run","type":"server_tool_use","input":{}}},
        {"toolUse":{"toolUseId":"t1","name":"sum","input":{"a": 1.50}}},
        {"toolUse":{"name":"now","input":{}}}]}},
        "stopReason":"tool_use","metrics":{"latencyMs":1},
        "usage":{"inputTokens":12,"outputTokens":5,"totalTokens":17}}"#;
    decoder.whole(body.as_bytes(), &mut out).unwrap();
    assert!(decoder.done());
    let Some(Event::Call(named)) = out.iter().rev().nth(2) else {
        panic!("{out:?}");
    };
    assert!(named.id.starts_with("call_") && named.id.len() == 29);
    let id = named.id.clone();
    assert_eq!(
        out,
        [
            reasoning("Hm"),
            thought("Hm", Some("c2ln")),
            Event::Thought(Thought {
                redacted: Some("b3BhcXVl".into()),
                ..Thought::default()
            }),
            text("I look."),
            text(" It is so."),
            Event::CallBegan,
            call("t1", "sum", "{\"a\": 1.50}"),
            Event::CallBegan,
            call(&id, "now", "{}"),
            usage(12, 5),
            finish(Reason::ToolCalls),
        ]
    );
}

#[test]
fn a_200_without_output_is_no_answer() {
    for (body, class) in [
        (
            r#"{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}"#,
            Class::Broken,
        ),
        (
            r#"{"message":"Too many requests","__type":"x#ThrottlingException"}"#,
            Class::RateLimited,
        ),
        (r#"{"message":"what is this"}"#, Class::Broken),
        ("{}", Class::Broken),
        (
            r#"{"output":{"message":{"content":[]}},"stopReason":"end_turn"}"#,
            Class::Broken,
        ),
        (
            r#"{"output":{"message":{"content":[{"text":1}]}},"stopReason":"end_turn"}"#,
            Class::Broken,
        ),
        (
            r#"{"output":{"message":{"content":[{"text":"a"}]}}}"#,
            Class::Broken,
        ),
        (
            r#"{"output":{"message":{"content":[{"text":"a"}"#,
            Class::Broken,
        ),
        ("", Class::Broken),
    ] {
        let (mut decoder, mut out) = (Decoder::new(7), Vec::new());
        let failure = decoder.whole(body.as_bytes(), &mut out).unwrap_err();
        assert_eq!(failure.class, class, "{body}: {}", failure.reason);
        assert!(!decoder.done(), "{body}");
    }
}
