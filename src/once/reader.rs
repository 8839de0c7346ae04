//! An answer that several get, and the body of one of them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;

use super::call::Place;
use super::tape::Tape;
use crate::body::{self, BoxError};
use crate::record::{End, Ended, Recorder};

/// An answer as it went out to the first: all of its head, and its body from the beginning.
#[derive(Clone)]
pub(super) struct Shared(Arc<Answer>);

struct Answer {
    head: Head,
    tape: Tape,
}

/// The head of an answer.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
}

/// The body of one reader. Dropped before its end, it is a caller that has left.
pub struct Reader {
    shared: Shared,
    number: u64,
    /// How many bytes it has had.
    had: u64,
    /// Its place at the call; absent when that is over, and with a replay.
    place: Option<Place>,
    /// Of a request that joined: the first one's is the call's own, and finished there.
    recorder: Option<Box<Recorder>>,
}

impl Shared {
    pub(super) fn new(head: Head, tape: Tape) -> Self {
        Self(Arc::new(Answer { head, tape }))
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.tape.is_over()
    }

    pub(super) fn leave(&self, number: u64) {
        self.0.tape.leave(number);
    }

    /// What it takes of the memory.
    pub(super) fn size(&self) -> usize {
        const HEAD: usize = 1024;
        self.0.tape.size() + HEAD
    }

    /// One more will read it, from the beginning: false when that is no longer to be had.
    pub(super) fn enter(&self, number: u64) -> bool {
        self.0.tape.enter(number)
    }

    /// One more reader of an answer that is kept.
    pub(super) fn replayed(self, number: u64) -> Reader {
        self.enter(number);
        Reader::new(self, None, number)
    }
}

impl Reader {
    /// For one that has entered.
    pub(super) fn new(shared: Shared, place: Option<Place>, number: u64) -> Self {
        Self {
            shared,
            number,
            had: 0,
            place,
            recorder: None,
        }
    }

    /// The answer with this body. `recorder` is the record of a request that joined, which ends with
    /// the body.
    pub fn into_response(mut self, recorder: Option<Recorder>) -> Response<body::Body> {
        let mut response = Response::new(());
        let head = &self.shared.0.head;
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers.clone();
        self.recorder = recorder.map(Box::new);
        if self.is_end_stream() {
            // It will not be polled.
            self.finish();
        }
        response.map(|()| self.boxed_unsync())
    }

    /// It has had all of it.
    fn finish(&mut self) {
        let status = self.shared.0.head.status;
        let Some(place) = self.place.take() else {
            if let Some(recorder) = self.recorder.take() {
                // Only what was answered is kept.
                recorder.finish(End::Answered(status));
            }
            return;
        };
        place.call.over();
        if let Some(recorder) = self.recorder.take() {
            recorder.finish(place.call.ending.ended().map_or(End::Cancelled, Ended::end));
        }
        place.served();
    }
}

impl Body for Reader {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let chunk = ready!(self.shared.0.tape.poll_next(self.number, cx));
        if let Some(chunk) = &chunk {
            self.had += chunk.len() as u64;
        }
        if chunk.is_none() || self.is_end_stream() {
            self.finish();
        }
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.shared.0.tape.is_read(self.number)
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.shared.0.tape.length;
        length.map_or_else(SizeHint::default, |length| {
            SizeHint::with_exact(length.saturating_sub(self.had))
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.place.is_none() {
            self.shared.leave(self.number);
        }
    }
}
