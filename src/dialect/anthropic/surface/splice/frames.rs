//! The frames of one stream, each read and let go or held back.
//!
//! A call's frames are held until its arguments are complete, so that a stream which is cut in the
//! middle of one can be sent elsewhere unseen. Blocks come one after another: what follows an open
//! call is held with it, in order. A `ping` belongs to nothing and is held by nothing.

use smallvec::SmallVec;

use super::tally::Tally;
use super::{is_cut, is_pause};
use crate::chat::calls::MAX_HELD;
use crate::chat::{Call, Calls, Event, Weight};
use crate::outcome::{Failure, broken, judge_reported};
use crate::wire::edit::Object;
use crate::wire::json::{Cursor, Kind, quote};

/// The most that is kept back before there is anything meaningful, in bytes.
const MAX_WITHHELD: usize = 4 << 20;
/// The most blocks that are open at a time. One is, from every server that was seen.
const MAX_OPEN: usize = 64;

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

#[derive(Debug, Clone)]
pub(super) struct Frames {
    /// The caller's model string as JSON.
    model: Option<String>,
    started: bool,
    /// The blocks that have begun and not ended, by their index.
    open: SmallVec<[u64; 4]>,
    /// Whether any block has begun.
    begun: bool,
    calls: Calls,
    held: Vec<u8>,
    stop_reason: Option<String>,
    pub(super) tally: Tally,
    /// What the answer says, so far.
    pub(super) weight: Weight,
    pub(super) out: Vec<u8>,
    pub(super) phase: Phase,
}

impl Frames {
    pub(super) fn new(model: Option<&str>) -> Self {
        Self {
            model: model.map(quote),
            started: false,
            open: SmallVec::new(),
            begun: false,
            calls: Calls::default(),
            held: Vec::new(),
            stop_reason: None,
            tally: Tally::default(),
            weight: Weight::default(),
            out: Vec::new(),
            phase: Phase::Silent,
        }
    }

    /// Reads the JSON of one event, which is one line.
    pub(super) fn message(&mut self, text: &str) -> Result<(), Failure> {
        let mut cursor = Cursor::new(text);
        let top = Object::read(&mut cursor)?;
        cursor.end()?;
        let Some(kind) = word(text, &top, "type") else {
            // No event of this schema: an error in another one's form, or a sign of life.
            return match top.get("error") {
                Some(_) => Err(judge_reported(text.as_bytes())),
                None => Ok(()),
            };
        };
        let event = Frame { text, top: &top };
        match kind {
            "ping" => {
                write(&mut self.out, kind, text);
                return self.check_withheld();
            }
            "error" => return Err(judge_reported(text.as_bytes())),
            "message_start" => return self.start(&event),
            "content_block_start" => self.begin(&event)?,
            "content_block_delta" => self.delta(&event)?,
            "content_block_stop" => return self.stop(&event),
            "message_delta" => return self.finish(&event),
            "message_stop" => return self.end(text),
            // Newer than us: its place is all we know of it.
            _ => {}
        }
        self.put(kind, text)
    }

    fn start(&mut self, event: &Frame<'_, '_>) -> Result<(), Failure> {
        if self.started {
            // Proxies repeat it. Behind a block it is the start of another answer.
            return if self.begun {
                Err(broken("a second answer begins in the middle of the first"))
            } else {
                Ok(())
            };
        }
        let message = event.object("message")?;
        let text = event.text;
        self.started = true;
        // An answer may be complete here: a call made by code that runs at the provider.
        self.stop_reason = word(text, &message, "stop_reason").map(str::to_owned);
        if let Some(usage) = message.get("usage") {
            let complete = self.stop_reason.is_some();
            self.tally
                .read(&mut Cursor::at(text, usage.start), complete)?;
        }
        if let Some(content) = message.get("content") {
            let mut cursor = Cursor::at(text, content.start);
            if cursor.kind()? == Kind::Array {
                cursor.array(|cursor| {
                    let block = Object::read(cursor)?;
                    self.begun = true;
                    self.filled(text, &block)
                })?;
            }
        }
        let edited = self.with_model(text, &message);
        self.put("message_start", &edited)
    }

    fn with_model(&self, text: &str, message: &Object<'_>) -> String {
        match (&self.model, message.get("model")) {
            (Some(model), Some(span)) => [&text[..span.start], model, &text[span.end..]].concat(),
            (None, _) | (_, None) => text.to_owned(),
        }
    }

    /// A block that is there as a whole.
    fn filled(&mut self, text: &str, block: &Object<'_>) -> Result<(), Failure> {
        let kind = word(text, block, "type").unwrap_or_default();
        if kind == "tool_use" {
            let whole = block
                .get("input")
                .is_some_and(|span| text.as_bytes()[span.start] == b'{');
            if !whole {
                return Err(broken("the arguments of a tool call are no JSON object"));
            }
            self.reach(Phase::Released);
        } else if says(text, block, kind) {
            self.reach(Phase::Released);
        }
        Ok(())
    }

    fn begin(&mut self, event: &Frame<'_, '_>) -> Result<(), Failure> {
        if !self.started {
            return Err(broken("the answer has no start"));
        }
        if self.holds() && self.open.is_empty() {
            // The answer goes on behind it, so no limit has cut it.
            self.calls.end_all(&mut Vec::new())?;
            self.let_go();
        }
        let index = event.index()?;
        if self.open.contains(&index) {
            return Err(broken("a block begins twice"));
        }
        if self.open.len() == MAX_OPEN {
            return Err(broken("more blocks are open than are allowed"));
        }
        let block = event.object("content_block")?;
        let text = event.text;
        let kind = word(text, &block, "type").unwrap_or_default();
        self.open.push(index);
        self.begun = true;
        if kind == "tool_use" {
            let own = |key| word(text, &block, key).unwrap_or_default().to_owned();
            let call = Call {
                id: own("id"),
                name: own("name"),
                arguments: String::new(),
                whole: true,
                signature: None,
            };
            self.weight.call(Weight::AROUND_TOOL_USE);
            self.calls.begin(index, call, &mut Vec::new())?;
            self.reach(Phase::Arrived);
        } else if says(text, &block, kind) {
            self.meaningful();
        }
        Ok(())
    }

    fn delta(&mut self, event: &Frame<'_, '_>) -> Result<(), Failure> {
        let index = event.index()?;
        if !self.open.contains(&index) {
            return Err(broken("a piece belongs to no open block"));
        }
        let delta = event.object("delta")?;
        let text = event.text;
        let piece = |key: &str| -> Result<_, Failure> {
            let Some(span) = delta.get(key) else {
                return Err(broken("a piece of a block is missing"));
            };
            Ok(Cursor::at(text, span.start).string()?)
        };
        let kind = word(text, &delta, "type").unwrap_or_default();
        let said = match kind {
            "text_delta" => Some("text"),
            "thinking_delta" => Some("thinking"),
            "input_json_delta" => Some("partial_json"),
            _ => None,
        };
        if let Some(said) = said {
            self.weight.add(piece(said)?.raw().as_bytes());
        }
        match kind {
            "text_delta" if !piece("text")?.is_empty() => self.meaningful(),
            "thinking_delta" if !piece("thinking")?.is_empty() => self.meaningful(),
            "input_json_delta" => {
                // Of a tool that the provider runs, it is none of ours.
                self.calls.append(index, &piece("partial_json")?.decode())?;
            }
            "citations_delta" | "compaction_delta" => self.meaningful(),
            _ => {}
        }
        Ok(())
    }

    fn stop(&mut self, event: &Frame<'_, '_>) -> Result<(), Failure> {
        let index = event.index()?;
        let Some(at) = self.open.iter().position(|open| *open == index) else {
            return Err(broken("a block ends that is not open"));
        };
        self.open.remove(at);
        let mut ended: Vec<Event> = Vec::new();
        let held = self.holds();
        // One that is not seen to be whole waits for the reason of the end.
        self.calls.end_if_whole(index, &mut ended);
        if held {
            self.hold("content_block_stop", event.text)?;
            self.let_go();
            Ok(())
        } else {
            self.put("content_block_stop", event.text)
        }
    }

    /// Why the answer ends, and what it used.
    fn finish(&mut self, event: &Frame<'_, '_>) -> Result<(), Failure> {
        if !self.started {
            return Err(broken("the answer has no start"));
        }
        let text = event.text;
        if let Some(usage) = event.top.get("usage") {
            self.tally.read(&mut Cursor::at(text, usage.start), true)?;
        }
        let delta = event.object("delta")?;
        let Some(reason) = word(text, &delta, "stop_reason") else {
            return self.put("message_delta", text);
        };
        if self.holds() && is_cut(reason) {
            self.calls.cut(&mut Vec::new());
            self.let_go();
        } else if self.holds() && self.open.is_empty() {
            self.calls.end_all(&mut Vec::new())?;
            self.let_go();
        }
        self.stop_reason = Some(reason.to_owned());
        self.put("message_delta", text)
    }

    fn end(&mut self, text: &str) -> Result<(), Failure> {
        let Some(reason) = self.stop_reason.as_deref().filter(|_| self.started) else {
            return Err(broken("the stream ended without a stop reason"));
        };
        if self.holds() {
            return Err(broken("the stream ended in the middle of a tool call"));
        }
        if self.phase == Phase::Silent && !is_cut(reason) && !is_pause(reason) {
            return Err(broken("the answer is empty"));
        }
        write(&mut self.out, "message_stop", text);
        self.reach(Phase::Done);
        Ok(())
    }

    /// What is missing after a cut is an end alone, or more.
    pub(super) fn cut(&mut self) -> Result<(), Failure> {
        if self.phase == Phase::Done {
            return Ok(());
        }
        if self.stop_reason.is_none() || !self.open.is_empty() {
            return Err(broken("the stream was cut"));
        }
        self.end("{\"type\":\"message_stop\"}")
    }

    fn holds(&self) -> bool {
        self.calls.is_open()
    }

    /// Passes a frame on, behind what is held.
    fn put(&mut self, kind: &str, text: &str) -> Result<(), Failure> {
        if self.holds() {
            return self.hold(kind, text);
        }
        write(&mut self.out, kind, text);
        self.check_withheld()
    }

    fn hold(&mut self, kind: &str, text: &str) -> Result<(), Failure> {
        write(&mut self.held, kind, text);
        if self.held.len() > MAX_HELD {
            return Err(broken(
                "the tool calls of one answer are too long to hold back",
            ));
        }
        Ok(())
    }

    fn let_go(&mut self) {
        if !self.holds() {
            self.out.append(&mut self.held);
            self.reach(Phase::Released);
        }
    }

    /// What is let go is taken; before that, frames that say nothing would pile up.
    fn check_withheld(&self) -> Result<(), Failure> {
        if self.phase < Phase::Released && self.out.len() > MAX_WITHHELD {
            return Err(broken("too much came before the first token"));
        }
        Ok(())
    }

    fn meaningful(&mut self) {
        let phase = if self.holds() {
            Phase::Arrived
        } else {
            Phase::Released
        };
        self.reach(phase);
    }

    fn reach(&mut self, phase: Phase) {
        self.phase = self.phase.max(phase);
    }
}

/// One event's text and members.
struct Frame<'a, 'o> {
    text: &'a str,
    top: &'o Object<'a>,
}

impl<'a> Frame<'a, '_> {
    fn object(&self, key: &str) -> Result<Object<'a>, Failure> {
        let Some(span) = self.top.get(key) else {
            return Err(broken("an event of the stream lacks what it is about"));
        };
        Ok(Object::read(&mut Cursor::at(self.text, span.start))?)
    }

    fn index(&self) -> Result<u64, Failure> {
        let span = self.top.get("index");
        span.and_then(|span| self.text[span].parse().ok())
            .ok_or_else(|| broken("an event of the stream names no block"))
    }
}

/// A member that is a string of plain words, as the schema's own are; an escape in one makes it
/// another word.
fn word<'a>(text: &'a str, object: &Object<'_>, key: &str) -> Option<&'a str> {
    let span = object.get(key)?;
    text[span].strip_prefix('"')?.strip_suffix('"')
}

/// Whether a block that begins so shows or does anything by that alone. What the provider runs
/// itself must not be run twice, so the sight of it is enough.
fn says(text: &str, block: &Object<'_>, kind: &str) -> bool {
    let some = |key| word(text, block, key).is_some_and(|said| !said.is_empty());
    match kind {
        "text" => some("text"),
        "thinking" => some("thinking"),
        "redacted_thinking" | "fallback" => false,
        "compaction" => some("content"),
        _ => true,
    }
}

fn write(out: &mut Vec<u8>, kind: &str, text: &str) {
    for piece in ["event: ", kind, "\ndata: ", text, "\n\n"] {
        out.extend_from_slice(piece.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_a_call_is_bounded() {
        let mut frames = Frames::new(None);
        let text = "x".repeat(1 << 20);
        let fine = (0..32).take_while(|_| frames.hold("ping", &text).is_ok());
        assert_eq!(fine.count(), 15);
    }
}
