//! How far an answer has come: blocks that are open, tokens counted, the reason it gave for its end.
//!
//! Blocks come one after another, but each event names its block by an index, and the index decides
//! what a fragment is: the arguments of a tool that the provider runs itself look like those of a
//! call. An answer may also stand whole in its `message_start`, as when a program in the provider's
//! container calls a tool.

use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::decode::broken;
use super::usage::Counted;
use super::wire::{self, Block, Delta};
use crate::chat::{Call, Calls, Event, Finish, Reason, Thought, Usage};
use crate::outcome::Failure;

/// The most blocks that may be open at once: one is usual.
const MAX_OPEN: usize = 16;
/// The most thinking of one block, in bytes, signature included: more than the longest answer holds.
const MAX_THOUGHT: usize = 4 << 20;

#[derive(Debug, Clone)]
pub(super) struct Progress {
    rng: fastrand::Rng,
    phase: Phase,
    /// Whether any block has begun.
    begun: bool,
    open: SmallVec<[(u64, Open); 2]>,
    calls: Calls,
    counted: Counted,
    stop: Option<Finish>,
    /// Why the answer was refused, in the provider's words.
    explanation: Option<String>,
    meaningful: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing has come.
    Waiting,
    /// Something of the answer, but not its beginning.
    Headless,
    Begun,
    Done,
}

/// A block that has begun and not ended.
#[derive(Debug, Clone)]
enum Open {
    Text,
    Thinking(Thought),
    /// What its beginning held of its arguments: they are so if no fragment follows.
    Call {
        given: Option<Box<str>>,
    },
    /// Of no interest here: the provider's own tools, and what is newer than us.
    Passed,
}

impl Progress {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            phase: Phase::Waiting,
            begun: false,
            open: SmallVec::new(),
            calls: Calls::default(),
            counted: Counted::default(),
            stop: None,
            explanation: None,
            meaningful: false,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// Whether nothing but the end itself is missing.
    pub(super) fn is_complete(&self) -> bool {
        self.stop.is_some() && self.open.is_empty()
    }

    /// Takes one event of a stream.
    ///
    /// # Errors
    /// `broken` when it does not fit what came before.
    pub(super) fn event(
        &mut self,
        event: wire::Event<'_>,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        match &*event.kind {
            "content_block_delta" => {
                let delta = event.delta.ok_or_else(|| broken("a delta of nothing"))?;
                self.delta(event.index, &delta, out)
            }
            "content_block_start" => {
                let block = event
                    .content_block
                    .ok_or_else(|| broken("a beginning of no block"))?;
                self.begin(event.index, &block, out)
            }
            "content_block_stop" => self.close(event.index, out),
            "message_start" => {
                let message = event
                    .message
                    .ok_or_else(|| broken("a stream begins with no message"))?;
                self.start(&message, out)
            }
            "message_delta" => {
                if let Some(usage) = event.usage {
                    self.counted.add(&usage);
                }
                if let Some(delta) = event.delta {
                    self.stopped(
                        delta.stop_reason.as_ref(),
                        delta.stop_sequence.as_ref(),
                        delta.stop_details.as_ref(),
                    );
                }
                Ok(())
            }
            "message_stop" => self.finish(out),
            // `ping`, and what is newer than us.
            _ => Ok(()),
        }
    }

    pub(super) fn usage(&self) -> Usage {
        self.counted.total()
    }

    /// The message begins; all of it may be there.
    ///
    /// # Errors
    /// `broken` when another has begun, and blocks of it: proxies have spliced two answers into one
    /// stream. One that only repeats the beginning is passed over.
    pub(super) fn start(
        &mut self,
        message: &wire::Message<'_>,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let first = self.phase == Phase::Waiting;
        if !first && self.phase != Phase::Headless {
            return if self.begun {
                Err(broken("a second answer begins in the middle of the first"))
            } else {
                Ok(())
            };
        }
        self.phase = Phase::Begun;
        let id = message.id.as_ref().filter(|id| first && !id.0.is_empty());
        if let Some(id) = id {
            out.push(Event::Id(id.0.to_string()));
        }
        if let Some(usage) = &message.usage {
            self.counted.add(usage);
        }
        for (index, text) in (0..).zip(message.content.iter().flatten()) {
            match serde_json::from_str::<Block<'_>>(text.get()) {
                Ok(block) => {
                    self.begin(index, &block, out)?;
                    self.close(index, out)?;
                }
                Err(_) if wire::is_newer_block(text.get()) => {}
                Err(_) => return Err(broken("a block of the answer is not JSON of the schema")),
            }
        }
        self.stopped(
            message.stop_reason.as_ref(),
            message.stop_sequence.as_ref(),
            message.stop_details.as_ref(),
        );
        Ok(())
    }

    fn begin(
        &mut self,
        index: u64,
        block: &Block<'_>,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        self.make_room(index, out)?;
        let open = match &*block.kind {
            "text" => {
                self.say(block.text.as_ref(), Event::Text, out);
                Open::Text
            }
            "thinking" => {
                self.say(block.thinking.as_ref(), Event::Reasoning, out);
                let mut thought = Thought::default();
                think(&mut thought, block.thinking.as_ref())?;
                sign(&mut thought, block.signature.as_ref());
                Open::Thinking(thought)
            }
            "redacted_thinking" => Open::Thinking(Thought {
                redacted: block.data.as_ref().map(|text| text.0.to_string()),
                ..Thought::default()
            }),
            "tool_use" => {
                let call = Call {
                    id: self.id_of(block),
                    name: string(block.name.as_ref()),
                    arguments: String::new(),
                    whole: true,
                    signature: None,
                };
                self.calls.begin(index, call, out)?;
                self.meaningful = true;
                let given = block.input.map(RawValue::get);
                Open::Call {
                    given: given.filter(|given| !is_empty(given)).map(Box::from),
                }
            }
            _ => Open::Passed,
        };
        self.open.push((index, open));
        Ok(())
    }

    /// A block begins that is of no kind we know.
    ///
    /// # Errors
    /// As of any other block.
    pub(super) fn pass(&mut self, index: u64, out: &mut Vec<Event>) -> Result<(), Failure> {
        self.make_room(index, out)?;
        self.open.push((index, Open::Passed));
        Ok(())
    }

    fn make_room(&mut self, index: u64, out: &mut Vec<Event>) -> Result<(), Failure> {
        self.go_on();
        self.begun = true;
        // The answer went on behind it, so no limit has cut it.
        if !self
            .open
            .iter()
            .any(|(_, open)| matches!(open, Open::Call { .. }))
        {
            self.calls.end_all(out)?;
        }
        if self.open.len() == MAX_OPEN || self.place(index).is_some() {
            return Err(broken("a block begins within another of its place"));
        }
        Ok(())
    }

    /// Something of the answer comes, whether or not it has begun: proxies have lost beginnings.
    fn go_on(&mut self) {
        if self.phase == Phase::Waiting {
            self.phase = Phase::Headless;
        }
    }

    fn delta(
        &mut self,
        index: u64,
        delta: &Delta<'_>,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        self.go_on();
        let place = self.place(index);
        let open = place.map(|at| &mut self.open[at].1);
        match (&*delta.kind, open) {
            (_, Some(Open::Passed)) => {}
            // Of a block that nobody began: proxies have lost its beginning.
            ("text_delta", Some(Open::Text) | None) => {
                self.say(delta.text.as_ref(), Event::Text, out);
            }
            ("thinking_delta", Some(Open::Thinking(thought))) => {
                think(thought, delta.thinking.as_ref())?;
                self.say(delta.thinking.as_ref(), Event::Reasoning, out);
            }
            // It stands for the one before, as the SDKs have it.
            ("signature_delta", Some(Open::Thinking(thought))) => {
                sign(thought, delta.signature.as_ref());
                think(thought, None)?;
            }
            ("input_json_delta", Some(Open::Call { given })) => {
                let text = delta.partial_json.as_ref();
                if let Some(text) = text.filter(|text| !text.0.is_empty()) {
                    *given = None;
                    self.calls.append(index, &text.0)?;
                }
            }
            ("text_delta" | "thinking_delta" | "signature_delta" | "input_json_delta", _) => {
                return Err(broken("a delta does not fit its block"));
            }
            // Citations, and what is newer than us.
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, index: u64, out: &mut Vec<Event>) -> Result<(), Failure> {
        let Some(at) = self.place(index) else {
            return Ok(());
        };
        match self.open.remove(at).1 {
            Open::Thinking(thought) if thought != Thought::default() => {
                out.push(Event::Thought(thought));
            }
            Open::Call { given } => {
                if let Some(given) = given {
                    self.calls.append(index, &given)?;
                }
                // One that is not seen to be whole waits for the reason of the end.
                self.calls.end_if_whole(index, out);
            }
            Open::Text | Open::Thinking(_) | Open::Passed => {}
        }
        Ok(())
    }

    /// Takes the reason of the end. Null says that it has not come.
    fn stopped(
        &mut self,
        reason: Option<&wire::Text<'_>>,
        sequence: Option<&wire::Text<'_>>,
        details: Option<&wire::StopDetails<'_>>,
    ) {
        if let Some(reason) = reason {
            let explanation = details.and_then(|details| details.explanation.as_ref());
            self.explanation = explanation.map(|text| text.0.to_string());
            self.stop = Some(Finish {
                reason: reason_of(&reason.0),
                stop_sequence: sequence.map(|text| text.0.to_string()),
            });
        }
    }

    /// The answer has come to its end: gives out what waited for it.
    ///
    /// # Errors
    /// `broken` when the end came without a reason, in the middle of a block, or after nothing.
    pub(super) fn finish(&mut self, out: &mut Vec<Event>) -> Result<(), Failure> {
        if self.is_done() {
            return Ok(());
        }
        let Some(mut finish) = self.stop.take() else {
            return Err(broken("the answer ended without a reason"));
        };
        if !self.open.is_empty() && !matches!(finish.reason, Reason::Length | Reason::ContentFilter)
        {
            return Err(broken("the answer ended within a block"));
        }
        match finish.reason {
            Reason::Length => self.calls.cut(out),
            // What was begun is withheld.
            Reason::ContentFilter => self.calls.withhold(),
            Reason::Stop | Reason::ToolCalls => self.calls.end_all(out)?,
        }
        finish.reason = match finish.reason {
            // Only the provider's own tools were used, or the server says `end_turn` for calls.
            Reason::Stop | Reason::ToolCalls if self.calls.any() => Reason::ToolCalls,
            Reason::ToolCalls => Reason::Stop,
            reason @ (Reason::Stop | Reason::Length | Reason::ContentFilter) => reason,
        };
        match finish.reason {
            Reason::Stop | Reason::ToolCalls if !self.meaningful => {
                return Err(broken("the answer is empty"));
            }
            Reason::ContentFilter if !self.meaningful => {
                let explanation = self.explanation.take();
                out.extend(explanation.map(Event::Refusal));
            }
            Reason::Stop | Reason::ToolCalls | Reason::Length | Reason::ContentFilter => {}
        }
        let usage = self.usage();
        if usage.is_known() {
            out.push(Event::Usage(usage));
        }
        out.push(Event::Finish(finish));
        self.phase = Phase::Done;
        Ok(())
    }

    fn say(
        &mut self,
        text: Option<&wire::Text<'_>>,
        event: impl Fn(String) -> Event,
        out: &mut Vec<Event>,
    ) {
        if let Some(text) = text.filter(|text| !text.0.is_empty()) {
            self.meaningful = true;
            out.push(event(text.0.to_string()));
        }
    }

    fn place(&self, index: u64) -> Option<usize> {
        self.open.iter().position(|(open, _)| *open == index)
    }

    fn id_of(&mut self, block: &Block<'_>) -> String {
        let id = string(block.id.as_ref());
        if id.is_empty() {
            format!("toolu_{:024x}", self.rng.u128(..) >> 32)
        } else {
            id
        }
    }
}

fn reason_of(theirs: &str) -> Reason {
    match theirs {
        "max_tokens" | "model_context_window_exceeded" => Reason::Length,
        "tool_use" => Reason::ToolCalls,
        "refusal" => Reason::ContentFilter,
        // `end_turn`, `stop_sequence`, `pause_turn`, `compaction`, and what is newer than us.
        _ => Reason::Stop,
    }
}

fn think(thought: &mut Thought, text: Option<&wire::Text<'_>>) -> Result<(), Failure> {
    if let Some(text) = text {
        thought.text.push_str(&text.0);
    }
    let signature = thought.signature.as_ref().map_or(0, String::len);
    if thought.text.len() + signature > MAX_THOUGHT {
        return Err(broken("a block of thinking is too long to hold"));
    }
    Ok(())
}

fn sign(thought: &mut Thought, signature: Option<&wire::Text<'_>>) {
    if let Some(signature) = signature.filter(|signature| !signature.0.is_empty()) {
        thought.signature = Some(signature.0.to_string());
    }
}

fn string(text: Option<&wire::Text<'_>>) -> String {
    text.map(|text| text.0.to_string()).unwrap_or_default()
}

/// Whether a call's `input` is what every stream begins with: an object of nothing.
fn is_empty(input: &str) -> bool {
    let inner = input
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    input == "null" || inner.is_some_and(|inner| inner.trim().is_empty())
}
