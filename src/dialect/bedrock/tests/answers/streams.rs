//! What a whole stream says, case by case.

use super::{
    DELTA, START, STOP, call, decode, decode_every_way, finish, reasoning, stream, text, thought,
    usage,
};
use crate::chat::{Call, Event, Finish, Reason, Thought};
use crate::dialect::bedrock::Decoder;
use crate::outcome::Class;

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
