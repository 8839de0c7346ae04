//! The tool calls of one answer, gathered until each is whole.
//!
//! For decoders that see fragments: a call that is cut in the middle never leaves here, so a tool
//! cannot run on half its arguments. The bounds are those of every dialect, also of
//! those that keep the frames.

use super::conversation::Call;
use super::event::Event;
use crate::outcome::{Failure, broken};
use crate::wire::json;

/// The most calls in one answer.
pub const MAX_CALLS: usize = 128;
/// The most argument text of one call, in bytes.
pub const MAX_CALL: usize = 256 << 10;
/// The most argument text of all calls of one request, in bytes.
pub const MAX_ARGUMENTS: usize = 4 << 20;
/// Where the frames are kept in which it arrives: the most that they may come to, a token or so in
/// each.
pub const MAX_HELD: usize = 16 << 20;

/// Calls that have begun, by the key that the provider's fragments bear.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    open: Vec<(u64, Call)>,
    count: usize,
    bytes: usize,
}

impl Calls {
    /// A call begins. `arguments` of it may have come already.
    ///
    /// # Errors
    /// `broken`: no name, the key is in use, or more calls than any application could want.
    pub fn begin(&mut self, key: u64, call: Call, out: &mut Vec<Event>) -> Result<(), Failure> {
        if call.name.is_empty() || call.id.is_empty() {
            return Err(broken("a tool call lacks its name or id"));
        }
        if self.open.iter().any(|(open, _)| *open == key) {
            return Err(broken("a tool call begins twice"));
        }
        self.count += 1;
        if self.count > MAX_CALLS {
            return Err(broken("more tool calls than are allowed"));
        }
        self.grow(call.arguments.len(), call.arguments.len())?;
        self.open.push((key, call));
        out.push(Event::CallBegan);
        Ok(())
    }

    /// More of a call's arguments; `None` when no such call is open.
    ///
    /// # Errors
    /// `broken` when they are too long to hold.
    pub fn append(&mut self, key: u64, text: &str) -> Result<Option<()>, Failure> {
        let Some((_, call)) = self.open.iter_mut().find(|(open, _)| *open == key) else {
            return Ok(None);
        };
        call.arguments.push_str(text);
        let length = call.arguments.len();
        self.grow(text.len(), length)?;
        Ok(Some(()))
    }

    /// A call has ended, if `key` is one: it goes out whole.
    ///
    /// # Errors
    /// `broken` when its arguments are no JSON object.
    pub fn end(&mut self, key: u64, out: &mut Vec<Event>) -> Result<(), Failure> {
        if let Some(at) = self.open.iter().position(|(open, _)| *open == key) {
            let (_, mut call) = self.open.remove(at);
            complete(&mut call)?;
            out.push(Event::Call(call));
        }
        Ok(())
    }

    /// A call has ended, and goes out if that can be seen: for providers that end a call's block also
    /// where their token limit cut it, and say so only later. Tells whether it has gone; one without
    /// any arguments stays, as these may be what was cut.
    pub fn end_if_whole(&mut self, key: u64, out: &mut Vec<Event>) -> bool {
        let Some(at) = self.open.iter().position(|(open, _)| *open == key) else {
            return true;
        };
        let call = &mut self.open[at].1;
        if call.arguments.trim().is_empty() || complete(call).is_err() {
            return false;
        }
        let (_, call) = self.open.remove(at);
        out.push(Event::Call(call));
        true
    }

    /// The answer has come to its own end: what was not seen to be whole must be.
    ///
    /// # Errors
    /// `broken` when arguments are no JSON object.
    pub fn end_all(&mut self, out: &mut Vec<Event>) -> Result<(), Failure> {
        for (_, mut call) in self.open.drain(..) {
            complete(&mut call)?;
            out.push(Event::Call(call));
        }
        Ok(())
    }

    /// The answer was withheld in the middle: what is open goes with it.
    pub fn withhold(&mut self) {
        self.open.clear();
    }

    /// The answer's token limit cut it: what is open goes out as it is, marked.
    pub fn cut(&mut self, out: &mut Vec<Event>) {
        for (_, mut call) in self.open.drain(..) {
            // Arguments that had not begun are not those of a call without any.
            call.whole = !call.arguments.trim().is_empty() && complete(&mut call).is_ok();
            out.push(Event::Call(call));
        }
    }

    /// Whether a call has begun and not ended.
    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether there has been any call at all.
    pub fn any(&self) -> bool {
        self.count > 0
    }

    fn grow(&mut self, by: usize, call: usize) -> Result<(), Failure> {
        self.bytes += by;
        if call > MAX_CALL || self.bytes > MAX_ARGUMENTS {
            Err(broken("a tool call is too long to hold back"))
        } else {
            Ok(())
        }
    }
}

/// No arguments at all are an empty object to an application.
fn complete(call: &mut Call) -> Result<(), Failure> {
    let text = call.arguments.trim();
    if text.is_empty() {
        call.arguments = "{}".into();
        return Ok(());
    }
    if text.starts_with('{') && json::check(text).is_ok() {
        Ok(())
    } else {
        Err(broken("the arguments of a tool call are no JSON object"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: &str, arguments: &str) -> Call {
        Call {
            id: id.into(),
            name: "f".into(),
            arguments: arguments.into(),
            whole: true,
            signature: None,
        }
    }

    #[test]
    fn a_call_leaves_whole_and_in_the_order_in_which_calls_end() {
        let (mut calls, mut out) = (Calls::default(), Vec::new());
        calls.begin(0, call("a", ""), &mut out).unwrap();
        calls.begin(1, call("b", ""), &mut out).unwrap();
        assert_eq!(calls.append(0, "{\"x\":").unwrap(), Some(()));
        assert_eq!(calls.append(7, "{").unwrap(), None);
        calls.end(1, &mut out).unwrap();
        calls.append(0, "1}").unwrap();
        calls.end(0, &mut out).unwrap();
        calls.end(7, &mut out).unwrap();
        assert_eq!(
            out,
            [
                Event::CallBegan,
                Event::CallBegan,
                Event::Call(call("b", "{}")),
                Event::Call(call("a", "{\"x\":1}")),
            ]
        );
        assert!(!calls.is_open() && calls.any());
    }

    #[test]
    fn half_a_call_leaves_only_where_the_token_limit_cut_it() {
        for arguments in ["{\"x\":", "[1]", "\"x\"", "{} {}", ""] {
            let (mut calls, mut out) = (Calls::default(), Vec::new());
            calls.begin(0, call("a", arguments), &mut out).unwrap();
            // None at all are those of a call without any, unless the answer was cut.
            assert_eq!(
                calls.end_all(&mut out).is_err(),
                !arguments.is_empty(),
                "{arguments}"
            );
            let (mut calls, mut out) = (Calls::default(), Vec::new());
            calls.begin(0, call("a", arguments), &mut out).unwrap();
            calls.cut(&mut out);
            let Some(Event::Call(cut)) = out.last() else {
                panic!("it is shown");
            };
            assert!(!cut.whole && cut.arguments == arguments);
        }
    }

    #[test]
    fn a_call_that_may_have_been_cut_waits() {
        for (arguments, whole) in [
            ("{\"x\":1}", true),
            ("{}", true),
            ("", false),
            ("{\"x", false),
        ] {
            let (mut calls, mut out) = (Calls::default(), Vec::new());
            calls.begin(0, call("a", arguments), &mut out).unwrap();
            assert_eq!(calls.end_if_whole(0, &mut out), whole, "{arguments}");
            assert_eq!(calls.is_open(), !whole);
            assert_eq!(out.len(), 1 + usize::from(whole));
        }
    }

    #[test]
    fn what_is_held_is_bounded() {
        let (mut calls, mut out) = (Calls::default(), Vec::new());
        calls.begin(0, call("a", ""), &mut out).unwrap();
        assert!(calls.begin(0, call("a", ""), &mut out).is_err());
        assert!(calls.append(0, &"x".repeat(MAX_CALL + 1)).is_err());
        let mut calls = Calls::default();
        assert!(
            (0..=MAX_CALLS as u64)
                .try_for_each(|key| calls.begin(key, call("a", ""), &mut out))
                .is_err()
        );
    }
}
