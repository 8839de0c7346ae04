//! A stream as it flows: pulled, decoded, and given up when it breaks, falls silent or takes too long.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::{Rest, Resume};
use crate::outcome::{Class, Failure};
use crate::record::Recorder;
use crate::stream::shutting_down;
use crate::upstream::{Running, STOOD_STILL, cut};

/// What is ready together leaves together, up to so much.
const BATCH: usize = 16 << 10;
/// What came together is decoded in such pieces, so that no more than a batch is decoded at once.
const PIECE: usize = 8 << 10;

pub(super) struct Flow {
    pub(super) incoming: Incoming,
    /// What came and has not been looked at.
    pub(super) unread: Bytes,
    pub(super) running: Running,
    pub(super) recorder: Recorder,
    pub(super) resume: Option<Resume>,
    /// When the caller last asked for more and got it.
    pub(super) given: Option<Instant>,
    /// How long it has let us wait.
    pub(super) held: Duration,
    pub(super) rest: Rest,
}

/// Why a stream goes no further.
pub(super) enum Gone {
    /// It broke off or fell silent.
    Broke(Failure),
    /// We ended it: no fault of the target.
    Ended(Failure),
}

impl From<Failure> for Gone {
    fn from(failure: Failure) -> Self {
        Self::Broke(failure)
    }
}

impl Flow {
    /// Pulls until there is enough to send, or the provider has no more ready. `Ready` says how it stands:
    /// whether the answer is whole, or that it broke.
    pub(super) fn poll_pull(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        // A provider that is never silent, or a caller that reads slower than it talks, would
        // outrun the alarm.
        if self.rest.cut.is_cancelled() {
            return Poll::Ready(Err(Gone::Ended(shutting_down())));
        }
        let now = Instant::now();
        if let Some(given) = self.given.replace(now) {
            self.held += now.saturating_duration_since(given);
        }
        if now >= self.rest.end {
            return Poll::Ready(Err(Gone::Ended(too_long())));
        }
        loop {
            if self.rest.decoder.done() || self.rest.decoder.ready() >= BATCH {
                return Poll::Ready(Ok(()));
            }
            if !self.unread.is_empty() {
                let piece = self.unread.split_to(self.unread.len().min(PIECE));
                self.rest.decoder.feed(&piece)?;
                continue;
            }
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.rest.silent_since = None;
                    if let Ok(chunk) = frame.into_data() {
                        self.unread = chunk;
                    }
                }
                Poll::Ready(Some(Err(_))) => {
                    return Poll::Ready(self.rest.decoder.cut().map_err(|_| cut().into()));
                }
                Poll::Ready(None) => {
                    return Poll::Ready(self.rest.decoder.end().map_err(Gone::Broke));
                }
                Poll::Pending if self.rest.decoder.ready() > 0 => return Poll::Ready(Ok(())),
                Poll::Pending => return self.poll_silence(cx),
            }
        }
    }

    /// The provider is silent. The alarm is set anew only when it rings, not at every event.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        if self.rest.cutting.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(Gone::Ended(shutting_down())));
        }
        let since = *self.rest.silent_since.get_or_insert_with(Instant::now);
        let mut limit = self.rest.end.min(since + self.rest.idle);
        loop {
            ready!(self.rest.alarm.as_mut().poll(cx));
            let now = Instant::now();
            if limit < self.rest.end && now > limit + STOOD_STILL {
                self.rest.silent_since = Some(now);
                limit = self.rest.end.min(now + self.rest.idle);
            }
            if now < limit {
                self.rest.alarm.as_mut().reset(limit);
                continue;
            }
            let gone = if limit == self.rest.end {
                Gone::Ended(too_long())
            } else {
                Failure::new(Class::Timeout, "the stream fell silent").into()
            };
            // With every finish in, only the end is missing.
            return Poll::Ready(self.rest.decoder.cut().map_err(|_| gone));
        }
    }
}

fn too_long() -> Failure {
    Failure::new(Class::Timeout, "the stream took too long")
}
