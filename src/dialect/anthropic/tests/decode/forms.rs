//! Other forms of the same: an answer in its beginning, in one piece, without framing or an id.

use super::{
    START, STOP, TEXT, TOOL, begun, call, closed, decode_every_way, delta, ended, finish, id,
    message, stream, text,
};
use crate::chat::{Event, Reason, Thought};
use crate::dialect::anthropic::Decoder;
use crate::outcome::Class;

/// A call by a program in the provider's container: all of it in the beginning.
#[test]
fn an_answer_may_stand_in_its_beginning() {
    let start = START
        .replace(
            r#""content":[]"#,
            &format!(
                r#""content":[{TEXT},{}]"#,
                TOOL.replace("{}", r#"{"n": 1.0}"#)
            ),
        )
        .replace(r#""stop_reason":null"#, r#""stop_reason":"tool_use""#);
    let (events, result) = decode_every_way(stream(&[&start, STOP]).as_bytes());
    result.unwrap();
    assert_eq!(
        events[1..3],
        [Event::CallBegan, call("toolu_1", r#"{"n": 1.0}"#, true)]
    );
    assert_eq!(
        events.last(),
        Some(&Event::Finish(Reason::ToolCalls.into()))
    );
}

#[test]
fn a_plain_answer_is_read_as_the_stream_it_could_have_been() {
    let body = format!(
        r#"{{"type":"message","id":"msg_1","role":"assistant","content":[{{"type":"thinking","thinking":"t","signature":"s"}},{{"type":"server_tool_use","id":"a","name":"b","input":[]}},{{"type":"text","text":"x","citations":null}},{TOOL}],"stop_reason":"tool_use","stop_sequence":null,"usage":{{"input_tokens":10,"cache_creation_input_tokens":2,"cache_read_input_tokens":3,"output_tokens":9}}}}"#
    );
    let (mut decoder, mut out) = (Decoder::new(1), Vec::new());
    decoder.whole(body.as_bytes(), &mut out).unwrap();
    let expected: Vec<Event> = [
        id(),
        Event::Reasoning("t".into()),
        Event::Thought(Thought {
            text: "t".into(),
            signature: Some("s".into()),
            redacted: None,
        }),
        text("x"),
        Event::CallBegan,
        call("toolu_1", "{}", true),
    ]
    .into_iter()
    .chain(finish(Reason::ToolCalls))
    .collect();
    assert_eq!(out, expected);
    for (body, class) in [
        ("", Class::Broken),
        ("<html>", Class::Broken),
        ("{}", Class::Broken),
        (
            r#"{"type":"message","content":[],"stop_reason":"end_turn"}"#,
            Class::Broken,
        ),
        (
            r#"{"type":"message","content":[{"type":"text","text":"x"}],"stop_reason":null}"#,
            Class::Broken,
        ),
        (
            r#"{"type":"message","content":[{"type":"text","text":7}],"stop_reason":"end_turn"}"#,
            Class::Broken,
        ),
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Class::Overloaded,
        ),
    ] {
        let result = Decoder::new(1).whole(body.as_bytes(), &mut Vec::new());
        assert_eq!(result.unwrap_err().class, class, "{body}");
    }
}

#[test]
fn a_forgotten_id_is_made_up_and_stays_the_same() {
    let events = [begun(0, &TOOL.replace(r#""id":"toolu_1","#, "")), closed(0)];
    let blocks: Vec<&str> = events.iter().map(String::as_str).collect();
    let whole = message(&blocks, "tool_use");
    let (events, result) = decode_every_way(whole.as_bytes());
    result.unwrap();
    let Some(Event::Call(call)) = events.get(2) else {
        panic!("{events:?}");
    };
    assert!(
        call.id.starts_with("toolu_") && call.id.len() == 30,
        "{}",
        call.id
    );
}

#[test]
fn events_without_framing_of_their_own_are_read_alike() {
    let piece = delta(0, r#"{"type":"text_delta","text":"x"}"#);
    let delta_end = ended("end_turn");
    let (mut decoder, mut out) = (Decoder::new(1), Vec::new());
    let stop =
        r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":2}}"#;
    for event in [START, &piece, &delta_end] {
        decoder.event(event, &mut out).unwrap();
    }
    assert!(decoder.end(&mut Vec::new()).is_err());
    decoder.event(stop, &mut out).unwrap();
    decoder.end(&mut out).unwrap();
    assert_eq!(out.last(), Some(&Event::Finish(Reason::Stop.into())));
}

#[test]
fn an_id_that_comes_late_is_none() {
    let said = delta(0, r#"{"type":"text_delta","text":"a"}"#);
    let events = [&*said, START, &*ended("end_turn"), STOP];
    let (events, outcome) = decode_every_way(stream(&events).as_bytes());
    assert_eq!((outcome, &events[0]), (Ok(()), &text("a")));
    let ids = events.iter().filter(|event| matches!(event, Event::Id(_)));
    assert_eq!(ids.count(), 0, "{events:?}");
}
