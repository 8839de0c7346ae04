//! What no well-meaning server sends.

use super::{For, Row, replay};
use crate::support::Reply;
use crate::support::fixture::{plain, role, text};

fn hostile() -> Vec<Row> {
    use For::{Both, Plain, Stream};
    let long = plain(&"x".repeat(17 << 20));
    let raw = |head: &str| Reply::raw(format!("HTTP/1.1 {head}\r\n\r\n"));
    vec![
        (
            "a head without end",
            Both,
            Reply::json(plain("x")).header("x-long", "x".repeat(1_000_000)),
            "broken",
            None,
            1,
        ),
        (
            "two lengths",
            Both,
            raw("200 OK\r\ncontent-length: 5\r\ncontent-length: 7"),
            "broken",
            None,
            1,
        ),
        (
            "another protocol, politely",
            Both,
            raw("101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade"),
            "broken",
            Some(101),
            1,
        ),
        ("17 MiB", Plain, Reply::json(long), "broken", Some(200), 1),
        (
            "an event of 2 MiB",
            Stream,
            Reply::sse(role() + &text(&"x".repeat(2 << 20))),
            "broken",
            Some(200),
            1,
        ),
        (
            "a line without end",
            Stream,
            Reply::sse("x".repeat(2 << 20)),
            "broken",
            Some(200),
            1,
        ),
        (
            "bytes that are no text",
            Plain,
            Reply::json(b"{\"choices\":[{\"message\":\"\xff\"}]}"),
            "broken",
            Some(200),
            1,
        ),
        (
            "an event that is no text",
            Stream,
            Reply::sse(b"data: {\"choices\":[\"\xff\"]}\n\n"),
            "broken",
            Some(200),
            1,
        ),
        (
            "a compressed answer, unasked",
            Plain,
            Reply::json([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]),
            "broken",
            Some(200),
            1,
        ),
    ]
}

#[tokio::test]
async fn a_hostile_provider_is_left_like_a_broken_one() {
    replay(hostile()).await;
}
