//! Calls, which are held until they are whole.

use serde_json::json;

use super::{START, STOP, begin, close, frame, piece, reason, tool, words};
use crate::dialect::anthropic::surface::Splicer;
use crate::outcome::Class;

/// How far a splicer is after each of some events: arrived, released, and the events put out.
fn steps(events: &[String]) -> Vec<(bool, bool, usize)> {
    let mut splicer = Splicer::new(None);
    splicer.event(START).unwrap();
    let mut let_go = 0;
    let steps = events.iter().map(|data| {
        splicer.event(data).unwrap();
        let out = String::from_utf8(splicer.output()).unwrap();
        let_go += out.matches("event: ").count();
        (splicer.arrived(), splicer.released(), let_go)
    });
    steps.collect()
}

#[test]
fn a_call_goes_out_whole_and_text_at_once() {
    for (what, events, expected) in [
        (
            "a call alone",
            vec![tool(0, "a"), piece(0, "partial_json", "{}"), close(0)],
            vec![(true, false, 1), (true, false, 1), (true, true, 4)],
        ),
        (
            "a ping passes what is held",
            vec![
                tool(0, "a"),
                piece(0, "partial_json", "{}"),
                json!({"type": "ping"}).to_string(),
                close(0),
            ],
            vec![
                (true, false, 1),
                (true, false, 1),
                (true, false, 2),
                (true, true, 5),
            ],
        ),
        (
            "a call without arguments waits: a limit may have cut it",
            vec![tool(0, "a"), close(0), words(1)],
            vec![(true, false, 1), (true, false, 1), (true, true, 4)],
        ),
        (
            "until the end says that none has",
            vec![tool(0, "a"), close(0), reason("tool_use")],
            vec![(true, false, 1), (true, false, 1), (true, true, 4)],
        ),
        (
            "an empty block of text says nothing",
            vec![
                words(0),
                piece(0, "text", ""),
                piece(0, "text", "x"),
                close(0),
            ],
            vec![
                (false, false, 2),
                (false, false, 3),
                (true, true, 4),
                (true, true, 5),
            ],
        ),
        (
            "a signature alone shows nothing yet",
            vec![
                begin(
                    0,
                    &json!({"type": "thinking", "thinking": "", "signature": ""}),
                ),
                piece(0, "signature", "s"),
                close(0),
                words(1),
                piece(1, "text", "x"),
            ],
            vec![
                (false, false, 2),
                (false, false, 3),
                (false, false, 4),
                (false, false, 5),
                (true, true, 6),
            ],
        ),
        (
            "what follows an open call waits with it, in order",
            vec![
                tool(0, "a"),
                piece(0, "partial_json", "{}"),
                words(1),
                piece(1, "text", "x"),
                close(1),
                close(0),
            ],
            vec![
                (true, false, 1),
                (true, false, 1),
                (true, false, 1),
                (true, false, 1),
                (true, false, 1),
                (true, true, 7),
            ],
        ),
        (
            "of two calls at a time none goes before both are whole",
            vec![
                tool(0, "a"),
                tool(1, "b"),
                piece(0, "partial_json", "{}"),
                piece(1, "partial_json", "{}"),
                close(1),
                close(0),
            ],
            vec![
                (true, false, 1),
                (true, false, 1),
                (true, false, 1),
                (true, false, 1),
                (true, false, 1),
                (true, true, 7),
            ],
        ),
        (
            "a call behind text is held, the text is not",
            vec![
                words(0),
                piece(0, "text", "x"),
                close(0),
                tool(1, "a"),
                piece(1, "partial_json", "{}"),
                close(1),
            ],
            vec![
                (false, false, 2),
                (true, true, 3),
                (true, true, 4),
                (true, true, 4),
                (true, true, 4),
                (true, true, 7),
            ],
        ),
        (
            "what the provider runs has begun at first sight",
            vec![begin(
                0,
                &json!({"type": "server_tool_use", "id": "s", "name": "w", "input": {}}),
            )],
            vec![(true, true, 2)],
        ),
    ] {
        assert_eq!(steps(&events), expected, "{what}");
    }
}

#[test]
fn a_call_is_measured_by_its_arguments_and_what_is_held_by_its_frames() {
    // So many pieces of so many bytes each, in one string of the arguments.
    let fed = |count: usize, bytes: usize| {
        let mut splicer = Splicer::new(None);
        splicer.feed(frame(START).as_bytes()).unwrap();
        let opening = [tool(0, "a"), piece(0, "partial_json", "{\"x\":\"")];
        for data in opening {
            splicer.feed(frame(&data).as_bytes()).unwrap();
        }
        let more = frame(&piece(0, "partial_json", &"x".repeat(bytes)));
        let pieces = std::iter::repeat_n(more, count);
        let fed = pieces
            .into_iter()
            .try_for_each(|more| splicer.feed(more.as_bytes()));
        let close = [
            piece(0, "partial_json", "\"}"),
            close(0),
            reason("tool_use"),
            STOP.to_owned(),
        ];
        let closed = fed.and_then(|()| {
            let mut close = close.iter();
            close.try_for_each(|data| splicer.feed(frame(data).as_bytes()))
        });
        closed
            .map_err(|failure| failure.class)
            .map(|()| splicer.done())
    };
    // Its frames are a hundred times as long.
    assert_eq!(fed(100_000, 1), Ok(true));
    assert_eq!(fed(255, 1024), Ok(true));
    assert_eq!(fed(256, 1024), Err(Class::Broken));
    assert_eq!(fed(200_000, 1), Err(Class::Broken), "too many frames");
}
