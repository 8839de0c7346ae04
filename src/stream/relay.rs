//! A decoded stream behind its commit point.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::body::BoxError;
use crate::chat::Surface;
use crate::dialect::Decoder;
use crate::limit::Seat;
use crate::listen::respond;
use crate::outcome::{Class, Failure};
use crate::record::{End, Recorder};
use crate::tasks::Tasks;
use crate::upstream::{Running, Streaming, cut};

/// What is ready together leaves together, up to so much.
const BATCH: usize = 16 << 10;
/// What came together is decoded in such pieces, so that no more than a batch is decoded at once.
const PIECE: usize = 8 << 10;
/// After `[DONE]` the provider has little more to say; hearing it out keeps its connection.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// When a stream is given up, behind its commit point.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Without an event for so long.
    pub idle: Duration,
    /// Then, whatever comes.
    pub end: Instant,
    /// The process is about to end.
    pub cut: CancellationToken,
    /// In whose words a break is told.
    pub surface: Surface,
}

/// The body of a streamed answer.
pub struct Relay {
    /// Absent once the answer is over.
    flow: Option<Flow>,
    tasks: Tasks,
}

struct Flow {
    incoming: Incoming,
    /// Has come, and is not decoded yet.
    rest: Bytes,
    decoder: Decoder,
    running: Running,
    recorder: Recorder,
    /// Given back when the answer is over.
    _seat: Seat,
    idle: Duration,
    end: Instant,
    /// Since when the provider has been silent, as far as we have asked.
    silent_since: Option<Instant>,
    alarm: Pin<Box<Sleep>>,
    surface: Surface,
    cut: CancellationToken,
    cutting: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Relay {
    /// The relay of a stream at its commit point; `running` is the attempt that it comes from.
    pub fn new(
        streaming: Streaming,
        running: Running,
        recorder: Recorder,
        seat: Seat,
        limits: Limits,
        tasks: Tasks,
    ) -> Self {
        let Streaming {
            decoder, incoming, ..
        } = streaming;
        let flow = Flow {
            incoming,
            rest: Bytes::new(),
            decoder,
            running,
            recorder,
            _seat: seat,
            surface: limits.surface,
            idle: limits.idle,
            end: limits.end,
            silent_since: None,
            alarm: Box::pin(sleep_until(limits.end.min(Instant::now() + limits.idle))),
            cutting: Box::pin(limits.cut.clone().cancelled_owned()),
            cut: limits.cut,
        };
        Self {
            flow: Some(flow),
            tasks,
        }
    }

    fn done(&mut self) {
        let Some(Flow {
            mut incoming,
            mut recorder,
            running,
            decoder,
            ..
        }) = self.flow.take()
        else {
            return;
        };
        recorder.usage(decoder.usage());
        running.answered(decoder.usage());
        recorder.finish(End::Answered(StatusCode::OK));
        if !incoming.is_end_stream() {
            // The connection can serve the next request only once its body has been read.
            self.tasks.spawn(async move {
                let rest = async { while let Some(Ok(_)) = incoming.frame().await {} };
                // Whoever goes on talking after the end loses the connection instead.
                let _ = timeout(LAST_WORDS, rest).await;
            });
        }
    }

    /// Tells the caller in-band, since the head has long gone out.
    fn broken(&mut self, failure: &Failure, message: &str, out: &mut Vec<u8>) {
        let Some(Flow {
            mut recorder,
            running,
            decoder,
            surface,
            ..
        }) = self.flow.take()
        else {
            return;
        };
        out.extend_from_slice(&respond::broken(
            surface,
            message,
            decoder.sequence(),
            recorder.id(),
        ));
        recorder.usage(decoder.usage());
        running.broke(failure);
        recorder.finish(End::Broken(StatusCode::OK, failure));
    }
}

impl Flow {
    /// Pulls until there is enough to send, or the provider has no more ready. `Ready` says how it stands:
    /// whether the answer is whole, or that it broke.
    fn poll_pull(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        // A provider that is never silent, or a caller that reads slower than it talks, would
        // outrun the alarm.
        if self.cut.is_cancelled() {
            return Poll::Ready(Err(shutting_down()));
        }
        if Instant::now() >= self.end {
            return Poll::Ready(Err(too_long()));
        }
        loop {
            if self.decoder.done() || self.decoder.ready() >= BATCH {
                return Poll::Ready(Ok(()));
            }
            if !self.rest.is_empty() {
                let piece = self.rest.split_to(self.rest.len().min(PIECE));
                self.decoder.feed(&piece)?;
                continue;
            }
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.silent_since = None;
                    if let Ok(chunk) = frame.into_data() {
                        self.rest = chunk;
                    }
                }
                Poll::Ready(Some(Err(_))) => {
                    return Poll::Ready(self.decoder.cut().map_err(|_| cut()));
                }
                Poll::Ready(None) => return Poll::Ready(self.decoder.end()),
                Poll::Pending if self.decoder.ready() > 0 => return Poll::Ready(Ok(())),
                Poll::Pending => return self.poll_silence(cx),
            }
        }
    }

    /// The provider is silent. The alarm is set anew only when it rings, not at every event.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        if self.cutting.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(shutting_down()));
        }
        let since = *self.silent_since.get_or_insert_with(Instant::now);
        let limit = self.end.min(since + self.idle);
        loop {
            ready!(self.alarm.as_mut().poll(cx));
            if Instant::now() < limit {
                self.alarm.as_mut().reset(limit);
                continue;
            }
            let gone = if limit == self.end {
                too_long()
            } else {
                Failure::new(Class::Timeout, "the stream fell silent")
            };
            // With every finish in, only the end is missing.
            return Poll::Ready(self.decoder.cut().map_err(|_| gone));
        }
    }
}

fn shutting_down() -> Failure {
    Failure::new(Class::Cancelled, "the sidecar is shutting down")
}

fn too_long() -> Failure {
    Failure::new(Class::Timeout, "the stream took too long")
}

impl Body for Relay {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(flow) = &mut self.flow else {
            return Poll::Ready(None);
        };
        let pulled = ready!(flow.poll_pull(cx));
        let mut out = flow.decoder.output();
        match pulled {
            Ok(()) if flow.decoder.done() => self.done(),
            Ok(()) => {}
            Err(failure) => {
                let message = match failure.class {
                    Class::Cancelled => "Pillion is shutting down; the answer is incomplete.",
                    _ => "The provider's stream broke off; the answer is incomplete.",
                };
                self.broken(&failure, message, &mut out);
            }
        }
        Poll::Ready(Some(Ok(Frame::data(out.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.flow.is_none()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let Some(mut flow) = self.flow.take() else {
            return;
        };
        flow.recorder.usage(flow.decoder.usage());
        if flow.cut.is_cancelled() {
            // A caller that did not read to the very end cannot be told, but it had not left.
            let end = End::Broken(StatusCode::OK, &shutting_down());
            flow.recorder.finish(end);
        }
        // Else the caller hung up: the recorder says so by itself.
    }
}
