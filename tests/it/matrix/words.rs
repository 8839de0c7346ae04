//! The words that the tables are written in.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::support::Surface;
use crate::support::surface::SURFACES;

/// Where the fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum At {
    Upstream,
    Client,
    Secret,
    Clock,
    Process,
}

/// How far the request had come when the fault struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Also: before anything of a request has come from the client.
    Connect,
    Tls,
    RequestBody,
    BeforeHead,
    Head,
    BeforeFirstToken,
    AfterIt,
    InACall,
    BeforeFinish,
}

pub(super) const PHASES: [Phase; 9] = [
    Phase::Connect,
    Phase::Tls,
    Phase::RequestBody,
    Phase::BeforeHead,
    Phase::Head,
    Phase::BeforeFirstToken,
    Phase::AfterIt,
    Phase::InACall,
    Phase::BeforeFinish,
];

/// Which requests a line of a table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Both,
    Plain,
    Stream,
}

impl Asked {
    /// Whether for a stream.
    pub(super) fn each(self) -> &'static [bool] {
        match self {
            Self::Both => &[false, true],
            Self::Plain => &[false],
            Self::Stream => &[true],
        }
    }
}

/// One request of one surface that meets one fault.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// Such as `U7-stream-messages`.
    pub(super) id: String,
    pub(super) surface: Surface,
    pub(super) streamed: bool,
}

/// A line of a table, once for each surface and for a plain and a streamed request.
pub(super) fn cases(id: &str, asked: Asked, on: &[Surface]) -> Vec<Case> {
    let each = on.iter().flat_map(|surface| {
        let each = asked.each().iter();
        each.map(|streamed| (*surface, *streamed))
    });
    each.map(|(surface, streamed)| Case {
        id: format!(
            "{id}-{}-{}",
            if streamed { "stream" } else { "plain" },
            surface.name()
        ),
        surface,
        streamed,
    })
    .collect()
}

/// A row as the list of all has it.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) at: At,
    pub(super) phase: Phase,
    /// Surface, and whether for a stream; none where neither matters.
    pub(super) asked: Option<(Surface, bool)>,
    /// The classes that its record may show.
    pub(super) classes: Vec<&'static str>,
}

impl Listed {
    pub(super) fn of(case: &Case, at: At, phase: Phase, classes: &[&'static str]) -> Self {
        Self {
            id: case.id.clone(),
            at,
            phase,
            asked: Some((case.surface, case.streamed)),
            classes: classes.iter().flat_map(|any| any.split('|')).collect(),
        }
    }

    /// A row of a request whose kind does not matter.
    pub(super) fn alone(id: &str, at: At, phase: Phase) -> Self {
        Self {
            id: id.to_owned(),
            at,
            phase,
            asked: None,
            classes: vec![],
        }
    }
}

/// Plain and streamed on each surface.
pub(super) fn every_asking() -> Vec<(Surface, bool)> {
    let each = |surface: Surface| [(surface, false), (surface, true)];
    SURFACES.into_iter().flat_map(each).collect()
}

/// How many rows there are of each.
pub(super) fn counts<T: Ord>(of: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for each in of {
        *counts.entry(each).or_insert(0) += 1;
    }
    counts
}

/// Whether `class` is what was expected; `a|b` is either.
pub(super) fn is_one_of(expected: &str, class: &str) -> bool {
    expected.split('|').any(|one| one == class)
}

/// What a row may cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Of its request: to the whole of a plain answer, to the head of a streamed one.
    pub(super) deadline: Duration,
    /// Of memory, above what was there before.
    pub(super) kib: usize,
    /// Of a request on another route.
    pub(super) steady: Duration,
    /// Whether another target may go on with an answer that has begun.
    pub(super) resumes: bool,
}

/// Within which a request of the steady route is answered. A share of one core is enough for that.
const STEADY: Duration = Duration::from_millis(1500);

/// Twenty megabytes, and what a few connections and streams may hold.
pub(super) const ROOM_KIB: usize = 20 << 10;

impl Bounds {
    pub(super) fn of(deadline: Duration) -> Self {
        Self {
            deadline,
            kib: ROOM_KIB,
            steady: STEADY,
            resumes: false,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Tls => "TLS",
            Self::RequestBody => "request body",
            Self::BeforeHead => "before head",
            Self::Head => "head",
            Self::BeforeFirstToken => "before first token",
            Self::AfterIt => "after it",
            Self::InACall => "in a tool call",
            Self::BeforeFinish => "before finish",
        })
    }
}
