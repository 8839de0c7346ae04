//! An answer in one dialect, shown in another: bytes into events, events into bytes.
//!
//! Every target is asked for a stream, whatever the caller wants: a caller of plain answers gets
//! what the stream came to, and a stream that breaks is still a clean failure for it.

use super::{Shown, anthropic, bedrock, gemini, openai, responses};
use crate::chat::{Answer, Event, Usage, Weight};
use crate::outcome::{Class, Failure};

/// What reads the target's bytes.
#[derive(Debug, Clone)]
pub enum Source {
    OpenAi(openai::events::Decoder),
    Anthropic(anthropic::Decoder),
    Gemini(gemini::Decoder),
    Converse(bedrock::Decoder),
}

/// What writes the caller's.
#[derive(Debug)]
pub enum Sink {
    Chat(openai::Encoder),
    Responses(responses::Encoder),
    Messages(anthropic::surface::Encoder),
    /// Nothing goes out before the end.
    Collect(Answer),
}

/// One answer being translated.
#[derive(Debug)]
pub struct Translation {
    source: Source,
    sink: Sink,
    events: Vec<Event>,
    out: Vec<u8>,
    phase: Phase,
    /// Bytes of text so far.
    length: usize,
    weight: Weight,
    /// The text so far, where another stream may go on with it; gone once it holds more than text.
    said: Option<String>,
}

/// The most text of an answer that its encoder keeps to say it again at the end, in bytes.
const MAX_KEPT: usize = 16 << 20;

/// The longest text that another target is asked to go on with, in bytes.
const MAX_RESUMED: usize = 256 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Silent,
    Arrived,
    Released,
    Done,
}

impl Translation {
    pub fn new(source: Source, sink: Sink) -> Self {
        Self {
            source,
            sink,
            events: Vec::new(),
            out: Vec::new(),
            phase: Phase::Silent,
            length: 0,
            weight: Weight::default(),
            said: None,
        }
    }

    /// Keeps its text, so that another stream may go on with it.
    pub(super) fn resumable(self) -> Self {
        Self {
            said: Some(String::new()),
            ..self
        }
    }

    /// The text so far, if that is all there is, and some.
    pub(super) fn said(&self) -> Option<&str> {
        let said = self.said.as_deref()?;
        (!said.is_empty() && said.len() <= MAX_RESUMED && self.phase < Phase::Done).then_some(said)
    }

    /// Goes on with what `next` has collected, and with its stream. What it says again of the text before
    /// is taken out.
    pub(super) fn resume(&mut self, next: Self) -> Result<(), Failure> {
        let Sink::Collect(answer) = next.sink else {
            return Err(Failure::new(
                Class::Broken,
                "not the next part of an answer",
            ));
        };
        let mut first = true;
        for event in answer.events {
            match event {
                Event::Id(_) => {}
                Event::Text(text) if std::mem::take(&mut first) => {
                    let said = self.said.as_deref().unwrap_or_default();
                    let new = &text[overlap(said, &text)..];
                    self.events.push(Event::Text(new.to_owned()));
                }
                event => self.events.push(event),
            }
        }
        self.source = next.source;
        // From here on it is the next one's.
        self.weight = Weight::default();
        self.write()
    }

    pub(super) fn feed(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        let read = match &mut self.source {
            Source::OpenAi(decoder) => decoder.feed(chunk, &mut self.events),
            Source::Anthropic(decoder) => decoder.feed(chunk, &mut self.events),
            Source::Gemini(decoder) => decoder.feed(chunk, &mut self.events),
            Source::Converse(decoder) => decoder.feed(chunk, &mut self.events),
        };
        let written = self.write();
        read.and(written)
    }

    pub(super) fn end(&mut self) -> Result<(), Failure> {
        let read = match &mut self.source {
            Source::OpenAi(decoder) => decoder.end(&mut self.events),
            Source::Anthropic(decoder) => decoder.end(&mut self.events),
            Source::Gemini(decoder) => decoder.end(&mut self.events),
            Source::Converse(decoder) => decoder.end(&mut self.events),
        };
        let written = self.write();
        read.and(written)
    }

    pub(super) fn cut(&mut self) -> Result<(), Failure> {
        let read = match &mut self.source {
            Source::OpenAi(decoder) => decoder.cut(&mut self.events),
            Source::Anthropic(decoder) => decoder.cut(&mut self.events),
            Source::Gemini(decoder) => decoder.cut(&mut self.events),
            Source::Converse(decoder) => decoder.cut(&mut self.events),
        };
        let written = self.write();
        read.and(written)
    }

    pub(super) fn whole(&mut self, answer: &[u8]) -> Result<(), Failure> {
        let read = match &mut self.source {
            Source::OpenAi(decoder) => decoder.whole(answer, &mut self.events),
            Source::Anthropic(decoder) => decoder.whole(answer, &mut self.events),
            Source::Gemini(decoder) => decoder.whole(answer, &mut self.events),
            Source::Converse(decoder) => decoder.whole(answer, &mut self.events),
        };
        let written = self.write();
        read.and(written)
    }

    pub(super) fn arrived(&self) -> bool {
        self.phase >= Phase::Arrived
    }

    pub(super) fn released(&self) -> bool {
        self.phase >= Phase::Released
    }

    pub(super) fn done(&self) -> bool {
        self.phase == Phase::Done
    }

    pub(super) fn output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    pub(super) fn ready(&self) -> usize {
        self.out.len()
    }

    /// As the provider has counted so far, also where the end never comes.
    pub(super) fn usage(&self) -> Usage {
        match &self.source {
            Source::OpenAi(decoder) => decoder.usage(),
            Source::Anthropic(decoder) => decoder.usage(),
            Source::Gemini(decoder) => decoder.usage(),
            Source::Converse(decoder) => decoder.usage(),
        }
    }

    pub(super) fn weight(&self) -> Weight {
        self.weight
    }

    pub(super) fn sequence(&self) -> u64 {
        match &self.sink {
            Sink::Responses(encoder) => encoder.sequence(),
            Sink::Chat(_) | Sink::Messages(_) | Sink::Collect(_) => 0,
        }
    }

    /// What was collected, once it is done.
    pub(super) fn into_answer(self) -> Option<Answer> {
        match self.sink {
            Sink::Collect(answer) if self.phase == Phase::Done => Some(answer),
            Sink::Collect(_) | Sink::Chat(_) | Sink::Responses(_) | Sink::Messages(_) => None,
        }
    }

    /// Hands the events on to the caller's dialect.
    fn write(&mut self) -> Result<(), Failure> {
        let around_call = match self.source {
            Source::Anthropic(_) => Weight::AROUND_TOOL_USE,
            Source::OpenAi(_) | Source::Gemini(_) | Source::Converse(_) => Weight::AROUND_CALL,
        };
        for event in &self.events {
            if *event == Event::CallBegan {
                self.weight.call(around_call);
            }
            self.length += length(event);
            weigh(event, &mut self.weight);
            let phase = match event {
                Event::CallBegan => Phase::Arrived,
                Event::Finish(_) => Phase::Done,
                event if event.is_meaningful() => Phase::Released,
                _ => continue,
            };
            self.phase = self.phase.max(phase);
        }
        if self.length > MAX_KEPT && matches!(self.sink, Sink::Responses(_) | Sink::Collect(_)) {
            return Err(Failure::new(Class::Broken, "the answer is too long"));
        }
        if let Some(said) = &mut self.said {
            let only_text = self.events.iter().all(|event| {
                if let Event::Text(text) = event {
                    said.push_str(text);
                }
                is_text(event)
            });
            if !only_text {
                self.said = None;
            }
        }
        let events = self.events.drain(..);
        match &mut self.sink {
            Sink::Chat(encoder) => encoder.events(events, &mut self.out),
            Sink::Responses(encoder) => encoder.events(events, &mut self.out),
            Sink::Messages(encoder) => encoder.events(events, &mut self.out),
            Sink::Collect(answer) => answer.extend(events),
        }
        Ok(())
    }
}

/// Whether an answer of plain text may hold this.
fn is_text(event: &Event) -> bool {
    match event {
        Event::Id(_)
        | Event::Text(_)
        | Event::Reasoning(_)
        | Event::Thought(_)
        | Event::Usage(_)
        | Event::Finish(_) => true,
        Event::Refusal(_) | Event::CallBegan | Event::Call(_) => false,
    }
}

/// How much of the beginning of `next` is the end of `said`, in bytes: what is shorter than a few words
/// may as well be new.
fn overlap(said: &str, next: &str) -> usize {
    const LEAST: usize = 16;
    let most = said.len().min(next.len());
    (LEAST..=most)
        .rev()
        .find(|&length| next.is_char_boundary(length) && said.ends_with(&next[..length]))
        .unwrap_or_default()
}

fn weigh(event: &Event, weight: &mut Weight) {
    match event {
        Event::Text(text) | Event::Reasoning(text) | Event::Refusal(text) => {
            weight.add(text.as_bytes());
        }
        Event::Call(call) => {
            weight.add(call.name.as_bytes());
            weight.add(call.arguments.as_bytes());
        }
        // The pieces of a thought have gone before.
        Event::Thought(_)
        | Event::Id(_)
        | Event::CallBegan
        | Event::Usage(_)
        | Event::Finish(_) => {}
    }
}

fn length(event: &Event) -> usize {
    match event {
        Event::Text(text) | Event::Reasoning(text) | Event::Refusal(text) => text.len(),
        Event::Thought(thought) => {
            let opaque = [&thought.signature, &thought.redacted];
            opaque.into_iter().flatten().map(String::len).sum::<usize>() + thought.text.len()
        }
        Event::Call(call) => call.arguments.len(),
        Event::Id(_) | Event::CallBegan | Event::Usage(_) | Event::Finish(_) => 0,
    }
}

/// How a plain answer is written for the caller.
#[derive(Debug)]
pub enum Form {
    Chat,
    Responses(Box<responses::Echo>),
    Messages,
}

/// `answer` as the caller's plain JSON.
pub fn plain(answer: &Answer, form: &Form, shown: &Shown) -> Vec<u8> {
    match form {
        Form::Chat => openai::show(answer, shown),
        Form::Responses(echo) => responses::answer(answer, shown, echo),
        Form::Messages => anthropic::surface::answer(answer, shown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown() -> Shown {
        Shown {
            model: "route".into(),
            target: "gemini/g".into(),
            created: 1,
            usage: false,
            seed: 1,
        }
    }

    #[test]
    fn what_was_counted_before_a_break_is_known() {
        let prompt = |prompt| Usage {
            prompt: Some(prompt),
            ..Usage::default()
        };
        let started = concat!(
            r#"data: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":50000}}}"#,
            "\n\n",
            r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            "\n\n",
            r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#,
            "\n\n",
        );
        let said = concat!(
            r#"data: {"candidates":[{"content":{"parts":[{"text":"Hi"}]}}],"usageMetadata":{"promptTokenCount":7}}"#,
            "\n\n",
        );
        let chunk = concat!(
            r#"data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}],"usage":{"prompt_tokens":3}}"#,
            "\n\n",
        );
        for (source, bytes, expected) in [
            (
                Source::Anthropic(anthropic::Decoder::new(1)),
                started,
                prompt(50_000),
            ),
            (Source::Gemini(gemini::Decoder::new(1)), said, prompt(7)),
            (
                Source::OpenAi(openai::events::Decoder::new(1)),
                chunk,
                prompt(3),
            ),
        ] {
            for sink in [
                Sink::Chat(openai::Encoder::new(shown())),
                Sink::Collect(Answer::default()),
            ] {
                let mut translation = Translation::new(source.clone(), sink);
                translation.feed(bytes.as_bytes()).unwrap();
                assert_eq!(translation.usage(), expected);
                assert!(translation.cut().is_err() && translation.end().is_err());
                assert_eq!(translation.usage(), expected);
            }
        }
    }

    #[test]
    fn an_answer_that_is_kept_to_its_end_is_bounded() {
        for (sink, bounded) in [
            (Sink::Collect(Answer::default()), true),
            (Sink::Chat(openai::Encoder::new(shown())), false),
            (
                Sink::Responses(responses::Encoder::new(
                    shown(),
                    responses::echo(r#"{"input":"x"}"#),
                )),
                true,
            ),
        ] {
            let source = Source::Gemini(gemini::Decoder::new(1));
            let mut translation = Translation::new(source, sink);
            let fed = (0..=16).try_for_each(|_| {
                translation.events.push(Event::Text("x".repeat(1 << 20)));
                let fed = translation.write();
                drop(translation.output());
                fed
            });
            assert_eq!(fed.is_err(), bounded);
        }
    }
}
