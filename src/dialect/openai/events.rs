//! A chat answer as [`Event`]s, for callers of another surface.
//!
//! What servers send is mended, judged and held back by the same decoder as for chat callers; here
//! its clean frames are read. So an end is never invented here either, and no call is half.
//! <https://platform.openai.com/docs/api-reference/chat/streaming> (read 2026-11).

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::stream::{self, Shape, Wanted};
use crate::chat::{Call, Event, Finish, Reason, Usage};
use crate::outcome::{Failure, broken};
use crate::wire::json;

/// One answer being decoded. Pure: bytes in, events out.
#[derive(Debug, Clone)]
pub struct Decoder {
    frames: stream::Decoder,
    /// Whether it is too late for [`Event::Id`]: it has been given out, or something else has.
    identified: bool,
    /// Whether anything meaningful has been given out.
    says: bool,
    /// Calls whose last fragment has not been seen yet, by their index, in order.
    open: Vec<(u64, Call)>,
    /// How many calls have been announced, and how many have begun.
    announced: usize,
    begun: usize,
    reason: Option<Reason>,
    done: bool,
}

impl Decoder {
    /// Ids that the provider does not give are made from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            frames: stream::Decoder::new(Wanted {
                shape: Shape::Chat,
                choices: 1,
                model: None,
                usage: true,
                moderation: false,
                seed,
            }),
            identified: false,
            says: false,
            open: Vec::new(),
            announced: 0,
            begun: 0,
            reason: None,
            done: false,
        }
    }

    /// Takes what arrived.
    ///
    /// # Errors
    /// The stream is no answer, or no longer one. What came before stays in `out`.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<Event>) -> Result<(), Failure> {
        // Event by event, so that nothing depends on how they arrived together.
        let mut rest = chunk;
        while !rest.is_empty() {
            let (event, behind) = rest.split_at(event_end(rest));
            rest = behind;
            let fed = self.frames.feed(event);
            self.take(fed, out)?;
        }
        Ok(())
    }

    /// The provider closed.
    ///
    /// # Errors
    /// `broken` unless the answer had come to its end.
    pub fn end(&mut self, out: &mut Vec<Event>) -> Result<(), Failure> {
        let ended = self.frames.end();
        self.take(ended, out)
    }

    /// The connection broke.
    ///
    /// # Errors
    /// `broken` unless only the end was missing.
    pub fn cut(&mut self, out: &mut Vec<Event>) -> Result<(), Failure> {
        let cut = self.frames.cut();
        self.take(cut, out)
    }

    /// Takes a plain answer, from a server that was asked for a stream.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub fn whole(&mut self, body: &[u8], out: &mut Vec<Event>) -> Result<(), Failure> {
        let taken = self.frames.whole(body);
        self.take(taken, out)
    }

    /// Whether the finish has been given out.
    pub fn done(&self) -> bool {
        self.done
    }

    /// Reads the frames that have been let go. A failure behind them does not undo them.
    fn take(&mut self, outcome: Result<(), Failure>, out: &mut Vec<Event>) -> Result<(), Failure> {
        let frames = self.frames.output();
        let before = out.len();
        for line in frames.split(|&byte| byte == b'\n') {
            if let Some(data) = line.strip_prefix(b"data: ")
                && data != b"[DONE]"
            {
                self.frame(data, out)?;
                self.identified |= out.len() > before;
            }
        }
        self.close_calls(out);
        self.says |= out[before..].iter().any(Event::is_meaningful);
        outcome?;
        if self.frames.arrived() && !self.frames.released() && self.announced == 0 {
            // What has arrived and is held back is a call.
            self.announced = 1;
            self.says = true;
            if !self.identified
                && let Some(id) = self.frames.id()
            {
                out.push(Event::Id(id));
            }
            self.identified = true;
            out.push(Event::CallBegan);
        }
        if self.frames.done() && !self.done {
            self.finish(out)?;
        }
        Ok(())
    }

    fn frame(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<(), Failure> {
        let chunk: Chunk = serde_json::from_slice(data)
            .map_err(|_| broken("a stream event is not what the schema says"))?;
        if !self.identified
            && let Some(id) = text(chunk.id)?
            && !id.is_empty()
        {
            out.push(Event::Id(id));
        }
        for choice in chunk.choices {
            // One was asked for.
            if choice.index != 0 {
                continue;
            }
            if let Some(delta) = choice.delta {
                self.delta(delta, out)?;
            }
            self.reason = match choice.finish_reason.as_deref() {
                None => self.reason,
                Some("length") => Some(Reason::Length),
                Some("content_filter") => Some(Reason::ContentFilter),
                Some("tool_calls" | "function_call") => Some(Reason::ToolCalls),
                Some(_) => Some(Reason::Stop),
            };
        }
        Ok(())
    }

    fn delta(&mut self, delta: Delta<'_>, out: &mut Vec<Event>) -> Result<(), Failure> {
        let mut say = |words, event: fn(String) -> Event| {
            let words = text(words)?.filter(|words| !words.is_empty());
            let said = words.is_some();
            out.extend(words.map(event));
            Ok::<bool, Failure>(said)
        };
        // Some servers say the same under both names.
        if !say(delta.reasoning_content, Event::Reasoning)? {
            say(delta.reasoning, Event::Reasoning)?;
        }
        say(delta.content, Event::Text)?;
        say(delta.refusal, Event::Refusal)?;
        for fragment in delta.tool_calls.unwrap_or_default() {
            self.fragment(fragment, out)?;
        }
        Ok(())
    }

    fn fragment(&mut self, fragment: Fragment<'_>, out: &mut Vec<Event>) -> Result<(), Failure> {
        let function = fragment.function.unwrap_or_default();
        let arguments = text(function.arguments)?.unwrap_or_default();
        let signature = fragment
            .extra_content
            .and_then(|extra| extra.google?.thought_signature);
        let open = self.open.iter_mut();
        if let Some((_, call)) = open
            .rev()
            .find(|(index, _)| fragment.id.is_none() && *index == fragment.index)
        {
            call.arguments.push_str(&arguments);
            call.name
                .push_str(function.name.as_deref().unwrap_or_default());
            call.signature = call.signature.take().or(signature);
            return Ok(());
        }
        let Some(id) = fragment.id else {
            // Behind a call that was whole only white space comes through.
            return Ok(());
        };
        self.begun += 1;
        if self.begun > self.announced {
            self.announced = self.begun;
            out.push(Event::CallBegan);
        }
        let call = Call {
            id,
            name: function.name.unwrap_or_default().into_owned(),
            arguments,
            whole: true,
            signature,
        };
        self.open.push((fragment.index, call));
        Ok(())
    }

    /// Gives out the calls that are complete: an object that has ended cannot go on.
    fn close_calls(&mut self, out: &mut Vec<Event>) {
        for (_, call) in &mut self.open {
            // Groq's word for no arguments.
            if call.arguments.trim() == "null" {
                call.arguments = "{}".into();
            }
        }
        let whole = |(_, call): &&(u64, Call)| !call.name.is_empty() && is_object(&call.arguments);
        let count = self.open.iter().take_while(whole).count();
        let closed = self.open.drain(..count);
        out.extend(closed.map(|(_, call)| Event::Call(call)));
    }

    fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), Failure> {
        // The frames' decoder is not done without a reason.
        let reason = self.reason.unwrap_or(Reason::Stop);
        let cut = matches!(reason, Reason::Length | Reason::ContentFilter);
        for (_, mut call) in self.open.drain(..) {
            if call.name.is_empty() {
                return Err(broken("a tool call lacks its name"));
            }
            if !cut {
                return Err(broken("the arguments of a tool call are no JSON object"));
            }
            call.whole = false;
            out.push(Event::Call(call));
        }
        if !self.says && !cut {
            return Err(broken("the answer is empty"));
        }
        let usage = self.usage();
        if usage.is_known() {
            out.push(Event::Usage(usage));
        }
        out.push(Event::Finish(Finish::from(reason)));
        self.done = true;
        Ok(())
    }

    /// The tokens counted so far.
    pub fn usage(&self) -> Usage {
        self.frames.usage()
    }
}

/// Where the first event in `chunk` ends, or all of it: behind an empty line.
fn event_end(chunk: &[u8]) -> usize {
    let mut line = 0;
    for end in memchr::memchr_iter(b'\n', chunk) {
        if matches!(&chunk[line..end], b"" | b"\r") {
            return end + 1;
        }
        line = end + 1;
    }
    chunk.len()
}

fn is_object(arguments: &str) -> bool {
    arguments.trim_start().starts_with('{') && json::check(arguments).is_ok()
}

/// The string that `value` is; nothing else is words.
fn text(value: Option<&RawValue>) -> Result<Option<String>, Failure> {
    let value = value.map_or("null", RawValue::get);
    if !value.starts_with('"') {
        return Ok(None);
    }
    let text = serde_json::from_str(value);
    text.map(Some)
        .map_err(|_| broken("a string of the answer is not Unicode"))
}

/// A frame, after it has been mended.
#[derive(Debug, Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    choices: Vec<Choice<'a>>,
}

#[derive(Debug, Deserialize)]
struct Choice<'a> {
    index: u64,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<Vec<Fragment<'a>>>,
}

#[derive(Debug, Deserialize)]
struct Fragment<'a> {
    index: u64,
    id: Option<String>,
    #[serde(borrow)]
    function: Option<Function<'a>>,
    extra_content: Option<ExtraContent>,
}

#[derive(Debug, Default, Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

/// Google's, on its compatible endpoint.
#[derive(Debug, Deserialize)]
struct ExtraContent {
    google: Option<Signed>,
}

#[derive(Debug, Deserialize)]
struct Signed {
    thought_signature: Option<String>,
}
