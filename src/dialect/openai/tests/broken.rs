//! Streams that are no answer, or end before they should, or hold too much.

use super::*;
use crate::outcome::Class;

#[test]
fn a_stream_that_is_no_answer_is_broken_and_never_ended() {
    let text = frame(r#"{"index":0,"delta":{"role":"assistant","content":"Hi"}}"#);
    let call = frame(
        r#"{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\""}}]}}"#,
    );
    for (what, stream) in [
        ("nothing", String::new()),
        ("only the end", DONE.into()),
        ("no finish", text.clone()),
        ("an end without a finish", text.clone() + DONE),
        (
            "a role and a finish",
            frame(r#"{"index":0,"delta":{"role":"assistant"}}"#) + &frame(STOP) + DONE,
        ),
        ("rubbish", text.clone() + "data: {\"choi\n\n" + &frame(STOP)),
        (
            "not UTF-8 would be rubbish, too",
            text.clone() + "data: \u{0}\n\n",
        ),
        (
            "an error",
            text.clone() + "data: {\"error\":{\"message\":\"no\"}}\n\n" + DONE,
        ),
        (
            "an error beside choices",
            text.clone() + &frame(STOP).replace("]}", "],\"error\":{\"code\":502}}"),
        ),
        (
            "an error field",
            text.clone() + "error: {\"code\":500}\n\n" + DONE,
        ),
        (
            "a flat error",
            text.clone() + "event: error\ndata: {\"message\":\"no\"}\n\n" + DONE,
        ),
        (
            "a finish that says error",
            text.clone() + &frame(r#"{"index":0,"delta":{},"finish_reason":"error"}"#),
        ),
        (
            "half an argument",
            call.clone() + &frame(r#"{"index":0,"delta":{},"finish_reason":"tool_calls"}"#) + DONE,
        ),
        (
            "one of two choices",
            text.clone() + &frame(STOP) + &frame(r#"{"index":1,"delta":{"content":"x"}}"#) + DONE,
        ),
    ] {
        let failure = decode_every_way(&wanted(false), &stream).unwrap_err();
        assert_eq!(failure.class, Class::Broken, "{what}: {failure:?}");
        let mut decoder = Decoder::new(wanted(false));
        let _ = decoder.feed(stream.as_bytes()).and_then(|()| decoder.end());
        let out = String::from_utf8(decoder.output()).unwrap();
        assert!(
            !out.contains("[DONE]") && !out.contains("error"),
            "{what}: {out}"
        );
    }
}

#[test]
fn a_cut_behind_the_finish_of_every_choice_costs_nothing() {
    let text = frame(r#"{"index":0,"delta":{"role":"assistant","content":"Hi"}}"#);
    for (choices, stream, whole) in [
        (1, text.clone(), false),
        (1, text.clone() + &frame(STOP), true),
        (
            1,
            text.clone() + &frame(STOP) + "data: {\"choices\":[],\"usa",
            true,
        ),
        (2, text.clone() + &frame(STOP), false),
    ] {
        let mut decoder = Decoder::new(Wanted {
            choices,
            ..wanted(false)
        });
        decoder.feed(stream.as_bytes()).unwrap();
        assert_eq!(decoder.cut().is_ok(), whole, "{choices} {stream}");
        assert_eq!(decoder.output().ends_with(DONE.as_bytes()), whole);
    }
    let mut decoder = Decoder::new(Wanted {
        shape: Shape::Completions,
        ..wanted(false)
    });
    let first = frame(r#"{"index":0,"text":"Hi","finish_reason":"stop"}"#);
    decoder.feed(first.as_bytes()).unwrap();
    assert!(decoder.cut().is_err(), "the other prompts had not begun");
}

#[test]
fn what_a_stream_may_make_us_keep_is_bounded() {
    let role = |index: u64| {
        frame(&format!(
            r#"{{"index":{index},"delta":{{"role":"assistant"}}}}"#
        ))
    };
    let words = frame(r#"{"index":0,"delta":{"role":"assistant","content":"Hi"}}"#);
    for (what, opening, frames) in [
        ("choices without end", words, (0..2000).map(role).collect()),
        (
            "frames that say nothing",
            String::new(),
            vec![role(0).repeat(64); 1024],
        ),
    ] {
        let mut decoder = Decoder::new(wanted(false));
        decoder.feed(opening.as_bytes()).unwrap();
        let fed = frames
            .iter()
            .try_for_each(|frame: &String| decoder.feed(frame.as_bytes()));
        assert_eq!(fed.unwrap_err().class, Class::Broken, "{what}");
    }
}
