//! The listener over real sockets, spoken to in raw bytes.

mod agreement;
mod life;
mod requests;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::StatusCode;
use http_body::Frame;
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::*;
use crate::body::{ReadError, discard, full, read};
use crate::chat::Surface;
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
    if peer.crowded {
        discard(&parts.headers, body, &tasks);
        return respond::refusal(Surface::Chat, &GatewayError::Overloaded, "id");
    }
    match door {
        Ok(door::Door::Open) => {}
        Ok(door::Door::Options) => {
            let mut response = Response::new(full(""));
            *response.status_mut() = StatusCode::NO_CONTENT;
            return response;
        }
        Err(error) => {
            discard(&parts.headers, body, &tasks);
            return respond::refusal(Surface::Chat, &error, "id");
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
            respond::refusal(Surface::Chat, &GatewayError::InvalidToken, "id")
        }
        path => match read(&parts.headers, body, LIMIT, &tasks).await {
            Ok(bytes) => Response::new(full(format!("{path} {}", bytes.len()))),
            Err(ReadError::Refused(error)) => respond::refusal(Surface::Chat, &error, "id"),
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
    fn start(settings: Settings) -> Self {
        Self::crowded(settings, 1024)
    }

    /// With room for so many connections.
    fn crowded(settings: Settings, most: usize) -> Self {
        Self::of(settings, Connections::at_most(most))
    }

    fn of(settings: Settings, connections: Connections) -> Self {
        let listener = bind(([127, 0, 0, 1], 0).into()).unwrap();
        let addr = listener.local_addr().unwrap();
        let (phase, listening) = watch::channel(Phase::Serving);
        let tasks = Tasks::default();
        let flags = Arc::<Flags>::default();
        let service = {
            let (tasks, flags) = (tasks.clone(), Arc::clone(&flags));
            move |request, peer| toy(request, peer, tasks.clone(), Arc::clone(&flags))
        };
        let serving = serve(
            listener,
            settings,
            connections,
            tasks.clone(),
            listening,
            service,
        );
        tasks.spawn(serving);
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

#[tokio::test(start_paused = true)]
async fn accepting_pauses_longer_each_time_it_fails() {
    let mut trouble = Trouble::default();
    let error = io::Error::from_raw_os_error(24);
    let pauses: Vec<_> = (0..6).map(|_| trouble.pause(&error).as_millis()).collect();
    assert_eq!(pauses, [50, 100, 200, 400, 500, 500]);
    trouble.over();
    assert_eq!(trouble.pause(&error).as_millis(), 50);
}
