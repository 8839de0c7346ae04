//! Heads and bodies, cut at every byte.

use super::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n{body}")
}

/// The ending, if any, and the number of heads that were well.
type Seen = (Option<Ending>, u64, bool);

fn scan<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Seen {
    let mut scanner = Scanner::new();
    let endings: Vec<_> = pieces.into_iter().filter_map(|p| scanner.feed(p)).collect();
    assert!(endings.len() <= 1);
    (
        endings.first().copied(),
        scanner.heads,
        scanner.head_is_open(),
    )
}

/// Expects the same of the text whole, byte by byte, and cut in two at every byte.
fn expect(text: &str, seen: Seen) {
    let bytes = text.as_bytes();
    assert_eq!(scan([bytes]), seen, "{text:?} whole");
    assert_eq!(scan(bytes.chunks(1)), seen, "{text:?} byte by byte");
    for at in 0..bytes.len() {
        let (before, after) = bytes.split_at(at);
        assert_eq!(scan([before, after]), seen, "{text:?} cut at {at}");
    }
}

#[test]
fn heads_are_counted_and_bodies_skipped_however_their_bytes_arrive() {
    let length = |length: &str, body: &str| post(&format!("{length}\r\n"), body) + GET;
    for (text, heads, open) in [
        (String::new(), 0, true),
        ("\r\n".into(), 0, true),
        (GET.into(), 1, false),
        (format!("\r\n\n{GET}"), 1, false),
        (GET.replace("\r\n", "\n"), 1, false),
        (format!("{GET}\r\n"), 1, false),
        (format!("{GET}P"), 1, true),
        (GET.repeat(3), 3, false),
        (length("Content-Length: 3", "abc"), 2, false),
        (length("content-LENGTH:\t3 \t", "abc"), 2, false),
        (length("Content-Length: 0", ""), 2, false),
        (length("Content-Length: 100", "abc"), 1, false),
        // A body that looks like a head is a body.
        (
            length("Content-Length: 20", "Content-Length: 3\r\n\n"),
            2,
            false,
        ),
        // Names that only begin or end like ours, and our names inside of values.
        (length("Content-Lengths: 3", ""), 2, false),
        (
            length("Content-Len: 3\r\nX-Content-Length: 3", ""),
            2,
            false,
        ),
        (length("C\r\nTransfer: Transfer-Encoding: x", ""), 2, false),
        (length("X: a\r\n Content-Length: 3", ""), 2, false),
        ("PRI * HTTP/2.1\r\n\r\n".into(), 1, false),
    ] {
        expect(&text, (None, heads, open));
    }
}

#[test]
fn each_request_is_judged_the_same_however_its_bytes_arrive() {
    use Violation::{Encoding, LengthAndEncoding, RepeatedLength};
    let bad = Why::Violation;
    for (fields, why) in [
        ("Transfer-Encoding: chunked\r\n", Why::Chunked),
        ("transfer-encoding:  Chunked \r\n", Why::Chunked),
        ("Transfer-Encoding:chunked\n", Why::Chunked),
        (
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            bad(LengthAndEncoding),
        ),
        (
            "Transfer-Encoding: chunked\r\nX: y\r\nContent-Length: 3\r\n",
            bad(LengthAndEncoding),
        ),
        (
            "Transfer-Encoding: x\r\nContent-Length: 3\r\n",
            bad(LengthAndEncoding),
        ),
        (
            "Content-Length: 3\r\nContent-Length: 3\r\n",
            bad(RepeatedLength),
        ),
        (
            "Content-Length: 3\r\nContent-Length: 4\r\n",
            bad(RepeatedLength),
        ),
        ("Transfer-Encoding: identity, chunked\r\n", bad(Encoding)),
        ("Transfer-Encoding: chunked, identity\r\n", bad(Encoding)),
        ("Transfer-Encoding: chunked, chunked\r\n", bad(Encoding)),
        ("Transfer-Encoding: xchunked\r\n", bad(Encoding)),
        ("Transfer-Encoding: chunke\r\n", bad(Encoding)),
        ("Transfer-Encoding: chunkedd\r\n", bad(Encoding)),
        ("Transfer-Encoding: chunk ed\r\n", bad(Encoding)),
        ("Transfer-Encoding: chunked x\r\n", bad(Encoding)),
        ("Transfer-Encoding:\r\n", bad(Encoding)),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            bad(Encoding),
        ),
        // What hyper refuses by itself.
        ("Content-Length: +3\r\n", Why::Foreign),
        ("Content-Length: 1, 1\r\n", Why::Foreign),
        ("Content-Length: 1 1\r\n", Why::Foreign),
        ("Content-Length:\r\n", Why::Foreign),
        ("Content-Length: 18446744073709551616\r\n", Why::Foreign),
        ("\rX", Why::Foreign),
    ] {
        for head in [0, 1, 2] {
            let text = GET.repeat(head) + &post(fields, "abc") + GET;
            let head = head as u64;
            expect(&text, (Some(Ending { head, why }), head, false));
        }
    }
}

#[test]
fn http2_is_left_alone() {
    let why = Why::Foreign;
    let text = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    expect(text, (Some(Ending { head: 0, why }), 0, false));
}

#[test]
fn a_head_is_open_from_its_first_byte_to_its_last() {
    let mut scanner = Scanner::new();
    assert!(scanner.head_is_open(), "the first head is awaited");
    for _ in 0..2 {
        for byte in &GET.as_bytes()[..GET.len() - 1] {
            scanner.feed(&[*byte]);
            assert!(scanner.head_is_open());
        }
        scanner.feed(b"\n");
        assert!(!scanner.head_is_open(), "an idle connection owes nothing");
    }
}
