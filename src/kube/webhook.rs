//! The webhook: one request of the API server in, one answer out. It waits for nothing but the request's
//! own body, and for room to read it.

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::PodToken;
use super::admission::{self, Answer, Outcome};
use super::settings::Settings;
use crate::body::{self, Body, ReadError};
use crate::tasks::Tasks;

/// Makes a token that no pod has had.
pub type Mint = fn() -> io::Result<PodToken>;

const TEXT: &str = "text/plain; charset=utf-8";

/// A review of a pod as there are many, in bytes.
const ORDINARY: usize = 64 << 10;
/// An API server has all of a review before it asks, and waits for five seconds or so.
const LONGEST_READ: Duration = Duration::from_secs(2);

/// What reviews may take of memory at once. Those that find no room wait; ordinary ones do not wait for large ones.
pub struct Room {
    ordinary: Semaphore,
    large: Semaphore,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            ordinary: Semaphore::new(64),
            large: Semaphore::new(2),
        }
    }
}

impl Room {
    /// For a body that may be so large. `None` never comes to be: nobody closes it.
    async fn take(&self, most: usize) -> Option<SemaphorePermit<'_>> {
        let kind = if most > ORDINARY {
            &self.large
        } else {
            &self.ordinary
        };
        kind.acquire().await.ok()
    }
}

/// `ready` is what `/readyz` tells: false from the moment that the process is told to end.
pub async fn respond<B>(
    request: Request<B>,
    settings: &Settings,
    mint: Mint,
    ready: bool,
    room: &Room,
    tasks: &Tasks,
) -> Response<Body>
where
    B: http_body::Body<Data = Bytes, Error: Error + 'static> + Send + Unpin + 'static,
{
    let (head, sent) = request.into_parts();
    let allowed = match head.uri.path() {
        "/inject" => "POST",
        "/livez" | "/healthz" | "/readyz" => "GET, HEAD",
        _ => {
            body::discard(&head.headers, sent, tasks);
            return last(text(StatusCode::NOT_FOUND, "not found\n"));
        }
    };
    if !allowed.split(", ").any(|method| head.method == method) {
        body::discard(&head.headers, sent, tasks);
        let mut refusal = last(text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n"));
        let allowed = HeaderValue::from_static(allowed);
        refusal.headers_mut().insert(ALLOW, allowed);
        return refusal;
    }
    if head.method != Method::POST {
        return match head.uri.path() {
            "/readyz" if !ready => text(StatusCode::SERVICE_UNAVAILABLE, "ending\n"),
            _ => text(StatusCode::OK, "ok\n"),
        };
    }
    // One that does not say how large it is may be as large as any.
    let most = sent.size_hint().upper().unwrap_or(u64::MAX);
    let read = async {
        // Who waits for others that are slow is no better off than they are.
        let room = room.take(usize::try_from(most).unwrap_or(usize::MAX)).await;
        let body = body::read(&head.headers, sent, admission::MOST, tasks).await;
        body.map(|body| (body, room))
    };
    let (body, _room) = match timeout(LONGEST_READ, read).await {
        Ok(Ok(read)) => read,
        Ok(Err(ReadError::Refused(error))) => {
            let (status, ..) = error.wire();
            return last(text(status, format!("{error}\n")));
        }
        Err(_) => return last(text(StatusCode::REQUEST_TIMEOUT, "too slow\n")),
        // Nobody is left to be told.
        Ok(Err(ReadError::Gone)) => return last(text(StatusCode::BAD_REQUEST, "no body\n")),
    };
    review(&body, settings, mint)
}

fn review(body: &[u8], settings: &Settings, mint: Mint) -> Response<Body> {
    let token = match mint() {
        Ok(token) => token,
        Err(error) => {
            tracing::error!(%error, "no token can be made for a pod");
            return text(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n");
        }
    };
    match admission::answer(body, settings, &token) {
        Ok(answer) => {
            tell(&answer);
            let mut response = text(StatusCode::OK, answer.review.to_string());
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            response
        }
        Err(why) => {
            tracing::warn!("a request was none of an API server: {why}");
            text(StatusCode::BAD_REQUEST, format!("{why}\n"))
        }
    }
}

fn tell(answer: &Answer) {
    let Answer {
        namespace,
        pod,
        outcome,
        ..
    } = answer;
    match outcome {
        Outcome::Injected => tracing::info!(%namespace, %pod, "injected"),
        Outcome::Left(why) => tracing::info!(%namespace, %pod, "left as it is: {why}"),
        Outcome::Refused(why) => tracing::warn!(%namespace, %pod, "refused: {why}"),
    }
}

fn text(status: StatusCode, content: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(body::full(content));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(TEXT);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// The connection closes, as the rest of the request is not waited for.
fn last(mut response: Response<Body>) -> Response<Body> {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}
