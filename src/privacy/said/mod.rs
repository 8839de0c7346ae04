//! What an answer says, gathered for its record: texts, refusals and calls, of whatever surface and whoever
//! answered, from a body or from the frames of a stream as they pass.
//!
//! Not gathered are thinking, log probabilities, sound and pictures, and what the provider's own tools came to.
//! It is as personal as the answer: it cannot be printed, and leaves by [`Transcript`](super::Transcript) alone.

mod choices;
mod messages;
mod responses;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

use super::frames::{Speech, string};
use super::transcript::LONGEST;
use crate::chat::Surface;
use crate::wire::json::{Cursor, Invalid, check};
use crate::wire::sse::{Framer, TooLong};

/// What a part takes of the room beside its text: so many empty ones cannot fill the memory.
const PART: usize = 64;

/// What an answer says, as far as there is room.
pub struct Said {
    speech: Speech,
    parts: Vec<Part>,
    room: usize,
    /// Whether something found no room.
    is_cut: bool,
    framer: Framer,
}

/// One text, one refusal, or one call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    place: Place,
    pub(super) kind: Kind,
    /// Which of several answers it is of.
    pub(super) choice: u64,
    /// Of what is called.
    pub(super) name: String,
    /// What is said, or the call's arguments.
    pub(super) text: String,
    /// Whether a piece of it found no room.
    is_torn: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Text,
    Refusal,
    Call,
}

/// Where a part stands among those of its kind: its choice, block or item, and its place in that.
type Place = (u64, u64);

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Said({} parts)", self.parts.len())
    }
}

impl Said {
    pub fn new(surface: Surface) -> Self {
        Self {
            speech: Speech::of(surface),
            parts: Vec::new(),
            room: LONGEST,
            is_cut: false,
            framer: Framer::default(),
        }
    }

    /// Takes the next piece of a stream, in frames of the surface.
    pub fn pass(&mut self, bytes: &[u8]) {
        let mut framer = std::mem::take(&mut self.framer);
        let fed = framer.feed(bytes, |event| {
            let data = str::from_utf8(event.data).unwrap_or_default();
            if data.starts_with('{') {
                self.frame(data);
            }
            Ok::<(), TooLong>(())
        });
        self.is_cut |= fed.is_err();
        self.framer = framer;
    }

    /// Takes a whole answer: a body of the surface, or all of a stream.
    pub fn whole(&mut self, body: &[u8]) {
        let text = str::from_utf8(body).unwrap_or_default();
        if !text.trim_start().starts_with('{') {
            self.pass(body);
            return;
        }
        let read = match self.speech {
            Speech::Choices => self.choices(text),
            Speech::Messages => self.message(text),
            Speech::Responses => self.response(text),
        };
        // What is no JSON to its end has said what it has until there.
        let _ = read;
    }

    /// Whether more was said than there is room for.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The parts in the order in which they began, and whether each may end within a value. Of an answer
    /// that is not whole that is the last part of each choice.
    pub(super) fn parts(&self, is_whole: bool) -> Vec<(&Part, bool)> {
        let mut ended = Vec::new();
        let mut parts: Vec<_> = (self.parts.iter().rev())
            .map(|part| {
                let is_last = !ended.contains(&part.choice);
                if is_last {
                    ended.push(part.choice);
                }
                let is_open = !is_whole && is_last;
                // A call that is held back until it is whole is whole.
                let is_done = part.kind == Kind::Call && check(&part.text).is_ok();
                (part, part.is_torn || is_open && !is_done)
            })
            .collect();
        parts.reverse();
        parts
    }

    fn frame(&mut self, data: &str) {
        let read = match self.speech {
            Speech::Choices => self.choices(data),
            Speech::Messages => self.block(data),
            Speech::Responses => self.event(data),
        };
        // As above.
        let _ = read;
    }

    /// The next piece of a part, which begins with its first.
    fn say(&mut self, kind: Kind, place: Place, piece: &str) {
        if piece.is_empty() {
            return;
        }
        let known = self.find(kind, place);
        let Some(at) = known.or_else(|| self.open(kind, place, "")) else {
            return;
        };
        let taken = piece.floor_char_boundary(self.room);
        self.room -= taken;
        let part = &mut self.parts[at];
        part.text.push_str(&piece[..taken]);
        if taken < piece.len() {
            part.is_torn = true;
            self.is_cut = true;
        }
    }

    /// A call begins, or is named again.
    fn call(&mut self, place: Place, name: &str) {
        if self.find(Kind::Call, place).is_none() {
            self.open(Kind::Call, place, name);
        }
    }

    /// A call's arguments, where they come whole.
    fn arguments(&mut self, place: Place, data: &str, span: &Range<usize>) {
        let known = self.find(Kind::Call, place);
        if known.is_none_or(|at| self.parts[at].text.is_empty()) {
            match string(data, span) {
                Some(text) => self.say(Kind::Call, place, &text),
                None => self.say(Kind::Call, place, &data[span.clone()]),
            }
        }
    }

    fn find(&self, kind: Kind, place: Place) -> Option<usize> {
        let is_it = |part: &Part| part.kind == kind && part.place == place;
        self.parts.iter().rposition(is_it)
    }

    fn open(&mut self, kind: Kind, place: Place, name: &str) -> Option<usize> {
        let Some(room) = self.room.checked_sub(PART + name.len()) else {
            self.is_cut = true;
            return None;
        };
        self.room = room;
        self.parts.push(Part {
            place,
            kind,
            choice: match self.speech {
                Speech::Choices => place.0,
                Speech::Messages | Speech::Responses => 0,
            },
            name: name.to_owned(),
            text: String::new(),
            is_torn: false,
        });
        Some(self.parts.len() - 1)
    }
}

/// The number that stands there; the first, where none does.
fn number(data: &str, span: Option<Range<usize>>) -> u64 {
    span.and_then(|span| data[span].parse().ok())
        .unwrap_or_default()
}

/// The objects of the list at `span`, by where they begin.
fn objects(data: &str, span: Option<Range<usize>>) -> Result<Vec<usize>, Invalid> {
    let mut objects = Vec::new();
    let Some(span) = span.filter(|span| data[span.clone()].starts_with('[')) else {
        return Ok(objects);
    };
    Cursor::at(data, span.start).array(|cursor| {
        let at = cursor.position();
        if data[at..].starts_with('{') {
            objects.push(at);
        }
        Ok::<(), Invalid>(())
    })?;
    Ok(objects)
}
