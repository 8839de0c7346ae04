//! Claude's own stream inside Bedrock's: what `InvokeModelWithResponseStream` answers.
//!
//! Each `chunk` event holds one event of Anthropic's Messages stream, as JSON in base64
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ResponseStream.html>, read
//! 2026-11). What they mean is not known here, nor whether they are all that an answer needs.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::exception::{self, Kind};
use crate::outcome::{Failure, broken};
use crate::wire::eventstream::{Framer, Message};

/// Takes the events out of their frames.
#[derive(Debug, Default)]
pub struct Unwrap {
    framer: Framer,
    /// The last event, decoded: kept for its memory.
    text: Vec<u8>,
}

impl Unwrap {
    /// Takes what arrived, and hands each event's JSON to `each`, in order.
    ///
    /// # Errors
    /// The first of `each`; an exception in the stream; or it is no such stream.
    pub fn feed(
        &mut self,
        chunk: &[u8],
        mut each: impl FnMut(&str) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let text = &mut self.text;
        self.framer
            .feed(chunk, |message| unwrap(&message, text, &mut each))
    }

    /// The provider closed.
    ///
    /// # Errors
    /// `broken` if it did so in the middle of a frame.
    pub fn end(&self) -> Result<(), Failure> {
        Ok(self.framer.finish()?)
    }
}

fn unwrap(
    message: &Message<'_>,
    text: &mut Vec<u8>,
    each: &mut impl FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Chunk<'a> {
        #[serde(borrow)]
        bytes: Cow<'a, str>,
    }
    match exception::kind(message) {
        Kind::Failed(failure) => Err(failure),
        Kind::Event("chunk") => {
            let chunk: Chunk<'_> = serde_json::from_slice(message.payload)
                .map_err(|_| broken("a chunk holds no event"))?;
            text.clear();
            STANDARD
                .decode_vec(chunk.bytes.as_bytes(), text)
                .map_err(|_| broken("a chunk's event is not base64"))?;
            let event =
                std::str::from_utf8(text).map_err(|_| broken("a chunk's event is not UTF-8"))?;
            each(event)
        }
        // Newer than we are.
        Kind::Event(_) => Ok(()),
    }
}
