//! What the socket is to do for one request: an answer in time, or one of the ways to give none.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http_body::Frame;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::time::{Instant, Sleep, sleep_until};

use super::refusal::Refusal;
use crate::body::{Body, BoxError, full};

/// What one request gets.
pub(super) enum Reply {
    /// A response whose head is sent after `wait`.
    Answer {
        wait: Duration,
        response: Response<Body>,
    },
    /// Nothing, for as long as the client stays.
    Silence,
    HangUp(HangUp),
}

/// How a connection ends without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HangUp {
    /// As a server that closes: FIN.
    Close,
    /// As one that died: RST.
    Reset,
}

impl Reply {
    pub(super) fn json(wait: Duration, value: &Value) -> Self {
        let mut response = Response::new(full(value.to_string()));
        set_type(&mut response, "application/json");
        Self::Answer { wait, response }
    }

    /// JSON that ends half way, with nothing else that would tell.
    pub(super) fn half_json(wait: Duration, value: &Value) -> Self {
        let text = value.to_string();
        let mut response = Response::new(full(first_half(&text)));
        set_type(&mut response, "application/json");
        Self::Answer { wait, response }
    }

    /// JSON of which half arrives before the connection is gone.
    pub(super) fn cut_json(wait: Duration, value: &Value) -> Self {
        let text = value.to_string();
        let mut timeline = Timeline::default();
        timeline.bytes(first_half(&text));
        timeline.cut();
        let mut response = Response::new(timeline.body());
        set_type(&mut response, "application/json");
        response
            .headers_mut()
            .insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
        Self::Answer { wait, response }
    }

    /// The head of an answer, a byte that means nothing yet, and the connection is gone.
    pub(super) fn cut_head() -> Self {
        let mut timeline = Timeline::default();
        timeline.bytes(Bytes::from_static(b":"));
        timeline.cut();
        Self::events(timeline)
    }

    /// A stream of events. Its head leaves at once, as most servers do it.
    pub(super) fn events(timeline: Timeline) -> Self {
        let mut response = Response::new(timeline.body());
        set_type(&mut response, "text/event-stream; charset=utf-8");
        Self::Answer {
            wait: Duration::ZERO,
            response,
        }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let mut response = Response::new(full(refusal.body().to_string()));
        *response.status_mut() = refusal.status;
        set_type(&mut response, "application/json");
        if let Some(wait) = refusal.wait {
            let headers = response.headers_mut();
            // Whole seconds, rounded up: a client that trusts them must not come too early.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            headers.insert("retry-after-ms", HeaderValue::from(millis));
        }
        Self::Answer {
            wait: Duration::ZERO,
            response,
        }
    }
}

fn set_type(response: &mut Response<Body>, value: &'static str) {
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(value));
}

/// Half of `text`, cut between two characters.
pub(super) fn first_half(text: &str) -> Bytes {
    Bytes::copy_from_slice(&text.as_bytes()[..text.floor_char_boundary(text.len() / 2)])
}

/// A body under construction: pieces, each with the instant it is sent, counted from the head.
#[derive(Default)]
pub(super) struct Timeline {
    at: Duration,
    steps: Vec<Step>,
}

struct Step {
    at: Duration,
    piece: Piece,
}

enum Piece {
    Bytes(Bytes),
    Cut,
}

impl Timeline {
    /// All that follows comes `span` later.
    pub(super) fn wait(&mut self, span: Duration) {
        self.at += span;
    }

    pub(super) fn event(&mut self, data: &Value) {
        self.bytes(Bytes::from(format!("data: {data}\n\n")));
    }

    pub(super) fn bytes(&mut self, bytes: Bytes) {
        self.push(Piece::Bytes(bytes));
    }

    /// The connection is gone, without the end that its framing asks for.
    pub(super) fn cut(&mut self) {
        self.push(Piece::Cut);
    }

    fn push(&mut self, piece: Piece) {
        self.steps.push(Step { at: self.at, piece });
    }

    fn body(self) -> Body {
        Paced {
            start: None,
            sleep: None,
            next: None,
            rest: self.steps.into_iter(),
        }
        .boxed_unsync()
    }
}

/// The body that keeps to a [`Timeline`].
struct Paced {
    /// The first poll: the head has been written then.
    start: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    next: Option<Piece>,
    rest: std::vec::IntoIter<Step>,
}

impl http_body::Body for Paced {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.next.is_none() {
            let Some(step) = self.rest.next() else {
                return Poll::Ready(None);
            };
            let start = *self.start.get_or_insert_with(Instant::now);
            let mut at = start + step.at;
            if matches!(step.piece, Piece::Cut) {
                // hyper writes what it holds when a body is not ready, and drops it on an error.
                at = at.max(Instant::now() + Duration::from_millis(1));
            }
            self.sleep = (at > Instant::now()).then(|| Box::pin(sleep_until(at)));
            self.next = Some(step.piece);
        }
        if let Some(sleep) = &mut self.sleep {
            std::task::ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        Poll::Ready(self.next.take().map(|piece| match piece {
            Piece::Bytes(bytes) => Ok(Frame::data(bytes)),
            Piece::Cut => Err("the simulated connection is cut here".into()),
        }))
    }
}
