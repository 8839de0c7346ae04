//! A route: what an application names in `model`, where its requests go, and what holds for them.

use std::sync::Arc;
use std::time::Duration;

use super::{Content, Percent, Privacy, Rule, Target};
use crate::health;
use crate::limit::Terms;

/// What an application names in `model`.
#[derive(Debug)]
pub struct Route {
    pub name: Arc<str>,
    /// The fallback order: at least one place, by construction.
    pub places: Vec<Place>,
    /// The first that fits a request decides what comes before these places, or instead of them.
    pub rules: Vec<Rule>,
    /// Where its requests must stay.
    pub residency: Option<Arc<str>>,
    pub privacy: Privacy,
    /// What its records hold of a request and its answer.
    pub content: Content,
    pub timeouts: Timeouts,
    /// The share of what is left of the deadline that an attempt leaves to the next target.
    pub reserve: Percent,
    /// Attempts per request, retries and fallbacks together; at least 1.
    pub max_attempts: u32,
    /// Whether the caller sees the upstream's model name instead of the string it sent.
    pub expose_model: bool,
    /// Whether a connection to every target is kept open, so that a switch pays no handshake.
    pub warm: bool,
    pub unsupported: OnUnsupported,
    /// When its targets are left, and when they are slow.
    pub health: health::Policy,
    pub hedge: Option<Hedge>,
    /// Identical requests of one key within so long are one.
    pub dedupe: Option<Duration>,
    pub on_break: OnBreak,
    /// What all may use of it together.
    pub terms: Option<Arc<Terms>>,
}

/// A second target is asked while the first one keeps silent for longer than it does but once in
/// twenty times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hedge {
    /// The tokens sent for nothing may be this share of all that are sent.
    pub spend: Percent,
}

impl Hedge {
    /// `hedge: on`.
    pub const ON: Self = Self {
        spend: Percent::of_parts(500),
    };
}

/// What becomes of an answer that breaks off when some of it has gone out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBreak {
    /// The caller is told.
    Error,
    /// Another target is asked to go on, where the answer is plain text.
    Continue,
}

/// What becomes of a field that a target of another dialect cannot be told, and without which the
/// answer is an answer all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnsupported {
    Drop,
    Reject,
}

impl Route {
    /// A route that nobody configured: to one target, with the limits of the `interactive` profile.
    pub fn to(target: impl Into<Arc<Target>>) -> Self {
        Self {
            name: "-".into(),
            places: vec![Place {
                members: vec![Member {
                    target: target.into(),
                    weight: 1,
                }],
                select: Select::Weighted,
            }],
            rules: Vec::new(),
            residency: None,
            privacy: Privacy::default(),
            content: Content::Nothing,
            timeouts: Timeouts::INTERACTIVE,
            reserve: Percent::of_parts(4000),
            max_attempts: 4,
            expose_model: false,
            warm: false,
            unsupported: OnUnsupported::Drop,
            health: health::Policy::DEFAULT,
            hedge: None,
            dedupe: None,
            on_break: OnBreak::Error,
            terms: None,
        }
    }

    /// Every target once, its own in the order written and then those of its rules.
    pub fn targets(&self) -> impl Iterator<Item = &Arc<Target>> {
        let rules = self.rules.iter().flat_map(|rule| &rule.places);
        let members = self.places.iter().chain(rules).flat_map(|it| &it.members);
        let mut targets: Vec<&Arc<Target>> = Vec::new();
        for Member { target, .. } in members {
            if !targets.iter().any(|known| known.id == target.id) {
                targets.push(target);
            }
        }
        targets.into_iter()
    }
}

/// One place in the fallback order: a single target, or a group that shares the place.
#[derive(Debug)]
pub struct Place {
    /// At least one; the weights are not all zero.
    pub members: Vec<Member>,
    pub select: Select,
}

/// Which member of a place is asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// By weight; the same one for all of a conversation.
    Weighted,
    /// The one that is expected to answer first.
    Fastest,
    /// The one with the lowest price.
    Cheapest,
}

impl Select {
    /// As the operator writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Weighted => "weighted",
            Self::Fastest => "fastest",
            Self::Cheapest => "cheapest",
        }
    }
}

#[derive(Debug)]
pub struct Member {
    pub target: Arc<Target>,
    pub weight: u32,
}

/// How long a request may take. All of them are positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// A plain answer whole; a stream until its commit point.
    pub whole: Duration,
    /// A streamed attempt until its first meaningful event.
    pub first_token: Duration,
    /// A plain attempt until its whole answer.
    pub answer: Duration,
    /// Between two events of a stream.
    pub idle: Duration,
    /// A stream from its commit point to its end.
    pub stream: Duration,
}

impl Timeouts {
    /// Those of the profile that holds where none is named.
    pub const INTERACTIVE: Self = Self {
        whole: Duration::from_secs(30),
        first_token: Duration::from_millis(2500),
        answer: Duration::from_secs(18),
        idle: Duration::from_secs(15),
        stream: Duration::from_mins(10),
    };
}
