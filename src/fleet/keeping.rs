//! The body of an answer that goes out and is written down for the fleet, if it comes to its end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::Response;
use http::response::Parts;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;

use super::claim::Lease;
use super::name::Answer;
use crate::body::{Body, BoxError};
use crate::record::{Ended, Ending};

/// The longest body that is.
const LONGEST: usize = 1 << 20;

impl Lease {
    /// The answer, as it was. How its call ended is known from `ending` by its last byte.
    pub fn over(self, response: Response<Body>, ending: Arc<Ending>) -> Response<Body> {
        if matches!(ending.ended(), Some(Ended::Failed(_))) {
            return response;
        }
        let (head, body) = response.into_parts();
        let Parts {
            status, headers, ..
        } = &head;
        let mut keeping = Keeping {
            source: body,
            ending,
            kept: Some(Kept {
                lease: self,
                answer: Answer {
                    status: *status,
                    headers: headers.clone(),
                    body: Bytes::new(),
                },
                body: BytesMut::new(),
            }),
        };
        if keeping.source.is_end_stream() {
            keeping.end();
        }
        Response::from_parts(head, keeping.boxed_unsync())
    }
}

struct Keeping {
    source: Body,
    ending: Arc<Ending>,
    /// Absent once it is over, or too long.
    kept: Option<Kept>,
}

struct Kept {
    lease: Lease,
    answer: Answer,
    body: BytesMut,
}

impl Keeping {
    fn add(&mut self, chunk: &[u8]) {
        let Some(kept) = &mut self.kept else {
            return;
        };
        if kept.body.len() + chunk.len() > LONGEST {
            self.kept = None;
        } else {
            kept.body.extend_from_slice(chunk);
        }
    }

    fn end(&mut self) {
        let Some(kept) = self.kept.take() else {
            return;
        };
        if let Some(Ended::Answered(_)) = self.ending.ended() {
            let body = kept.body.freeze();
            kept.lease.keep(&Answer {
                body,
                ..kept.answer
            });
        }
    }
}

impl http_body::Body for Keeping {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.source).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(chunk) = frame.data_ref() {
                    self.add(chunk);
                }
            }
            Some(Err(_)) => self.kept = None,
            None => self.end(),
        }
        if self.source.is_end_stream() {
            self.end();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.source.size_hint()
    }
}
