//! The frames of one stream, each read, mended and let go or held back.

use std::ops::Range;

use smallvec::SmallVec;

use super::calls::CallId;
use super::frame::{Choice, Finish, Progress, Read};
use super::pattern::Pattern;
use super::stream::{Shape, Wanted};
use super::usage;
use crate::chat::Weight;
use crate::outcome::{Failure, broken, judge_reported};
use crate::wire::edit::{Edits, Object};
use crate::wire::json::{Cursor, quote};
use crate::wire::sse::{self, Event};

#[derive(Debug, Clone)]
pub(super) struct Frames {
    wanted: Wanted,
    /// The caller's model string as JSON.
    model: Option<String>,
    pub(super) progress: Progress,
    /// `"id":…,"object":…,"created":…,"model":…` of the frames, for those we must write ourselves.
    template: String,
    tail: Tail,
    /// What the next frame of text will look like, and how often it may still be learnt anew.
    pattern: Option<Pattern>,
    lessons: u8,
    /// Which of its holes holds what is said; another one is padding.
    words: u8,
    /// What the answer says, so far.
    pub(super) weight: Weight,
    pub(super) out: Vec<u8>,
    pub(super) phase: Phase,
}

/// The most that is kept back before there is anything meaningful, in bytes.
const MAX_WITHHELD: usize = 4 << 20;
/// A stream whose frames keep changing their form is read frame by frame after so many.
const LESSONS: u8 = 16;

/// How far the answer has come. It never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Signs of life at most.
    Silent,
    /// Something meaningful has arrived, if only to be held back.
    Arrived,
    /// Something meaningful is in the output.
    Released,
    Done,
}

/// The usage that goes out after the finish.
#[derive(Debug, Clone, Default)]
enum Tail {
    #[default]
    None,
    /// A whole frame, as it came.
    Frame(Vec<u8>),
    /// The object alone: it stood in a frame of choices.
    Object(String),
    Sent,
}

impl Frames {
    pub(super) fn new(wanted: Wanted) -> Self {
        Self {
            model: wanted.model.as_deref().map(quote),
            progress: Progress::new(wanted.seed),
            template: String::new(),
            tail: Tail::None,
            pattern: None,
            lessons: LESSONS,
            words: 0,
            weight: Weight::default(),
            out: Vec::new(),
            phase: Phase::Silent,
            wanted,
        }
    }

    pub(super) fn event(&mut self, event: &Event<'_>) -> Result<(), Failure> {
        if self.phase == Phase::Done {
            return Ok(());
        }
        if event.data == b"[DONE]" {
            return self.complete();
        }
        if event.kind == sse::Kind::Error {
            return Err(judge_reported(event.data));
        }
        if let (Phase::Released, Some(pattern)) = (self.phase, &self.pattern)
            && let Some(said) = pattern.copy(event.data, self.words.into(), &mut self.out)
        {
            self.weight.add(said);
            return Ok(());
        }
        let text =
            std::str::from_utf8(event.data).map_err(|_| broken("a stream event is not UTF-8"))?;
        if memchr::memchr2(b'\n', b'\r', event.data).is_some() {
            // Between data lines only white space can stand: inside a string it would not be JSON.
            self.message(&text.replace(['\n', '\r'], " "))?;
        } else {
            self.message(text)?;
        }
        // What is let go is taken; before that, frames that say nothing would pile up.
        if self.phase < Phase::Released && self.out.len() > MAX_WITHHELD {
            return Err(broken("too much came before the first token"));
        }
        Ok(())
    }

    pub(super) fn message(&mut self, text: &str) -> Result<(), Failure> {
        let mut cursor = Cursor::new(text);
        let top = Object::read(&mut cursor)?;
        cursor.end()?;
        let kind = |key: &str| top.get(key).map(|span| (text.as_bytes()[span.start], span));
        if kind("error").is_some_and(|(first, _)| first != b'n') {
            return Err(judge_reported(text.as_bytes()));
        }
        let Some((b'[', choices)) = kind("choices") else {
            let is_error = top
                .get("object")
                .is_some_and(|span| &text[span] == "\"error\"")
                || top.get("message").is_some()
                    && (top.get("code").is_some() || top.get("type").is_some());
            // Anything else without choices is some server's sign of life.
            return if is_error {
                Err(judge_reported(text.as_bytes()))
            } else {
                Ok(())
            };
        };
        let mut has_usage = false;
        if let Some((b'{', span)) = kind("usage") {
            has_usage = usage::read(&mut Cursor::at(text, span.start), &mut self.progress.usage)?;
        } else if let Some((b'{', span)) = kind("x_groq") {
            let groq = Object::read(&mut Cursor::at(text, span.start))?;
            if let Some(span) = groq.get("usage") {
                usage::read(&mut Cursor::at(text, span.start), &mut self.progress.usage)?;
            }
        }
        let is_empty = text[choices.start + 1..choices.end - 1].trim().is_empty();
        if is_empty {
            self.choiceless(text, &top, has_usage);
            return Ok(());
        }
        self.answer(text, &top, choices, has_usage)
    }

    /// A frame without choices: usage, or something that only a caller who asked for it expects.
    /// Much code reads `chunk.choices[0]` of every chunk.
    fn choiceless<'a>(&mut self, text: &'a str, top: &Object<'a>, has_usage: bool) {
        let mut edits = Edits::default();
        if has_usage {
            self.keep_usage(text, top, edits);
            return;
        }
        self.replace_model(text, top, &mut edits);
        // Azure's preamble has an empty id; it belongs to no answer.
        let preamble = top.get("id").is_none_or(|id| &text[id] == "\"\"");
        if (self.wanted.usage || self.wanted.moderation) && !preamble {
            self.send_usage();
            if !self.wanted.usage {
                top.rewrite(&mut edits, |key| key == "usage", "");
            }
            write(&mut self.out, text, &mut edits);
        }
    }

    /// A frame of usage, for the end.
    fn keep_usage<'a>(&mut self, text: &'a str, top: &Object<'a>, mut edits: Edits<'a>) {
        if matches!(self.tail, Tail::Sent) {
            return;
        }
        self.replace_model(text, top, &mut edits);
        let mut frame = Vec::with_capacity(text.len() + 32);
        write(&mut frame, text, &mut edits);
        self.tail = Tail::Frame(frame);
    }

    fn answer<'a>(
        &mut self,
        text: &'a str,
        top: &Object<'a>,
        choices: Range<usize>,
        has_usage: bool,
    ) -> Result<(), Failure> {
        let finished_before = self.all_finished();
        let mut read = Read::default();
        let mut cursor = Cursor::at(text, choices.start);
        self.progress
            .choices(self.wanted.shape, text, &mut cursor, &mut read)?;
        if read.text || read.calls != 0 {
            self.reach(Phase::Arrived);
            self.weight.strings(&mut Cursor::at(text, choices.start))?;
        }
        if self.template.is_empty() {
            self.remember(text, top);
        }
        if has_usage {
            if finished_before && !read.text && read.calls == 0 {
                // Nothing but usage: as it came, without its empty choices.
                let mut edits = Edits::default();
                edits.replace(choices, "[]");
                self.keep_usage(text, top, edits);
                return Ok(());
            }
            if let (Some(span), false) = (
                top.get("usage"),
                matches!(self.tail, Tail::Frame(_) | Tail::Sent),
            ) {
                self.tail = Tail::Object(text[span].to_owned());
            }
        }
        self.replace_model(text, top, &mut read.edits);
        let cut_usage = has_usage || !self.wanted.usage;
        top.rewrite(&mut read.edits, |key| cut_usage && key == "usage", "");
        if read.calls == 0 {
            // A finish goes behind the calls that it completes.
            self.let_go(&read.bare)?;
            write(&mut self.out, text, &mut read.edits);
            if read.text {
                self.reach(Phase::Released);
                self.learn(text, top, &read);
            }
        } else {
            let mut frame = Vec::with_capacity(text.len() + 64);
            write(&mut frame, text, &mut read.edits);
            self.progress.calls.hold(read.calls, frame)?;
            self.let_go(&read.bare)?;
        }
        Ok(())
    }

    /// Remembers a frame that ends nothing, so that the next like it need not be read in full.
    fn learn(&mut self, text: &str, top: &Object<'_>, read: &Read<'_>) {
        let Some(words) = read.only.clone().filter(|_| read.count == 1 && !read.ends) else {
            return;
        };
        let padding = top
            .get("obfuscation")
            .filter(|span| text.as_bytes()[span.start] == b'"');
        let first = padding
            .as_ref()
            .filter(|padding| padding.start < words.start);
        self.words = u8::from(first.is_some());
        let mut holes: SmallVec<[_; 2]> = padding.into_iter().chain([words]).collect();
        holes.sort_by_key(|hole| hole.start);
        if let Some(left) = self.lessons.checked_sub(1) {
            self.lessons = left;
            self.pattern = Pattern::learn(text, &read.edits, &holes);
        }
    }

    /// Lets go what is whole, with an empty object for calls that were given no arguments.
    fn let_go(&mut self, bare: &[CallId]) -> Result<(), Failure> {
        for &id in bare {
            let call = self.progress.calls.call(id);
            let frame = format!(
                "data: {{{},\"choices\":[{{\"index\":{},\"delta\":{{\"tool_calls\":[{{\"index\":{},\"function\":{{\"arguments\":\"{{}}\"}}}}]}},\"finish_reason\":null}}]}}\n\n",
                self.template, call.choice, call.index,
            );
            self.progress.calls.hold(0, frame.into_bytes())?;
        }
        if self.progress.calls.release(&mut self.out) {
            self.reach(Phase::Released);
        }
        Ok(())
    }

    /// The answer is over, if it is one.
    pub(super) fn complete(&mut self) -> Result<(), Failure> {
        if self.phase == Phase::Done {
            return Ok(());
        }
        if !self.all_finished() {
            return Err(broken("the stream ended without a finish"));
        }
        let cut = |choice: &Choice| choice.finish == Some(Finish::Cut);
        if self.phase == Phase::Silent && !self.progress.choices.iter().any(cut) {
            return Err(broken("the answer is empty"));
        }
        self.send_usage();
        self.out.extend_from_slice(b"data: [DONE]\n\n");
        self.reach(Phase::Done);
        Ok(())
    }

    /// What is missing after a cut is an end alone, or more.
    pub(super) fn cut(&mut self) -> Result<(), Failure> {
        // A completion may have many prompts, each with its choices: how many is not known here.
        let counted = self.wanted.shape == Shape::Chat;
        if !counted || (self.progress.choices.len() as u64) < self.wanted.choices {
            return Err(broken("the stream was cut"));
        }
        self.complete()
    }

    fn reach(&mut self, phase: Phase) {
        self.phase = self.phase.max(phase);
    }

    fn all_finished(&self) -> bool {
        let choices = &self.progress.choices;
        !choices.is_empty() && choices.iter().all(|choice| choice.finish.is_some())
    }

    fn send_usage(&mut self) {
        if !self.wanted.usage {
            return;
        }
        match std::mem::replace(&mut self.tail, Tail::Sent) {
            Tail::None => self.tail = Tail::None,
            Tail::Sent => {}
            Tail::Frame(frame) => self.out.extend_from_slice(&frame),
            Tail::Object(usage) => {
                let frame = format!(
                    "data: {{{},\"choices\":[],\"usage\":{usage}}}\n\n",
                    self.template
                );
                self.out.extend_from_slice(frame.as_bytes());
            }
        }
    }

    fn replace_model<'a>(&self, text: &'a str, top: &Object<'a>, edits: &mut Edits<'a>) {
        if let (Some(model), Some(span)) = (&self.model, top.get("model"))
            && &text[span.clone()] != model
        {
            edits.replace(span, model.clone());
        }
    }

    pub(super) fn id(&self) -> Option<String> {
        let value = self.template.strip_prefix("\"id\":")?;
        let id = Cursor::new(value).string().ok()?.decode().into_owned();
        (!id.is_empty()).then_some(id)
    }

    fn remember(&mut self, text: &str, top: &Object<'_>) {
        let object = match self.wanted.shape {
            Shape::Chat => "\"chat.completion.chunk\"",
            Shape::Completions => "\"text_completion\"",
        };
        let or_null = |key: &str| top.get(key).map_or("null", |span| &text[span]);
        let model = self.model.as_deref().unwrap_or_else(|| or_null("model"));
        self.template = format!(
            "\"id\":{},\"object\":{object},\"created\":{},\"model\":{model}",
            or_null("id"),
            or_null("created"),
        );
    }
}

/// Writes one frame with its edits made.
fn write<'a>(out: &mut Vec<u8>, text: &'a str, edits: &'a mut Edits<'_>) {
    out.extend_from_slice(b"data: ");
    edits.apply(text, |piece| out.extend_from_slice(piece.as_bytes()));
    out.extend_from_slice(b"\n\n");
}
