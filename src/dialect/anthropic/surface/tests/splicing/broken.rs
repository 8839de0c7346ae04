//! Streams that are no answer, and what may be held of one.

use serde_json::json;

use super::{START, STOP, begin, close, frame, frames, piece, spliced, stream, tool, words};
use crate::dialect::anthropic::surface::Splicer;
use crate::outcome::Class;

#[test]
fn what_is_no_answer_is_broken_or_the_error_it_names() {
    let text = [words(0), piece(0, "text", "x"), close(0)];
    let torn = [tool(0, "a"), piece(0, "partial_json", "{\"x\":"), close(0)];
    let overloaded =
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    for (what, stream, expected) in [
        ("nothing", String::new(), Class::Broken),
        ("no start", frames(&[&words(0), STOP]), Class::Broken),
        (
            "an empty answer",
            stream(&[words(0), close(0)], "end_turn"),
            Class::Broken,
        ),
        (
            "no reason",
            frames(&[START, &text[0], &text[1], &text[2], STOP]),
            Class::Broken,
        ),
        ("half a call", stream(&torn, "tool_use"), Class::Broken),
        (
            "a second answer behind a block",
            frames(&[START, &text[0], &text[1], &text[2], START]),
            Class::Broken,
        ),
        (
            "half a call before another block",
            frames(&[START, &torn[0], &torn[1], &torn[2], &words(1)]),
            Class::Broken,
        ),
        (
            "an open call at the end",
            stream(&torn[..2], "tool_use"),
            Class::Broken,
        ),
        (
            "arguments that are no object",
            stream(
                &[tool(0, "a"), piece(0, "partial_json", "[]"), close(0)],
                "tool_use",
            ),
            Class::Broken,
        ),
        (
            "a call without a name",
            stream(
                &[begin(0, &json!({"type": "tool_use", "id": "a"}))],
                "tool_use",
            ),
            Class::Broken,
        ),
        (
            "a piece of no block",
            stream(&[piece(3, "text", "x")], "end_turn"),
            Class::Broken,
        ),
        (
            "a block twice",
            stream(&[words(0), words(0)], "end_turn"),
            Class::Broken,
        ),
        (
            "another answer in the middle",
            frames(&[START, &words(0), START]),
            Class::Broken,
        ),
        (
            "a piece that is no text",
            stream(
                &[words(0), piece(0, "text", "x").replace("\"x\"", "1")],
                "end_turn",
            ),
            Class::Broken,
        ),
        (
            "not JSON",
            "data: {\"type\":\"ping\"\n\n".into(),
            Class::Broken,
        ),
        ("an error", frames(&[START, overloaded]), Class::Overloaded),
        (
            "an error without its name",
            format!("data: {overloaded}\n\n"),
            Class::Overloaded,
        ),
        (
            "an error of another form",
            "data: {\"error\":{\"code\":\"insufficient_quota\"}}\n\n".into(),
            Class::QuotaExhausted,
        ),
    ] {
        assert_eq!(
            spliced([stream.as_bytes()]).map(drop),
            Err(expected),
            "{what}"
        );
    }
}

#[test]
fn a_start_that_is_repeated_is_passed_on_once() {
    let once = stream(&[words(0), piece(0, "text", "x"), close(0)], "end_turn");
    let twice = frame(START) + &once;
    assert_eq!(spliced([twice.as_bytes()]), spliced([once.as_bytes()]));
}

#[test]
fn what_is_held_and_withheld_is_bounded() {
    let ping = format!("{{\"type\":\"ping\",\"p\":\"{}\"}}", "x".repeat(1 << 19));
    let arguments = piece(0, "partial_json", &"x".repeat(1 << 17));
    for (what, begun, repeated, passed) in [
        ("4 MiB before the first token", vec![], vec![ping; 9], 7),
        (
            "256 KiB of arguments",
            vec![tool(0, "a")],
            vec![arguments; 3],
            2,
        ),
        ("64 open blocks", vec![], (0..65).map(words).collect(), 64),
    ] {
        let mut splicer = Splicer::new(None);
        splicer.event(START).unwrap();
        for data in &begun {
            splicer.event(data).unwrap();
        }
        let fine = repeated
            .iter()
            .take_while(|data| splicer.event(data).is_ok());
        assert_eq!(fine.count(), passed, "{what}");
    }
}
