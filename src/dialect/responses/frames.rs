//! The frames of one stream, each read and let go or held back.

use super::calls::{self, Calls, is_call, word};
use super::judged::{End, edited, judge, object_text, splice_model};
use super::synthesis;
use crate::chat::{Usage, Weight};
use crate::outcome::{Failure, broken, judge_reported};
use crate::wire::edit::{Edits, Object};
use crate::wire::json::{Cursor, quote};
use crate::wire::sse::{self, Event};

/// The most that is kept back before there is anything meaningful, in bytes.
const MAX_WITHHELD: usize = 4 << 20;

#[derive(Debug, Clone)]
pub(super) struct Frames {
    /// The caller's model string as JSON.
    model: Option<String>,
    calls: Calls,
    pub(super) usage: Usage,
    /// What the answer says, so far.
    pub(super) weight: Weight,
    /// The number after the last frame that came.
    came: u64,
    /// The number after the last frame that was let go: what is held back may never be.
    pub(super) sequence: u64,
    pub(super) out: Vec<u8>,
    pub(super) phase: Phase,
}

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

impl Frames {
    pub(super) fn new(model: Option<&str>) -> Self {
        Self {
            model: model.map(quote),
            calls: Calls::default(),
            usage: Usage::default(),
            weight: Weight::default(),
            came: 0,
            sequence: 0,
            out: Vec::new(),
            phase: Phase::Silent,
        }
    }

    pub(super) fn event(&mut self, event: &Event<'_>) -> Result<(), Failure> {
        let is_mark = event.data == b"[DONE]";
        if self.phase == Phase::Done {
            if is_mark {
                // Of no meaning here, and sent by some servers.
                self.out.extend_from_slice(b"data: [DONE]\n\n");
            }
            return Ok(());
        }
        if is_mark {
            return self.complete();
        }
        if event.kind == sse::Kind::Error {
            return Err(judge_reported(event.data));
        }
        let text =
            std::str::from_utf8(event.data).map_err(|_| broken("a stream event is not UTF-8"))?;
        if memchr::memchr2(b'\n', b'\r', event.data).is_some() {
            // Between data lines only white space can stand: inside a string it would not be JSON.
            self.message(&text.replace(['\n', '\r'], " "))?;
        } else {
            self.message(text)?;
        }
        self.calls.check()?;
        if !self.calls.holds() {
            self.sequence = self.came;
        }
        // What is let go is taken; before that, frames that say nothing would pile up.
        if self.phase < Phase::Released && self.out.len() > MAX_WITHHELD {
            return Err(broken("too much came before the first token"));
        }
        Ok(())
    }

    fn message(&mut self, text: &str) -> Result<(), Failure> {
        let mut cursor = Cursor::new(text);
        let top = Object::read(&mut cursor)?;
        cursor.end()?;
        let kind = word(text, &top, "type");
        if kind.is_empty() || kind == "error" {
            let is_error = kind == "error"
                || ["error", "message", "detail"]
                    .iter()
                    .any(|key| top.get(key).is_some_and(|span| &text[span] != "null"));
            // Anything else without a type is some server's sign of life.
            return if is_error {
                Err(judge_reported(text.as_bytes()))
            } else {
                Ok(())
            };
        }
        let number = top.get("sequence_number");
        let number = number.and_then(|span| text[span].parse::<u64>().ok());
        self.came = number.unwrap_or(self.came).saturating_add(1);
        let mut edits = Edits::default();
        match kind {
            "response.failed" => return Err(judge_reported(text.as_bytes())),
            "response.completed" | "response.incomplete" => {
                return self.terminal(text, &top, kind, edits);
            }
            "response.created" | "response.queued" | "response.in_progress" => {
                if let Some(response) = object(text, &top, "response")? {
                    splice_model(text, &response, self.model.as_deref(), &mut edits);
                }
            }
            "response.output_item.added" => {
                let item = object(text, &top, "item")?;
                if item.is_some_and(|item| is_call(word(text, &item, "type"))) {
                    self.reach(Phase::Arrived);
                    self.weight.call(Weight::AROUND_CALL);
                    self.calls.begin(index(text, &top)?)?;
                }
            }
            "response.output_item.done" => return self.item_done(text, &top, kind, edits),
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                let delta = word(text, &top, "delta");
                self.weight.add(delta.as_bytes());
                self.calls.grow(index(text, &top)?, delta.len())?;
            }
            "response.output_text.delta"
            | "response.refusal.delta"
            | "response.reasoning_text.delta"
            | "response.reasoning_summary_text.delta"
            | "response.code_interpreter_call_code.delta" => {
                self.put(text, kind, &mut edits);
                let delta = word(text, &top, "delta");
                self.weight.add(delta.as_bytes());
                if !delta.is_empty() {
                    self.said();
                }
                return Ok(());
            }
            "response.output_text.done" | "response.image_generation_call.partial_image" => {
                self.put(text, kind, &mut edits);
                if kind.ends_with("image") || !word(text, &top, "text").is_empty() {
                    self.said();
                }
                return Ok(());
            }
            // What is newer than this passes, too.
            _ => {}
        }
        self.put(text, kind, &mut edits);
        Ok(())
    }

    fn item_done<'a>(
        &mut self,
        text: &'a str,
        top: &Object<'a>,
        kind: &str,
        mut edits: Edits<'a>,
    ) -> Result<(), Failure> {
        let state = match object(text, top, "item")? {
            Some(item) => calls::ended(text, &item, &mut edits)?,
            None => None,
        };
        let Some(state) = state else {
            self.put(text, kind, &mut edits);
            return Ok(());
        };
        self.reach(Phase::Arrived);
        self.calls.end(index(text, top)?, state);
        write(self.calls.held(), text, kind, &mut edits);
        if !self.calls.holds() && self.calls.release(&mut self.out) {
            self.reach(Phase::Released);
        }
        Ok(())
    }

    fn terminal<'a>(
        &mut self,
        text: &'a str,
        top: &Object<'a>,
        kind: &str,
        mut edits: Edits<'a>,
    ) -> Result<(), Failure> {
        let Some(response) = top
            .get("response")
            .filter(|span| text.as_bytes()[span.start] == b'{')
        else {
            return Err(broken("the last event of the stream has no response"));
        };
        let judged = judge(text, response.start, self.model.as_deref(), &mut edits)?;
        self.usage = judged.usage;
        if kind == "response.completed" && judged.end != End::Incomplete {
            if !judged.whole || self.calls.is_doubtful() {
                return Err(broken("the arguments of a tool call are not JSON"));
            }
            // The last event holds them all, if it holds any.
            if self.calls.unended() > 0 && judged.calls < self.calls.begun() {
                return Err(broken("the stream ended in the middle of a tool call"));
            }
            if !judged.says && self.phase == Phase::Silent {
                return Err(broken("the answer is empty"));
            }
        }
        self.calls.release(&mut self.out);
        write(&mut self.out, text, kind, &mut edits);
        self.reach(Phase::Done);
        Ok(())
    }

    /// A plain answer, as the stream that it would have been.
    pub(super) fn whole(&mut self, answer: &[u8]) -> Result<(), Failure> {
        let text = object_text(answer)?;
        let mut edits = Edits::default();
        let judged = judge(text, 0, self.model.as_deref(), &mut edits)?;
        judged.check()?;
        if judged.end == End::Pending {
            return Err(broken("the answer has not come to its end"));
        }
        self.usage = judged.usage;
        let answer = String::from_utf8(edited(text, &mut edits))
            .map_err(|_| broken("the answer is not UTF-8"))?
            .replace(['\n', '\r'], " ");
        let incomplete = judged.end == End::Incomplete;
        synthesis::stream(&answer, incomplete, &mut self.came, &mut self.out)?;
        self.sequence = self.came;
        self.reach(Phase::Done);
        Ok(())
    }

    /// The stream is over, if its answer is.
    pub(super) fn complete(&mut self) -> Result<(), Failure> {
        if self.phase == Phase::Done {
            Ok(())
        } else {
            Err(broken("the stream ended without its last event"))
        }
    }

    /// What was written just now says something.
    fn said(&mut self) {
        self.reach(if self.calls.holds() {
            Phase::Arrived
        } else {
            Phase::Released
        });
    }

    fn reach(&mut self, phase: Phase) {
        self.phase = self.phase.max(phase);
    }

    fn put<'a>(&mut self, text: &'a str, kind: &str, edits: &mut Edits<'a>) {
        let out = if self.calls.holds() {
            self.calls.held()
        } else {
            &mut self.out
        };
        write(out, text, kind, edits);
    }
}

/// Writes one frame with its edits made. `kind` is as it stands in the JSON, so on one line.
fn write<'a>(out: &mut Vec<u8>, text: &'a str, kind: &str, edits: &mut Edits<'a>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    edits.apply(text, |piece| out.extend_from_slice(piece.as_bytes()));
    out.extend_from_slice(b"\n\n");
}

/// A member that is an object.
fn object<'a>(text: &'a str, top: &Object<'a>, key: &str) -> Result<Option<Object<'a>>, Failure> {
    match top.get(key) {
        Some(span) if text.as_bytes()[span.start] == b'{' => {
            Ok(Some(Object::read(&mut Cursor::at(text, span.start))?))
        }
        _ => Ok(None),
    }
}

fn index(text: &str, top: &Object<'_>) -> Result<u64, Failure> {
    let span = top.get("output_index");
    span.and_then(|span| text[span].parse().ok())
        .ok_or_else(|| broken("a stream event does not say which item it is of"))
}
