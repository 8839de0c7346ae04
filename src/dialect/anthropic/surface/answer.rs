//! A whole answer as one message, and the count of a request's tokens.

use super::seal_of_call;
use super::write::{message_id, quoted, stop, usage};
use crate::chat::{Answer, Call, Event, Finish, Reason, Thought, Usage, thought};
use crate::dialect::Shown;

/// The body of a plain answer.
///
/// A call that the token limit cut is not in it: `input` is an object, and the half of one would
/// look whole. The stop reason says what happened.
pub fn answer(answer: &Answer, shown: &Shown) -> Vec<u8> {
    let mut content = Content {
        shown,
        out: Vec::new(),
        thinking: None,
        calls: false,
    };
    let mut id = None;
    let mut refused = false;
    let mut counted = Usage::default();
    let mut end = Finish::from(Reason::Stop);
    for event in &answer.events {
        match event {
            Event::Id(theirs) => id = Some(theirs.as_str()),
            Event::Text(text) => content.text(text),
            Event::Refusal(text) => {
                refused |= !text.is_empty();
                content.text(text);
            }
            Event::Reasoning(text) => content.reasoning(text),
            Event::Thought(thought) => content.thought(thought),
            Event::CallBegan => {}
            Event::Call(call) => content.call(call),
            Event::Usage(usage) => counted = *usage,
            Event::Finish(finish) => end = finish.clone(),
        }
    }
    content.end_thinking(None);
    let mut out = Vec::with_capacity(content.out.len() + 512);
    out.extend_from_slice(b"{\"id\":");
    quoted(&mut out, &message_id(id, shown.seed));
    out.extend_from_slice(b",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
    quoted(&mut out, &shown.model);
    out.extend_from_slice(b",\"content\":[");
    out.extend_from_slice(&content.out);
    out.extend_from_slice(b"],");
    stop(&mut out, &end, content.calls, refused);
    out.extend_from_slice(b",\"usage\":");
    usage(&mut out, &counted, true);
    out.push(b'}');
    out
}

/// The answer to a question for a request's tokens.
pub fn count_answer(tokens: u64) -> Vec<u8> {
    format!("{{\"input_tokens\":{tokens}}}").into_bytes()
}

/// The blocks of the message, written one after another.
struct Content<'s> {
    shown: &'s Shown,
    out: Vec<u8>,
    /// Thinking whose signature may still come.
    thinking: Option<&'s str>,
    calls: bool,
}

impl<'s> Content<'s> {
    fn block(&mut self, members: &str) {
        if !self.out.is_empty() {
            self.out.push(b',');
        }
        self.out.push(b'{');
        self.member(members);
    }

    fn member(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.end_thinking(None);
        self.block("\"type\":\"text\",\"text\":");
        quoted(&mut self.out, text);
        self.out.push(b'}');
    }

    fn reasoning(&mut self, text: &'s str) {
        self.end_thinking(None);
        self.thinking = Some(text).filter(|text| !text.is_empty());
    }

    fn thought(&mut self, thought: &Thought) {
        if let Some(data) = &thought.redacted {
            self.end_thinking(None);
            self.block("\"type\":\"redacted_thinking\",\"data\":");
            quoted(&mut self.out, &thought::seal(&self.shown.target, data));
            self.out.push(b'}');
            return;
        }
        let seal = |signature: &String| thought::seal(&self.shown.target, signature);
        let sealed = thought.signature.as_ref().map(seal);
        self.end_thinking(sealed.as_deref());
    }

    fn end_thinking(&mut self, signature: Option<&str>) {
        let text = self.thinking.take();
        if text.is_none() && signature.is_none() {
            return;
        }
        self.block("\"type\":\"thinking\",\"thinking\":");
        quoted(&mut self.out, text.unwrap_or_default());
        self.member(",\"signature\":");
        match signature {
            Some(sealed) => quoted(&mut self.out, sealed),
            // Nobody signed it: the seal says whose it is.
            None => quoted(&mut self.out, &thought::seal(&self.shown.target, "")),
        }
        self.out.push(b'}');
    }

    fn call(&mut self, call: &Call) {
        if !call.whole {
            return;
        }
        self.calls = true;
        self.end_thinking(None);
        if let Some(signature) = &call.signature {
            let sealed = seal_of_call(&self.shown.target, signature);
            self.end_thinking(Some(&sealed));
        }
        self.block("\"type\":\"tool_use\",\"id\":");
        quoted(&mut self.out, &call.id);
        self.member(",\"name\":");
        quoted(&mut self.out, &call.name);
        self.member(",\"input\":");
        self.member(&call.arguments);
        self.out.push(b'}');
    }
}
