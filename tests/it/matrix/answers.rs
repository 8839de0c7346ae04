//! Section U, the body until its first meaningful event, and of a plain answer the whole of it.

use crate::support::Reply;
use crate::support::reply::{End, Framing};
use crate::support::surface::Finish;
use crate::support::wire::{Fault, Script, Tag};

use super::asked::{How, Never, Row, Sees, Then, row};
use super::parts::{Break, HELLO, Place, breaks, fails, hello, plays};
use super::words::Phase::BeforeFirstToken as Before;

const FAILED: Sees = Sees::Error(502, "upstream_failed");
const ONCE: &[Never] = &[Never::Twice];

/// What is no answer, whatever was asked for.
fn body(text: &'static str) -> How {
    plays(move |asking| {
        if asking.streamed {
            Reply::sse(text)
        } else {
            Reply::json(text)
        }
    })
}

fn begun(how: Break) -> How {
    breaks(hello, Place::Begun, how)
}

#[rustfmt::skip]
pub(super) fn table() -> Vec<Row> {
    use Sees::{Backup, Own};
    let broken = &["broken"];
    let whole = Own("Hello canary-said-51c9aa02", Finish::Stop);
    vec![
        row("U13", "an error in a 200", Before, fails(Fault::ErrorInside), Backup, &["broken|overloaded|server_error"]).never(ONCE),
        row("U13a", "an error in every 200", Before, fails(Fault::ErrorInside), FAILED, &["broken|overloaded|server_error", "broken|overloaded|server_error"])
            .then(Then::Same).never(&[Never::Twice, Never::Again]),
        row("U14", "broken JSON", Before, fails(Fault::BrokenJson), Backup, broken).never(ONCE),
        row("U14a", "broken JSON everywhere", Before, fails(Fault::BrokenJson), FAILED, &["broken", "broken"])
            .then(Then::Same).never(&[Never::Twice, Never::Again]),
        row("U15", "nothing is said", Before, fails(Fault::Empty), Backup, broken).never(ONCE),
        row("U15a", "nothing is said by anybody", Before, fails(Fault::Empty), FAILED, &["broken", "broken"])
            .then(Then::Same).never(&[Never::Twice, Never::Again]),
        row("U15b", "an empty body", Before, body(""), Backup, broken).never(ONCE),
        row("U15c", "null", Before, body("null"), Backup, broken).never(ONCE),
        row("U15d", "an empty object", Before, body("{}"), Backup, broken).never(ONCE),
        row("U15e", "an empty list of choices", Before, body("{\"choices\":[],\"output\":[],\"content\":[]}"), Backup, broken).never(ONCE),
        row("U16a", "HTML in a 200", Before, plays(|_| Reply::json("<html>Sign in</html>").header("content-type", "text/html")), Backup, broken)
            .never(&[Never::Twice, Never::Shown("<html>")]),
        row("U17", "a stream is answered with an error in JSON", Before, plays(|_| Reply::json("{\"error\":{\"message\":\"x\",\"type\":\"server_error\"}}")), Backup, &["broken|server_error"])
            .streamed().never(ONCE),
        row("U18", "[DONE] alone", Before, plays(|_| Reply::sse("data: [DONE]\n\n")), Backup, broken).streamed().never(ONCE),
        row("U18a", "comments alone", Before, plays(|_| Reply::sse(": ping\n\n: ping\n\n")), Backup, broken).streamed().never(ONCE),
        row("U19", "an end behind the beginning", Before, begun(Break::End(End::Fin)), Backup, &["reset|broken", "reset|broken"]).streamed(),
        row("U19a", "a reset behind the beginning", Before, begun(Break::End(End::Rst)), Backup, &["reset", "reset"]),
        row("U20", "an error first", Before, begun(Break::Error), Backup, &["broken|overloaded|server_error"]).never(ONCE),
        row("U20a", "garbage first", Before, begun(Break::Garbage), Backup, broken).never(ONCE),
        row("U21", "silence behind the beginning", Before, begun(Break::End(End::Silence)), Backup, &["timeout"]).short().never(ONCE),
        row("U21a", "silence behind a head", Before, plays(|asking| asking.wire.reply(asking.streamed, &hello()).cut_at(0, End::Silence)), Backup, &["timeout"])
            .short().never(ONCE),
        row("U21b", "silence behind every head", Before, plays(|asking| asking.wire.reply(asking.streamed, &hello()).cut_at(0, End::Silence)),
            Sees::Error(504, "deadline_exceeded"), &["timeout", "timeout"]).short().then(Then::Same).never(&[Never::Again]),
        row("U21c", "comments without end", Before, plays(|_| Reply::sse(": ping\n\n").endless()), Backup, &["timeout"])
            .streamed().short().never(ONCE),
        row("U25", "a body shorter than its length", Before, plays(|asking| asking.wire.reply(asking.streamed, &hello()).framing(Framing::Length).cut_at(40, End::Fin)),
            Backup, &["reset|broken", "reset|broken"]).plain(),
        row("U25a", "a body without its length, whole", Before, plays(|asking| asking.wire.reply(asking.streamed, &hello()).framing(Framing::Close).ends(End::Fin)), whole, &[])
            .never(&[Never::Elsewhere]),
        row("U28", "a compressed answer that nobody asked for", Before,
            plays(|_| Reply::json([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]).header("content-encoding", "gzip")), Backup, broken).never(ONCE),
        row("U29", "seventeen megabytes", Before, plays(|_| Reply::json("x".repeat(17 << 20))), Backup, broken).plain().never(ONCE).holds(80 << 10),
        row("U30", "an event of two megabytes", Before,
            plays(|asking| asking.wire.stream(&[(Tag::Around, format!("data: {}\n\n", "x".repeat(2 << 20)).into_bytes())])), Backup, broken).streamed().never(ONCE),
        row("U30a", "a line without end", Before, plays(|_| Reply::sse("x".repeat(64 << 10)).endless()), Backup, broken).streamed().never(ONCE),
        row("U34", "bytes that are no text", Before, plays(|_| Reply::json(b"{\"choices\":[{\"message\":\"\xff\"}]}")), Backup, broken).plain().never(ONCE),
        row("U34a", "an event that is no text", Before, plays(|_| Reply::sse(b"data: {\"choices\":[\"\xff\"]}\n\n")), Backup, broken).streamed().never(ONCE),
        row("S12", "a filter of the provider's own", Before,
            plays(|asking| asking.wire.reply(asking.streamed, &Script::text(&HELLO).ends(crate::support::wire::Finish::Filtered))),
            Own("Hello canary-said-51c9aa02", Finish::Filter), &[]).never(&[Never::Elsewhere]),
        row("S11", "nothing is counted", Before, plays(|asking| {
            let reply = asking.wire.reply(asking.streamed, &hello());
            let body = reply.text();
            reply.body(body.replace("\"usage\":", "\"unknown\":"))
        }), whole, &[]).on(&[crate::support::Surface::Chat]).never(&[Never::Elsewhere]),
    ]
}
