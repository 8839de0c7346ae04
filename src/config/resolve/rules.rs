//! The rules of a route: what each asks of a request, and whether it can ever be the first that fits.

use std::collections::BTreeSet;

use http::HeaderName;
use jiff::civil::Weekday;
use jiff::tz::{Offset, TimeZone};
use regex::{Regex, RegexBuilder};

use crate::config::node::{Node, Table};
use crate::config::path::Path;
use crate::config::problem::Report;
use crate::snapshot::{Condition, Fact, Hours, Percent, Rule, TAG, Wanted, short};

use super::headers::CREDENTIALS;
use super::privacy::Known;
use super::residency;
use super::routes::{Targets, places};

/// What a compiled pattern may take, and what looking for it may, in bytes.
const LARGEST_PATTERN: usize = 1 << 20;

const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

type Zone<'a> = &'a dyn Fn(&str) -> Option<TimeZone>;

pub(super) fn resolve(
    route: &str,
    table: &Table,
    targets: &mut Targets<'_>,
    beside: (Zone<'_>, &Known),
    report: &mut Report,
) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for table in table.tables("rules") {
        let rule = rule(route, table, targets, beside, report);
        let twice = rules.iter().any(|before| before.name == rule.name);
        if twice && !rule.name.is_empty() {
            let message = format!("`{}` is already the name of a rule before it", rule.name);
            report.problem(&table.at("name"), message);
        }
        if let Some(before) = rules.iter().find(|before| takes_all_of(before, &rule)) {
            let message = format!(
                "can never match: the rule `{}` before it takes every such request",
                before.name
            );
            report.problem(&table.at("when"), message);
        }
        rules.push(rule);
    }
    rules
}

fn rule(
    route: &str,
    table: &Table,
    targets: &mut Targets<'_>,
    (zone, known): (Zone<'_>, &Known),
    report: &mut Report,
) -> Rule {
    let name = table.text("name").unwrap_or_default();
    let when = match table.table("when") {
        Some(when) => Reader {
            zone,
            known,
            report,
        }
        .conditions(when, &format!("{route}\n{name}")),
        None => Vec::new(),
    };
    let rule = Rule {
        name,
        when,
        places: places(table, targets, report),
        only: table.flag("only").unwrap_or(false),
        residency: residency::demanded(table, targets.providers(), report),
    };
    if !table.has("targets") {
        if rule.only {
            let hint = "list where such requests go";
            report.problem_with_hint(&table.at("only"), "leaves no target at all", hint);
        } else if !table.has("residency") {
            let message = "changes nothing: it has neither `targets` nor `residency`";
            report.problem(&table.path, message);
        }
    }
    rule
}

/// Whether no request that `rule` is for gets past `before`: each of the earlier rule's conditions is one
/// of the later's too.
fn takes_all_of(before: &Rule, rule: &Rule) -> bool {
    let mut shares = before.when.iter().filter_map(|condition| match condition {
        Condition::Share { percent, .. } => Some(*percent),
        _ => None,
    });
    if before.when.is_empty() || shares.any(|percent| percent < Percent::ALL) {
        return false;
    }
    let told = |rule: &Rule| -> BTreeSet<String> {
        let conditions = rule.when.iter();
        let asking = conditions.filter(|it| !matches!(it, Condition::Share { .. }));
        asking.map(Condition::to_string).collect()
    };
    told(before).is_subset(&told(rule))
}

/// Reads the conditions of one rule.
struct Reader<'a> {
    zone: Zone<'a>,
    known: &'a Known,
    report: &'a mut Report,
}

impl Reader<'_> {
    fn conditions(&mut self, when: &Table, salt: &str) -> Vec<Condition> {
        if when.nodes.is_empty() {
            let hint = "`share: 100%` is for every request";
            self.report
                .problem_with_hint(&when.path, "has no condition", hint);
        }
        let mut all = Vec::new();
        // The cheapest come first: what has to be looked for in the body is looked for last.
        for fact in Fact::ALL {
            let wanted = when.one_or_more(fact.name());
            if !wanted.is_empty() {
                all.push(Condition::Caller { fact, wanted });
            }
        }
        all.extend(when.flag("tools").map(Condition::Tools));
        all.extend(when.flag("stream").map(Condition::Stream));
        all.extend(when.table("prompt_tokens").and_then(|it| self.tokens(it)));
        all.extend(when.table("time").and_then(|it| self.hours(it)));
        for (at, name, node) in when.nodes("header") {
            let named = HeaderName::from_bytes(name.as_bytes());
            all.extend(self.header(&at, named.ok(), node));
        }
        for (at, name, node) in when.nodes("tag") {
            let named = HeaderName::from_bytes(format!("{TAG}{name}").as_bytes());
            all.extend(self.header(&at, named.ok(), node));
        }
        all.extend(when.percent("share").map(|percent| {
            if percent == Percent::ZERO {
                let at = when.at("share");
                self.report.problem(&at, "is for no request at all");
            }
            Condition::Share {
                percent,
                salt: salt.into(),
            }
        }));
        for (at, name, node) in when.nodes("metadata") {
            all.extend(self.wanted(&at, node).map(|wanted| Condition::Metadata {
                name: name.into(),
                wanted,
            }));
        }
        all.extend(when.flag("images").map(Condition::Images));
        if let Some(pattern) = when.text("matches") {
            let pattern = self.pattern(&when.at("matches"), &pattern);
            all.extend(pattern.map(Condition::Matches));
        }
        // Also those that are unknown, which is told.
        let classes = when.one_or_more("pii");
        self.known.classes(when, "pii", self.report);
        if !classes.is_empty() {
            all.push(Condition::Pii(classes));
        }
        all
    }

    fn tokens(&mut self, table: &Table) -> Option<Condition> {
        let (over, under) = (table.integer("over"), table.integer("under"));
        if table.nodes.is_empty() {
            let message = "says neither `over` nor `under`";
            self.report.problem(&table.path, message);
            return None;
        }
        if let (Some(over), Some(under)) = (over, under)
            && under.saturating_sub(over) < 2
        {
            let message = format!("has nothing over {over} and under {under}");
            self.report.problem(&table.path, message);
        }
        Some(Condition::PromptTokens { over, under })
    }

    fn header(&mut self, at: &Path, name: Option<HeaderName>, node: &Node) -> Option<Condition> {
        let Some(name) = name else {
            self.report.problem(at, "is not a header's name");
            return None;
        };
        if CREDENTIALS.contains(&name) {
            let hint = "`key` is for who asks";
            self.report
                .problem_with_hint(at, "carries a credential", hint);
            return None;
        }
        let wanted = self.wanted(at, node)?;
        Some(Condition::Header { name, wanted })
    }

    fn wanted(&mut self, at: &Path, node: &Node) -> Option<Wanted> {
        if let Node::Table(table) = node {
            let pattern = table.text("matches")?;
            let pattern = self.pattern(&at.key("matches"), &pattern);
            return pattern.map(Wanted::Matching);
        }
        let all = node.one_or_more();
        (!all.is_empty()).then_some(Wanted::OneOf(all))
    }

    fn pattern(&mut self, at: &Path, pattern: &str) -> Option<Regex> {
        let built = RegexBuilder::new(pattern)
            .size_limit(LARGEST_PATTERN)
            .dfa_size_limit(LARGEST_PATTERN)
            .build();
        built
            .map_err(|error| {
                let message = match error {
                    regex::Error::CompiledTooBig(_) => "is too large a pattern".to_owned(),
                    // The last line of several says what is wrong, the others where.
                    error => {
                        let told = error.to_string();
                        let last = told.lines().last().unwrap_or_default();
                        let why = last.trim().trim_start_matches("error: ");
                        format!("is no regular expression: {why}")
                    }
                };
                self.report.problem(at, message);
            })
            .ok()
    }

    fn hours(&mut self, table: &Table) -> Option<Condition> {
        let days: Vec<_> = table.texts("days").map(|(_, day)| day).collect();
        let is_one = |day: &Weekday| days.is_empty() || days.iter().any(|it| **it == *short(*day));
        let from = self.clock(table, "from");
        let to = self.clock(table, "to");
        let zone_name = table.text("zone")?;
        let zone = self.zone(&table.at("zone"), &zone_name);
        let (from, to, zone) = (from?, to?, zone?);
        if from == to || from == 24 * 60 {
            let message = "has no hours: `from` is `to`, or the end of the day";
            self.report.problem(&table.path, message);
        }
        Some(Condition::Time(Hours {
            days: WEEK.into_iter().filter(is_one).collect(),
            from,
            to,
            zone,
            zone_name,
        }))
    }

    /// A time of the day, in minutes.
    fn clock(&mut self, table: &Table, key: &str) -> Option<u16> {
        let text = table.text(key)?;
        let read = || {
            let (hours, minutes) = text.split_once(':')?;
            let two = |digits: &str, most: u16| {
                let plain = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
                let number: u16 = digits.parse().ok()?;
                (plain && number <= most).then_some(number)
            };
            let at = two(hours, 24)? * 60 + two(minutes, 59)?;
            (at <= 24 * 60).then_some(at)
        };
        let clock = read();
        if clock.is_none() {
            let message = format!("`{text}` is not a time such as `09:00`, up to `24:00`");
            self.report.problem(&table.at(key), message);
        }
        clock
    }

    fn zone(&mut self, at: &Path, name: &str) -> Option<TimeZone> {
        let zone = match name {
            "UTC" => Some(TimeZone::UTC),
            _ => offset(name)
                .map(TimeZone::fixed)
                .or_else(|| (self.zone)(name)),
        };
        if zone.is_none() {
            let message = format!("`{name}` is no zone that this system knows");
            let hint = "write an offset such as `+05:00`";
            self.report.problem_with_hint(at, message, hint);
        }
        zone
    }
}

/// `+05:00`.
fn offset(text: &str) -> Option<Offset> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let plain = [hours, minutes]
        .iter()
        .all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()));
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let seconds = sign * (hours * 60 + minutes) * 60;
    Offset::from_seconds(seconds)
        .ok()
        .filter(|_| plain && hours <= 14 && minutes < 60)
}
