//! The tool calls of one stream, held back until each is whole.
//!
//! A tool that runs on half its arguments, or twice, cannot be undone. So the frames of a call are
//! kept until its arguments are complete, valid JSON, and then let go together, as they came; until
//! then a cut stream can be sent elsewhere unseen. Also here: which call a fragment belongs to when
//! a server gives it no index, a wrong one, or another call's.

use crate::chat::calls::{MAX_ARGUMENTS, MAX_CALL, MAX_CALLS, MAX_HELD};
use crate::outcome::{Failure, broken};
use crate::wire::json;

/// How often a call may be found unfinished when another one goes on. After that it waits for the
/// finish: calls whose fragments alternate would be read from their start each time.
const LOOKS: u8 = 16;

/// Which of an answer's calls: its place in [`Calls`].
pub(super) type CallId = usize;

/// Some of an answer's calls: one bit for each.
pub(super) type CallSet = u128;
const _: () = assert!(MAX_CALLS <= CallSet::BITS as usize);

#[derive(Debug, Clone, Default)]
pub(super) struct Calls {
    list: Vec<Call>,
    /// Those that are not whole yet.
    open: CallSet,
    /// Of all calls.
    arguments: usize,
    held: Vec<Held>,
    held_bytes: usize,
    /// Whether a call has become whole since frames were last let go.
    closed: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) choice: u64,
    /// The index the caller sees: dense, from 0, within its choice.
    pub(super) index: u64,
    /// The index the server used.
    theirs: Option<u64>,
    id: Option<String>,
    pub(super) named: bool,
    /// Whether a fragment has been seen before.
    pub(super) begun: bool,
    /// Custom tools take free text; functions take JSON.
    pub(super) free_text: bool,
    arguments: String,
    looks_left: u8,
}

/// A frame that waits for calls.
#[derive(Debug, Clone)]
struct Held {
    calls: CallSet,
    frame: Vec<u8>,
}

impl Calls {
    pub(super) fn call(&mut self, id: CallId) -> &mut Call {
        &mut self.list[id]
    }

    /// The call that a fragment is part of, begun if it is a new one.
    ///
    /// # Errors
    /// `broken` when an answer holds more calls than any application could want.
    pub(super) fn locate(
        &mut self,
        choice: u64,
        index: Option<u64>,
        id: Option<&str>,
    ) -> Result<CallId, Failure> {
        let of_choice = |call: &&Call| call.choice == choice;
        let known = match (index, id) {
            (Some(index), id) => self
                .list
                .iter()
                .rposition(|call| of_choice(&call) && call.theirs == Some(index))
                // The same index with another id is another call.
                .filter(|&at| {
                    id.is_none() || self.list[at].id.is_none() || self.list[at].id.as_deref() == id
                }),
            (None, Some(id)) => self
                .list
                .iter()
                .rposition(|call| of_choice(&call) && call.id.as_deref() == Some(id)),
            (None, None) => self.list.iter().rposition(|call| of_choice(&call)),
        };
        let at = match known {
            Some(at) => at,
            None if self.list.len() == MAX_CALLS => {
                return Err(broken("more tool calls than are allowed"));
            }
            None => {
                let count = self.list.iter().filter(of_choice).count();
                self.open |= 1 << self.list.len();
                self.list.push(Call {
                    choice,
                    index: count as u64,
                    theirs: index,
                    id: None,
                    named: false,
                    begun: false,
                    free_text: false,
                    arguments: String::new(),
                    looks_left: LOOKS,
                });
                self.list.len() - 1
            }
        };
        let call = &mut self.list[at];
        if call.id.is_none() {
            call.id = id.map(str::to_owned);
        }
        Ok(at)
    }

    /// More of a call's arguments.
    ///
    /// # Errors
    /// `broken` when they are too long to hold, or belong to a call that was whole already.
    pub(super) fn append(&mut self, id: CallId, text: &str) -> Result<(), Failure> {
        let call = &mut self.list[id];
        if self.open & 1 << id == 0 && !call.free_text && !text.trim().is_empty() {
            return Err(broken("a tool call goes on behind its end"));
        }
        call.arguments.push_str(text);
        self.arguments += text.len();
        if call.arguments.len() > MAX_CALL || self.arguments > MAX_ARGUMENTS {
            Err(broken("a tool call is too long to hold back"))
        } else {
            Ok(())
        }
    }

    /// Another call of the same choice goes on: those before it are whole if their arguments are.
    pub(super) fn next(&mut self, id: CallId) {
        let choice = self.list[id].choice;
        for (at, call) in self.list.iter_mut().enumerate() {
            if at == id || call.choice != choice || self.open & 1 << at == 0 {
                continue;
            }
            if call.free_text || call.looks_whole() {
                self.open &= !(1 << at);
                self.closed = true;
            }
        }
    }

    /// The choice has finished, so its calls have. Returns those of them that were given no
    /// arguments at all, which an application expects as an empty object.
    ///
    /// # Errors
    /// `broken` when arguments are not JSON, unless the provider says that it cut the answer short.
    pub(super) fn finish(&mut self, choice: u64, truncated: bool) -> Result<Vec<CallId>, Failure> {
        let mut bare = Vec::new();
        for (at, call) in self.list.iter().enumerate() {
            if call.choice != choice || self.open & 1 << at == 0 {
                continue;
            }
            self.open &= !(1 << at);
            self.closed = true;
            if truncated || call.free_text {
                continue;
            }
            if call.arguments.trim().is_empty() {
                bare.push(at);
            } else if json::check(&call.arguments).is_err() {
                return Err(broken("the arguments of a tool call are not JSON"));
            }
        }
        Ok(bare)
    }

    /// Keeps `frame` until every call in `calls` is whole.
    ///
    /// # Errors
    /// `broken` when too much is held already.
    pub(super) fn hold(&mut self, calls: CallSet, frame: Vec<u8>) -> Result<(), Failure> {
        self.held_bytes += frame.len();
        if self.held_bytes > MAX_HELD {
            return Err(broken(
                "the tool calls of one answer are too long to hold back",
            ));
        }
        self.held.push(Held { calls, frame });
        Ok(())
    }

    /// Lets go, in order, what no open call holds back. Tells whether anything went.
    pub(super) fn release(&mut self, out: &mut Vec<u8>) -> bool {
        let blocked = |held: &Held| held.calls & self.open != 0;
        if !std::mem::take(&mut self.closed) && self.held.last().is_none_or(blocked) {
            return false;
        }
        let before = self.held.len();
        // A frame does not overtake another one of its calls that is part of an open one, too.
        let (mut waiting, bytes) = (self.open, &mut self.held_bytes);
        self.held.retain(|held| {
            let keep = held.calls & waiting != 0;
            if keep {
                waiting |= held.calls;
            } else {
                out.extend_from_slice(&held.frame);
                *bytes -= held.frame.len();
            }
            keep
        });
        self.held.len() < before
    }
}

impl Call {
    fn looks_whole(&mut self) -> bool {
        let Some(left) = self.looks_left.checked_sub(1) else {
            return false;
        };
        self.looks_left = left;
        json::check(&self.arguments).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_finds_its_call() {
        type Fragment = (Option<u64>, Option<&'static str>);
        let cases: [(&str, &[Fragment], &[usize]); 6] = [
            (
                "as the schema says",
                &[(Some(0), Some("a")), (Some(0), None), (Some(1), Some("b"))],
                &[0, 0, 1],
            ),
            (
                "the first index is 1",
                &[(Some(1), Some("a")), (Some(1), None)],
                &[0, 0],
            ),
            (
                "no index",
                &[
                    (None, Some("a")),
                    (None, None),
                    (None, Some("b")),
                    (None, Some("b")),
                ],
                &[0, 0, 1, 1],
            ),
            (
                "the id in every fragment",
                &[(Some(0), Some("a")), (Some(0), Some("a"))],
                &[0, 0],
            ),
            (
                "one index for two calls",
                &[(Some(0), Some("a")), (Some(0), Some("b")), (Some(0), None)],
                &[0, 1, 1],
            ),
            ("neither", &[(None, None), (None, None)], &[0, 0]),
        ];
        for (what, fragments, expected) in cases {
            let mut calls = Calls::default();
            let found: Vec<_> = fragments
                .iter()
                .map(|&(index, id)| calls.locate(0, index, id).unwrap())
                .collect();
            assert_eq!(found, expected, "{what}");
        }
    }

    #[test]
    fn each_call_is_let_go_on_its_own() {
        let (mut calls, mut out) = (Calls::default(), Vec::new());
        let first = calls.locate(0, Some(0), Some("a")).unwrap();
        calls.hold(1 << first, b"1".to_vec()).unwrap();
        calls.append(first, "{\"x\":").unwrap();
        let second = calls.locate(0, Some(1), Some("b")).unwrap();
        calls.next(second);
        calls.hold(1 << second, b"2".to_vec()).unwrap();
        assert!(
            !calls.release(&mut out),
            "half an argument is not an argument"
        );
        calls.append(first, "1}").unwrap();
        calls.next(second);
        assert!(calls.release(&mut out));
        assert_eq!(out, b"1");
        calls.append(second, "{}").unwrap();
        assert_eq!(calls.finish(0, false), Ok(vec![]));
        assert!(calls.release(&mut out));
        assert_eq!(out, b"12");
    }

    #[test]
    fn the_frames_of_a_call_stay_in_order() {
        let (mut calls, mut out) = (Calls::default(), Vec::new());
        let first = calls.locate(0, Some(0), Some("a")).unwrap();
        let second = calls.locate(0, Some(1), Some("b")).unwrap();
        calls
            .hold(1 << first | 1 << second, b"both ".to_vec())
            .unwrap();
        calls.append(first, "{}").unwrap();
        calls.hold(1 << first, b"first ".to_vec()).unwrap();
        calls.next(second);
        assert!(!calls.release(&mut out), "it begins in a frame that waits");
        calls.append(second, "{}").unwrap();
        assert_eq!(calls.finish(0, false), Ok(vec![]));
        assert!(calls.release(&mut out));
        assert_eq!(out, b"both first ");
    }

    #[test]
    fn a_call_is_not_looked_at_without_end() {
        let (mut calls, mut out) = (Calls::default(), Vec::new());
        let first = calls.locate(0, Some(0), Some("a")).unwrap();
        calls.hold(1 << first, b"1".to_vec()).unwrap();
        calls.append(first, "[1").unwrap();
        let second = calls.locate(0, Some(1), Some("b")).unwrap();
        for _ in 0..=LOOKS {
            calls.next(second);
        }
        calls.append(first, "]").unwrap();
        calls.next(second);
        assert!(!calls.release(&mut out), "it waits for the finish now");
        calls.append(second, "{}").unwrap();
        assert_eq!(calls.finish(0, false), Ok(vec![]));
        assert!(calls.release(&mut out));
        assert_eq!(out, b"1");
    }

    #[test]
    fn a_finish_judges_what_is_left() {
        for (arguments, truncated, expected) in [
            ("{\"x\":1}", false, Ok(vec![])),
            ("", false, Ok(vec![0])),
            ("{\"x\":", true, Ok(vec![])),
            ("{\"x\":", false, Err(())),
        ] {
            let mut calls = Calls::default();
            let call = calls.locate(0, Some(0), Some("a")).unwrap();
            calls.append(call, arguments).unwrap();
            assert_eq!(
                calls.finish(0, truncated).map_err(drop),
                expected,
                "{arguments}"
            );
        }
    }

    #[test]
    fn a_call_that_was_whole_does_not_go_on() {
        let mut calls = Calls::default();
        let first = calls.locate(0, Some(0), Some("a")).unwrap();
        calls.append(first, "{}").unwrap();
        let second = calls.locate(0, Some(1), Some("b")).unwrap();
        calls.next(second);
        assert!(calls.append(first, " ").is_ok());
        assert!(calls.append(first, "{}").is_err());
        assert!(calls.append(second, "{}").is_ok());
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut calls = Calls::default();
        let call = calls.locate(0, Some(0), None).unwrap();
        assert!(calls.append(call, &"x".repeat(MAX_CALL + 1)).is_err());
        assert!(
            (0..17)
                .try_for_each(|_| calls.hold(1, vec![0; 1 << 20]))
                .is_err()
        );
    }

    #[test]
    fn so_many_calls_are_kept_apart_and_no_more() {
        let (mut calls, mut out) = (Calls::default(), Vec::new());
        for at in 0..MAX_CALLS {
            let call = calls.locate(0, Some(at as u64), None).unwrap();
            calls.hold(1 << call, vec![1]).unwrap();
            calls.append(call, "{}").unwrap();
        }
        assert!(calls.locate(0, Some(MAX_CALLS as u64), None).is_err());
        calls.next(MAX_CALLS - 1);
        assert!(calls.release(&mut out));
        assert_eq!(out.len(), MAX_CALLS - 1, "the last may go on");
        assert_eq!(calls.finish(0, false), Ok(vec![]));
        assert!(calls.release(&mut out));
        assert_eq!(out.len(), MAX_CALLS);
    }
}
