//! Exceptions, what is broken, and what is too much.

use super::{DELTA, START, STOP, decode, decode_every_way, event, exception, stream};
use crate::dialect::bedrock::Decoder;
use crate::outcome::Class;
use crate::wire::eventstream::tests::message;

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
