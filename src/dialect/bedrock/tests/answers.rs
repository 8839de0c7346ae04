//! From bytes to events.

use super::{decode, decode_every_way, event, exception};
use crate::chat::{Call, Event, Finish, Reason, Thought, Usage};
use crate::dialect::bedrock::Decoder;
use crate::outcome::Class;
use crate::wire::eventstream::tests::message;

fn text(text: &str) -> Event {
    Event::Text(text.into())
}

fn reasoning(text: &str) -> Event {
    Event::Reasoning(text.into())
}

fn call(id: &str, name: &str, arguments: &str) -> Event {
    Event::Call(Call {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        whole: true,
        signature: None,
    })
}

fn thought(text: &str, signature: Option<&str>) -> Event {
    Event::Thought(Thought {
        text: text.into(),
        signature: signature.map(str::to_owned),
        redacted: None,
    })
}

fn usage(prompt: u64, completion: u64) -> Event {
    Event::Usage(Usage {
        prompt: Some(prompt),
        completion: Some(completion),
        ..Usage::default()
    })
}

fn finish(reason: Reason) -> Event {
    Event::Finish(reason.into())
}

/// Type and payload of each event, between the beginning that every answer has and its end.
fn stream(events: &[(&str, &str)], stop: &str) -> Vec<Vec<u8>> {
    let mut frames = vec![event("messageStart", r#"{"role":"assistant"}"#)];
    frames.extend(events.iter().map(|(kind, payload)| event(kind, payload)));
    frames.push(event("messageStop", stop));
    frames.push(event(
        "metadata",
        r#"{"metrics":{"latencyMs":9},"usage":{"inputTokens":12,"outputTokens":5,"totalTokens":17,"serverToolUsage":{}}}"#,
    ));
    frames
}

const DELTA: &str = "contentBlockDelta";
const START: &str = "contentBlockStart";
const STOP: &str = "contentBlockStop";

/// What it is about, its frames, and what they say.
type Case = (&'static str, Vec<Vec<u8>>, Vec<Event>);

fn texts_and_thoughts() -> Vec<Case> {
    vec![
        (
            "text, which no event begins",
            stream(
                &[
                    (DELTA, r#"{"contentBlockIndex":0,"delta":{"text":"Salü"}}"#),
                    (DELTA, r#"{"contentBlockIndex":0,"delta":{"text":""}}"#),
                    (
                        DELTA,
                        r#"{"contentBlockIndex":0,"delta":{"text":" \"du\"\n"}}"#,
                    ),
                    (STOP, r#"{"contentBlockIndex":0}"#),
                ],
                r#"{"stopReason":"end_turn"}"#,
            ),
            vec![
                text("Salü"),
                text(" \"du\"\n"),
                usage(12, 5),
                finish(Reason::Stop),
            ],
        ),
        (
            "thinking with its signature, then text; a sequence that Claude names",
            stream(
                &[
                    (
                        DELTA,
                        r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"Let"}}}"#,
                    ),
                    (
                        DELTA,
                        r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":" me"}}}"#,
                    ),
                    (
                        DELTA,
                        r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"c2ln"}}}"#,
                    ),
                    (STOP, r#"{"contentBlockIndex":0}"#),
                    (DELTA, r#"{"contentBlockIndex":1,"delta":{"text":"4"}}"#),
                    (STOP, r#"{"contentBlockIndex":1}"#),
                ],
                r#"{"stopReason":"stop_sequence","additionalModelResponseFields":{"delta":{"stop_sequence":"END"}}}"#,
            ),
            vec![
                reasoning("Let"),
                reasoning(" me"),
                thought("Let me", Some("c2ln")),
                text("4"),
                usage(12, 5),
                Event::Finish(Finish {
                    reason: Reason::Stop,
                    stop_sequence: Some("END".into()),
                }),
            ],
        ),
        (
            "thinking that is not shown, by signature alone and by an opaque block",
            stream(
                &[
                    (
                        DELTA,
                        r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":""}}}"#,
                    ),
                    (
                        DELTA,
                        r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"c2ln"}}}"#,
                    ),
                    (STOP, r#"{"contentBlockIndex":0}"#),
                    (
                        DELTA,
                        r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"b3BhcXVl"}}}"#,
                    ),
                    (STOP, r#"{"contentBlockIndex":1}"#),
                    (DELTA, r#"{"contentBlockIndex":2,"delta":{"text":"a"}}"#),
                ],
                r#"{"stopReason":"end_turn"}"#,
            ),
            vec![
                thought("", Some("c2ln")),
                Event::Thought(Thought {
                    redacted: Some("b3BhcXVl".into()),
                    ..Thought::default()
                }),
                text("a"),
                usage(12, 5),
                finish(Reason::Stop),
            ],
        ),
        (
            "an empty text, thinking without a signature, text",
            stream(
                &[
                    (DELTA, r#"{"contentBlockIndex":0,"delta":{"text":""}}"#),
                    (STOP, r#"{"contentBlockIndex":0}"#),
                    (
                        DELTA,
                        r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"text":"hm"}}}"#,
                    ),
                    (STOP, r#"{"contentBlockIndex":1}"#),
                    (DELTA, r#"{"contentBlockIndex":2,"delta":{"text":"Hello"}}"#),
                    (STOP, r#"{"contentBlockIndex":2}"#),
                ],
                r#"{"stopReason":"end_turn"}"#,
            ),
            vec![
                reasoning("hm"),
                thought("hm", None),
                text("Hello"),
                usage(12, 5),
                finish(Reason::Stop),
            ],
        ),
    ]
}

fn calls() -> Vec<Case> {
    vec![
        (
            "two calls in pieces, one without arguments; the reason is what came",
            stream(
                &[
                    (
                        DELTA,
                        r#"{"contentBlockIndex":0,"delta":{"text":"I look."}}"#,
                    ),
                    (STOP, r#"{"contentBlockIndex":0}"#),
                    (
                        START,
                        r#"{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"tooluse_1","name":"sum"}}}"#,
                    ),
                    (
                        DELTA,
                        r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":""}}}"#,
                    ),
                    (
                        DELTA,
                        r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{\"a\": 900719925474"}}}"#,
                    ),
                    (
                        DELTA,
                        r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":"0993}"}}}"#,
                    ),
                    (STOP, r#"{"contentBlockIndex":1}"#),
                    (
                        START,
                        r#"{"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"functions.now:1","name":"now","type":"tool_use"}}}"#,
                    ),
                    (STOP, r#"{"contentBlockIndex":2}"#),
                ],
                r#"{"stopReason":"end_turn"}"#,
            ),
            vec![
                text("I look."),
                Event::CallBegan,
                call("tooluse_1", "sum", "{\"a\": 9007199254740993}"),
                Event::CallBegan,
                call("functions.now:1", "now", "{}"),
                usage(12, 5),
                finish(Reason::ToolCalls),
            ],
        ),
        (
            "what the provider's own tools do is not the caller's",
            stream(
                &[
                    (
                        START,
                        r#"{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t0","name":"run","type":"server_tool_use"}}}"#,
                    ),
                    (
                        DELTA,
                        r#"{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{\"x\":1}"}}}"#,
                    ),
                    (STOP, r#"{"contentBlockIndex":0}"#),
                    (
                        START,
                        r#"{"contentBlockIndex":1,"start":{"toolResult":{"toolUseId":"t0","status":"success"}}}"#,
                    ),
                    (
                        DELTA,
                        r#"{"contentBlockIndex":1,"delta":{"toolResult":[{"json":{"stdOut":"7"}}]}}"#,
                    ),
                    (STOP, r#"{"contentBlockIndex":1}"#),
                    (
                        DELTA,
                        r#"{"contentBlockIndex":2,"delta":{"citation":{"title":"facts"}}}"#,
                    ),
                    (
                        DELTA,
                        r#"{"contentBlockIndex":2,"delta":{"text":"It is 7."}}"#,
                    ),
                    (STOP, r#"{"contentBlockIndex":2}"#),
                    ("newerThanWeAre", r#"{"contentBlockIndex":"x"}"#),
                ],
                r#"{"stopReason":"tool_use"}"#,
            ),
            vec![text("It is 7."), usage(12, 5), finish(Reason::Stop)],
        ),
        (
            "a call that the limit cut is marked",
            stream(
                &[
                    (
                        START,
                        r#"{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}"#,
                    ),
                    (
                        DELTA,
                        r#"{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{\"city\":\"Ber"}}}"#,
                    ),
                    (STOP, r#"{"contentBlockIndex":0}"#),
                ],
                r#"{"stopReason":"max_tokens"}"#,
            ),
            vec![
                Event::CallBegan,
                Event::Call(Call {
                    id: "t".into(),
                    name: "f".into(),
                    arguments: "{\"city\":\"Ber".into(),
                    whole: false,
                    signature: None,
                }),
                usage(12, 5),
                finish(Reason::Length),
            ],
        ),
    ]
}

fn ends() -> Vec<Case> {
    vec![
        (
            "a guardrail that says something itself",
            stream(
                &[(DELTA, r#"{"contentBlockIndex":0,"delta":{"text":"No."}}"#)],
                r#"{"stopReason":"guardrail_intervened"}"#,
            ),
            vec![text("No."), usage(12, 5), finish(Reason::ContentFilter)],
        ),
        (
            "a limit that left nothing",
            stream(&[], r#"{"stopReason":"model_context_window_exceeded"}"#),
            vec![usage(12, 5), finish(Reason::Length)],
        ),
    ]
}

#[test]
fn a_stream_says_the_same_however_it_is_cut_and_nothing_without_its_stop() {
    for (what, frames, expected) in [texts_and_thoughts(), calls(), ends()].concat() {
        let said = decode_every_way(&frames.concat());
        assert_eq!(said.as_ref(), Ok(&expected), "{what}");
        // Without the metadata only the usage is missing.
        let (_, without_usage) = frames.split_last().unwrap();
        let said = decode(&[&without_usage.concat()]).unwrap();
        assert_eq!(said.last(), expected.last(), "{what}");
        assert!(!said.iter().any(|event| matches!(event, Event::Usage(_))));
        // Without the stop it is no answer, whether the provider closed or the connection broke.
        let (_, without_stop) = without_usage.split_last().unwrap();
        let bytes = without_stop.concat();
        assert_eq!(
            decode(&[&bytes]).unwrap_err().class,
            Class::Broken,
            "{what}"
        );
        let (mut decoder, mut out) = (Decoder::new(7), Vec::new());
        decoder.feed(&bytes, &mut out).unwrap();
        assert_eq!(
            decoder.cut(&mut out).unwrap_err().class,
            Class::Broken,
            "{what}"
        );
        assert!(!decoder.done());
        // A cut in the middle of the metadata takes nothing from the answer.
        let bytes = frames.concat();
        let (mut decoder, mut out) = (Decoder::new(7), Vec::new());
        decoder.feed(&bytes[..bytes.len() - 1], &mut out).unwrap();
        decoder.cut(&mut out).unwrap();
        assert_eq!(out.last(), expected.last(), "{what}");
    }
}

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

/// The beginning of an answer.
fn begun() -> Vec<u8> {
    [
        event("messageStart", r#"{"role":"assistant"}"#),
        event(DELTA, r#"{"contentBlockIndex":0,"delta":{"text":"Hel"}}"#),
    ]
    .concat()
}

#[test]
fn an_exception_means_what_it_says() {
    for (what, rest, class) in [
        (
            "throttled in the middle",
            exception(
                "throttlingException",
                r#"{"message":"Too many tokens, please wait before trying again."}"#,
            ),
            Class::RateLimited,
        ),
        (
            "a day's tokens used up",
            exception(
                "throttlingException",
                r#"{"message":"Too many tokens per day, please wait before trying again."}"#,
            ),
            Class::QuotaExhausted,
        ),
        (
            "overloaded",
            exception("serviceUnavailableException", r#"{"message":"m"}"#),
            Class::Overloaded,
        ),
        (
            "the model failed",
            exception(
                "modelStreamErrorException",
                r#"{"message":"m","originalStatusCode":500,"originalMessage":"internal"}"#,
            ),
            Class::Broken,
        ),
        (
            "the server failed",
            exception("internalServerException", r#"{"message":"m"}"#),
            Class::Broken,
        ),
        (
            "refused late",
            exception("validationException", r#"{"message":"m"}"#),
            Class::InvalidRequest,
        ),
        (
            "too long",
            exception(
                "validationException",
                r#"{"message":"Input is too long for requested model."}"#,
            ),
            Class::ContextLength,
        ),
        (
            "an exception without a word",
            exception("x", ""),
            Class::Broken,
        ),
        (
            "an error frame",
            message(
                &[
                    (":message-type", "error"),
                    (":error-code", "InternalError"),
                    (":error-message", "An internal server error occurred"),
                ],
                b"",
            ),
            Class::Broken,
        ),
    ] {
        let failure = decode_every_way(&[begun(), rest].concat()).unwrap_err();
        assert_eq!(failure.class, class, "{what}: {}", failure.reason);
    }
}

#[test]
fn what_is_no_answer_is_broken() {
    let call = event(
        START,
        r#"{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}"#,
    );
    let end = |reason: &str| event("messageStop", &format!("{{\"stopReason\":\"{reason}\"}}"));
    for (what, rest) in [
        (
            "a call that does not end",
            [call.clone(), end("tool_use")].concat(),
        ),
        (
            "a call that is no JSON",
            [
                call.clone(),
                event(
                    DELTA,
                    r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{\"a"}}}"#,
                ),
                event(STOP, r#"{"contentBlockIndex":1}"#),
                end("tool_use"),
            ]
            .concat(),
        ),
        (
            "a block that begins twice",
            [call.clone(), call.clone()].concat(),
        ),
        (
            "a call that goes on as thinking",
            [
                call,
                event(
                    DELTA,
                    r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"text":"a"}}}"#,
                ),
            ]
            .concat(),
        ),
        (
            "arguments of no call",
            event(
                DELTA,
                r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{"}}}"#,
            ),
        ),
        ("malformed, and said so", end("malformed_tool_use")),
        (
            "an answer behind its end",
            [
                end("end_turn"),
                event(DELTA, r#"{"contentBlockIndex":2,"delta":{"text":"a"}}"#),
            ]
            .concat(),
        ),
        (
            "a known event of another shape",
            event(DELTA, r#"{"delta":{"text":1}}"#),
        ),
        ("no event stream", b"{\"message\":\"m\"}      ".to_vec()),
    ] {
        let failure = decode_every_way(&[begun(), rest].concat()).unwrap_err();
        assert_eq!(failure.class, Class::Broken, "{what}: {}", failure.reason);
    }
    let empty = [
        event("messageStart", r#"{"role":"assistant"}"#),
        end("end_turn"),
    ]
    .concat();
    assert_eq!(decode(&[&empty]).unwrap_err().reason, "the answer is empty");
    assert_eq!(decode(&[]).unwrap_err().class, Class::Broken);
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

#[test]
fn an_answer_cannot_fill_the_memory() {
    let thought = format!(
        r#"{{"contentBlockIndex":0,"delta":{{"reasoningContent":{{"text":"{}"}}}}}}"#,
        "x".repeat(1 << 20)
    );
    let argument = format!(
        r#"{{"contentBlockIndex":0,"delta":{{"toolUse":{{"input":"{}"}}}}}}"#,
        "x".repeat(128 << 10)
    );
    let start = |index: usize| {
        event(
            START,
            &format!(
                r#"{{"contentBlockIndex":{index},"start":{{"toolUse":{{"toolUseId":"t{index}","name":"f"}}}}}}"#
            ),
        )
    };
    for (what, frames) in [
        ("thinking", vec![event(DELTA, &thought); 5]),
        (
            "arguments",
            [vec![start(0)], vec![event(DELTA, &argument); 3]].concat(),
        ),
        ("calls", (0..65).map(start).collect()),
        (
            "blocks",
            (0..65)
                .map(|index| {
                    let start =
                        format!(r#"{{"contentBlockIndex":{index},"start":{{"image":{{}}}}}}"#);
                    event(START, &start)
                })
                .collect(),
        ),
    ] {
        let (mut decoder, mut out) = (Decoder::new(7), Vec::new());
        let fed = frames.iter().try_for_each(|frame| {
            out.clear();
            decoder.feed(frame, &mut out)
        });
        assert_eq!(fed.unwrap_err().class, Class::Broken, "{what}");
    }
}

#[test]
fn what_comes_behind_the_end_is_not_read() {
    let (mut decoder, mut out) = (Decoder::new(7), Vec::new());
    let frames = stream(
        &[(DELTA, r#"{"contentBlockIndex":0,"delta":{"text":"a"}}"#)],
        r#"{"stopReason":"end_turn"}"#,
    );
    decoder.feed(&frames.concat(), &mut out).unwrap();
    assert!(decoder.done());
    let said = out.len();
    let late = exception("throttlingException", r#"{"message":"m"}"#);
    decoder.feed(&late, &mut out).unwrap();
    decoder.feed(&late[..9], &mut out).unwrap();
    decoder.end(&mut out).unwrap();
    decoder.cut(&mut out).unwrap();
    assert_eq!(out.len(), said);
}
