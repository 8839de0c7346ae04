//! The body of an answer, asked for no faster than its client takes it.
//!
//! hyper takes what a body has ready until its own buffer is full, and that is as large as what it
//! reads at once. For a client that does not read this would be the memory it costs.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::crowd::Busy;
use super::seen::Seen;
use crate::body::{Body, BoxError};

pub(super) struct Paced {
    body: Body,
    /// `None` where the protocol has a flow control of its own.
    seen: Option<Arc<Seen>>,
    /// Until the answer has been taken.
    _busy: Option<Busy>,
}

impl Paced {
    pub(super) fn new(body: Body, seen: Option<Arc<Seen>>, busy: Option<Busy>) -> Self {
        Self {
            body,
            seen,
            _busy: busy,
        }
    }
}

impl http_body::Body for Paced {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(seen) = &self.seen {
            ready!(seen.poll_room(cx));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let (Some(Ok(frame)), Some(seen)) = (&frame, &self.seen) {
            seen.took(frame.data_ref().map_or(0, Bytes::len));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
