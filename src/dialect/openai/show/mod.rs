//! An answer in our own words as chat completions write it: chunks of a stream, or one object.
//!
//! <https://platform.openai.com/docs/api-reference/chat/streaming> (read 2026-11). What is beside
//! the schema: `reasoning_content`, as `DeepSeek` has it, and two carriers of signatures that come back
//! with the history, litellm's `thinking_blocks` and Google's `extra_content`. The official SDKs
//! join strings, fail on lists that come twice, or keep the last piece: so what is no string comes
//! whole, in one delta.

mod object;

pub use object::answer;

use crate::chat::{Call, Event, Finish, Thought, Usage};
use crate::dialect::Shown;
use crate::wire::json::quote;
use object::{CallObject, UsageObject, answer_id, blocks, is_signed, reason, write};

/// The most text of thoughts that is kept for the end of a stream, in bytes. An answer that thinks
/// more than that is shown without what it could be continued from.
const MAX_THOUGHTS: usize = 4 << 20;

/// A stream being written.
#[derive(Debug)]
pub struct Encoder {
    shown: Shown,
    /// What every chunk begins with: `data: {"id":…,"model":…`. Empty before the first.
    head: Vec<u8>,
    thoughts: Vec<Thought>,
    /// Of the thoughts, in bytes.
    thought: usize,
    calls: u64,
    said: Said,
    usage: Usage,
    done: bool,
}

/// What of the message has gone out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    /// The role, with `content: null`.
    Role,
    /// Something that stands in the content's place, or the content itself.
    Something,
}

impl Encoder {
    pub fn new(shown: Shown) -> Self {
        Self {
            shown,
            head: Vec::new(),
            thoughts: Vec::new(),
            thought: 0,
            calls: 0,
            said: Said::Nothing,
            usage: Usage::default(),
            done: false,
        }
    }

    /// Writes what `events` say to `out`. What comes behind the finish is nothing.
    pub fn events(&mut self, events: impl IntoIterator<Item = Event>, out: &mut Vec<u8>) {
        for event in events {
            if !self.done {
                self.event(event, out);
            }
        }
    }

    /// Whether `[DONE]` has been written.
    pub fn done(&self) -> bool {
        self.done
    }

    fn event(&mut self, event: Event, out: &mut Vec<u8>) {
        match event {
            Event::Id(id) => {
                if self.head.is_empty() {
                    self.open(Some(&id));
                }
            }
            Event::Text(text) => self.text("content", &text, out),
            Event::Reasoning(text) => self.text("reasoning_content", &text, out),
            Event::Refusal(text) => self.text("refusal", &text, out),
            Event::Thought(thought) => self.keep(thought),
            Event::CallBegan => {}
            Event::Call(call) => self.call(&call, out),
            Event::Usage(usage) => self.usage = usage,
            Event::Finish(finish) => self.finish(&finish, out),
        }
    }

    fn open(&mut self, id: Option<&str>) {
        let id = quote(&answer_id(id, self.shown.seed));
        let model = quote(&self.shown.model);
        let created = self.shown.created;
        self.head = format!(
            "data: {{\"id\":{id},\"object\":\"chat.completion.chunk\",\"created\":{created},\"model\":{model}"
        )
        .into_bytes();
    }

    /// The role goes first, in a delta of its own.
    fn role(&mut self, content: &str, out: &mut Vec<u8>) {
        if self.said != Said::Nothing {
            return;
        }
        if self.head.is_empty() {
            self.open(None);
        }
        self.said = Said::Role;
        self.delta(None, out, |out| {
            out.extend_from_slice(b"\"role\":\"assistant\",\"content\":");
            out.extend_from_slice(content.as_bytes());
        });
    }

    /// One chunk, with the members that `write` puts into its delta.
    fn delta(&self, finish: Option<&str>, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"choices\":[{\"index\":0,\"delta\":{");
        write(out);
        out.extend_from_slice(b"},\"finish_reason\":");
        match finish {
            None => out.extend_from_slice(b"null"),
            Some(reason) => {
                out.push(b'"');
                out.extend_from_slice(reason.as_bytes());
                out.push(b'"');
            }
        }
        out.extend_from_slice(if self.shown.usage {
            b"}],\"usage\":null}\n\n"
        } else {
            b"}]}\n\n"
        });
    }

    fn text(&mut self, key: &str, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        let is_content = key == "content";
        self.role(if is_content { "\"\"" } else { "null" }, out);
        if key != "reasoning_content" {
            self.said = Said::Something;
        }
        out.reserve(self.head.len() + text.len() + 128);
        self.delta(None, out, |out| {
            out.push(b'"');
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b"\":");
            write(text, out);
        });
    }

    fn keep(&mut self, thought: Thought) {
        let length = |text: &Option<String>| text.as_deref().map_or(0, str::len);
        self.thought += thought.text.len() + length(&thought.signature) + length(&thought.redacted);
        if self.thought > MAX_THOUGHTS {
            self.thoughts = Vec::new();
        } else if is_signed(&thought) {
            self.thoughts.push(thought);
        }
    }

    /// In two chunks, as `OpenAI` has them: what it is, and its arguments.
    fn call(&mut self, call: &Call, out: &mut Vec<u8>) {
        self.role("null", out);
        self.said = Said::Something;
        let index = self.calls;
        self.calls += 1;
        let mut first = CallObject::new(call, &self.shown.target);
        first.index = Some(index);
        first.function.arguments = "";
        self.delta(None, out, |out| {
            out.extend_from_slice(b"\"tool_calls\":[");
            write(&first, out);
            out.push(b']');
        });
        if call.arguments.is_empty() {
            return;
        }
        self.delta(None, out, |out| {
            out.extend_from_slice(b"\"tool_calls\":[{\"index\":");
            write(&index, out);
            out.extend_from_slice(b",\"function\":{\"arguments\":");
            write(call.arguments.as_str(), out);
            out.extend_from_slice(b"}}]");
        });
    }

    fn finish(&mut self, finish: &Finish, out: &mut Vec<u8>) {
        self.role("\"\"", out);
        if !self.thoughts.is_empty() {
            let blocks = blocks(&self.thoughts, &self.shown.target);
            self.delta(None, out, |out| {
                out.extend_from_slice(b"\"thinking_blocks\":");
                write(&blocks, out);
            });
        }
        let nothing = self.said == Said::Role;
        let reason = reason(finish.reason, self.calls > 0);
        self.delta(Some(reason), out, |out| {
            if nothing {
                out.extend_from_slice(b"\"content\":\"\"");
            }
        });
        if let Some(usage) = UsageObject::new(&self.usage).filter(|_| self.shown.usage) {
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b",\"choices\":[],\"usage\":");
            write(&usage, out);
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
        self.done = true;
    }
}
