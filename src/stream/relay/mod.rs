//! A decoded stream behind its commit point.

mod flow;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::shutting_down;
use crate::body::BoxError;
use crate::chat::Surface;
use crate::dialect::Decoder;
use crate::limit::Seat;
use crate::listen::respond;
use crate::outcome::{Class, Failure};
use crate::privacy::{Frames, Said};
use crate::record::{End, Recorder};
use crate::snapshot::Target;
use crate::tasks::Tasks;
use crate::upstream::{Running, Streaming};
use flow::{Flow, Gone};

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
    /// What puts back the values that the request was sent without.
    pub frames: Option<Box<Frames>>,
    /// What gathers what it says, for its record.
    pub said: Option<Box<Said>>,
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

struct Paused {
    asking: Pin<Box<dyn Future<Output = Resumed> + Send>>,
    /// Whose stream broke.
    target: Arc<Target>,
    /// What is told if nobody goes on.
    failure: Failure,
    rest: Rest,
}

/// What an answer keeps when its stream is replaced.
struct Rest {
    decoder: Decoder,
    frames: Option<Box<Frames>>,
    said: Option<Box<Said>>,
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
            frames: limits.frames,
            said: limits.said,
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

    fn done(&mut self, out: &mut Vec<u8>) {
        let State::Flowing(flow) = std::mem::replace(&mut self.state, State::Over) else {
            return;
        };
        let Flow {
            mut incoming,
            mut recorder,
            running,
            held,
            mut rest,
            ..
        } = *flow;
        rest.release(out);
        running.answered(rest.decoder.usage(), held);
        rest.count(&mut recorder);
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
                rest.count(&mut recorder);
                let broken = Broken {
                    said,
                    target: Arc::clone(&target),
                    cut: rest.cut.clone(),
                    end: rest.end,
                };
                self.state = State::Paused(Box::new(Paused {
                    asking: resume(broken, recorder),
                    target,
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
            failure,
            target,
            mut rest,
            ..
        } = *paused;
        let (mut recorder, Some((streaming, running))) = resumed else {
            let cut = rest.cut.is_cancelled().then(shutting_down);
            rest.tell(&cut.unwrap_or(failure), resumed.0, out);
            return;
        };
        recorder.goes_on(&target);
        let Streaming {
            decoder, incoming, ..
        } = *streaming;
        match rest.decoder.resume(decoder) {
            Ok(()) => {
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

/// Whether another target may mend what ended an answer so.
fn may_go_on(class: Class) -> bool {
    match class {
        Class::Connect
        | Class::Timeout
        | Class::Reset
        | Class::RateLimited
        | Class::QuotaExhausted
        | Class::Overloaded
        | Class::ServerError
        | Class::Broken
        | Class::TargetMissing => true,
        Class::Ok
        | Class::Auth
        | Class::InvalidRequest
        | Class::ContextLength
        | Class::Policy
        | Class::Cancelled => false,
    }
}

impl Rest {
    /// The text that another target may go on with.
    fn resumable(&self, failure: &Failure) -> Option<String> {
        let goes_on = may_go_on(failure.class) && Instant::now() < self.end;
        self.decoder.said().filter(|_| goes_on).map(str::to_owned)
    }

    /// What may go out since the last call.
    fn output(&mut self) -> Vec<u8> {
        let out = self.decoder.output();
        if let Some(said) = &mut self.said {
            // With the placeholders that the provider wrote.
            said.pass(&out);
        }
        match &mut self.frames {
            Some(frames) => frames.pass(out),
            None => out,
        }
    }

    /// Nothing more comes of the answer's texts.
    fn release(&mut self, out: &mut Vec<u8>) {
        if let Some(frames) = &mut self.frames {
            frames.finish(out);
        }
    }

    /// What the stream came to so far.
    fn count(&self, recorder: &mut Recorder) {
        recorder.usage(self.decoder.usage());
        recorder.said(self.decoder.weight());
        if let Some(said) = &self.said {
            recorder.answered(said, self.decoder.done());
        }
    }

    /// Tells the caller in-band, since the head has long gone out.
    fn tell(mut self, failure: &Failure, mut recorder: Recorder, out: &mut Vec<u8>) {
        self.release(out);
        let added = self.frames.as_ref().map_or(0, |frames| frames.added());
        let message = match failure.class {
            Class::Cancelled => "Pillion is shutting down; the answer is incomplete.",
            _ => "The provider's stream broke off; the answer is incomplete.",
        };
        out.extend_from_slice(&respond::broken(
            self.surface,
            message,
            self.decoder.sequence() + added,
            recorder.id(),
        ));
        self.count(&mut recorder);
        recorder.finish(End::Broken(StatusCode::OK, failure));
    }
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
                    out = flow.rest.output();
                    match pulled {
                        Ok(()) if flow.rest.decoder.done() => self.done(&mut out),
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
        rest.count(&mut recorder);
        if rest.cut.is_cancelled() {
            // A caller that did not read to the very end cannot be told, but it had not left.
            let end = End::Broken(StatusCode::OK, &shutting_down());
            recorder.finish(end);
        }
        // Else the caller hung up: the recorder says so by itself.
    }
}
