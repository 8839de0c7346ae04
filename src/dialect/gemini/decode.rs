//! An answer of `:streamGenerateContent`, as it comes.
//!
//! Each event is a whole response object with what is new in it; nothing marks the last one, so what
//! a reason to finish means is decided only when the stream has ended. Calls come whole, and are held
//! back until then with what follows them: a call of an answer that turns out to be malformed must
//! not be run. <https://ai.google.dev/api/generate-content> (read 2026-11).

use std::num::NonZeroU32;

use serde_json::value::RawValue;

use super::wire::{Called, Candidate, Chunk, ModalityTokenCount, SaidPart, UsageMetadata};
use crate::chat::{Call, Calls, Event, Finish, Reason, Thought, Usage};
use crate::outcome::{Failure, broken, judge_reported};
use crate::wire::sse::{self, Framer};

/// The most that is held back behind a call, in bytes: no application waits for more.
const MAX_HELD: usize = 4 << 20;

/// One answer being decoded. Pure: bytes in, events out.
#[derive(Debug, Clone)]
pub struct Decoder {
    framer: Framer,
    progress: Progress,
}

impl Decoder {
    /// `seed` makes the ids of calls that the provider gives none.
    pub fn new(seed: u64) -> Self {
        Self {
            framer: Framer::default(),
            progress: Progress {
                rng: fastrand::Rng::with_seed(seed),
                names: Vec::new(),
                identified: false,
                calls: Calls::default(),
                next_call: 0,
                held: Vec::new(),
                held_bytes: 0,
                meaningful: false,
                finish: None,
                usage: Usage::default(),
                done: false,
            },
        }
    }

    /// The functions that were renamed for the request, as [`renamed`](super::renamed) says.
    #[must_use]
    pub fn with_names(mut self, names: Vec<(String, String)>) -> Self {
        self.progress.names = names;
        self
    }

    /// Takes what arrived.
    ///
    /// # Errors
    /// The stream is no answer, or no longer one.
    pub fn feed(&mut self, chunk: &[u8], out: &mut Vec<Event>) -> Result<(), Failure> {
        let progress = &mut self.progress;
        self.framer.feed(chunk, |event| progress.event(&event, out))
    }

    /// The provider closed.
    ///
    /// # Errors
    /// `broken` unless there was a reason to finish, and an answer before it.
    pub fn end(&mut self, out: &mut Vec<Event>) -> Result<(), Failure> {
        let progress = &mut self.progress;
        self.framer.finish(|event| progress.event(&event, out))?;
        progress.conclude(out)
    }

    /// The connection broke, or fell silent.
    ///
    /// # Errors
    /// `broken` unless there had been a reason to finish: then only the end was missing. The half of
    /// an event that was cut is none of an answer.
    pub fn cut(&mut self, out: &mut Vec<Event>) -> Result<(), Failure> {
        self.progress.conclude(out)
    }

    /// Takes a plain answer: one response, or the list of them that comes without `alt=sse`.
    ///
    /// # Errors
    /// As [`feed`](Self::feed) and [`end`](Self::end).
    pub fn whole(&mut self, body: &[u8], out: &mut Vec<Event>) -> Result<(), Failure> {
        self.progress.bare(body, out)?;
        self.progress.conclude(out)
    }

    /// Whether [`Event::Finish`] has been given out.
    pub fn done(&self) -> bool {
        self.progress.done
    }

    /// The tokens counted so far.
    pub fn usage(&self) -> Usage {
        self.progress.usage
    }
}

#[derive(Debug, Clone)]
struct Progress {
    rng: fastrand::Rng,
    /// Names of functions: ours, and theirs.
    names: Vec<(String, String)>,
    /// Whether it is too late for [`Event::Id`]: it has been given out, or something else has.
    identified: bool,
    calls: Calls,
    next_call: u64,
    /// From the first call on, everything.
    held: Vec<Event>,
    held_bytes: usize,
    meaningful: bool,
    finish: Option<Ending>,
    usage: Usage,
    done: bool,
}

/// What a reason to finish means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Also where tools are called.
    Stop,
    Length,
    Filtered,
    /// There is no answer, whatever came.
    None,
}

impl Ending {
    /// Words of `FinishReason`, `google-genai` 3.4.0. One that is newer than this is an end like any
    /// other.
    fn of(word: &str) -> Self {
        match word {
            "MAX_TOKENS" | "CONTINUATION" => Self::Length,
            "SAFETY"
            | "RECITATION"
            | "LANGUAGE"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "MODEL_ARMOR"
            | "ESCALATION"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION" => Self::Filtered,
            "MALFORMED_FUNCTION_CALL"
            | "UNEXPECTED_TOOL_CALL"
            | "TOO_MANY_TOOL_CALLS"
            | "MISSING_THOUGHT_SIGNATURE"
            | "MALFORMED_RESPONSE" => Self::None,
            // STOP, OTHER, NO_IMAGE, IMAGE_OTHER, …
            _ => Self::Stop,
        }
    }
}

impl Progress {
    fn event(&mut self, event: &sse::Event<'_>, out: &mut Vec<Event>) -> Result<(), Failure> {
        match event.kind {
            sse::Kind::Message => self.chunk(event.data, out),
            sse::Kind::Error => self.bare(event.data, out),
        }
    }

    /// JSON without framing: an error, or the answer of a server that does not stream.
    fn bare(&mut self, body: &[u8], out: &mut Vec<Event>) -> Result<(), Failure> {
        if !body.trim_ascii_start().starts_with(b"[") {
            return self.chunk(body, out);
        }
        let list: Vec<&RawValue> = serde_json::from_slice(body).map_err(|_| not_json())?;
        list.into_iter()
            .try_for_each(|chunk| self.chunk(chunk.get().as_bytes(), out))
    }

    fn chunk(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<(), Failure> {
        let chunk: Chunk<'_> = serde_json::from_slice(data).map_err(|_| not_json())?;
        if chunk.error.is_some() {
            return Err(judge_reported(data));
        }
        let before = out.len();
        if let Some(id) = chunk.response_id
            && !id.0.is_empty()
            && !self.identified
        {
            out.push(Event::Id(id.0.into_owned()));
        }
        for candidate in chunk.candidates.unwrap_or_default() {
            // More than one is never asked for.
            if candidate.index.unwrap_or(0) == 0 {
                self.candidate(candidate, out)?;
            }
        }
        self.identified |= out.len() > before;
        // A prompt that is refused has no candidates.
        if self.finish.is_none()
            && chunk.prompt_feedback.is_some_and(|feedback| {
                feedback.block_reason.is_some() || feedback.block_reason_message.is_some()
            })
        {
            self.finish = Some(Ending::Filtered);
        }
        // Each count is of all until now, and some say nothing.
        if let Some(usage) = chunk.usage_metadata.map(|counts| usage(&counts))
            && usage.is_known()
        {
            self.usage = usage;
        }
        Ok(())
    }

    fn candidate(&mut self, candidate: Candidate<'_>, out: &mut Vec<Event>) -> Result<(), Failure> {
        let parts = candidate.content.and_then(|content| content.parts);
        for part in parts.unwrap_or_default() {
            self.part(part, out)?;
        }
        if let Some(word) = candidate.finish_reason {
            self.finish = Some(Ending::of(&word.0));
        }
        Ok(())
    }

    fn part(&mut self, part: SaidPart<'_>, out: &mut Vec<Event>) -> Result<(), Failure> {
        if let Some(called) = part.function_call {
            return self.call(called, part.thought_signature, out);
        }
        let text = part.text.unwrap_or_default();
        let is_thought = part.thought == Some(true);
        let thought = part.thought_signature.map(|signature| Thought {
            // The text of a thought is its own; that of an answer stands in the answer.
            text: if is_thought {
                text.clone()
            } else {
                String::new()
            },
            signature: Some(signature),
            redacted: None,
        });
        if !text.is_empty() {
            self.meaningful = true;
            let event = if is_thought {
                Event::Reasoning(text)
            } else {
                Event::Text(text)
            };
            self.push(event, out)?;
        }
        match thought {
            Some(thought) => self.push(Event::Thought(thought), out),
            None => Ok(()),
        }
    }

    fn call(
        &mut self,
        called: Called<'_>,
        signature: Option<String>,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        if called.partial_args.is_some() || called.will_continue == Some(true) {
            return Err(broken(
                "the arguments of a tool call come in pieces, which was not asked for",
            ));
        }
        let name = called.name.unwrap_or_default();
        let ours = self.names.iter().find(|(_, theirs)| *theirs == name);
        let call = Call {
            id: called
                .id
                .filter(|id| !id.is_empty())
                .unwrap_or_else(|| call_id(&mut self.rng)),
            name: ours.map_or(name, |(ours, _)| ours.clone()),
            arguments: match called.args.map(RawValue::get) {
                None | Some("null") => String::new(),
                Some(args) => compact(args),
            },
            whole: true,
            signature,
        };
        let key = self.next_call;
        self.next_call += 1;
        self.meaningful = true;
        self.calls.begin(key, call, out)?;
        self.calls.end(key, &mut self.held)
    }

    /// Lets an event go, unless it stands behind a call.
    fn push(&mut self, event: Event, out: &mut Vec<Event>) -> Result<(), Failure> {
        if self.held.is_empty() {
            out.push(event);
            return Ok(());
        }
        let length = match &event {
            Event::Text(text) | Event::Reasoning(text) | Event::Refusal(text) => text.len(),
            Event::Thought(thought) => {
                thought.text.len() + thought.signature.as_ref().map_or(0, String::len)
            }
            Event::Id(_)
            | Event::CallBegan
            | Event::Call(_)
            | Event::Usage(_)
            | Event::Finish(_) => 0,
        };
        // What an event takes beside its text is counted too.
        self.held_bytes += length + size_of::<Event>();
        if self.held_bytes > MAX_HELD {
            return Err(broken("too much behind a tool call to hold it back"));
        }
        self.held.push(event);
        Ok(())
    }

    /// Nothing more comes.
    fn conclude(&mut self, out: &mut Vec<Event>) -> Result<(), Failure> {
        if self.done {
            return Ok(());
        }
        let reason = match self.finish {
            Some(Ending::None) => {
                return Err(broken(
                    "the provider could not make sense of its own answer",
                ));
            }
            Some(Ending::Length) => Reason::Length,
            Some(Ending::Filtered) => Reason::ContentFilter,
            Some(Ending::Stop) if !self.meaningful => return Err(broken("the answer is empty")),
            Some(Ending::Stop) if self.calls.any() => Reason::ToolCalls,
            Some(Ending::Stop) => Reason::Stop,
            None => return Err(broken("the answer broke off: it gives no reason to finish")),
        };
        out.append(&mut self.held);
        if self.usage.is_known() {
            out.push(Event::Usage(self.usage));
        }
        out.push(Event::Finish(Finish::from(reason)));
        self.done = true;
        Ok(())
    }
}

/// With a total, what is left out was zero; without one it is unknown.
fn usage(counts: &UsageMetadata) -> Usage {
    let sum = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (None, None) => counts.total_token_count.map(|_| 0),
        (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
    };
    Usage {
        prompt: sum(
            counts.prompt_token_count,
            counts.tool_use_prompt_token_count,
        ),
        cached: counts.cached_content_token_count,
        cache_write: None,
        reasoning: counts.thoughts_token_count,
        completion: sum(counts.candidates_token_count, counts.thoughts_token_count),
        audio_input: sound(counts.prompt_tokens_details.as_deref()),
        audio_output: sound(counts.candidates_tokens_details.as_deref()),
    }
}

fn sound(details: Option<&[ModalityTokenCount]>) -> Option<NonZeroU32> {
    let sound = details?.iter();
    let sound = sound.filter(|of| of.modality.as_deref() == Some("AUDIO"));
    let counts = sound.filter_map(|of| of.token_count);
    Usage::sound(counts.fold(0, u64::saturating_add))
}

/// JSON without the white space between its tokens.
fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    out.extend(json.chars().filter(|c| {
        if in_string {
            (in_string, escaped) = (escaped || *c != '"', !escaped && *c == '\\');
            true
        } else {
            in_string = *c == '"';
            !c.is_ascii_whitespace()
        }
    }));
    out
}

/// `call_` and 24 letters and digits, as OpenAI's own.
fn call_id(rng: &mut fastrand::Rng) -> String {
    let mut id = String::from("call_");
    id.extend((0..24).map(|_| rng.alphanumeric()));
    id
}

fn not_json() -> Failure {
    broken("the provider's answer is not JSON of the schema")
}
