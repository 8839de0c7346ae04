//! Section S: what has begun to be said, and then breaks.

use crate::support::Reply;
use crate::support::Surface::{Messages, Responses};
use crate::support::reply::End;
use crate::support::surface::Finish;
use crate::support::wire::{Script, Tag};

use super::asked::{How, Never, Row, Sees, row};
use super::parts::{Break, Place, breaks, call, hello, plays, says, text_and_call, two_calls};
use super::words::Phase::{AfterIt, BeforeFinish, InACall};

const OTHER: &[Never] = &[Never::Shown("canary-said")];

fn at(script: fn() -> Script, place: Place, how: Break) -> How {
    breaks(script, place, how)
}

#[rustfmt::skip]
pub(super) fn text() -> Vec<Row> {
    use Break::{End as Ends, Error, Garbage};
    use Place::{FirstText, Finish};
    let hel = Sees::Broken("Hello ", 0);
    let all = Sees::Broken("Hello canary-said-51c9aa02", 0);
    let cut = &["reset|broken", "reset|broken"];
    vec![
        row("S1", "an end behind the first text", AfterIt, at(hello, FirstText, Ends(End::Fin)), hel, cut).broke("broken|reset"),
        row("S2", "a reset behind the first text", AfterIt, at(hello, FirstText, Ends(End::Rst)), hel, &["reset", "reset"]).broke("reset"),
        row("S3", "silence behind the first text", AfterIt, at(hello, FirstText, Ends(End::Silence)), hel, &["timeout"]).broke("timeout").short(),
        row("S5", "garbage behind the first text", AfterIt, at(hello, FirstText, Garbage), hel, &["broken"]).broke("broken"),
        row("S5a", "an error behind the first text", AfterIt, at(hello, FirstText, Error), hel, &["broken"]).broke("broken|overloaded|server_error")
            .never(&[Never::Shown("The server had an error")]),
        row("S15", "an error that is no event behind the first text", AfterIt, plays(|asking| {
            let frames = asking.wire.frames(&hello());
            let first = frames.iter().position(|(tag, _)| *tag == Tag::Text).unwrap();
            let mut kept = frames[..=first].to_vec();
            let at = kept.iter().map(|(_, bytes)| bytes.len()).sum();
            kept.push((Tag::Around, b"{\"error\":{\"message\":\"canary-said\"}}\n".to_vec()));
            asking.wire.stream(&kept).pause_at(at, &asking.gate)
        }), hel, &["broken"]).broke("broken|reset").streamed().never(OTHER),
        row("S4", "an answer without end", AfterIt, plays(|asking| {
            let frames = asking.wire.frames(&hello());
            let first = frames.iter().position(|(tag, _)| *tag == Tag::Text).unwrap();
            let begin: Vec<u8> = frames[..=first].iter().flat_map(|(_, bytes)| bytes.clone()).collect();
            let at = begin.len();
            Reply::sse(begin).cut_at(at, End::Silence)
        }), hel, &["timeout"]).broke("timeout").streamed().short().knobs(", stream: 200ms"),
        row("S1a", "an end before the finish", BeforeFinish, at(hello, Finish, Ends(End::Fin)), all, cut).broke("broken|reset"),
        row("S2a", "a reset before the finish", BeforeFinish, at(hello, Finish, Ends(End::Rst)), all, &["reset", "reset"]).broke("reset"),
        row("S3a", "silence before the finish", BeforeFinish, at(hello, Finish, Ends(End::Silence)), all, &["timeout"]).broke("timeout").short(),
        row("S5b", "garbage before the finish", BeforeFinish, at(hello, Finish, Garbage), all, &["broken"]).broke("broken"),
        row("S5c", "an error before the finish", BeforeFinish, at(hello, Finish, Error), all, &["broken"]).broke("broken|overloaded|server_error"),
    ]
}

#[rustfmt::skip]
pub(super) fn calls() -> Vec<Row> {
    use Break::{End as Ends, Error, Garbage};
    use Place::{LastCall, Finish as AtFinish};
    use Sees::{Backup, Broken, Own};
    let wait = Broken("Wait.", 0);
    let one = Broken("Wait.", 1);
    let cut = &["reset|broken", "reset|broken"];
    let half = &[Never::Shown("Almaty")];
    let second = &[Never::Shown("Asia")];
    let rows = vec![
        // Nothing has been said: another target says it all, and its call is the only one.
        row("S6", "an end in a call", InACall, at(call, LastCall, Ends(End::Fin)), Backup, cut).never(half),
        row("S6a", "a reset in a call", InACall, at(call, LastCall, Ends(End::Rst)), Backup, &["reset", "reset"]).never(half),
        row("S6b", "silence in a call", InACall, at(call, LastCall, Ends(End::Silence)), Backup, &["timeout"]).short().never(half),
        row("S6c", "garbage in a call", InACall, at(call, LastCall, Garbage), Backup, &["broken"]).never(half),
        row("S6d", "an error in a call", InACall, at(call, LastCall, Error), Backup, &["broken|overloaded|server_error"]).never(half),
        // Text has been said, so the break is told; half a call is nobody's.
        row("S7", "an end in a call behind text", InACall, at(text_and_call, LastCall, Ends(End::Fin)), wait, cut).broke("broken|reset").never(half),
        row("S7a", "a reset in a call behind text", InACall, at(text_and_call, LastCall, Ends(End::Rst)), wait, &["reset", "reset"]).broke("reset").never(half),
        row("S7b", "silence in a call behind text", InACall, at(text_and_call, LastCall, Ends(End::Silence)), wait, &["timeout"]).broke("timeout").short().never(half),
        row("S7c", "garbage in a call behind text", InACall, at(text_and_call, LastCall, Garbage), wait, &["broken"]).broke("broken").never(half),
        row("S7d", "an error in a call behind text", InACall, at(text_and_call, LastCall, Error), wait, &["broken"]).broke("broken|overloaded|server_error").never(half),
        // The first call has come whole, and was told; the second never.
        row("S9", "an end in the second of two calls", InACall, at(two_calls, LastCall, Ends(End::Fin)), one, cut).broke("broken|reset").streamed().never(second),
        row("S9a", "a reset in the second of two calls", InACall, at(two_calls, LastCall, Ends(End::Rst)), one, &["reset", "reset"]).broke("reset").streamed().never(second),
        row("S9b", "silence in the second of two calls", InACall, at(two_calls, LastCall, Ends(End::Silence)), one, &["timeout"]).broke("timeout").streamed().short().never(second),
        // Where the dialect tells a call's end, it has left when the finish is missing.
        row("S8", "an end behind a whole call", BeforeFinish, at(text_and_call, AtFinish, Ends(End::Fin)), one, cut).broke("broken|reset").streamed().on(&[Responses, Messages]),
        row("S8a", "an error behind a whole call", BeforeFinish, at(text_and_call, AtFinish, Error), one, &["broken"]).broke("broken|overloaded|server_error").streamed().on(&[Responses, Messages]),
        row("S8b", "silence behind a whole call", BeforeFinish, at(text_and_call, AtFinish, Ends(End::Silence)), one, &["timeout"]).broke("timeout").streamed().short().on(&[Responses, Messages]),
        row("S8c", "a call as it should be", BeforeFinish, says(call), Own("", Finish::Calls), &[]).never(&[Never::Elsewhere, Never::Twice]),
        row("S9c", "two calls as they should be", BeforeFinish, says(two_calls), Own("Wait.", Finish::Calls), &[]).never(&[Never::Elsewhere, Never::Twice]),
    ];
    rows.into_iter().map(Row::tools).collect()
}
