//! One streamed answer on its way from a target's dialect to the caller's.
//!
//! Where both are the same, frames go on as they came with what we own replaced; else they are
//! translated. Either way nothing is let go before its time, and an end is never invented.

use super::translate::Translation;
use super::{anthropic, bedrock, openai, responses};
use crate::chat::Usage;
use crate::outcome::{Class, Failure};

/// One stream being decoded. Pure: bytes in, bytes out.
#[derive(Debug)]
pub enum Decoder {
    /// Chat completions and completions, as they came.
    OpenAi(Box<openai::Decoder>),
    /// Responses, as they came.
    Responses(Box<responses::Splicer>),
    /// Messages, as they came.
    Messages(Box<anthropic::surface::Splicer>),
    /// Messages out of Amazon's event stream, otherwise as they came.
    Invoked(Box<Invoked>),
    Translated(Box<Translation>),
}

/// Claude on Bedrock.
#[derive(Debug)]
pub struct Invoked {
    unwrap: bedrock::Unwrap,
    splicer: anthropic::surface::Splicer,
}

impl Invoked {
    pub fn new(splicer: anthropic::surface::Splicer) -> Self {
        Self {
            unwrap: bedrock::Unwrap::default(),
            splicer,
        }
    }
}

impl Decoder {
    /// Takes what arrived.
    ///
    /// # Errors
    /// The stream is no answer, or no longer one. What was let go before stays in the output.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        match self {
            Self::OpenAi(decoder) => decoder.feed(chunk),
            Self::Responses(splicer) => splicer.feed(chunk),
            Self::Messages(splicer) => splicer.feed(chunk),
            Self::Invoked(invoked) => {
                let Invoked { unwrap, splicer } = &mut **invoked;
                unwrap.feed(chunk, |event| splicer.event(event))
            }
            Self::Translated(translation) => translation.feed(chunk),
        }
    }

    /// The provider closed.
    ///
    /// # Errors
    /// `broken` unless the answer had come to its end.
    pub fn end(&mut self) -> Result<(), Failure> {
        match self {
            Self::OpenAi(decoder) => decoder.end(),
            Self::Responses(splicer) => splicer.end(),
            Self::Messages(splicer) => splicer.end(),
            Self::Invoked(invoked) => {
                invoked.unwrap.end()?;
                invoked.splicer.end()
            }
            Self::Translated(translation) => translation.end(),
        }
    }

    /// The connection broke, or fell silent.
    ///
    /// # Errors
    /// `broken` unless only the end was missing.
    pub fn cut(&mut self) -> Result<(), Failure> {
        match self {
            Self::OpenAi(decoder) => decoder.cut(),
            Self::Responses(splicer) => splicer.cut(),
            Self::Messages(splicer) => splicer.cut(),
            Self::Invoked(invoked) => invoked.splicer.cut(),
            Self::Translated(translation) => translation.cut(),
        }
    }

    /// Takes a plain answer, from a server that was asked for a stream.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub fn whole(&mut self, answer: &[u8]) -> Result<(), Failure> {
        match self {
            Self::OpenAi(decoder) => decoder.whole(answer),
            Self::Responses(splicer) => splicer.whole(answer),
            Self::Messages(splicer) => splicer.whole(answer),
            Self::Invoked(invoked) => invoked.splicer.whole(answer),
            Self::Translated(translation) => translation.whole(answer),
        }
    }

    /// Whether anything meaningful has arrived, also if it is still held back.
    pub fn arrived(&self) -> bool {
        match self {
            Self::OpenAi(decoder) => decoder.arrived(),
            Self::Responses(splicer) => splicer.arrived(),
            Self::Messages(splicer) => splicer.arrived(),
            Self::Invoked(invoked) => invoked.splicer.arrived(),
            Self::Translated(translation) => translation.arrived(),
        }
    }

    /// Whether something meaningful may go out: the answer's commit point is reached.
    pub fn released(&self) -> bool {
        match self {
            Self::OpenAi(decoder) => decoder.released(),
            Self::Responses(splicer) => splicer.released(),
            Self::Messages(splicer) => splicer.released(),
            Self::Invoked(invoked) => invoked.splicer.released(),
            Self::Translated(translation) => translation.released(),
        }
    }

    /// Whether the answer is whole: its end is in the output.
    pub fn done(&self) -> bool {
        match self {
            Self::OpenAi(decoder) => decoder.done(),
            Self::Responses(splicer) => splicer.done(),
            Self::Messages(splicer) => splicer.done(),
            Self::Invoked(invoked) => invoked.splicer.done(),
            Self::Translated(translation) => translation.done(),
        }
    }

    /// What may go out since the last call.
    pub fn output(&mut self) -> Vec<u8> {
        match self {
            Self::OpenAi(decoder) => decoder.output(),
            Self::Responses(splicer) => splicer.output(),
            Self::Messages(splicer) => splicer.output(),
            Self::Invoked(invoked) => invoked.splicer.output(),
            Self::Translated(translation) => translation.output(),
        }
    }

    /// How much may go out, in bytes.
    pub fn ready(&self) -> usize {
        match self {
            Self::OpenAi(decoder) => decoder.ready(),
            Self::Responses(splicer) => splicer.ready(),
            Self::Messages(splicer) => splicer.ready(),
            Self::Invoked(invoked) => invoked.splicer.ready(),
            Self::Translated(translation) => translation.ready(),
        }
    }

    /// The tokens counted so far.
    pub fn usage(&self) -> Usage {
        match self {
            Self::OpenAi(decoder) => decoder.usage(),
            Self::Responses(splicer) => splicer.usage(),
            Self::Messages(splicer) => splicer.usage(),
            Self::Invoked(invoked) => invoked.splicer.usage(),
            Self::Translated(translation) => translation.usage(),
        }
    }

    /// About how many tokens are said so far.
    pub fn weight(&self) -> u64 {
        let weight = match self {
            Self::OpenAi(decoder) => decoder.weight(),
            Self::Responses(splicer) => splicer.weight(),
            Self::Messages(splicer) => splicer.weight(),
            Self::Invoked(invoked) => invoked.splicer.weight(),
            Self::Translated(translation) => translation.weight(),
        };
        weight.tokens()
    }

    /// The text so far, where another target may go on with it and there is nothing else.
    pub fn said(&self) -> Option<&str> {
        match self {
            Self::Translated(translation) => translation.said(),
            Self::OpenAi(_) | Self::Responses(_) | Self::Messages(_) | Self::Invoked(_) => None,
        }
    }

    /// Goes on with the stream of `next`, which another target was asked for.
    ///
    /// # Errors
    /// That is no next part.
    pub fn resume(&mut self, next: Self) -> Result<(), Failure> {
        match (self, next) {
            (Self::Translated(before), Self::Translated(next)) => before.resume(*next),
            (_, _) => Err(Failure::new(
                Class::Broken,
                "not the next part of an answer",
            )),
        }
    }

    /// The number of the next event, where the caller's dialect counts them.
    pub fn sequence(&self) -> u64 {
        match self {
            Self::Responses(splicer) => splicer.sequence(),
            Self::Translated(translation) => translation.sequence(),
            Self::OpenAi(_) | Self::Messages(_) | Self::Invoked(_) => 0,
        }
    }
}
