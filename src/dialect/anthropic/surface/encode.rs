//! An answer's events as a Messages stream.
//!
//! One block is open at a time. Every frame has its `event:` line: the SDKs drop those without.
//! Nothing is written before there is something to show, so that until then the caller can still be
//! given another answer, or an error with its status.

use std::io::Write as _;

use super::seal_of_call;
use super::write::{message_id, quoted, stop, usage};
use crate::chat::{Call, Event, Finish, Thought, Usage, thought};
use crate::dialect::Shown;

/// One answer being written. Pure: events in, bytes out.
#[derive(Debug)]
pub struct Encoder {
    shown: Shown,
    id: Option<String>,
    phase: Phase,
    open: Option<Block>,
    /// Of the block that is open, else of the next one.
    index: u64,
    calls: bool,
    refused: bool,
    usage: Usage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Silent,
    Started,
    Done,
}

/// A block that pieces are added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Text,
    Thinking,
}

impl Encoder {
    pub fn new(shown: Shown) -> Self {
        Self {
            shown,
            id: None,
            phase: Phase::Silent,
            open: None,
            index: 0,
            calls: false,
            refused: false,
            usage: Usage::default(),
        }
    }

    /// Writes what `events` come to.
    pub fn events(&mut self, events: impl IntoIterator<Item = Event>, out: &mut Vec<u8>) {
        for event in events {
            self.event(event, out);
        }
    }

    fn event(&mut self, event: Event, out: &mut Vec<u8>) {
        if self.phase == Phase::Done {
            return;
        }
        match event {
            Event::Id(id) => self.id = Some(id),
            Event::Text(text) => self.piece(Block::Text, &text, out),
            Event::Refusal(text) => {
                self.refused |= !text.is_empty();
                self.piece(Block::Text, &text, out);
            }
            Event::Reasoning(text) => self.piece(Block::Thinking, &text, out),
            Event::Thought(thought) => self.thought(&thought, out),
            // It follows whole, or not at all.
            Event::CallBegan => {}
            Event::Call(call) => self.call(&call, out),
            Event::Usage(usage) => self.usage = usage,
            Event::Finish(finish) => self.finish(&finish, out),
        }
    }

    fn piece(&mut self, block: Block, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.open(block, out);
        let kind = match block {
            Block::Text => "\"type\":\"text_delta\",\"text\":",
            Block::Thinking => "\"type\":\"thinking_delta\",\"thinking\":",
        };
        self.delta(kind, text, out);
    }

    /// A block of thinking ends, and its signature with it.
    fn thought(&mut self, thought: &Thought, out: &mut Vec<u8>) {
        if let Some(data) = &thought.redacted {
            self.close(out);
            self.start("\"type\":\"redacted_thinking\",\"data\":", out);
            quoted(out, &thought::seal(&self.shown.target, data));
            out.extend_from_slice(b"}}\n\n");
            self.stop(out);
            return;
        }
        if let Some(signature) = &thought.signature {
            self.open(Block::Thinking, out);
            self.sign(&thought::seal(&self.shown.target, signature), out);
        }
        if self.open == Some(Block::Thinking) {
            self.close(out);
        }
    }

    /// The block of thinking that is open ends with this.
    fn sign(&mut self, sealed: &str, out: &mut Vec<u8>) {
        self.delta("\"type\":\"signature_delta\",\"signature\":", sealed, out);
        self.open = None;
        self.stop(out);
    }

    fn call(&mut self, call: &Call, out: &mut Vec<u8>) {
        self.calls = true;
        self.close(out);
        if let Some(signature) = &call.signature {
            self.open(Block::Thinking, out);
            self.sign(&seal_of_call(&self.shown.target, signature), out);
        }
        self.start("\"type\":\"tool_use\",\"id\":", out);
        quoted(out, &call.id);
        out.extend_from_slice(b",\"name\":");
        quoted(out, &call.name);
        out.extend_from_slice(b",\"input\":{}}}\n\n");
        self.delta(
            "\"type\":\"input_json_delta\",\"partial_json\":",
            &call.arguments,
            out,
        );
        self.stop(out);
    }

    fn finish(&mut self, finish: &Finish, out: &mut Vec<u8>) {
        self.begin(out);
        self.close(out);
        out.extend_from_slice(
            b"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{",
        );
        stop(out, finish, self.calls, self.refused);
        out.extend_from_slice(b"},\"usage\":");
        usage(out, &self.usage, false);
        out.extend_from_slice(b"}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
        self.phase = Phase::Done;
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if self.phase != Phase::Silent {
            return;
        }
        self.phase = Phase::Started;
        out.extend_from_slice(
            b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":",
        );
        quoted(out, &message_id(self.id.as_deref(), self.shown.seed));
        out.extend_from_slice(b",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
        quoted(out, &self.shown.model);
        // What is counted is known at the end, and stands there in full.
        out.extend_from_slice(
            b",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":",
        );
        usage(out, &self.usage, true);
        out.extend_from_slice(b"}}\n\n");
    }

    /// Makes sure that a block of this kind is open.
    fn open(&mut self, block: Block, out: &mut Vec<u8>) {
        if self.open == Some(block) {
            return;
        }
        self.close(out);
        let empty = match block {
            Block::Text => "\"type\":\"text\",\"text\":\"\"}}\n\n",
            Block::Thinking => "\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n",
        };
        self.start(empty, out);
        self.open = Some(block);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        match self.open.take() {
            // Nobody signed it: the seal says whose it is.
            Some(Block::Thinking) => self.sign(&thought::seal(&self.shown.target, ""), out),
            Some(Block::Text) => self.stop(out),
            None => {}
        }
    }

    /// `content_block_start` up to the members of the block that `members` begins.
    fn start(&mut self, members: &str, out: &mut Vec<u8>) {
        self.begin(out);
        // Writing to memory does not fail.
        let _ = write!(
            out,
            "event: content_block_start\ndata: {{\"type\":\"content_block_start\",\"index\":{},\"content_block\":{{{members}",
            self.index
        );
    }

    fn delta(&self, members: &str, text: &str, out: &mut Vec<u8>) {
        let _ = write!(
            out,
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":{},\"delta\":{{{members}",
            self.index
        );
        quoted(out, text);
        out.extend_from_slice(b"}}\n\n");
    }

    fn stop(&mut self, out: &mut Vec<u8>) {
        let _ = write!(
            out,
            "event: content_block_stop\ndata: {{\"type\":\"content_block_stop\",\"index\":{}}}\n\n",
            self.index
        );
        self.index += 1;
    }
}
