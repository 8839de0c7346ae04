//! An answer in our own words: what a decoder makes of a provider's bytes, and an encoder writes in
//! the caller's dialect.
//!
//! The order is that of the answer. A tool call comes whole or not at all: a decoder says
//! [`Event::CallBegan`] at its first sign and [`Event::Call`] once its arguments are complete, so no
//! encoder can let half a call out. [`Event::Usage`] comes at most once, and right before
//! [`Event::Finish`], which is the last event; an answer without it is no answer.

use super::Usage;
use super::conversation::Call;
use super::thought::Thought;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The provider's own id of the answer. First, if at all.
    Id(String),
    Text(String),
    /// A piece of what the model thinks, to be shown.
    Reasoning(String),
    Refusal(String),
    /// A block of thinking has ended: all of it, with its signature. The pieces of its text have
    /// gone before as [`Event::Reasoning`].
    Thought(Thought),
    /// A call has begun; it follows whole.
    CallBegan,
    Call(Call),
    Usage(Usage),
    Finish(Finish),
}

impl Event {
    /// Whether an answer that holds this holds anything.
    pub fn is_meaningful(&self) -> bool {
        match self {
            Self::Text(text) | Self::Reasoning(text) | Self::Refusal(text) => !text.is_empty(),
            Self::CallBegan | Self::Call(_) => true,
            Self::Id(_) | Self::Thought(_) | Self::Usage(_) | Self::Finish(_) => false,
        }
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    pub reason: Reason,
    /// The stop sequence that was hit, where the provider says.
    pub stop_sequence: Option<String>,
}

impl From<Reason> for Finish {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            stop_sequence: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Stop,
    Length,
    ToolCalls,
    ContentFilter,
}

/// The events of a whole answer, pieces of the same kind joined.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub events: Vec<Event>,
}

impl Answer {
    pub fn push(&mut self, event: Event) {
        match (self.events.last_mut(), event) {
            (Some(Event::Text(before)), Event::Text(text))
            | (Some(Event::Reasoning(before)), Event::Reasoning(text))
            | (Some(Event::Refusal(before)), Event::Refusal(text)) => before.push_str(&text),
            (_, Event::CallBegan) => {}
            (_, event) => self.events.push(event),
        }
    }
}

impl Extend<Event> for Answer {
    fn extend<T: IntoIterator<Item = Event>>(&mut self, events: T) {
        events.into_iter().for_each(|event| self.push(event));
    }
}
