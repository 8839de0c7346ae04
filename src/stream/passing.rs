//! The body of an answer that passes through: bytes as they come, unjudged.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::shutting_down;
use crate::body::BoxError;
use crate::limit::Seat;
use crate::outcome::{Class, Failure};
use crate::record::{End, Recorder};
use crate::upstream::cut;

/// A provider that has begun to answer is given up when it is silent for so long.
const IDLE: Duration = Duration::from_mins(10);

/// A provider's body with the record of its request.
pub struct Passing {
    incoming: Incoming,
    status: StatusCode,
    /// Absent once the answer is over.
    running: Option<(Recorder, Seat)>,
    cut: CancellationToken,
    cutting: Pin<Box<WaitForCancellationFutureOwned>>,
    alarm: Pin<Box<Sleep>>,
}

impl Passing {
    /// `cut` is cancelled when the process is about to end.
    pub fn new(
        incoming: Incoming,
        status: StatusCode,
        recorder: Recorder,
        seat: Seat,
        cut: CancellationToken,
    ) -> Self {
        let cutting = Box::pin(cut.clone().cancelled_owned());
        let mut passing = Self {
            incoming,
            status,
            running: Some((recorder, seat)),
            cut,
            cutting,
            alarm: Box::pin(sleep(IDLE)),
        };
        if passing.incoming.is_end_stream() {
            // It will not be polled.
            passing.finish(End::Answered(status));
        }
        passing
    }

    /// Why the provider is no longer waited for, once it is not.
    fn poll_given_up(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        if self.cutting.as_mut().poll(cx).is_ready() {
            return Poll::Ready(shutting_down());
        }
        ready!(self.alarm.as_mut().poll(cx));
        Poll::Ready(Failure::new(Class::Timeout, "the answer fell silent"))
    }

    fn finish(&mut self, end: End<'_>) {
        if let Some((recorder, _seat)) = self.running.take() {
            recorder.finish(end);
        }
    }

    fn give_up(&mut self, failure: Failure) -> BoxError {
        self.finish(End::Broken(self.status, &failure));
        failure.reason.into()
    }
}

impl Body for Passing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let status = self.status;
        loop {
            // Also while the provider is never silent, or the caller reads slower than it talks.
            if self.cut.is_cancelled() {
                return Poll::Ready(Some(Err(self.give_up(shutting_down()))));
            }
            let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
                let failure = ready!(self.poll_given_up(cx));
                return Poll::Ready(Some(Err(self.give_up(failure))));
            };
            self.alarm.as_mut().reset(Instant::now() + IDLE);
            match frame {
                // Trailers end here.
                Some(Ok(frame)) if frame.is_trailers() => {}
                Some(Ok(frame)) => {
                    if self.incoming.is_end_stream() {
                        self.finish(End::Answered(status));
                    }
                    return Poll::Ready(Some(Ok(frame)));
                }
                Some(Err(error)) => {
                    self.finish(End::Broken(status, &cut()));
                    return Poll::Ready(Some(Err(error.into())));
                }
                None => {
                    self.finish(End::Answered(status));
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // Else the caller hung up: the recorder says so by itself.
        if self.running.is_some() && self.cut.is_cancelled() {
            drop(self.give_up(shutting_down()));
        }
    }
}
