//! Section H: bytes that are no request, or that could be read in two ways, written as they are.

use std::sync::Arc;
use std::time::Duration;

use crate::support::Surface;
use crate::support::wire::Wire;

use super::asked::provider;
use super::parts::hello;
use super::scene::{Known, Scene, TOKEN};
use super::words::{At, Bounds, Listed, Phase};

struct Row {
    id: &'static str,
    what: &'static str,
    phase: Phase,
    bytes: fn() -> Vec<u8>,
    /// The status of each answer, in order.
    sees: &'static [u16],
    /// Whether the gateway closes behind them.
    closes: bool,
    /// How many of the requests leave a record: of what is no HTTP there is none.
    records: usize,
    /// How many of them reach the provider.
    reach: usize,
}

/// A request for an answer, with these lines in its head.
fn ask(lines: &str) -> Vec<u8> {
    framed(lines, &format!("content-length: {}\r\n", BODY.len()), BODY)
}

const BODY: &str = r#"{"model":"http","messages":[{"role":"user","content":"Hi"}]}"#;

fn framed(lines: &str, framing: &str, body: &str) -> Vec<u8> {
    head(
        "POST /v1/chat/completions HTTP/1.1",
        &format!("host: localhost\r\n{lines}{framing}"),
        body,
    )
}

/// With our token.
fn head(line: &str, lines: &str, rest: &str) -> Vec<u8> {
    format!(
        "{line}\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\n{lines}\r\n{rest}"
    )
    .into_bytes()
}

/// The body in one chunk.
fn chunked(lines: &str) -> Vec<u8> {
    let body = format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    framed(lines, "transfer-encoding: chunked\r\n", &body)
}

fn get(line: &str, lines: &str) -> Vec<u8> {
    head(line, lines, "")
}

/// One that asks for the models, and then to close.
fn models() -> Vec<u8> {
    get(
        "GET /v1/models HTTP/1.1",
        "host: localhost\r\nconnection: close\r\n",
    )
}

#[rustfmt::skip]
fn table() -> Vec<Row> {
    use Phase::{Connect, RequestBody};
    let row = |id, what, bytes, sees, records, reach| Row { id, what, phase: Connect, bytes, sees, closes: true, records, reach };
    let body = |id, what, bytes, sees, records, reach| Row { phase: RequestBody, ..row(id, what, bytes, sees, records, reach) };
    let open = |row: Row| Row { closes: false, ..row };
    vec![
        open(row("H0", "a connection without a word", Vec::new, &[], 0, 0)),
        open(row("H0a", "half a head", || b"POST /v1/chat/completions HTTP/1.1\r\nhost: lo".to_vec(), &[], 0, 0)),
        open(row("H1", "no host", || head("POST /v1/chat/completions HTTP/1.1", &format!("content-length: {}\r\n", BODY.len()), BODY), &[400], 1, 0)),
        row("H1a", "two hosts", || ask("host: localhost\r\n"), &[400], 1, 0),
        row("H1b", "another host", || head("POST /v1/chat/completions HTTP/1.1", &format!("host: evil.example\r\ncontent-length: {}\r\n", BODY.len()), BODY), &[421], 1, 0),
        row("H1c", "a host with more than a host in it", || head("POST /v1/chat/completions HTTP/1.1", &format!("host: localhost:4000/#@evil\r\ncontent-length: {}\r\n", BODY.len()), BODY), &[400], 1, 0),
        row("H2", "another server in the URL", || head("POST http://evil.example/v1/chat/completions HTTP/1.1", &format!("host: localhost\r\ncontent-length: {}\r\n", BODY.len()), BODY), &[400], 1, 0),
        row("H3", "CONNECT", || get("CONNECT evil.example:443 HTTP/1.1", "host: evil.example:443\r\n"), &[405], 1, 0),
        row("H3a", "TRACE", || get("TRACE / HTTP/1.1", "host: localhost\r\n"), &[405], 1, 0),
        row("H3b", "a method of one's own", || get("FETCH /v1/models HTTP/1.1", "host: localhost\r\n"), &[405], 1, 0),
        row("H3c", "no method", || get("p\u{0}st /v1/models HTTP/1.1", "host: localhost\r\n"), &[400], 0, 0),
        open(row("H4", "OPTIONS", || get("OPTIONS /v1/models HTTP/1.1", "host: localhost\r\n"), &[204], 1, 0)),
        row("H5", "HTTP/1.0", || head("POST /v1/chat/completions HTTP/1.0", &format!("host: localhost\r\ncontent-length: {}\r\n", BODY.len()), BODY), &[200], 1, 1),
        row("H6", "HTTP/1.0 with chunks", || head("POST /v1/chat/completions HTTP/1.0", "host: localhost\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"), &[400], 0, 0),
        row("H6a", "HTTP/0.9", || b"GET /v1/models\r\n\r\n".to_vec(), &[400], 0, 0),
        row("H6b", "HTTP/2.0 in a line", || get("GET /v1/models HTTP/2.0", "host: localhost\r\n"), &[400], 0, 0),
        body("H7", "a length beside chunks", || chunked("content-length: 3\r\n"), &[400], 1, 0),
        body("H7a", "an encoding beside chunks", || framed("", "transfer-encoding: gzip, chunked\r\n", "0\r\n\r\n"), &[400], 1, 0),
        body("H7b", "chunks that are not the last encoding", || framed("", "transfer-encoding: chunked, identity\r\n", "0\r\n\r\n"), &[400], 0, 0),
        body("H7c", "chunks by another name", || framed("", "transfer-encoding: xchunked\r\n", "0\r\n\r\n"), &[400], 0, 0),
        body("H7d", "identity beside chunks", || framed("", "transfer-encoding: identity, chunked\r\n", "0\r\n\r\n"), &[400], 1, 0),
        body("H7e", "two lengths that agree", || framed(&format!("content-length: {}\r\n", BODY.len()), &format!("content-length: {}\r\n", BODY.len()), BODY), &[400], 1, 0),
        body("H7f", "two lengths that do not", || framed("content-length: 3\r\n", &format!("content-length: {}\r\n", BODY.len()), BODY), &[400], 0, 0),
        body("H7g", "a length with a sign", || framed("", "content-length: +5\r\n", "hello"), &[400], 0, 0),
        body("H7h", "a length that is a list", || framed("", "content-length: 5, 5\r\n", "hello"), &[400], 0, 0),
        body("H7i", "a length beyond all lengths", || framed("", "content-length: 18446744073709551616\r\n", "hello"), &[400], 0, 0),
        body("H7j", "a chunk's length with a prefix", || framed("", "transfer-encoding: chunked\r\n", "0x3\r\nabc\r\n0\r\n\r\n"), &[400], 1, 0),
        body("H7k", "a chunk's length beyond all lengths", || framed("", "transfer-encoding: chunked\r\n", "fffffffffffffffff\r\nabc\r\n0\r\n\r\n"), &[400], 1, 0),
        body("H7l", "a space before a colon", || framed("", "transfer-encoding : chunked\r\n", "0\r\n\r\n"), &[400], 0, 0),
        open(body("H7m", "chunks as they should be", || chunked(""), &[200], 1, 1)),
        body("C10a", "chunks without end", || framed("", "transfer-encoding: chunked\r\n", &format!("100000\r\n{}\r\n", " ".repeat(1 << 20)).repeat(3)), &[413], 1, 0),
        body("C10b", "ten gigabytes that are announced", || framed("", "content-length: 10737418240\r\n", "{"), &[413], 1, 0),
        row("H8", "three in a row", || [ask(""), ask(""), models()].concat(), &[200, 200, 200], 3, 2),
        row("H8a", "one that is refused, and one behind it", || [ask("origin: https://evil.example\r\n"), models()].concat(), &[403], 1, 0),
        row("H8b", "one in the body of one that is refused", || {
            let inner = String::from_utf8(models()).unwrap();
            framed("transfer-encoding: xchunked\r\n", &format!("content-length: {}\r\n", inner.len()), &inner)
        }, &[400], 0, 0),
        body("H9a", "a body that waits for leave, and no token", || {
            let lines = format!("host: localhost\r\nexpect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", BODY.len());
            format!("POST /v1/chat/completions HTTP/1.1\r\n{lines}").into_bytes()
        }, &[401], 1, 0),
        row("H10", "a header of a megabyte", || ask(&format!("x-long: {}\r\n", "x".repeat(1 << 20))), &[431], 0, 0),
        row("H10a", "two hundred headers", || ask(&"x-many: 1\r\n".repeat(200)), &[431], 0, 0),
        row("H10b", "a path of seventy kilobytes", || get(&format!("GET /{} HTTP/1.1", "x".repeat(70_000)), "host: localhost\r\n"), &[431], 0, 0),
        row("H10c", "a header folded over two lines", || ask("x-folded: a\r\n b\r\n"), &[400], 0, 0),
        row("H10d", "a header with a zero in it", || ask("x-zero: a\u{0}b\r\n"), &[400], 0, 0),
        open(body("H11", "trailers with a token", || {
            let body = format!("{:x}\r\n{BODY}\r\n0\r\nauthorization: Bearer wrong\r\n\r\n", BODY.len());
            framed("", "transfer-encoding: chunked\r\n", &body)
        }, &[200], 1, 1)),
        open(row("H12", "an upgrade that nobody offers", || ask("connection: upgrade\r\nupgrade: websocket\r\n"), &[200], 1, 1)),
        row("H13", "HTTP/2 from the first byte", || b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec(), &[], 0, 0),
        row("H15", "TLS", || b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03canary".to_vec(), &[400], 0, 0),
        row("H15a", "SOCKS", || b"\x05\x01\x00\r\n\r\n".to_vec(), &[400], 0, 0),
        row("H16", "a path with dots", || get("GET /v1/../admin HTTP/1.1", "host: localhost\r\nconnection: close\r\n"), &[404], 1, 0),
        row("H16a", "a path with dots in disguise", || get("GET /v1/%2e%2e/metrics HTTP/1.1", "host: localhost\r\nconnection: close\r\n"), &[404], 1, 0),
        row("H16b", "the admin's path", || get("GET /metrics HTTP/1.1", "host: localhost\r\nconnection: close\r\n"), &[404], 1, 0),
        row("H17c", "a GET with a body", || get("GET /v1/models HTTP/1.1", "host: localhost\r\ncontent-length: 2\r\n\r\n{}"), &[405], 1, 0),
    ]
}

pub(super) fn listed() -> Vec<Listed> {
    let each = table().into_iter();
    each.map(|row| Listed::alone(row.id, At::Client, row.phase))
        .collect()
}

pub(super) async fn play() {
    let scene = Scene::set(|config, upstream| {
        let first = format!("{}/http.1/v1", upstream.root_url());
        config
            .root("body_limit: 2MiB")
            .keys_of("http.1", &provider(Surface::Chat, &first))
            .route("http", "{ targets: [\"http.1/m\"] }")
    })
    .await;
    scene.cast("http.1", |seen| {
        Wire::of(seen).reply(Wire::streamed(seen), &hello())
    });
    for row in table() {
        let id = row.id;
        // A head that does not come whole is waited for ten seconds; nothing else takes time.
        let bounds = Bounds::of(Duration::from_secs(2));
        scene
            .row(id, bounds, |scene, known| async move {
                known.note(row.what);
                run(&scene, &known, &row).await;
            })
            .await;
    }
    scene.finish("HTTP").await;
}

async fn run(scene: &Arc<Scene>, known: &Known, row: &Row) {
    known.with(|facts| facts.requests += row.records);
    let before = scene.upstream.hits();
    let mut client = scene.gateway.connect().await;
    // The answer may come before all of it is written.
    client.write_or_lose(&(row.bytes)()).await;
    for (number, status) in row.sees.iter().enumerate() {
        let (answer, same) = client.answer().await.rest_and_client().await;
        client = same;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, *status, "answer {number}: {text}");
        assert!(answer.complete, "answer {number} breaks off");
        assert!(!text.contains("pillion_requests_total"), "{text}");
        known.with(|facts| facts.raw.extend_from_slice(&answer.body));
    }
    if row.closes {
        let rest = client.until_closed().await;
        let text = String::from_utf8_lossy(&rest);
        assert!(rest.is_empty(), "more than was asked for: {text:?}");
    } else {
        // It would serve another.
        drop(client);
    }
    known.left();
    assert_eq!(scene.upstream.hits() - before, row.reach, "at the provider");
    let seen = scene.upstream.requests_from(before);
    assert!(
        seen.iter()
            .all(|seen| !seen.head.contains("wrong") && seen.header("upgrade").is_none())
    );
}
