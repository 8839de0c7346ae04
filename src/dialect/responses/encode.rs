//! An answer's events as the frames of a Responses stream.
//!
//! The order is the recorded one, and the one that the SDKs' helpers insist on: every item and part
//! is announced before its first delta and closed before the next one begins, and the last frame
//! repeats the whole answer. There is no `[DONE]`: no official server sends one here.

use std::io::Write as _;

use super::echo::Echo;
use super::open::{Open, Voice, announce, content, end_part, summary};
use super::output::{Frame, Item, Part, Place, Says, Status, frame, json, open_frame, usage};
use crate::chat::{Call, Event, Reason, Thought, Usage};
use crate::dialect::Shown;

/// One answer being written.
#[derive(Debug)]
pub struct Encoder {
    shown: Shown,
    echo: Echo,
    rng: fastrand::Rng,
    /// Of the response.
    id: String,
    sequence: u64,
    open: Open,
    /// The items that are done, as JSON, with commas between them.
    done: Vec<u8>,
    /// How many those are: the index of the one that is open, or comes next.
    count: usize,
    usage: Usage,
    finish: Option<Reason>,
}

impl Encoder {
    pub fn new(shown: Shown, request: Echo) -> Self {
        let mut rng = fastrand::Rng::with_seed(shown.seed);
        Self {
            id: id(&mut rng, "resp"),
            shown,
            echo: request,
            rng,
            sequence: 0,
            open: Open::None,
            done: Vec::new(),
            count: 0,
            usage: Usage::default(),
            finish: None,
        }
    }

    /// Writes what `events` say to `out`.
    pub fn events(&mut self, events: impl IntoIterator<Item = Event>, out: &mut Vec<u8>) {
        for event in events {
            self.event(&event, out);
        }
    }

    /// The number of the next frame.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.sequence == 0 {
            self.lifecycle("response.created", out);
            self.lifecycle("response.in_progress", out);
        }
        match event {
            Event::Text(text) => self.say(Voice::Text, text, out),
            Event::Refusal(text) => self.say(Voice::Refusal, text, out),
            Event::Reasoning(text) => self.reason(text, out),
            Event::Thought(thought) => self.thought(thought, out),
            Event::Call(call) => self.call(call, out),
            Event::Usage(usage) => self.usage = *usage,
            Event::Finish(finish) => self.finish(finish.reason, out),
            // The ids are ours from the first frame on, and a call is announced when it is whole.
            Event::Id(_) | Event::CallBegan => {}
        }
    }

    fn say(&mut self, voice: Voice, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        if !matches!(self.open, Open::Message { .. }) {
            self.close(Status::Completed, out);
            let id = id(&mut self.rng, "msg");
            let item = Item::Message {
                id: &id,
                status: Status::InProgress,
                role: "assistant",
                content: &[],
            };
            announce(out, &mut self.sequence, self.count, &item);
            let parts = Vec::new();
            self.open = Open::Message { id, parts };
        }
        let (output_index, sequence) = (self.count, &mut self.sequence);
        let Open::Message { id, parts } = &mut self.open else {
            return;
        };
        if parts.last().is_none_or(|(of, _)| *of != voice) {
            if let Some((voice, text)) = parts.last() {
                let place = content(id, output_index, parts.len() - 1);
                end_part(out, sequence, place, *voice, text);
            }
            parts.push((voice, String::new()));
            let says = Says {
                part: Some(voice.part("")),
                ..Says::default()
            };
            let place = content(id, output_index, parts.len() - 1);
            frame(
                out,
                sequence,
                "response.content_part.added",
                &Frame { place, says },
            );
        }
        let place = content(id, output_index, parts.len() - 1);
        let (kind, logprobs) = match voice {
            Voice::Text => ("response.output_text.delta", Some([])),
            Voice::Refusal => ("response.refusal.delta", None),
        };
        let says = Says {
            delta: Some(text),
            logprobs,
            ..Says::default()
        };
        frame(out, sequence, kind, &Frame { place, says });
        if let Some((_, so_far)) = parts.last_mut() {
            so_far.push_str(text);
        }
    }

    fn reason(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        if !matches!(self.open, Open::Reasoning { thought: None, .. }) {
            self.begin_reasoning(out);
        }
        let (output_index, sequence) = (self.count, &mut self.sequence);
        let Open::Reasoning {
            id, text: shown, ..
        } = &mut self.open
        else {
            return;
        };
        let place = summary(id, output_index);
        if shown.is_empty() {
            let says = Says {
                part: Some(Part::SummaryText { text: "" }),
                ..Says::default()
            };
            let kind = "response.reasoning_summary_part.added";
            frame(out, sequence, kind, &Frame { place, says });
        }
        let says = Says {
            delta: Some(text),
            ..Says::default()
        };
        let kind = "response.reasoning_summary_text.delta";
        frame(out, sequence, kind, &Frame { place, says });
        shown.push_str(text);
    }

    fn begin_reasoning(&mut self, out: &mut Vec<u8>) {
        self.close(Status::Completed, out);
        let id = id(&mut self.rng, "rs");
        let item = Item::Reasoning {
            id: &id,
            summary: &[],
            encrypted_content: None,
        };
        announce(out, &mut self.sequence, self.count, &item);
        self.open = Open::Reasoning {
            id,
            text: String::new(),
            thought: None,
            call: None,
        };
    }

    /// The item stays open: a signed call may follow, which travels with it.
    fn thought(&mut self, ended: &Thought, out: &mut Vec<u8>) {
        if !matches!(self.open, Open::Reasoning { thought: None, .. }) {
            if *ended == Thought::default() {
                return;
            }
            self.begin_reasoning(out);
        }
        if let Open::Reasoning { thought, .. } = &mut self.open {
            *thought = Some(ended.clone());
        }
    }

    fn call(&mut self, call: &Call, out: &mut Vec<u8>) {
        if let Some(signature) = &call.signature {
            if !matches!(self.open, Open::Reasoning { .. }) {
                self.begin_reasoning(out);
            }
            if let Open::Reasoning { call: signed, .. } = &mut self.open {
                *signed = Some((call.id.clone(), signature.clone()));
            }
        }
        self.close(Status::Completed, out);
        let id = id(&mut self.rng, "fc");
        let item = |status, arguments| Item::FunctionCall {
            id: &id,
            status,
            call_id: &call.id,
            name: &call.name,
            arguments,
        };
        let sequence = &mut self.sequence;
        announce(out, sequence, self.count, &item(Status::InProgress, ""));
        let place = Place {
            item_id: &id,
            output_index: self.count,
            content_index: None,
            summary_index: None,
        };
        if !call.arguments.is_empty() {
            let says = Says {
                delta: Some(&call.arguments),
                ..Says::default()
            };
            let kind = "response.function_call_arguments.delta";
            frame(out, sequence, kind, &Frame { place, says });
        }
        let says = Says {
            name: Some(&call.name),
            arguments: Some(&call.arguments),
            ..Says::default()
        };
        let kind = "response.function_call_arguments.done";
        frame(out, sequence, kind, &Frame { place, says });
        let status = if call.whole {
            Status::Completed
        } else {
            Status::Incomplete
        };
        let mut done = Vec::new();
        json(&mut done, &item(status, &call.arguments));
        self.item_done(&done, out);
    }

    /// Closes what is open.
    fn close(&mut self, status: Status, out: &mut Vec<u8>) {
        let open = std::mem::replace(&mut self.open, Open::None);
        let target = &self.shown.target;
        if let Some(item) = open.close(status, target, self.count, &mut self.sequence, out) {
            self.item_done(&item, out);
        }
    }

    /// An item, as JSON, is done.
    fn item_done(&mut self, item: &[u8], out: &mut Vec<u8>) {
        open_frame(out, &mut self.sequence, "response.output_item.done");
        // Writing to a vector does not fail.
        let _ = write!(out, ",\"output_index\":{},\"item\":", self.count);
        out.extend_from_slice(item);
        out.extend_from_slice(b"}\n\n");
        if self.count > 0 {
            self.done.push(b',');
        }
        self.done.extend_from_slice(item);
        self.count += 1;
    }

    fn finish(&mut self, reason: Reason, out: &mut Vec<u8>) {
        let (kind, status) = match reason {
            Reason::Stop | Reason::ToolCalls => ("response.completed", Status::Completed),
            Reason::Length | Reason::ContentFilter => ("response.incomplete", Status::Incomplete),
        };
        self.close(status, out);
        self.finish = Some(reason);
        self.lifecycle(kind, out);
    }

    fn lifecycle(&mut self, kind: &str, out: &mut Vec<u8>) {
        open_frame(out, &mut self.sequence, kind);
        out.extend_from_slice(b",\"response\":");
        self.response(out);
        out.extend_from_slice(b"}\n\n");
    }

    /// The response object as it is now.
    pub(super) fn response(&self, out: &mut Vec<u8>) {
        let (status, details) = match self.finish {
            None => ("in_progress", "null"),
            Some(Reason::Stop | Reason::ToolCalls) => ("completed", "null"),
            Some(Reason::Length) => ("incomplete", "{\"reason\":\"max_output_tokens\"}"),
            Some(Reason::ContentFilter) => ("incomplete", "{\"reason\":\"content_filter\"}"),
        };
        // Writing to a vector does not fail.
        let _ = write!(
            out,
            "{{\"id\":\"{}\",\"object\":\"response\",\"created_at\":{},\"status\":\"{status}\",\"background\":false,\"completed_at\":null,\"error\":null,\"incomplete_details\":{details},\"model\":",
            self.id, self.shown.created,
        );
        json(out, &*self.shown.model);
        out.extend_from_slice(b",\"output\":[");
        out.extend_from_slice(&self.done);
        out.extend_from_slice(b"],\"previous_response_id\":null,\"store\":false,\"usage\":");
        usage(out, self.usage);
        out.push(b',');
        out.extend_from_slice(self.echo.members().as_bytes());
        out.push(b'}');
    }
}

fn id(rng: &mut fastrand::Rng, kind: &str) -> String {
    format!("{kind}_{:032x}", rng.u128(..))
}
