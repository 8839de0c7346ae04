//! A provider's bytes into events.

use serde::Deserialize;

use super::answer::{BlockDelta, BlockStart, BlockStop, MessageStop, Metadata, Whole};
use super::exception::{self, Kind};
use super::reading::Reading;
use crate::chat::{Event, Usage};
use crate::outcome::{Failure, broken};
use crate::wire::eventstream::{Framer, Message};

/// One answer being read.
#[derive(Debug, Clone)]
pub struct Decoder {
    framer: Framer,
    reading: Reading,
}

impl Decoder {
    /// Ids that the provider leaves out are made from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            framer: Framer::default(),
            reading: Reading::new(seed),
        }
    }

    /// Takes what arrived.
    ///
    /// # Errors
    /// The stream is no answer, or no longer one. What was given out before stays.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<Event>) -> Result<(), Failure> {
        let reading = &mut self.reading;
        self.framer
            .feed(chunk, |message| event(reading, &message, out))
    }

    /// The provider closed.
    ///
    /// # Errors
    /// `broken` unless the answer had come to its end. That is the stop itself: the usage that
    /// follows it may be missing.
    pub fn end(&mut self, out: &mut Vec<Event>) -> Result<(), Failure> {
        if self.reading.has_stopped() {
            self.reading.finish(out);
            return Ok(());
        }
        self.framer.finish()?;
        Err(broken("the stream ended without a finish"))
    }

    /// The connection broke.
    ///
    /// # Errors
    /// `broken` unless nothing but the end was missing.
    pub fn cut(&mut self, out: &mut Vec<Event>) -> Result<(), Failure> {
        if self.reading.has_stopped() {
            self.reading.finish(out);
            return Ok(());
        }
        Err(broken("the stream was cut"))
    }

    /// Takes a plain answer.
    ///
    /// # Errors
    /// It is no answer: `broken`, or the class of the error it carries.
    pub fn whole(&mut self, body: &[u8], out: &mut Vec<Event>) -> Result<(), Failure> {
        let answer = serde_json::from_slice::<Whole<'_>>(body);
        let Ok(Whole {
            output: Some(output),
            stop_reason: Some(stop_reason),
            additional_model_response_fields,
            usage,
        }) = answer
        else {
            return Err(exception::no_answer(body));
        };
        let reading = &mut self.reading;
        for (index, block) in (0..).zip(output.message.content) {
            reading.block(index, block, out)?;
        }
        reading.stop(
            &MessageStop {
                stop_reason,
                additional_model_response_fields,
            },
            out,
        )?;
        reading.count(usage);
        reading.finish(out);
        Ok(())
    }

    /// Whether [`Event::Finish`] has been given out.
    pub fn done(&self) -> bool {
        self.reading.is_done()
    }

    /// The tokens counted so far.
    pub fn usage(&self) -> Usage {
        self.reading.usage()
    }
}

/// One message of the stream. Events of other types are newer than we are, or no concern of ours.
fn event(
    reading: &mut Reading,
    message: &Message<'_>,
    out: &mut Vec<Event>,
) -> Result<(), Failure> {
    if reading.is_done() {
        return Ok(());
    }
    let kind = match exception::kind(message) {
        Kind::Event(kind) => kind,
        Kind::Failed(failure) => return Err(failure),
    };
    let payload = message.payload;
    match kind {
        "contentBlockDelta" => {
            let BlockDelta {
                content_block_index,
                delta,
            } = read(payload)?;
            reading.delta(content_block_index, delta, out)
        }
        "contentBlockStart" => {
            let BlockStart {
                content_block_index,
                start,
            } = read(payload)?;
            reading.start(content_block_index, start, out)
        }
        "contentBlockStop" => {
            let BlockStop {
                content_block_index,
            } = read(payload)?;
            reading.stop_block(content_block_index, out)
        }
        "messageStop" => reading.stop(&read::<MessageStop<'_>>(payload)?, out),
        "metadata" => {
            let Metadata { usage } = read(payload)?;
            reading.count(usage);
            // The last event, behind the stop.
            if reading.has_stopped() {
                reading.finish(out);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn read<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(payload)
        .map_err(|_| broken("an event is not what the API reference says"))
}
