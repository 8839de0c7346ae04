//! Section U, the way there: connecting, TLS, the request's body, and silence or noise in place of a
//! head.

use crate::support::Reply;
use crate::support::reply::End;
use crate::support::wire::Fault;

use super::asked::{How, Never, Row, Sees, Then, row};
use super::parts::{plays, plays_early};
use super::words::Phase;

const FAILED: Sees = Sees::Error(502, "upstream_failed");
const LATE: Sees = Sees::Error(504, "deadline_exceeded");

fn early(fault: Fault) -> How {
    plays_early(move |asking| fault.reply(asking.wire, asking.streamed).ends(End::Fin))
}

fn nothing(end: End) -> How {
    plays(move |_| Reply::nothing(end))
}

fn raw(bytes: &'static [u8]) -> How {
    plays(move |_| Reply::raw(bytes))
}

#[rustfmt::skip]
pub(super) fn connecting() -> Vec<Row> {
    use Phase::{Connect, Tls};
    use Sees::Backup;
    let at = How::Elsewhere;
    let twice = &["connect", "connect"];
    vec![
        row("U1", "nobody listens", Connect, at(|it| format!("http://{}", it.refusing())), Backup, twice),
        row("U1a", "nobody listens, and there is no other", Connect, at(|it| format!("http://{}", it.refusing())), FAILED, twice)
            .then(Then::Nobody).never(&[Never::Again]),
        row("U2", "connections are not accepted", Connect, at(|it| format!("http://{}", it.full)), Backup, &["connect|timeout"])
            .short(),
        row("N1", "a name that is nobody's", Connect, at(|_| format!("http://{}.test", "x".repeat(64))), Backup, twice),
        row("N9", "a certificate that nobody vouches for", Tls, at(|it| format!("https://{}", it.unknown)), Backup, twice),
        row("N9a", "the same, and there is no other", Tls, at(|it| format!("https://{}", it.unknown)), FAILED, twice)
            .then(Then::Nobody).never(&[Never::Again, Never::Shown("certificate")]),
        row("N9b", "a certificate of another name", Tls, at(|it| format!("https://{}", it.misnamed)), Backup, twice),
        row("N10", "TLS never answers", Tls, at(|it| format!("https://{}", it.silent)), Backup, &["connect|timeout"])
            .short(),
        row("N10a", "the connection closes at the greeting", Tls, at(|it| format!("https://{}", it.closing)), Backup, twice),
        row("N10b", "the connection is reset at the greeting", Tls, at(|it| format!("https://{}", it.resetting)), Backup, twice),
        row("N10c", "another protocol answers the greeting", Tls, at(|it| format!("https://{}", it.other)), Backup, twice),
        row("N10d", "TLS closes behind the request", Tls, at(|it| format!("https://{}", it.trusted)), Backup, &["reset", "reset"]),
    ]
}

#[rustfmt::skip]
pub(super) fn sending() -> Vec<Row> {
    use Phase::RequestBody;
    use Sees::{Backup, Error};
    let key = Error(502, "upstream_authentication_error");
    let rows = vec![
        row("U3a", "a reset in the middle of the body", RequestBody, plays_early(|_| Reply::nothing(End::Rst)), Backup, &["reset|connect", "reset|connect"]),
        row("U3b", "an end in the middle of the body", RequestBody, plays_early(|_| Reply::nothing(End::Fin)), Backup, &["reset", "reset"]),
        row("U3c", "the body is never read", RequestBody, plays_early(|_| Reply::silence()), Backup, &["timeout"]).middling(),
        row("U3d", "an overload before the body is read", RequestBody, early(Fault::Overloaded), Backup, &["overloaded"])
            .never(&[Never::Twice]),
        row("U3e", "an error before the body is read", RequestBody, early(Fault::Server), Backup, &["server_error"])
            .never(&[Never::Twice]),
        row("U3f", "a rate limit before the body is read", RequestBody, early(Fault::Rate), Backup, &["rate_limited"])
            .never(&[Never::Twice]),
        row("U3g", "no credit before the body is read", RequestBody, early(Fault::Quota), Backup, &["quota_exhausted"])
            .never(&[Never::Twice]),
        row("U3h", "a refused key before the body is read", RequestBody, early(Fault::Auth), key, &["auth"])
            .never(&[Never::Elsewhere, Never::Twice, Never::Again]),
        row("U3i", "a body that is too large for the provider", RequestBody,
            plays_early(|_| Reply::error(413, "invalid_request_error", None, "Payload too large").ends(End::Fin)),
            Error(413, "invalid_request"), &["invalid_request"])
            .never(&[Never::Elsewhere, Never::Twice, Never::Again]),
        row("U3j", "a mistake that is told before the body is read", RequestBody, early(Fault::Invalid), Error(400, "invalid_value|invalid_request"), &["invalid_request"])
            .never(&[Never::Elsewhere, Never::Twice, Never::Again]),
    ];
    // As long as no socket holds.
    rows.into_iter().map(|row| row.long().holds(48 << 10)).collect()
}

#[rustfmt::skip]
pub(super) fn waiting() -> Vec<Row> {
    use Phase::{BeforeHead, Head};
    use Sees::Backup;
    let broken = &["broken"];
    vec![
        row("U3", "a reset behind the request", BeforeHead, nothing(End::Rst), Backup, &["reset", "reset"]),
        row("U3z", "a reset of everybody", BeforeHead, nothing(End::Rst), FAILED, &["reset", "reset", "reset", "reset"])
            .then(Then::Same).never(&[Never::Again]),
        row("U4", "an end behind the request", BeforeHead, nothing(End::Fin), Backup, &["reset", "reset"]),
        row("U22", "no head ever comes", BeforeHead, nothing(End::Silence), Backup, &["timeout"])
            .short().never(&[Never::Twice]),
        row("U22a", "no head ever comes from anybody", BeforeHead, nothing(End::Silence), LATE, &["timeout", "timeout"])
            .short().then(Then::Same).never(&[Never::Again]),
        row("U22b", "no head ever comes, and there is no other", BeforeHead, nothing(End::Silence), LATE, &["timeout"])
            .short().then(Then::Nobody).never(&[Never::Again]),
        row("U22c", "a head that stops in the middle", BeforeHead, plays(|_| Reply::raw(b"HTTP/1.1 200 OK\r\ncontent-").ends(End::Silence)), Backup, &["timeout"])
            .short(),
        row("U22d", "a head that ends in the middle", BeforeHead, raw(b"HTTP/1.1 200 OK\r\ncontent-"), Backup, &["reset|broken", "reset|broken"]),
        row("U26", "two lengths", Head, raw(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 7\r\n\r\n{}"), Backup, broken),
        row("U26a", "a line that is no header", BeforeHead, raw(b"HTTP/1.1 200 OK\r\nno header at all\r\n\r\n{}"), Backup, broken),
        row("U26b", "another protocol", BeforeHead, raw(b"SSH-2.0-OpenSSH_9.6\r\n"), Backup, broken),
        row("U26c", "a length that is no number", Head, raw(b"HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\n{}"), Backup, broken),
        row("U26d", "a thousand interim answers and silence", BeforeHead,
            plays(|_| Reply::raw(b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n".repeat(1000)).ends(End::Silence)), Backup, &["timeout|broken"])
            .short(),
        row("U27", "a header of a megabyte", BeforeHead,
            plays(|asking| Fault::Empty.reply(asking.wire, asking.streamed).header("x-long", "x".repeat(1 << 20))), Backup, broken),
        row("U27a", "five hundred headers", BeforeHead,
            plays(|_| Reply::raw(("HTTP/1.1 200 OK\r\n".to_owned() + &"x-many: 1\r\n".repeat(500) + "\r\n").into_bytes())), Backup, broken),
        row("U33", "another protocol, politely", Head, raw(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"), Backup, broken),
    ]
}
