//! The one place that knows which decoder reads a target's answer and which encoder shows it.

use std::sync::Arc;

use bytes::Bytes;

use super::decoder::{Decoder, Invoked};
use super::request::Cloud;
use super::translate::{Form, Sink, Source, Translation, plain};
use super::{Dialect, Shown, anthropic, bedrock, gemini, openai, responses};
use crate::chat::{Answer, Request, Surface, Usage, UsageOption};
use crate::outcome::{Class, Failure};

/// How the answer of one attempt is read and shown.
#[derive(Debug, Clone)]
pub struct Reader {
    pub surface: Surface,
    pub dialect: Dialect,
    pub cloud: Cloud,
    pub shown: Shown,
    /// Whether the caller sees the provider's model name, where it is in the answer.
    pub expose_model: bool,
    /// Tools that the target knows by another name than the caller: the caller's, and its own.
    pub names: Vec<(String, String)>,
    pub part: Part,
}

/// Which part of an answer a stream is, where a broken one is gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it: a stream that breaks is broken.
    Whole,
    /// All of it, unless it breaks: then another stream goes on with it. So it is read in our own words
    /// also where both speak the same.
    First,
    /// What follows on a part before.
    Next,
}

/// Whether streams can be read in our own words, so that one goes on with another. Claude's in Amazon's
/// frames are only passed on, and so are Responses.
pub fn can_go_on(surface: Surface, dialect: Dialect, cloud: Cloud) -> bool {
    let chats = matches!(
        surface,
        Surface::Chat | Surface::Messages | Surface::Responses
    );
    let framed = dialect == Dialect::AnthropicInCloud && cloud == Cloud::Bedrock;
    chats && dialect != Dialect::Responses && !framed
}

impl Reader {
    /// Whether caller and target speak the same.
    pub fn is_same(&self) -> bool {
        self.dialect.is_of(self.surface)
    }

    /// For a streamed answer.
    pub fn decoder(self, request: &Request) -> Decoder {
        if self.part != Part::Whole && can_go_on(self.surface, self.dialect, self.cloud) {
            return self.translated(request);
        }
        let model = (!self.expose_model).then(|| Arc::clone(&self.shown.model));
        match self.dialect {
            Dialect::OpenAi if self.is_same() => {
                Decoder::OpenAi(Box::new(openai::Decoder::new(openai::Wanted {
                    shape: if self.surface == Surface::Completions {
                        openai::Shape::Completions
                    } else {
                        openai::Shape::Chat
                    },
                    choices: request.choices,
                    model,
                    usage: request.usage == UsageOption::Asked,
                    moderation: request.moderation,
                    seed: self.shown.seed,
                })))
            }
            Dialect::Responses => Decoder::Responses(Box::new(responses::Splicer::new(model))),
            Dialect::Anthropic | Dialect::AnthropicInCloud if self.is_same() => {
                let splicer = anthropic::surface::Splicer::new(model);
                if self.cloud == Cloud::Bedrock {
                    Decoder::Invoked(Box::new(Invoked::new(splicer)))
                } else {
                    Decoder::Messages(Box::new(splicer))
                }
            }
            Dialect::OpenAi
            | Dialect::Anthropic
            | Dialect::AnthropicInCloud
            | Dialect::Gemini
            | Dialect::Converse => self.translated(request),
        }
    }

    fn translated(self, request: &Request) -> Decoder {
        let source = self.source();
        let shown = self.shown;
        let sink = match self.surface {
            _ if self.part == Part::Next => Sink::Collect(Answer::default()),
            Surface::Responses => Sink::Responses(responses::Encoder::new(
                shown,
                responses::echo(&request.body),
            )),
            Surface::Messages => Sink::Messages(anthropic::surface::Encoder::new(shown)),
            Surface::Chat
            | Surface::Completions
            | Surface::Embeddings
            | Surface::CountTokens
            | Surface::Models
            | Surface::Passthrough => Sink::Chat(openai::Encoder::new(shown)),
        };
        let translation = Translation::new(source, sink);
        Decoder::Translated(Box::new(match self.part {
            Part::First => translation.resumable(),
            Part::Whole | Part::Next => translation,
        }))
    }

    /// For a plain caller's answer that comes as a stream.
    pub fn collector(&self) -> Collector {
        Collector {
            translation: Translation::new(self.source(), Sink::Collect(Answer::default())),
        }
    }

    fn source(&self) -> Source {
        let seed = self.shown.seed;
        match self.dialect {
            // A Responses target answers its own surface alone.
            Dialect::OpenAi | Dialect::Responses => {
                Source::OpenAi(openai::events::Decoder::new(seed))
            }
            Dialect::Anthropic | Dialect::AnthropicInCloud => {
                Source::Anthropic(anthropic::Decoder::new(seed))
            }
            Dialect::Gemini => {
                let names = self.names.clone();
                Source::Gemini(gemini::Decoder::new(seed).with_names(names))
            }
            Dialect::Converse => Source::Converse(bedrock::Decoder::new(seed)),
        }
    }

    /// Reads a whole JSON answer of a target and writes it for the caller: as a stream, if that is
    /// what it asked for.
    ///
    /// # Errors
    /// It is no answer.
    pub fn whole(self, request: &Request, body: &Bytes) -> Result<(Bytes, Usage), Failure> {
        if request.stream {
            let mut decoder = self.decoder(request);
            decoder.whole(body)?;
            let usage = decoder.usage();
            return Ok((decoder.output().into(), usage));
        }
        if !self.is_same() {
            let mut collector = self.collector();
            collector.translation.whole(body)?;
            return collector.finish(&self, request);
        }
        let model = (!self.expose_model).then_some(&*self.shown.model);
        match self.surface {
            Surface::Responses => responses::splice_answer(body, model),
            Surface::Messages | Surface::CountTokens => {
                anthropic::surface::splice_answer(body, model)
            }
            Surface::Chat
            | Surface::Completions
            | Surface::Embeddings
            | Surface::Models
            | Surface::Passthrough => {
                let shown = openai::Shown {
                    surface: self.surface,
                    model,
                    base64: request.base64,
                    seed: self.shown.seed,
                };
                let answer = openai::answer(body, shown)?;
                Ok((answer.body, answer.usage))
            }
        }
    }
}

/// A stream that becomes a plain answer.
#[derive(Debug)]
pub struct Collector {
    translation: Translation,
}

impl Collector {
    /// # Errors
    /// The stream is no answer, or no longer one.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        self.translation.feed(chunk)
    }

    /// The provider closed.
    ///
    /// # Errors
    /// `broken` unless the answer had come to its end.
    pub fn end(&mut self) -> Result<(), Failure> {
        self.translation.end()
    }

    /// The connection broke.
    ///
    /// # Errors
    /// `broken` unless only the end was missing.
    pub fn cut(&mut self) -> Result<(), Failure> {
        self.translation.cut()
    }

    pub fn arrived(&self) -> bool {
        self.translation.arrived()
    }

    pub fn done(&self) -> bool {
        self.translation.done()
    }

    /// The caller's JSON.
    ///
    /// # Errors
    /// The answer had not come to its end.
    pub fn finish(self, reader: &Reader, request: &Request) -> Result<(Bytes, Usage), Failure> {
        let usage = self.translation.usage();
        let answer = self
            .translation
            .into_answer()
            .ok_or_else(|| Failure::new(Class::Broken, "the answer has no end"))?;
        let form = match reader.surface {
            Surface::Responses => Form::Responses(Box::new(responses::echo(&request.body))),
            Surface::Messages => Form::Messages,
            Surface::Chat
            | Surface::Completions
            | Surface::Embeddings
            | Surface::CountTokens
            | Surface::Models
            | Surface::Passthrough => Form::Chat,
        };
        Ok((plain(&answer, &form, &reader.shown).into(), usage))
    }
}
