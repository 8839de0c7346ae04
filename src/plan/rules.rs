//! Which rule of its route a request falls under.

use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use jiff::civil::Weekday;

use crate::chat::{Look, Request, drawn};
use crate::snapshot::{Condition, Fact, Hours, Identity, Key, Percent, Rule, Wanted, short};

/// What was found in a request of personal data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The classes, by the names that rules have for them.
    pub classes: Vec<Arc<str>>,
    /// Something in it cannot be looked into: an image, a file, a recording. It may hold anything.
    pub unscannable: bool,
}

impl Found {
    /// What is to be thought of a request that nobody has looked into.
    pub fn unknown() -> Self {
        Self {
            classes: Vec::new(),
            unscannable: true,
        }
    }

    fn holds(&self, class: &Arc<str>) -> bool {
        self.unscannable || self.classes.contains(class)
    }
}

/// A request, and all that a rule may ask of it.
pub struct Circumstances<'a> {
    pub key: &'a Key,
    /// Of this instance.
    pub identity: &'a Identity,
    pub headers: &'a HeaderMap,
    pub look: &'a Look<'a>,
    pub now: Timestamp,
    /// Looks for personal data; asked once at most, and only by a rule that is about it.
    pub find: &'a dyn Fn() -> Found,
    pub found: OnceCell<Found>,
}

impl fmt::Debug for Circumstances<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circumstances")
            .field("key", &self.key.id)
            .finish_non_exhaustive()
    }
}

/// The first rule whose conditions all hold.
pub fn choose<'r>(rules: &'r [Rule], by: &Circumstances<'_>) -> Option<&'r Rule> {
    rules.iter().find(|rule| unmet(rule, by).is_none())
}

/// The first condition of `rule` that does not hold.
pub fn unmet<'r>(rule: &'r Rule, by: &Circumstances<'_>) -> Option<&'r Condition> {
    rule.when.iter().find(|condition| !holds(condition, by))
}

/// The rules, a line each, of which all that is asked of a request beside its body holds: its headers and its
/// conversation. Of two with the same key and body, those for which this is the same fall under the same rule.
pub fn beside(rules: &[Rule], by: &Circumstances<'_>) -> Arc<str> {
    let mut names = String::new();
    for rule in rules {
        let beside = |condition: &&Condition| {
            matches!(
                condition,
                Condition::Header { .. } | Condition::Share { .. }
            )
        };
        let mut asked = rule.when.iter().filter(beside).peekable();
        if asked.peek().is_some() && asked.all(|condition| holds(condition, by)) {
            names.push_str(&rule.name);
            names.push('\n');
        }
    }
    names.into()
}

/// Of a request that passes through nothing is known that would have to be read. It may say anything and
/// hold any class of personal data; what its facts would be, it has not.
fn holds(condition: &Condition, by: &Circumstances<'_>) -> bool {
    let fact = |of: fn(&Request) -> bool| by.look.request().is_some_and(of);
    match condition {
        Condition::PromptTokens { over, under } => by
            .look
            .request()
            .is_some_and(|request| is_between(request.tokens, *over, *under)),
        Condition::Tools(wanted) => fact(|request| request.tools) == *wanted,
        Condition::Images(wanted) => by.look.images() == *wanted,
        Condition::Stream(wanted) => fact(|request| request.stream) == *wanted,
        Condition::Pii(classes) => {
            let found = by.found.get_or_init(by.find);
            classes.iter().any(|class| found.holds(class))
        }
        Condition::Matches(pattern) => {
            by.look.request().is_none() || by.look.any_text(|text| pattern.is_match(text))
        }
        Condition::Metadata { name, wanted } => by
            .look
            .metadata(name)
            .is_some_and(|said| says(wanted, &said)),
        Condition::Header { name, wanted } => {
            // As it came: a value may be in any script, which HTTP leaves open.
            let mut values = by.headers.get_all(name).iter().map(HeaderValue::as_bytes);
            values.any(|said| std::str::from_utf8(said).is_ok_and(|said| says(wanted, said)))
        }
        Condition::Caller { fact, wanted } => {
            who(*fact, by).is_some_and(|said| is_wanted(wanted, said))
        }
        Condition::Time(hours) => is_in(hours, by.now),
        Condition::Share { percent, salt } => {
            let conversation = by.look.conversation(by.headers).to_be_bytes();
            let drawn = drawn([salt.as_bytes(), &conversation[..]]);
            // Who is below a share is below every larger one.
            (u128::from(drawn) * u128::from(Percent::PARTS)) >> 64 < u128::from(percent.parts())
        }
    }
}

pub(super) fn is_between(tokens: u64, over: Option<u64>, under: Option<u64>) -> bool {
    over.is_none_or(|over| tokens > over) && under.is_none_or(|under| tokens < under)
}

pub(super) fn is_wanted(wanted: &[Arc<str>], said: &str) -> bool {
    wanted.iter().any(|one| **one == *said)
}

fn says(wanted: &Wanted, said: &str) -> bool {
    match wanted {
        Wanted::OneOf(all) => all.iter().any(|one| **one == *said),
        Wanted::Matching(pattern) => pattern.is_match(said),
    }
}

/// What the key says, else what the instance says: as in the record.
fn who<'a>(fact: Fact, by: &'a Circumstances<'_>) -> Option<&'a str> {
    let (key, identity) = (by.key, by.identity);
    let (of_key, of_instance) = match fact {
        Fact::Key => (Some(&key.id), None),
        Fact::Team => (key.team.as_ref(), identity.team.as_ref()),
        Fact::Service => (key.service.as_ref(), identity.service.as_ref()),
        Fact::Environment => (key.environment.as_ref(), identity.environment.as_ref()),
    };
    of_key.or(of_instance).map(|said| &**said)
}

pub(super) fn is_in(hours: &Hours, now: Timestamp) -> bool {
    let there = now.to_zoned(hours.zone.clone());
    // 0 to 23 and 0 to 59.
    let unsigned = |part: i8| u16::from(part.unsigned_abs());
    let minute = unsigned(there.hour()) * 60 + unsigned(there.minute());
    let is_day = |day: Weekday| hours.days.contains(&day);
    let today = is_day(there.weekday());
    if hours.from < hours.to {
        return today && (hours.from..hours.to).contains(&minute);
    }
    let yesterday = is_day(there.weekday().previous());
    today && minute >= hours.from || yesterday && minute < hours.to
}

/// What a request has of what `condition` asks for, where that is not plain from the condition itself.
pub(super) fn seen(condition: &Condition, by: &Circumstances<'_>) -> Option<String> {
    match condition {
        Condition::PromptTokens { .. } => match by.look.request() {
            Some(request) => Some(format!("about {}", request.tokens)),
            None => Some("not read".into()),
        },
        Condition::Caller { fact, .. } => Some(who(*fact, by).unwrap_or("unknown").to_owned()),
        Condition::Time(hours) => {
            let there = by.now.to_zoned(hours.zone.clone());
            let (hour, minute) = (there.hour(), there.minute());
            Some(format!("{} {hour:02}:{minute:02}", short(there.weekday())))
        }
        Condition::Pii(_) => {
            let found = by.found.get_or_init(by.find);
            Some(if found.classes.is_empty() {
                "none found".into()
            } else {
                found.classes.join(", ")
            })
        }
        Condition::Metadata { name, .. } => {
            let said = by.look.metadata(name);
            Some(said.map_or_else(|| "absent".into(), |said| said.chars().take(64).collect()))
        }
        Condition::Tools(_)
        | Condition::Images(_)
        | Condition::Stream(_)
        | Condition::Matches(_)
        | Condition::Header { .. }
        | Condition::Share { .. } => None,
    }
}
