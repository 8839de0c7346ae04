//! A streamed answer, decoded and written anew as it is pulled.
//!
//! [`Decoder::feed`] takes what arrived and adds to the output the frames that may be let go:
//! `data:` lines alone, each with its blank line, the caller's `model` in place. Nothing is let go
//! before its time (see [`super::calls`]), an end is never invented, and `[DONE]` follows only a
//! real finish. Usage is taken off the odd places servers put it and sent once, if it was asked for.

use std::sync::Arc;

use super::frames::{Frames, Phase};
use super::synthesis::as_frame;
use crate::chat::{Usage, Weight};
use crate::outcome::{Failure, broken};
use crate::wire::sse::{self, Framer};

/// The two shapes of a streamed choice: a `delta`, or a `text`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Chat,
    Completions,
}

/// What the caller is to see.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub shape: Shape,
    /// How many choices were asked for.
    pub choices: u64,
    /// The `model` string of every frame; `None` leaves the provider's.
    pub model: Option<Arc<str>>,
    /// The caller asked for usage.
    pub usage: bool,
    /// The caller knows frames without choices for another reason.
    pub moderation: bool,
    /// The call ids that servers forget are made from this.
    pub seed: u64,
}

/// One stream being decoded. Pure: bytes in, bytes out.
#[derive(Debug, Clone)]
pub struct Decoder {
    framer: Framer,
    frames: Frames,
}

impl Decoder {
    pub fn new(wanted: Wanted) -> Self {
        Self {
            framer: Framer::default(),
            frames: Frames::new(wanted),
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
    /// `broken` unless every choice that was asked for had finished: then only the end was missing.
    pub fn cut(&mut self) -> Result<(), Failure> {
        self.frames.cut()
    }

    /// Takes a plain answer, from a server that was asked for a stream.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub fn whole(&mut self, answer: &[u8]) -> Result<(), Failure> {
        let answer = std::str::from_utf8(answer).map_err(|_| broken("the answer is not UTF-8"))?;
        let frame = as_frame(answer)?;
        self.frames.message(&frame.replace(['\n', '\r'], " "))?;
        self.frames.complete()
    }

    /// Whether anything meaningful has arrived, also if it is still held back.
    pub fn arrived(&self) -> bool {
        self.frames.phase >= Phase::Arrived
    }

    /// Whether something meaningful may go out: the answer's commit point is reached.
    pub fn released(&self) -> bool {
        self.frames.phase >= Phase::Released
    }

    /// Whether the answer is whole: `[DONE]` is in the output.
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

    /// The provider's id of the answer, known from its first frame on, also if that is held back.
    pub(super) fn id(&self) -> Option<String> {
        self.frames.id()
    }

    /// What was said so far.
    pub fn weight(&self) -> Weight {
        self.frames.weight
    }

    /// The tokens counted so far.
    pub fn usage(&self) -> Usage {
        self.frames.progress.usage
    }
}

impl From<sse::TooLong> for Failure {
    fn from(_: sse::TooLong) -> Self {
        broken("a stream event is longer than 1 MiB")
    }
}
