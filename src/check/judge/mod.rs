//! What an answer is worth, and what an application would notice between two of them.
//!
//! Pure. First each answer alone: [`of`] says what a target can do, or what it lacks. Then two
//! against each other: [`against`] asks whether the second may stand in for the first. What the
//! first cannot do either is a note, not a failure: nobody can rely on it.

mod against;
mod answer;
mod pace;

use std::collections::BTreeSet;
use std::time::Duration;

use super::line;

pub(crate) use against::{against, alone};
pub(crate) use answer::{good, of, ordered, traits};
pub(crate) use pace::{pace, seconds};

/// What came of one probe.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) result: Result<Traits, Trouble>,
    pub(crate) first_token: Option<Duration>,
    pub(crate) total: Duration,
}

/// What an application can see of an answer that is good.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Traits {
    pub(crate) finish: Option<String>,
    pub(crate) content_type: String,
    pub(crate) usage: bool,
    pub(crate) fields: BTreeSet<String>,
    pub(crate) headers: BTreeSet<String>,
    /// Of the answer to a request that is wrong.
    pub(crate) error: Option<Refused>,
    pub(crate) notes: Vec<String>,
}

/// An error as an application's code tells it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) kind: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) should_retry: Option<String>,
}

/// Why there is no good answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) lack: Lack,
    /// In plain words.
    pub(crate) said: String,
}

/// In the order of how much worse it is for an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lack {
    /// A whole answer without what was asked for.
    Lacking,
    /// The request was refused as one that this model does not take.
    Refused,
    /// An answer that an SDK fails at, or that the gateway had to throw away.
    Broken,
    /// No answer: the connection, the key, the account, an outage.
    Unreachable,
}

impl Trouble {
    fn new(lack: Lack, said: impl AsRef<str>) -> Self {
        let said = line(said.as_ref());
        Self { lack, said }
    }
}

#[cfg(test)]
mod tests;
