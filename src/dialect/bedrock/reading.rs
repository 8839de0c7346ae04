//! An answer as far as it has been read: which of its blocks are open, and how it stopped.

use fastrand::Rng;
use serde::Deserialize;
use smallvec::SmallVec;

use super::answer::{Block, Delta, MessageStop, ReasoningDelta, Start, TokenUsage, ToolUse};
use crate::chat::{Call, Calls, Event, Finish, Reason, Thought, Usage};
use crate::outcome::{Failure, broken};

/// The most text of thinking that is held until its signature comes, in bytes.
const MAX_THOUGHTS: usize = 4 << 20;
/// The most blocks that are open at once. One is usual.
const MAX_OPEN: usize = 64;

#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// What is open besides text, which needs no memory.
    open: SmallVec<[(u64, Open); 2]>,
    calls: Calls,
    /// Bytes of thinking so far.
    thoughts: usize,
    usage: Usage,
    meaningful: bool,
    /// The answer has stopped, and so; it is given out once its usage has come.
    stopped: Option<Finish>,
    done: bool,
    rng: Rng,
}

#[derive(Debug, Clone)]
enum Open {
    Call,
    Thought(Thought),
    /// Of the provider's own tools, or newer than we are.
    Skipped,
}

impl Reading {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            open: SmallVec::new(),
            calls: Calls::default(),
            thoughts: 0,
            usage: Usage::default(),
            meaningful: false,
            stopped: None,
            done: false,
            rng: Rng::with_seed(seed),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    pub(super) fn has_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// A block begins that has a name.
    pub(super) fn start(
        &mut self,
        index: u64,
        start: Start<'_>,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        self.check_running()?;
        if self.open.iter().any(|(own, _)| *own == index) {
            return Err(broken("a block begins twice"));
        }
        let open = match start.tool_use {
            Some(tool) if !tool.is_the_providers() => {
                self.begin_call(index, tool, out)?;
                Open::Call
            }
            _ => Open::Skipped,
        };
        self.open(index, open)
    }

    /// More of a block. What kind of block it is, its first piece says.
    pub(super) fn delta(
        &mut self,
        index: u64,
        delta: Delta<'_>,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        self.check_running()?;
        let at = self.open.iter().position(|(own, _)| *own == index);
        if let Some(at) = at
            && matches!(self.open[at].1, Open::Skipped)
        {
            return Ok(());
        }
        if let Some(text) = delta.text {
            self.put(Event::Text(text), out);
        }
        if let Some(tool) = delta.tool_use {
            self.calls
                .append(index, &tool.input)?
                .ok_or_else(|| broken("arguments came for a call that has not begun"))?;
        }
        if let Some(reasoning) = delta.reasoning_content {
            self.reason(index, at, reasoning, out)?;
        }
        Ok(())
    }

    /// A block has ended.
    pub(super) fn stop_block(&mut self, index: u64, out: &mut Vec<Event>) -> Result<(), Failure> {
        self.check_running()?;
        let Some(at) = self.open.iter().position(|(own, _)| *own == index) else {
            return Ok(());
        };
        match self.open.remove(at).1 {
            Open::Call => {
                // A call that the token limit cut ends like any other: the stop will say.
                self.calls.end_if_whole(index, out);
                Ok(())
            }
            Open::Thought(thought) => {
                out.push(Event::Thought(thought));
                Ok(())
            }
            Open::Skipped => Ok(()),
        }
    }

    /// The answer has stopped; its usage may follow.
    pub(super) fn stop(
        &mut self,
        stop: &MessageStop<'_>,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        self.check_running()?;
        let mut torn = false;
        for (_, open) in self.open.drain(..) {
            match open {
                Open::Thought(thought) => out.push(Event::Thought(thought)),
                Open::Call => torn = true,
                Open::Skipped => {}
            }
        }
        let reason = self.reason_of(&stop.stop_reason)?;
        match reason {
            Reason::Length => self.calls.cut(out),
            // What was begun is withheld.
            Reason::ContentFilter => self.calls.withhold(),
            Reason::Stop | Reason::ToolCalls if torn => {
                return Err(broken("the answer ended in the middle of a tool call"));
            }
            Reason::Stop | Reason::ToolCalls => self.calls.end_all(out)?,
        }
        match reason {
            Reason::Stop | Reason::ToolCalls if !self.meaningful => {
                return Err(broken("the answer is empty"));
            }
            Reason::Stop | Reason::ToolCalls | Reason::Length | Reason::ContentFilter => {}
        }
        self.stopped = Some(Finish {
            reason,
            stop_sequence: stop_sequence(stop),
        });
        Ok(())
    }

    pub(super) fn count(&mut self, usage: Option<TokenUsage>) {
        if let Some(usage) = usage {
            self.usage = usage.into();
        }
    }

    /// Gives out the end, if there has been a stop.
    pub(super) fn finish(&mut self, out: &mut Vec<Event>) {
        if let (Some(finish), false) = (&self.stopped, self.done) {
            if self.usage.is_known() {
                out.push(Event::Usage(self.usage));
            }
            out.push(Event::Finish(finish.clone()));
            self.done = true;
        }
    }

    /// A block of a plain answer.
    pub(super) fn block(
        &mut self,
        index: u64,
        block: Block<'_>,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        if let Some(text) = block.text {
            self.put(Event::Text(text), out);
        }
        for cited in block.citations_content.into_iter().flat_map(|c| c.content) {
            self.put(Event::Text(cited.text), out);
        }
        if let Some(reasoning) = block.reasoning_content {
            let thought = match reasoning.reasoning_text {
                Some(shown) => Thought {
                    text: shown.text,
                    signature: shown.signature,
                    redacted: None,
                },
                None => Thought {
                    redacted: reasoning.redacted_content,
                    ..Thought::default()
                },
            };
            self.put(Event::Reasoning(thought.text.clone()), out);
            out.push(Event::Thought(thought));
        }
        if let Some(tool) = block.tool_use
            && !tool.is_the_providers()
        {
            self.begin_call(index, tool, out)?;
            self.calls.end(index, out)?;
        }
        Ok(())
    }

    fn begin_call(
        &mut self,
        index: u64,
        tool: ToolUse<'_>,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let id = if tool.id.is_empty() {
            let letters = (0..24).map(|_| self.rng.alphanumeric());
            ['c', 'a', 'l', 'l', '_']
                .into_iter()
                .chain(letters)
                .collect()
        } else {
            tool.id.into_owned()
        };
        let call = Call {
            id,
            name: tool.name.into_owned(),
            arguments: tool
                .input
                .map_or_else(String::new, |input| input.get().to_owned()),
            whole: true,
            signature: None,
        };
        self.meaningful = true;
        self.calls.begin(index, call, out)
    }

    fn reason(
        &mut self,
        index: u64,
        at: Option<usize>,
        delta: ReasoningDelta,
        out: &mut Vec<Event>,
    ) -> Result<(), Failure> {
        let at = if let Some(at) = at {
            at
        } else {
            self.open(index, Open::Thought(Thought::default()))?;
            self.open.len() - 1
        };
        let Open::Thought(thought) = &mut self.open[at].1 else {
            return Err(broken("a block of one kind goes on as another"));
        };
        let ReasoningDelta {
            text,
            signature,
            redacted_content,
        } = delta;
        let length = |piece: &Option<String>| piece.as_ref().map_or(0, String::len);
        self.thoughts += length(&text) + length(&signature) + length(&redacted_content);
        if self.thoughts > MAX_THOUGHTS {
            return Err(broken("more was thought than can be held"));
        }
        if let Some(signature) = signature {
            thought.signature = Some(signature);
        }
        if let Some(redacted) = redacted_content {
            thought.redacted.get_or_insert_default().push_str(&redacted);
        }
        if let Some(text) = text {
            thought.text.push_str(&text);
            self.put(Event::Reasoning(text), out);
        }
        Ok(())
    }

    fn open(&mut self, index: u64, open: Open) -> Result<(), Failure> {
        if self.open.len() == MAX_OPEN {
            return Err(broken("more blocks are open than are allowed"));
        }
        self.open.push((index, open));
        Ok(())
    }

    /// Empty pieces do come, and say nothing.
    fn put(&mut self, event: Event, out: &mut Vec<Event>) {
        if event.is_meaningful() {
            self.meaningful = true;
            out.push(event);
        }
    }

    fn check_running(&self) -> Result<(), Failure> {
        if self.stopped.is_some() {
            Err(broken("the answer went on behind its end"))
        } else {
            Ok(())
        }
    }

    /// Whether it ended for its calls, the calls say: Nova's own tools end with `tool_use` too.
    fn reason_of(&self, word: &str) -> Result<Reason, Failure> {
        match word {
            "max_tokens" | "model_context_window_exceeded" => Ok(Reason::Length),
            "guardrail_intervened" | "content_filtered" => Ok(Reason::ContentFilter),
            "malformed_model_output" | "malformed_tool_use" => {
                Err(broken("the model's output was malformed"))
            }
            _ if self.calls.any() => Ok(Reason::ToolCalls),
            _ => Ok(Reason::Stop),
        }
    }
}

/// Claude's own field, which has been asked for: in a stream under `delta`, as in Claude's own.
fn stop_sequence(stop: &MessageStop<'_>) -> Option<String> {
    #[derive(Deserialize)]
    struct Fields {
        stop_sequence: Option<String>,
        delta: Option<Delta>,
    }
    #[derive(Deserialize)]
    struct Delta {
        stop_sequence: Option<String>,
    }
    let fields = stop.additional_model_response_fields?;
    let fields: Fields = serde_json::from_str(fields.get()).ok()?;
    fields.stop_sequence.or(fields.delta?.stop_sequence)
}
