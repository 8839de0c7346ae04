//! The listener over real sockets, spoken to in raw bytes.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::StatusCode;
use http_body::Frame;
use http_body_util::BodyExt as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::*;
use crate::body::{ReadError, discard, full, read};
use crate::error::GatewayError;

/// What keeps a connection open in these tests is the request it ends with.
const LAST: &str = "GET /last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
const LIMIT: usize = 1024 * 1024;
/// A body larger than what the sockets between us hold.
const MANY: usize = 40 * 1024 * 1024;
const SHORT: Settings = Settings {
    head: Duration::from_millis(200),
    write: Duration::from_millis(200),
    idle: Duration::from_millis(200),
    h2c: false,
};
/// Longer than anything here takes; what waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether a request has begun, may end, and was dropped.
#[derive(Default)]
struct Flags {
    begun: Notify,
    release: Notify,
    dropped: Notify,
}

struct OnDrop(Arc<Flags>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.dropped.notify_one();
    }
}

/// A body without an end.
struct Endless {
    _held: OnDrop,
}

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        static PIECE: [u8; 16 * 1024] = [b'x'; 16 * 1024];
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&PIECE)))))
    }
}

/// A request path as small as one can be: the door, the body, and a few paths that misbehave.
async fn toy(
    request: Request<Incoming>,
    peer: Peer,
    tasks: Tasks,
    flags: Arc<Flags>,
) -> Response<Body> {
    let door = door::check(&request, &BTreeSet::new(), peer.violation);
    let (parts, body) = request.into_parts();
    match door {
        Ok(door::Door::Open) => {}
        Ok(door::Door::Options) => {
            let mut response = Response::new(full(""));
            *response.status_mut() = StatusCode::NO_CONTENT;
            return response;
        }
        Err(error) => {
            discard(&parts.headers, body, &tasks);
            return respond::refusal(&error, "id");
        }
    }
    match parts.uri.path() {
        "/hang" => {
            let _on_drop = OnDrop(Arc::clone(&flags));
            flags.begun.notify_one();
            pending().await
        }
        "/wait" => {
            flags.begun.notify_one();
            flags.release.notified().await;
            Response::new(full("waited"))
        }
        "/endless" => {
            let body = Endless {
                _held: OnDrop(flags),
            };
            Response::new(body.map_err(|never| match never {}).boxed_unsync())
        }
        "/panic" => panic!("as asked"),
        "/unread" => {
            discard(&parts.headers, body, &tasks);
            respond::refusal(&GatewayError::InvalidToken, "id")
        }
        path => match read(&parts.headers, body, LIMIT, &tasks).await {
            Ok(bytes) => Response::new(full(format!("{path} {}", bytes.len()))),
            Err(ReadError::Refused(error)) => respond::refusal(&error, "id"),
            Err(ReadError::Gone) => Response::new(full("")),
        },
    }
}

struct Server {
    addr: SocketAddr,
    phase: watch::Sender<Phase>,
    tasks: Tasks,
    flags: Arc<Flags>,
}

impl Server {
    async fn start(settings: Settings) -> Self {
        let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (phase, listening) = watch::channel(Phase::Serving);
        let tasks = Tasks::default();
        let flags = Arc::<Flags>::default();
        let service = {
            let (tasks, flags) = (tasks.clone(), Arc::clone(&flags));
            move |request, peer| toy(request, peer, tasks.clone(), Arc::clone(&flags))
        };
        tasks.spawn(serve(listener, settings, tasks.clone(), listening, service));
        Self {
            addr,
            phase,
            tasks,
            flags,
        }
    }

    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.addr).await.unwrap())
    }

    /// Everything that comes back until the server closes.
    async fn talk(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.rest().await
    }
}

struct Client(TcpStream);

impl Client {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A server that has closed is seen by what it said before.
        let _ = self.0.write_all(bytes.as_ref()).await;
    }

    async fn rest(&mut self) -> String {
        let mut seen = Vec::new();
        let _ = soon(self.0.read_to_end(&mut seen)).await;
        String::from_utf8_lossy(&seen).into_owned()
    }

    async fn until(&mut self, end: &str) -> String {
        let mut seen = String::new();
        let mut buffer = [0; 4096];
        while !seen.ends_with(end) {
            let read = soon(self.0.read(&mut buffer)).await.unwrap();
            assert_ne!(read, 0, "closed after {seen:?}");
            seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
        seen
    }
}

async fn soon<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("it never came")
}

fn statuses(text: &str) -> Vec<u16> {
    text.split("HTTP/1.")
        .skip(1)
        .map(|head| head[2..5].parse().unwrap())
        .collect()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn post(fields: &str, body: &str) -> String {
    format!("POST /echo HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n{body}")
}

/// Sends each payload with one more request behind it, and expects these statuses; a payload
/// after which the connection is closed has no 200 at the end.
async fn expect(server: &Server, rows: &[(String, &[u16])]) {
    for (payload, expected) in rows {
        let text = server.talk(format!("{payload}{LAST}")).await;
        let shown: String = payload.chars().take(200).collect();
        assert_eq!(statuses(&text), *expected, "{shown:?} got {text:?}");
        let last_answered = text.contains("/last");
        assert_eq!(
            last_answered,
            expected.last() == Some(&200) && expected.len() > 1,
            "{shown:?}"
        );
    }
}

#[tokio::test]
async fn what_is_well_formed_is_served_in_order() {
    let server = Server::start(Settings::default()).await;
    let echo = post("Content-Length: 3\r\n", "abc");
    expect(
        &server,
        &[
            (get("/"), &[200, 200]),
            (format!("\r\n{}", get("/")), &[200, 200]),
            (get("/").replace("\r\n", "\n"), &[200, 200]),
            (echo.clone(), &[200, 200]),
            (echo.repeat(3), &[200, 200, 200, 200]),
            (post("Content-Length: 0\r\n", ""), &[200, 200]),
            (get("/").replace("GET", "OPTIONS"), &[204, 200]),
            (get("*").replace("GET", "OPTIONS"), &[204, 200]),
            (get("/").replace("GET", "HEAD"), &[200, 200]),
            // No one upgrades, and what follows is a request like any other.
            (
                get("/").replace(
                    "\r\n\r\n",
                    "\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
                ),
                &[200, 200],
            ),
            (
                get("/").replace(
                    "\r\n\r\n",
                    "\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\n\r\n",
                ),
                &[200, 200],
            ),
            (
                "GET / HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n".into(),
                &[200, 200],
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_request_that_ends_its_connection_is_the_last_one_served() {
    let server = Server::start(Settings::default()).await;
    let chunked = |body| post("Transfer-Encoding: chunked\r\n", body);
    let both = "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n";
    expect(
        &server,
        &[
            (chunked("3\r\nabc\r\n0\r\n\r\n"), &[200]),
            (
                chunked("3\r\nabc\r\n0\r\nAuthorization: Bearer x\r\n\r\n"),
                &[200],
            ),
            ("GET / HTTP/1.0\r\nHost: localhost\r\n\r\n".into(), &[200]),
            // Framing that could be read in two ways.
            (post(both, "0\r\n\r\n"), &[400]),
            (get("/") + &post(both, "0\r\n\r\n"), &[200, 400]),
            (
                get("/").repeat(2) + &post(both, "0\r\n\r\n"),
                &[200, 200, 400],
            ),
            (
                post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"),
                &[400],
            ),
            (
                post("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"),
                &[400],
            ),
            (
                post("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n"),
                &[400],
            ),
            (post("Transfer-Encoding: chunked, identity\r\n", ""), &[400]),
            (post("Transfer-Encoding: xchunked\r\n", ""), &[400]),
            (post("Transfer-Encoding : chunked\r\n", ""), &[400]),
            (
                post(
                    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                    "0\r\n\r\n",
                ),
                &[400],
            ),
            (post("Content-Length: +3\r\n", "abc"), &[400]),
            (post("Content-Length: -1\r\n", ""), &[400]),
            (post("Content-Length: 1, 1\r\n", "a"), &[400]),
            (post("Content-Length: 18446744073709551616\r\n", ""), &[400]),
            (chunked("0x3\r\nabc\r\n0\r\n\r\n"), &[400]),
            (chunked("3\nabc\r\n0\r\n\r\n"), &[400]),
            (chunked("3\r\nabcd\r\n0\r\n\r\n"), &[400]),
            // Whom it is for.
            ("GET / HTTP/1.1\r\n\r\n".into(), &[400]),
            ("GET / HTTP/1.0\r\n\r\n".into(), &[400]),
            (
                get("/").replace("localhost", "localhost\r\nHost: localhost"),
                &[400],
            ),
            (
                get("/").replace("localhost", "localhost:4000/#@evil"),
                &[400],
            ),
            (get("/").replace("localhost", "evil"), &[421]),
            (get("http://evil/"), &[400]),
            (
                get("/").replace("\r\n\r\n", "\r\nOrigin: https://evil\r\n\r\n"),
                &[403],
            ),
            // What it wants.
            (get("/").replace("GET", "TRACE"), &[405]),
            (get("localhost:80").replace("GET", "CONNECT"), &[405]),
            (get("/").replace("GET", "BREW"), &[405]),
            (
                post("Content-Length: 3\r\n", "abc").replace("POST", "GET"),
                &[405],
            ),
            (
                post("Expect: 200-ok\r\nContent-Length: 3\r\n", "abc"),
                &[417],
            ),
            (post("Authorization: a\r\nAuthorization: b\r\n", ""), &[400]),
            (get("/panic"), &[500]),
            (get("/unread"), &[401]),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_is_no_request_gets_a_refusal_or_nothing() {
    let server = Server::start(Settings::default()).await;
    let long = "x".repeat(70_000);
    let many = "x: y\r\n".repeat(101);
    let client_hello = "\u{16}\u{3}\u{1}\0\u{5}\u{1}\0\0\u{1}\u{3}\u{3}";
    expect(
        &server,
        &[
            (post(&format!("x: {}\r\n", "y".repeat(1 << 20)), ""), &[431]),
            (post(&format!("x: {long}\r\n"), ""), &[431]),
            (post(&many, ""), &[431]),
            (get(&format!("/{long}")), &[431]),
            (client_hello.into(), &[400]),
            ("\u{5}\u{1}\0".into(), &[400]),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), &[]),
            ("GET /\r\n\r\n".into(), &[400]),
            ("GET / HTTP/2.0\r\nHost: localhost\r\n\r\n".into(), &[400]),
            (
                get("/").replace("1.1", "1.0\r\nTransfer-Encoding: chunked"),
                &[400],
            ),
            (post("x: y\r\n z\r\n", ""), &[400]),
            (post("x: a\0b\r\n", ""), &[400]),
            (post("x y: z\r\n", ""), &[400]),
            (get("/").replace("GET", "G(T"), &[400]),
        ],
    )
    .await;
}

#[tokio::test]
async fn an_error_says_which_request_it_was() {
    let server = Server::start(Settings::default()).await;
    let text = server.talk(get("/").replace("GET", "TRACE")).await;
    for part in [
        "x-request-id: id\r\n",
        "x-should-retry: false\r\n",
        "connection: close\r\n",
        "allow: GET, ",
        r#""code":"method_not_allowed""#,
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn a_slow_head_just_ends() {
    let server = Server::start(SHORT).await;
    for start in [
        "",
        "P",
        "GET / HT",
        "GET / HTTP/1.1\r\nHost: localhost\r\nx: ",
    ] {
        assert_eq!(server.talk(start).await, "", "{start:?}");
    }
    // A later head is timed as well, and so is the silence before it.
    for start in ["", "GET / HTTP/1.1\r\nHost: "] {
        let text = server.talk(get("/") + start).await;
        assert_eq!(statuses(&text), [200], "{start:?}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_loses_its_connection() {
    let server = Server::start(SHORT).await;
    let mut client = server.connect().await;
    client.send(get("/endless")).await;
    soon(server.flags.dropped.notified()).await;
}

#[tokio::test]
async fn a_client_that_leaves_or_half_closes_drops_its_request() {
    let server = Server::start(Settings::default()).await;
    for half in [true, false] {
        let mut client = server.connect().await;
        client.send(get("/hang")).await;
        soon(server.flags.begun.notified()).await;
        if half {
            client.0.shutdown().await.unwrap();
            soon(server.flags.dropped.notified()).await;
            assert_eq!(client.rest().await, "");
        } else {
            drop(client);
            soon(server.flags.dropped.notified()).await;
        }
    }
}

#[tokio::test]
async fn a_panic_ends_its_own_request_alone() {
    let server = Server::start(Settings::default()).await;
    let mut other = server.connect().await;
    other.send(get("/wait")).await;
    soon(server.flags.begun.notified()).await;
    let text = server.talk(get("/panic")).await;
    assert!(text.contains(r#""code":"internal""#), "{text}");
    server.flags.release.notify_one();
    other.until("waited").await;
}

#[tokio::test]
async fn a_client_that_is_still_sending_sees_why_it_is_refused() {
    let server = Server::start(Settings::default()).await;
    let body = vec![b'x'; MANY];
    for (path, status) in [("/echo", 413), ("/unread", 401)] {
        let mut client = server.connect().await;
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MANY}\r\n\r\n");
        client.send(head).await;
        soon(client.0.write_all(&body)).await.unwrap();
        assert_eq!(statuses(&client.rest().await), [status]);
    }
    let mut client = server.connect().await;
    client
        .send(post("Transfer-Encoding: chunked\r\n", "2800000\r\n"))
        .await;
    soon(client.0.write_all(&body)).await.unwrap();
    client.send("\r\n0\r\n\r\n").await;
    assert_eq!(statuses(&client.rest().await), [413]);
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_is_asked_only_for_what_is_wanted() {
    let server = Server::start(Settings::default()).await;
    for (path, length, status) in [("/echo", "999999999", 413), ("/unread", "3", 401)] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        );
        assert_eq!(statuses(&server.talk(head).await), [status], "{path}");
    }
    let mut client = server.connect().await;
    client
        .send(post(
            "Expect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n",
            "",
        ))
        .await;
    assert_eq!(statuses(&client.until("\r\n\r\n").await), [100]);
    client.send("abc").await;
    assert_eq!(statuses(&client.rest().await), [200]);
}

#[tokio::test]
async fn draining_ends_what_is_idle_and_finishes_what_runs() {
    let server = Server::start(Settings::default()).await;
    let mut idle = server.connect().await;
    idle.send(get("/")).await;
    idle.until("/ 0").await;
    let mut running = server.connect().await;
    running.send(get("/wait")).await;
    soon(server.flags.begun.notified()).await;

    server.phase.send_replace(Phase::Draining);
    assert_eq!(idle.rest().await, "");
    server.flags.release.notify_one();
    let text = running.rest().await;
    assert!(text.contains("connection: close\r\n"), "{text}");
    assert!(text.ends_with("waited"), "{text}");
    soon(server.tasks.idle()).await;
}

#[tokio::test]
async fn http2_is_spoken_when_asked_for_and_its_sniffing_is_timed() {
    let server = Server::start(Settings { h2c: true, ..SHORT }).await;
    expect(&server, &[(get("/"), &[200, 200])]).await;
    for start in ["", "P", "PRI * HTTP/2.0\r\n"] {
        assert_eq!(server.talk(start).await, "", "{start:?}");
    }
    let mut client = server.connect().await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    client.send([0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
    // GET http://localhost/ on stream 1, its fields by RFC 7541's static table.
    client
        .send([0, 0, 14, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84, 0x41, 9])
        .await;
    client.send("localhost").await;
    // A frame of HEADERS that begins with `:status: 200`, whatever comes before it.
    let mut head = [0; 9];
    loop {
        soon(client.0.read_exact(&mut head)).await.unwrap();
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        soon(client.0.read_exact(&mut payload)).await.unwrap();
        if head[3] == 1 {
            assert_eq!(payload[0], 0x88);
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn accepting_pauses_longer_each_time_it_fails() {
    let mut trouble = Trouble::default();
    let error = io::Error::from_raw_os_error(24);
    let pauses: Vec<_> = (0..6).map(|_| trouble.pause(&error).as_millis()).collect();
    assert_eq!(pauses, [50, 100, 200, 400, 500, 500]);
    trouble.over();
    assert_eq!(trouble.pause(&error).as_millis(), 50);
}

/// How many requests hyper makes of these bytes, and whether it takes them all.
async fn hyper_sees(bytes: &[u8]) -> (u64, bool) {
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    theirs.write_all(bytes).await.unwrap();
    theirs.shutdown().await.unwrap();
    let requests = AtomicU64::new(0);
    let service = service_fn(async |request: Request<Incoming>| {
        requests.fetch_add(1, Ordering::Relaxed);
        let mut body = request.into_body();
        while let Some(frame) = body.frame().await {
            frame?;
        }
        Ok::<_, hyper::Error>(Response::new(full("")))
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .half_close(true)
        .serve_connection(TokioIo::new(ours), service)
        .await;
    (requests.into_inner(), served.is_ok())
}

/// Up to four requests that are more or less well-formed.
fn some_requests(rng: &mut fastrand::Rng) -> String {
    const LINES: &[&str] = &[
        "GET / HTTP/1.1\r\n",
        "POST / HTTP/1.1\n",
        "\r\nPUT / HTTP/1.1\r\n",
    ];
    const FIELDS: &[&str] = &[
        "",
        "Host: localhost\r\n",
        "Content-Length: 3\r\n",
        "content-length:\t17 \n",
        "Content-Length: 03\r\n",
        "Content-Length: 0\r\n",
        "X-Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Expect: 100-continue\r\n",
        "Upgrade: h2c\r\n",
        "X:\r\n",
    ];
    const BODIES: &[&str] = &[
        "",
        "",
        "abc",
        "Host: localhost\r\n",
        "3\r\nabc\r\n0\r\n\r\n",
    ];
    const NOISE: &[&str] = &["\r", "\n", " ", ":", "\r\n\r\n", "Content-Length:\r\n"];
    let mut text = String::new();
    for _ in 0..rng.usize(1..=4) {
        text += rng.choice(LINES).unwrap();
        for _ in 0..rng.usize(0..3) {
            text += rng.choice(FIELDS).unwrap();
        }
        text += rng.choice(&["\r\n", "\n"]).unwrap();
        text += rng.choice(BODIES).unwrap();
        if rng.u8(..8) == 0 {
            text += rng.choice(NOISE).unwrap();
        }
    }
    text
}

#[tokio::test]
async fn the_scanner_finds_the_heads_that_hyper_finds() {
    let mut rng = fastrand::Rng::with_seed(9112);
    let mut several = 0;
    for _ in 0..5_000 {
        let text = some_requests(&mut rng);
        let (requests, took_all) = hyper_sees(text.as_bytes()).await;
        let mut scanner = scan::Scanner::new();
        let (least, most) = match scanner.feed(text.as_bytes()) {
            None => (scanner.heads(), scanner.heads()),
            Some(ending) => (ending.head, u64::MAX),
        };
        assert!(requests <= most, "{text:?}: {requests} and {scanner:?}");
        if took_all {
            assert!(
                scanner.is_between_requests() || most > least,
                "{text:?}: {scanner:?}"
            );
            assert!(requests >= least, "{text:?}: {requests} and {scanner:?}");
            several += u32::from(least == most && least > 1);
        }
    }
    assert!(several > 100, "only {several} cases said anything");
}
