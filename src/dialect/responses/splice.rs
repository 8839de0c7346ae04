//! A stream of a provider that speaks Responses itself, passed on as it is pulled.
//!
//! Every frame goes out as it came, with its `event` line; only `response.model` is the caller's.
//! Nothing is let go before its time (see [`super::calls`]), and an end is never invented: the
//! answer is over with `response.completed` or `response.incomplete`, and with nothing else.

use std::sync::Arc;

use super::frames::{Frames, Phase};
use crate::chat::{Usage, Weight};
use crate::outcome::{Failure, broken};
use crate::wire::sse::Framer;

/// One stream being passed on. Pure: bytes in, bytes out.
#[derive(Debug, Clone)]
pub struct Splicer {
    framer: Framer,
    frames: Frames,
}

impl Splicer {
    /// `model` is what the caller is shown; `None` leaves the provider's.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "made as the decoders of the other dialects are"
    )]
    pub fn new(model: Option<Arc<str>>) -> Self {
        Self {
            framer: Framer::default(),
            frames: Frames::new(model.as_deref()),
        }
    }

    /// Takes what arrived.
    ///
    /// # Errors
    /// The stream is no answer, or no longer one. What was let go before stays in the output.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        let frames = &mut self.frames;
        // What comes goes out again, about as long as it was.
        frames.out.reserve(chunk.len());
        self.framer.feed(chunk, |event| frames.event(&event))
    }

    /// The provider closed.
    ///
    /// # Errors
    /// `broken` unless the answer had come to its end.
    pub fn end(&mut self) -> Result<(), Failure> {
        let frames = &mut self.frames;
        self.framer.finish(|event| frames.event(&event))?;
        self.frames.complete()
    }

    /// The connection broke, or fell silent.
    ///
    /// # Errors
    /// `broken` unless the answer had come to its end.
    pub fn cut(&mut self) -> Result<(), Failure> {
        if self.done() {
            Ok(())
        } else {
            Err(broken("the stream was cut"))
        }
    }

    /// Takes a plain answer, from a server that was asked for a stream.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub fn whole(&mut self, answer: &[u8]) -> Result<(), Failure> {
        self.frames.whole(answer)
    }

    /// Whether anything meaningful has arrived, also if it is still held back.
    pub fn arrived(&self) -> bool {
        self.frames.phase >= Phase::Arrived
    }

    /// Whether something meaningful may go out: the answer's commit point is reached.
    pub fn released(&self) -> bool {
        self.frames.phase >= Phase::Released
    }

    /// Whether the answer is whole: its last frame is in the output.
    pub fn done(&self) -> bool {
        self.frames.phase == Phase::Done
    }

    /// What may go out since the last call.
    pub fn output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.frames.out)
    }

    /// How much may go out, in bytes.
    pub fn ready(&self) -> usize {
        self.frames.out.len()
    }

    /// What was said so far.
    pub fn weight(&self) -> Weight {
        self.frames.weight
    }

    /// The tokens counted, which the last frame says.
    pub fn usage(&self) -> Usage {
        self.frames.usage
    }

    /// The number of a frame that follows all that were let go.
    pub fn sequence(&self) -> u64 {
        self.frames.sequence
    }
}
