//! A decoded stream behind its commit point.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::body::BoxError;
use crate::chat::{Surface, Usage};
use crate::dialect::Decoder;
use crate::limit::Seat;
use crate::listen::respond;
use crate::outcome::{Class, Failure};
use crate::record::{End, Recorder};
use crate::snapshot::Target;
use crate::tasks::Tasks;
use crate::upstream::{Running, Streaming, cut};

/// What is ready together leaves together, up to so much.
const BATCH: usize = 16 << 10;
/// What came together is decoded in such pieces, so that no more than a batch is decoded at once.
const PIECE: usize = 8 << 10;
/// After `[DONE]` the provider has little more to say; hearing it out keeps its connection.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Asks another target to go on, and keeps the record meanwhile.
pub type Resume =
    Box<dyn FnOnce(Broken, Recorder) -> Pin<Box<dyn Future<Output = Resumed> + Send>> + Send>;
/// The record again, and the stream that goes on, if there is one.
pub type Resumed = (Recorder, Option<(Box<Streaming>, Running)>);

/// A stream that broke, to be gone on with.
pub struct Broken {
    /// The text so far.
    pub said: String,
    /// Whose stream it was.
    pub target: Arc<Target>,
    /// Nobody is asked any more once this is cancelled,
    pub cut: CancellationToken,
    /// nor later than this.
    pub end: Instant,
}

/// An alarm that rings so much later than it should tells that we stood still (a paused machine, no
/// share of the processor): what the provider said meanwhile may lie unread.
const STOOD_STILL: Duration = Duration::from_millis(100);

/// When a stream is given up, behind its commit point.
pub struct Limits {
    /// Without an event for so long.
    pub idle: Duration,
    /// Then, whatever comes.
    pub end: Instant,
    /// The process is about to end.
    pub cut: CancellationToken,
    /// In whose words a break is told.
    pub surface: Surface,
    /// For answers that another target may go on with.
    pub resume: Option<Resume>,
}

/// The body of a streamed answer.
pub struct Relay {
    state: State,
    tasks: Tasks,
}

enum State {
    Flowing(Box<Flow>),
    /// The stream broke, and another target is asked to go on.
    Paused(Box<Paused>),
    Over,
}

struct Flow {
    incoming: Incoming,
    /// What came and has not been looked at.
    unread: Bytes,
    running: Running,
    recorder: Recorder,
    resume: Option<Resume>,
    /// When the caller last asked for more and got it.
    given: Option<Instant>,
    /// How long it has let us wait.
    held: Duration,
    rest: Rest,
}

struct Paused {
    asking: Pin<Box<dyn Future<Output = Resumed> + Send>>,
    /// What is told if nobody goes on.
    failure: Failure,
    rest: Rest,
}

/// What an answer keeps when its stream is replaced.
struct Rest {
    decoder: Decoder,
    /// Of the stream that broke before this one.
    usage: Usage,
    idle: Duration,
    end: Instant,
    /// Since when the provider has been silent, as far as we have asked.
    silent_since: Option<Instant>,
    alarm: Pin<Box<Sleep>>,
    surface: Surface,
    cut: CancellationToken,
    cutting: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Kept to the end of the answer.
    _seat: Seat,
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
        let rest = Rest {
            decoder,
            usage: Usage::default(),
            _seat: seat,
            surface: limits.surface,
            idle: limits.idle,
            end: limits.end,
            silent_since: None,
            alarm: Box::pin(sleep_until(limits.end.min(Instant::now() + limits.idle))),
            cutting: Box::pin(limits.cut.clone().cancelled_owned()),
            cut: limits.cut,
        };
        let flow = Flow {
            incoming,
            unread: Bytes::new(),
            running,
            recorder,
            resume: limits.resume,
            given: None,
            held: Duration::ZERO,
            rest,
        };
        Self {
            state: State::Flowing(Box::new(flow)),
            tasks,
        }
    }

    fn done(&mut self) {
        let State::Flowing(flow) = std::mem::replace(&mut self.state, State::Over) else {
            return;
        };
        let Flow {
            mut incoming,
            mut recorder,
            running,
            held,
            rest,
            ..
        } = *flow;
        running.answered(rest.decoder.usage(), held);
        recorder.usage(rest.usage());
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

    /// The stream broke. Another target is asked to go on, or the caller is told.
    fn broke(&mut self, gone: Gone, out: &mut Vec<u8>) {
        let State::Flowing(flow) = std::mem::replace(&mut self.state, State::Over) else {
            return;
        };
        let Flow {
            running,
            mut recorder,
            resume,
            rest,
            ..
        } = *flow;
        let target = Arc::clone(running.target());
        let failure = match gone {
            Gone::Broke(failure) => {
                running.broke(&failure);
                failure
            }
            Gone::Ended(failure) => {
                running.ended(&failure);
                failure
            }
        };
        match (resume, rest.resumable(&failure)) {
            (Some(resume), Some(said)) => {
                recorder.usage(rest.usage());
                let broken = Broken {
                    said,
                    target,
                    cut: rest.cut.clone(),
                    end: rest.end,
                };
                self.state = State::Paused(Box::new(Paused {
                    asking: resume(broken, recorder),
                    failure,
                    rest,
                }));
            }
            (_, _) => rest.tell(&failure, recorder, out),
        }
    }

    /// Another target was asked to go on.
    fn resume(&mut self, resumed: Resumed, out: &mut Vec<u8>) {
        let State::Paused(paused) = std::mem::replace(&mut self.state, State::Over) else {
            return;
        };
        let Paused {
            failure, mut rest, ..
        } = *paused;
        let (recorder, Some((streaming, running))) = resumed else {
            let cut = rest.cut.is_cancelled().then(shutting_down);
            rest.tell(&cut.unwrap_or(failure), resumed.0, out);
            return;
        };
        let Streaming {
            decoder, incoming, ..
        } = *streaming;
        let usage = rest.usage();
        match rest.decoder.resume(decoder) {
            Ok(()) => {
                rest.usage = usage;
                rest.silent_since = None;
                self.state = State::Flowing(Box::new(Flow {
                    incoming,
                    unread: Bytes::new(),
                    running,
                    recorder,
                    resume: None,
                    given: None,
                    held: Duration::ZERO,
                    rest,
                }));
            }
            Err(failure) => {
                running.broke(&failure);
                rest.tell(&failure, recorder, out);
            }
        }
    }
}

impl Rest {
    /// The text that another target may go on with.
    fn resumable(&self, failure: &Failure) -> Option<String> {
        let over = failure.class == Class::Cancelled || Instant::now() >= self.end;
        self.decoder.said().filter(|_| !over).map(str::to_owned)
    }

    /// What both streams have cost.
    fn usage(&self) -> Usage {
        self.usage.plus(self.decoder.usage())
    }

    /// Tells the caller in-band, since the head has long gone out.
    fn tell(self, failure: &Failure, mut recorder: Recorder, out: &mut Vec<u8>) {
        let message = match failure.class {
            Class::Cancelled => "Pillion is shutting down; the answer is incomplete.",
            _ => "The provider's stream broke off; the answer is incomplete.",
        };
        out.extend_from_slice(&respond::broken(
            self.surface,
            message,
            self.decoder.sequence(),
            recorder.id(),
        ));
        recorder.usage(self.usage());
        recorder.finish(End::Broken(StatusCode::OK, failure));
    }
}

/// Why a stream goes no further.
enum Gone {
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
    fn poll_pull(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
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
        loop {
            let mut out = Vec::new();
            match &mut self.state {
                State::Over => return Poll::Ready(None),
                State::Flowing(flow) => {
                    let pulled = flow.poll_pull(cx);
                    if pulled.is_pending() {
                        // From here on it is the provider who is waited for.
                        flow.given = None;
                    }
                    let pulled = ready!(pulled);
                    out = flow.rest.decoder.output();
                    match pulled {
                        Ok(()) if flow.rest.decoder.done() => self.done(),
                        Ok(()) => {}
                        Err(gone) => self.broke(gone, &mut out),
                    }
                }
                State::Paused(paused) => {
                    let resumed = ready!(paused.asking.as_mut().poll(cx));
                    self.resume(resumed, &mut out);
                }
            }
            if !out.is_empty() || matches!(self.state, State::Over) {
                return Poll::Ready(Some(Ok(Frame::data(out.into()))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Over)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let (mut recorder, rest) = match std::mem::replace(&mut self.state, State::Over) {
            State::Flowing(flow) => (flow.recorder, flow.rest),
            State::Paused(mut paused) if paused.rest.cut.is_cancelled() => {
                // Whoever asks another target sees that at its next step, and gives the record back.
                let mut context = Context::from_waker(Waker::noop());
                match paused.asking.as_mut().poll(&mut context) {
                    Poll::Ready((recorder, _)) => (recorder, paused.rest),
                    Poll::Pending => return,
                }
            }
            // The record is with whoever asks, and says by itself that the caller hung up.
            State::Paused(_) | State::Over => return,
        };
        recorder.usage(rest.usage());
        if rest.cut.is_cancelled() {
            // A caller that did not read to the very end cannot be told, but it had not left.
            let end = End::Broken(StatusCode::OK, &shutting_down());
            recorder.finish(end);
        }
        // Else the caller hung up: the recorder says so by itself.
    }
}
