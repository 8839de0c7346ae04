//! Anthropic's bytes into [`Event`]s: the framing, and a plain answer in place of a stream.

use super::message::Progress;
use super::wire::{self, Newer};
use crate::chat::{Event, Usage};
use crate::outcome::{Failure, broken, judge_reported};
use crate::wire::sse::{self, Framer, Kind};

/// One answer being decoded. Pure: bytes in, events out.
#[derive(Debug, Clone)]
pub struct Decoder {
    framer: Framer,
    progress: Progress,
}

impl Decoder {
    /// Ids of calls that a server forgets are made from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            framer: Framer::default(),
            progress: Progress::new(seed),
        }
    }

    /// Takes what arrived of a stream.
    ///
    /// # Errors
    /// The stream is no answer, or no longer one. What was given out before stays.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<Event>) -> Result<(), Failure> {
        let progress = &mut self.progress;
        self.framer
            .feed(chunk, |event| framed(progress, &event, out))
    }

    /// Takes one event that came in other framing: a chunk of Bedrock's event stream holds one.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub fn event(&mut self, json: &str, out: &mut Vec<Event>) -> Result<(), Failure> {
        read(&mut self.progress, json, out)
    }

    /// The provider closed.
    ///
    /// # Errors
    /// `broken` unless the answer had come to its end.
    pub fn end(&mut self, out: &mut Vec<Event>) -> Result<(), Failure> {
        let progress = &mut self.progress;
        self.framer.finish(|event| framed(progress, &event, out))?;
        if progress.is_done() {
            Ok(())
        } else {
            Err(broken("the stream ended before the answer did"))
        }
    }

    /// The connection broke, or fell silent.
    ///
    /// # Errors
    /// `broken` unless the reason of the end had come: then nothing but the end was missing.
    pub fn cut(&mut self, out: &mut Vec<Event>) -> Result<(), Failure> {
        if self.progress.is_done() || self.progress.is_complete() {
            self.progress.finish(out)
        } else {
            Err(broken("the connection broke before the answer ended"))
        }
    }

    /// Takes a plain answer, from a server that was asked for a stream.
    ///
    /// # Errors
    /// It is no answer, or one that broke off.
    pub fn whole(&mut self, body: &[u8], out: &mut Vec<Event>) -> Result<(), Failure> {
        let message: wire::Message<'_> =
            serde_json::from_str(text(body)?).map_err(|_| broken("the answer is no message"))?;
        if message.error.is_some() || message.kind == "error" {
            return Err(judge_reported(body));
        }
        if message.content.is_none() {
            return Err(broken("the answer has no content"));
        }
        self.progress.start(&message, out)?;
        self.progress.finish(out)
    }

    /// Whether [`Event::Finish`] has been given out.
    pub fn done(&self) -> bool {
        self.progress.is_done()
    }

    /// The tokens counted so far.
    pub fn usage(&self) -> Usage {
        self.progress.usage()
    }
}

fn text(data: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(data).map_err(|_| broken("the answer is not UTF-8"))
}

fn framed(
    progress: &mut Progress,
    event: &sse::Event<'_>,
    out: &mut Vec<Event>,
) -> Result<(), Failure> {
    match event.kind {
        Kind::Message => read(progress, text(event.data)?, out),
        Kind::Error if progress.is_done() => Ok(()),
        Kind::Error => Err(judge_reported(event.data)),
    }
}

/// Reads one event. What follows the end is of no interest.
fn read(progress: &mut Progress, json: &str, out: &mut Vec<Event>) -> Result<(), Failure> {
    if progress.is_done() {
        return Ok(());
    }
    match serde_json::from_str::<wire::Event<'_>>(json) {
        Ok(event) if event.error.is_some() || event.kind == "error" => {
            Err(judge_reported(json.as_bytes()))
        }
        Ok(event) => progress.event(event, out),
        Err(_) => match wire::newer(json) {
            Some(Newer::Event) => Ok(()),
            Some(Newer::Block(index)) => progress.pass(index, out),
            None => Err(broken("a stream event is not JSON of the schema")),
        },
    }
}
