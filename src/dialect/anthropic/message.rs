//! How far an answer has come: its beginning, the tokens counted, the reason it gave for its end.
//!
//! What comes between is [`Blocks`]. An answer may also stand whole in its `message_start`, as when a
//! program in the provider's container calls a tool.

use super::open::Blocks;
use super::usage::Counted;
use super::wire::{self, Block};
use crate::chat::{Event, Finish, Reason, Usage};
use crate::outcome::{Failure, broken};

#[derive(Debug, Clone)]
pub(super) struct Progress {
    phase: Phase,
    blocks: Blocks,
    counted: Counted,
    stop: Option<Finish>,
    /// Why the answer was refused, in the provider's words.
    explanation: Option<String>,
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

impl Progress {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            phase: Phase::Waiting,
            blocks: Blocks::new(seed),
            counted: Counted::default(),
            stop: None,
            explanation: None,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// Whether nothing but the end itself is missing.
    pub(super) fn is_complete(&self) -> bool {
        self.stop.is_some() && self.blocks.are_closed()
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
                self.go_on();
                self.blocks.delta(event.index, &delta, out)
            }
            "content_block_start" => {
                let block = event
                    .content_block
                    .ok_or_else(|| broken("a beginning of no block"))?;
                self.go_on();
                self.blocks.begin(event.index, &block, out)
            }
            "content_block_stop" => self.blocks.close(event.index, out),
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
            return if self.blocks.have_begun() {
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
                    self.blocks.begin(index, &block, out)?;
                    self.blocks.close(index, out)?;
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

    /// A block begins that is of no kind we know.
    ///
    /// # Errors
    /// As of any other block.
    pub(super) fn pass(&mut self, index: u64, out: &mut Vec<Event>) -> Result<(), Failure> {
        self.go_on();
        self.blocks.pass(index, out)
    }

    /// Something of the answer comes, whether or not it has begun: proxies have lost beginnings.
    fn go_on(&mut self) {
        if self.phase == Phase::Waiting {
            self.phase = Phase::Headless;
        }
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
        if !self.blocks.are_closed()
            && !matches!(finish.reason, Reason::Length | Reason::ContentFilter)
        {
            return Err(broken("the answer ended within a block"));
        }
        match finish.reason {
            Reason::Length => self.blocks.calls.cut(out),
            // What was begun is withheld.
            Reason::ContentFilter => self.blocks.calls.withhold(),
            Reason::Stop | Reason::ToolCalls => self.blocks.calls.end_all(out)?,
        }
        finish.reason = match finish.reason {
            // Only the provider's own tools were used, or the server says `end_turn` for calls.
            Reason::Stop | Reason::ToolCalls if self.blocks.calls.any() => Reason::ToolCalls,
            Reason::ToolCalls => Reason::Stop,
            reason @ (Reason::Stop | Reason::Length | Reason::ContentFilter) => reason,
        };
        match finish.reason {
            Reason::Stop | Reason::ToolCalls if !self.blocks.mean_something() => {
                return Err(broken("the answer is empty"));
            }
            Reason::ContentFilter if !self.blocks.mean_something() => {
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
