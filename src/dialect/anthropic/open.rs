//! The blocks of an answer: which are open, and what each gives out.
//!
//! Blocks come one after another, but each event names its block by an index, and the index decides
//! what a fragment is: the arguments of a tool that the provider runs itself look like those of a
//! call.

use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::wire::{self, Block, Delta};
use crate::chat::{Call, Calls, Event, Thought};
use crate::outcome::{Failure, broken};

/// The most blocks that may be open at once: one is usual.
const MAX_OPEN: usize = 16;
/// The most thinking of one block, in bytes, signature included: more than the longest answer holds.
const MAX_THOUGHT: usize = 4 << 20;

/// The blocks of one answer, and what came in them.
#[derive(Debug, Clone)]
pub(super) struct Blocks {
    rng: fastrand::Rng,
    /// Whether any block has begun.
    begun: bool,
    open: SmallVec<[(u64, Open); 2]>,
    pub(super) calls: Calls,
    meaningful: bool,
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

impl Blocks {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            begun: false,
            open: SmallVec::new(),
            calls: Calls::default(),
            meaningful: false,
        }
    }

    /// Whether any block has begun.
    pub(super) fn have_begun(&self) -> bool {
        self.begun
    }

    pub(super) fn are_closed(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether there has been a word or a call in any.
    pub(super) fn mean_something(&self) -> bool {
        self.meaningful
    }

    /// A block begins.
    ///
    /// # Errors
    /// `broken` where it cannot begin, or holds too much.
    pub(super) fn begin(
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

    /// A piece of a block comes.
    ///
    /// # Errors
    /// `broken` where it does not fit its block, or is too much.
    pub(super) fn delta(
        &mut self,
        index: u64,
        delta: &Delta<'_>,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
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

    /// A block ends.
    ///
    /// # Errors
    /// `broken` where a call is more than may be held.
    pub(super) fn close(&mut self, index: u64, out: &mut Vec<Event>) -> Result<(), Failure> {
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

    fn make_room(&mut self, index: u64, out: &mut Vec<Event>) -> Result<(), Failure> {
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
