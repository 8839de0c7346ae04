//! A Messages stream, judged and passed on as it is pulled.
//!
//! Each frame goes on as it came, its padding included, with the caller's `model` in the first.
//! Nothing is let go before its time (see [`super::frames`]), and an end is never invented:
//! `message_stop` alone is one.

use std::sync::Arc;

use super::frames::{Frames, Phase};
use super::whole::as_frames;
use crate::chat::{Usage, Weight};
use crate::outcome::{Failure, broken, judge_reported};
use crate::wire::sse::{Framer, Kind};

/// One stream being passed on. Pure: bytes in, bytes out.
#[derive(Debug, Clone)]
pub struct Splicer {
    framer: Framer,
    frames: Frames,
}

impl Splicer {
    /// `model` is what the caller is to see; `None` leaves the provider's.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "as the decoder of every other dialect takes it"
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
        self.framer
            .feed(chunk, |event| take(frames, event.kind, event.data))
    }

    /// Takes one event whose framing was another, as inside Amazon's event stream.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub fn event(&mut self, json: &str) -> Result<(), Failure> {
        take(&mut self.frames, Kind::Message, json.as_bytes())
    }

    /// The provider closed.
    ///
    /// # Errors
    /// `broken` unless the answer had come to its end.
    pub fn end(&mut self) -> Result<(), Failure> {
        let frames = &mut self.frames;
        self.framer
            .finish(|event| take(frames, event.kind, event.data))?;
        if self.done() {
            Ok(())
        } else {
            Err(broken("the stream ended without its last event"))
        }
    }

    /// The connection broke, or fell silent.
    ///
    /// # Errors
    /// `broken` unless nothing but the end was missing: it is written then.
    pub fn cut(&mut self) -> Result<(), Failure> {
        self.frames.cut()
    }

    /// Takes a plain answer, from a server that was asked for a stream.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub fn whole(&mut self, answer: &[u8]) -> Result<(), Failure> {
        let answer = std::str::from_utf8(answer).map_err(|_| broken("the answer is not UTF-8"))?;
        for frame in as_frames(answer)? {
            self.event(&frame)?;
        }
        Ok(())
    }

    /// Whether anything meaningful has arrived, also if it is still held back.
    pub fn arrived(&self) -> bool {
        self.frames.phase >= Phase::Arrived
    }

    /// Whether something meaningful may go out: the answer's commit point is reached.
    pub fn released(&self) -> bool {
        self.frames.phase >= Phase::Released
    }

    /// Whether the answer is whole: `message_stop` is in the output.
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

    /// The tokens counted so far.
    pub fn usage(&self) -> Usage {
        self.frames.tally.usage()
    }
}

fn take(frames: &mut Frames, kind: Kind, data: &[u8]) -> Result<(), Failure> {
    if frames.phase == Phase::Done {
        return Ok(());
    }
    if kind == Kind::Error {
        return Err(judge_reported(data));
    }
    let text = std::str::from_utf8(data).map_err(|_| broken("a stream event is not UTF-8"))?;
    if memchr::memchr2(b'\n', b'\r', data).is_some() {
        // Between data lines only white space can stand: inside a string it would not be JSON.
        frames.message(&text.replace(['\n', '\r'], " "))
    } else {
        frames.message(text)
    }
}
