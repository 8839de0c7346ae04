//! Streams that are cut, repeated, no answer or too much.

use super::{
    START, STOP, TEXT, THINKING, TOOL, begun, closed, decode_every_way, delta, ended, finish, id,
    stream,
};
use crate::chat::{Event, Reason};
use crate::dialect::anthropic::Decoder;
use crate::outcome::Class;

#[test]
fn a_cut_is_forgiven_only_where_nothing_but_the_end_was_missing() {
    let delta_end = ended("end_turn");
    let (begin, piece, close) = (
        begun(0, TEXT),
        delta(0, r#"{"type":"text_delta","text":"x"}"#),
        closed(0),
    );
    let events = [START, &*begin, &*piece, &*close, &*delta_end, STOP];
    for length in 0..=events.len() {
        let (mut decoder, mut out) = (Decoder::new(1), Vec::new());
        decoder
            .feed(stream(&events[..length]).as_bytes(), &mut out)
            .unwrap();
        let result = decoder.cut(&mut out);
        assert_eq!(result.is_ok(), length >= 5, "after {length} events");
        assert_eq!(decoder.done(), length >= 5);
    }
}

#[test]
fn a_start_that_is_repeated_is_passed_over() {
    let x = delta(0, r#"{"type":"text_delta","text":"x"}"#);
    let (begin, close, end) = (begun(0, TEXT), closed(0), ended("end_turn"));
    let whole = |starts: &[&str]| {
        let rest = [&*begin, &*x, &*close, &*end, STOP];
        let events: Vec<&str> = starts.iter().copied().chain(rest).collect();
        let (mut decoder, mut out) = (Decoder::new(1), Vec::new());
        decoder.feed(stream(&events).as_bytes(), &mut out).unwrap();
        out
    };
    assert_eq!(whole(&[START, START]), whole(&[START]));
}

#[test]
fn what_is_no_answer_is_broken_or_what_the_error_says() {
    let x = delta(0, r#"{"type":"text_delta","text":"x"}"#);
    let (text, tool) = (begun(0, TEXT), begun(0, TOOL));
    let half = delta(0, r#"{"type":"input_json_delta","partial_json":"{\"a\":"}"#);
    let (zero, end, used) = (closed(0), ended("end_turn"), ended("tool_use"));
    let next = begun(1, TEXT);
    let cases: &[(&str, &[&str], Class)] = &[
        ("nothing", &[], Class::Broken),
        ("an end alone", &[START, STOP], Class::Broken),
        (
            "an empty answer",
            &[START, &text, &zero, &end, STOP],
            Class::Broken,
        ),
        (
            "an answer that ends in a block",
            &[START, &text, &x, &end, STOP],
            Class::Broken,
        ),
        (
            "a call that is no JSON",
            &[START, &tool, &half, &zero, &used, STOP],
            Class::Broken,
        ),
        (
            "a call that is no JSON, and more",
            &[START, &tool, &half, &zero, &next],
            Class::Broken,
        ),
        (
            "a second answer within a block",
            &[START, &text, &x, START],
            Class::Broken,
        ),
        (
            "a second answer behind a block",
            &[START, &text, &x, &zero, START],
            Class::Broken,
        ),
        (
            "a second answer behind a call",
            &[START, &tool, &zero, &next, START],
            Class::Broken,
        ),
        ("a block twice", &[START, &text, &text], Class::Broken),
        ("arguments of text", &[START, &text, &half], Class::Broken),
        ("arguments of nothing", &[START, &half], Class::Broken),
        ("no JSON", &[START, r#"{"type":"ping""#], Class::Broken),
        (
            "a known kind of another form",
            &[
                START,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":7}}"#,
            ],
            Class::Broken,
        ),
        (
            "a call without a name",
            &[
                START,
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a"}}"#,
            ],
            Class::Broken,
        ),
        (
            "overload",
            &[
                START,
                &text,
                &x,
                r#"{"type":"error","error":{"details":null,"type":"overloaded_error","message":"Overloaded"}}"#,
            ],
            Class::Overloaded,
        ),
        (
            "a server's own fault",
            &[r#"{"type":"error","error":{"type":"api_error","message":"Internal server error"}}"#],
            Class::Broken,
        ),
    ];
    for (name, events, class) in cases {
        let (_, result) = decode_every_way(stream(events).as_bytes());
        assert_eq!(result.unwrap_err().class, *class, "{name}");
    }
}

#[test]
fn a_refusal_without_content_is_said_in_the_providers_words() {
    let refused = r#"{"type":"message_delta","delta":{"stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":"cyber","explanation":"Not that."}},"usage":{"output_tokens":9}}"#;
    let (events, result) = decode_every_way(stream(&[START, refused, STOP]).as_bytes());
    result.unwrap();
    let expected: Vec<Event> = [id(), Event::Refusal("Not that.".into())]
        .into_iter()
        .chain(finish(Reason::ContentFilter))
        .collect();
    assert_eq!(events, expected);
}

#[test]
fn what_is_held_is_bounded() {
    let begin = begun(0, THINKING);
    let long = "x".repeat(512 << 10);
    let piece = delta(
        0,
        &format!(r#"{{"type":"thinking_delta","thinking":"{long}"}}"#),
    );
    let (mut decoder, mut out) = (Decoder::new(1), Vec::new());
    decoder.event(START, &mut out).unwrap();
    decoder.event(&begin, &mut out).unwrap();
    let result = (0..16).try_for_each(|_| decoder.event(&piece, &mut out));
    assert_eq!(result.unwrap_err().class, Class::Broken);
    let mut decoder = Decoder::new(1);
    let result = (0..64).try_for_each(|at| decoder.event(&begun(at, TEXT), &mut out));
    assert_eq!(result.unwrap_err().class, Class::Broken);
}
