//! One connection: a guarded socket, hyper, and the service.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::sleep;

use super::crowd::{self, Busy, Open};
use super::guard::Guard;
use super::paced::Paced;
use super::scan::Why;
use super::seen::Seen;
use super::{Peer, Phase, Settings, drained, over, respond};
use crate::body::Body;
use crate::chat::Surface;
use crate::error::GatewayError;
use crate::tasks::Tasks;

/// The largest head: many times what any SDK sends.
const HEAD: usize = 64 * 1024;
/// The most of a body that is read, or of an answer that is held, at once. A body that is read in one
/// piece is never copied. It grows to this only for a connection that fills it.
const BUFFER: usize = 256 * 1024;
/// The most of an answer that is held for one stream of HTTP/2.
const HELD: usize = 64 * 1024;
/// A silent HTTP/2 client is asked this often, and given as long to answer.
const PING: Duration = Duration::from_secs(20);

/// What is spoken, set up once per listener.
#[derive(Clone)]
pub(super) enum Protocol {
    Http1(http1::Builder),
    Http1Or2(auto::Builder<Spawner>),
}

impl Protocol {
    pub(super) fn new(settings: Settings, tasks: &Tasks) -> Self {
        if !settings.h2c {
            let mut http1 = http1::Builder::new();
            http1
                .timer(TokioTimer::new())
                .header_read_timeout(settings.idle)
                .max_buf_size(BUFFER)
                .max_header_size(HEAD)
                .half_close(false);
            return Self::Http1(http1);
        }
        let mut both = auto::Builder::new(Spawner(tasks.clone()));
        both.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(settings.idle)
            // It has no limit for the head alone.
            .max_buf_size(HEAD)
            .half_close(false);
        both.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(100)
            .max_header_list_size(32 * 1024)
            .max_send_buf_size(HELD)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING);
        Self::Http1Or2(both)
    }
}

/// Runs the streams of HTTP/2, which are tasks of their own.
#[derive(Clone)]
pub(super) struct Spawner(Tasks);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawner {
    fn execute(&self, stream: F) {
        self.0.spawn(stream);
    }
}

/// Serves one connection to its end.
pub(super) async fn run<IO, S, F>(
    stream: IO,
    addr: SocketAddr,
    open: Arc<Open>,
    mut settings: Settings,
    protocol: Protocol,
    phase: watch::Receiver<Phase>,
    service: S,
) where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Fn(Request<Incoming>, Peer) -> F + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let crowded = open.crowded;
    if crowded {
        settings.head = settings.head.min(crowd::SHORT);
        settings.write = settings.write.min(crowd::SHORT);
    }
    let longest = crowded.then_some(crowd::LONGEST);
    let given_up = async {
        tokio::select! {
            () = passed(longest) => {}
            () = open.given_way() => {}
        }
    };
    let seen = Arc::new(Seen::default());
    let guard = Guard::new(stream, Arc::clone(&seen), settings.head, settings.write);
    let io = TokioIo::new(guard);
    let working = Arc::clone(&open);
    let service = service_fn(move |request: Request<Incoming>| {
        let version = request.version();
        let last = seen.next_request().filter(|_| version < Version::HTTP_2);
        let violation = match last {
            Some(Why::Violation(violation)) => Some(violation),
            Some(Why::Chunked | Why::Foreign) | None => None,
        };
        answer(
            service(
                request,
                Peer {
                    addr,
                    violation,
                    crowded,
                },
            ),
            version,
            last.is_some() || crowded,
            Arc::clone(&seen),
            Busy::on(&working),
        )
    });
    match protocol {
        Protocol::Http1(http1) => {
            let connection = pin!(http1.serve_connection(io, service));
            until_drained(
                connection,
                http1::Connection::graceful_shutdown,
                phase,
                given_up,
            )
            .await;
        }
        Protocol::Http1Or2(both) => {
            // Larger, and rare: an idle connection is not to cost its size.
            let mut connection = Box::pin(both.serve_connection(io, service));
            until_drained(
                connection.as_mut(),
                auto::Connection::graceful_shutdown,
                phase,
                given_up,
            )
            .await;
        }
    }
}

/// Polls a connection to its end, and tells it to `close` once the listener drains: at once when
/// it is idle, else after the request that runs. Drops it when all is over, and when it is `given_up`.
async fn until_drained<C, E>(
    mut connection: Pin<&mut C>,
    close: impl FnOnce(Pin<&mut C>),
    mut phase: watch::Receiver<Phase>,
    given_up: impl Future<Output = ()>,
) where
    C: Future<Output = Result<(), E>>,
    E: fmt::Display,
{
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = given_up => return,
        () = drained(&mut phase) => {
            close(connection.as_mut());
            tokio::select! {
                biased;
                ended = connection.as_mut() => ended,
                () = over(&mut phase) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

/// Returns after `span`, where there is one. Cancel-safe.
async fn passed(span: Option<Duration>) {
    match span {
        Some(span) => sleep(span).await,
        None => pending().await,
    }
}

/// The answer to one request, made fit for its connection.
async fn answer(
    service: impl Future<Output = Response<Body>>,
    version: Version,
    last: bool,
    seen: Arc<Seen>,
    busy: Option<Busy>,
) -> Result<Response<Paced>, Infallible> {
    let mut response = caught(service).await.unwrap_or_else(|Panicked| {
        tracing::error!("a request panicked");
        respond::refusal(Surface::Passthrough, &GatewayError::Internal, "")
    });
    let headers = response.headers_mut();
    if version >= Version::HTTP_2 {
        headers.remove(CONNECTION);
    } else if last {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let seen = (version < Version::HTTP_2).then_some(seen);
    Ok(response.map(|body| Paced::new(body, seen, busy)))
}

struct Panicked;

/// Polls `future` to its end, or to its panic.
async fn caught<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        // A future that panicked is dropped, never polled again, so no one sees it half done.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(_payload) => Poll::Ready(Err(Panicked)),
        }
    })
    .await
}
