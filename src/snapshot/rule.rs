//! The rules of a route: which requests each is for, and where those go.

use std::fmt;
use std::sync::Arc;

use http::HeaderName;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use regex::Regex;

use super::{Percent, Place};

/// What the names of the headers begin with that an application tags its requests by.
pub const TAG: &str = "x-pillion-tag-";

/// Requests of a route that go another way.
#[derive(Debug)]
pub struct Rule {
    pub name: Arc<str>,
    /// All of them must hold; at least one.
    pub when: Vec<Condition>,
    /// In fallback order, before the route's own; none where the rule only says where a request stays.
    pub places: Vec<Place>,
    /// Whether the route's own targets are left out.
    pub only: bool,
    pub residency: Option<Arc<str>>,
}

impl Rule {
    /// Whether it is about personal data.
    pub fn is_personal(&self) -> bool {
        let personal = |condition: &Condition| matches!(condition, Condition::Pii(_));
        self.when.iter().any(personal)
    }
}

/// What may be asked of a request.
#[derive(Debug)]
pub enum Condition {
    /// About so many tokens of prompt: more than `over`, fewer than `under`.
    PromptTokens {
        over: Option<u64>,
        under: Option<u64>,
    },
    /// Whether the model is offered tools.
    Tools(bool),
    /// Whether the model is shown an image.
    Images(bool),
    Stream(bool),
    /// One of these classes of personal data is in it.
    Pii(Vec<Arc<str>>),
    /// One of its texts matches.
    Matches(Regex),
    /// A member of the body's `metadata`.
    Metadata {
        name: Arc<str>,
        wanted: Wanted,
    },
    Header {
        name: HeaderName,
        wanted: Wanted,
    },
    /// Who asks: a fact about the key, else about this instance.
    Caller {
        fact: Fact,
        wanted: Vec<Arc<str>>,
    },
    Time(Hours),
    /// This share of the conversations.
    Share {
        percent: Percent,
        /// Other rules choose others.
        salt: Arc<str>,
    },
}

/// What a header or a member of `metadata` must say.
#[derive(Debug)]
pub enum Wanted {
    /// One of these.
    OneOf(Vec<Arc<str>>),
    Matching(Regex),
}

/// What is known of whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    Key,
    Team,
    Service,
    Environment,
}

impl Fact {
    pub const ALL: [Self; 4] = [Self::Key, Self::Team, Self::Service, Self::Environment];

    /// As the operator writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Team => "team",
            Self::Service => "service",
            Self::Environment => "environment",
        }
    }
}

/// Hours of some days of the week, by the clock of one zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Hours {
    /// In the order of the week; where the hours go over midnight, the days on which they begin.
    pub days: Vec<Weekday>,
    /// In minutes from midnight, the first that is in.
    pub from: u16,
    /// The first that is out again; at or before `from`, that of the next day.
    pub to: u16,
    pub zone: TimeZone,
    /// What the operator calls it.
    pub zone_name: Arc<str>,
}

impl fmt::Display for Condition {
    /// Much as the operator wrote it. What says the same is shown the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PromptTokens { over, under } => {
                f.write_str("prompt_tokens")?;
                over.map_or(Ok(()), |over| write!(f, " over {over}"))?;
                under.map_or(Ok(()), |under| write!(f, " under {under}"))
            }
            Self::Tools(wanted) => write!(f, "tools: {wanted}"),
            Self::Images(wanted) => write!(f, "images: {wanted}"),
            Self::Stream(wanted) => write!(f, "stream: {wanted}"),
            Self::Pii(classes) => write!(f, "pii: {}", classes.join(" or ")),
            Self::Matches(pattern) => write!(f, "matches: /{pattern}/"),
            Self::Metadata { name, wanted } => write!(f, "metadata.{name}: {wanted}"),
            Self::Header { name, wanted } => match name.as_str().strip_prefix(TAG) {
                Some(tag) => write!(f, "tag.{tag}: {wanted}"),
                None => write!(f, "header.{name}: {wanted}"),
            },
            Self::Caller { fact, wanted } => write!(f, "{}: {}", fact.name(), wanted.join(" or ")),
            Self::Time(hours) => hours.fmt(f),
            Self::Share { percent, .. } => write!(f, "share: {percent}"),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneOf(all) => f.write_str(&all.join(" or ")),
            Self::Matching(pattern) => write!(f, "/{pattern}/"),
        }
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("time:")?;
        if self.days.len() < 7 {
            for day in &self.days {
                write!(f, " {}", short(*day))?;
            }
        }
        let clock = |minutes: u16| (minutes / 60, minutes % 60);
        let ((from, of), (to, until)) = (clock(self.from), clock(self.to));
        write!(f, " {from:02}:{of:02} to {to:02}:{until:02}")?;
        write!(f, " {}", self.zone_name)
    }
}

/// As the operator writes it.
pub fn short(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "mon",
        Weekday::Tuesday => "tue",
        Weekday::Wednesday => "wed",
        Weekday::Thursday => "thu",
        Weekday::Friday => "fri",
        Weekday::Saturday => "sat",
        Weekday::Sunday => "sun",
    }
}
