//! The knobs of a route: its own, else its profile's, else those of the `interactive` profile.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::node::{Node, Table};
use crate::config::problem::Report;
use crate::config::scalar::duration_text;
use crate::health::{BreakerPolicy, Policy};
use crate::snapshot::{Hedge, Percent, Timeouts};

/// The profile that gives its figures to every other.
const INTERACTIVE: &str = "interactive";

/// What a profile sets and a route may override.
#[derive(Debug, Clone, Copy)]
pub(super) struct Knobs {
    pub(super) timeouts: Timeouts,
    pub(super) max_attempts: u32,
    pub(super) reserve: Percent,
    pub(super) warm: bool,
    pub(super) health: Policy,
    pub(super) hedge: Option<Hedge>,
    pub(super) dedupe: Option<Duration>,
}

impl Knobs {
    /// With what this table sets in place of its own.
    fn overridden_by(self, table: &Table) -> Self {
        let span = |key, inherited| table.duration(key).unwrap_or(inherited);
        let attempts = table
            .integer("max_attempts")
            .and_then(|n| u32::try_from(n).ok());
        Self {
            timeouts: Timeouts {
                whole: span("timeout", self.timeouts.whole),
                first_token: span("first_token", self.timeouts.first_token),
                answer: span("answer", self.timeouts.answer),
                idle: span("idle", self.timeouts.idle),
                stream: span("stream", self.timeouts.stream),
            },
            max_attempts: attempts.unwrap_or(self.max_attempts),
            reserve: table.percent("reserve").unwrap_or(self.reserve),
            warm: table.flag("warm").unwrap_or(self.warm),
            health: policy(self.health, table),
            hedge: hedge(self.hedge, table),
            dedupe: dedupe(self.dedupe, table),
        }
    }
}

fn policy(inherited: Policy, table: &Table) -> Policy {
    Policy {
        breaker: table
            .table("breaker")
            .map_or(inherited.breaker, |own| breaker(inherited.breaker, own)),
        slow_factor: table
            .millionths("slow_factor")
            .map_or(inherited.slow_factor, factor),
        slow_floor: table.duration("slow_floor").unwrap_or(inherited.slow_floor),
    }
}

fn breaker(inherited: BreakerPolicy, table: &Table) -> BreakerPolicy {
    let failures = table
        .integer("failures")
        .and_then(|n| u32::try_from(n).ok());
    let cooldown = table.duration_range("cooldown");
    let (cooldown, longest) = cooldown.unwrap_or((inherited.cooldown, inherited.longest));
    BreakerPolicy {
        failures: failures.unwrap_or(inherited.failures),
        window: table.duration("window").unwrap_or(inherited.window),
        cooldown,
        longest,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "it is compared with a ratio of two estimates"
)]
fn factor(millionths: u64) -> f32 {
    millionths as f32 / 1e6
}

fn hedge(inherited: Option<Hedge>, table: &Table) -> Option<Hedge> {
    match table.node("hedge") {
        Some(Node::Table(own)) => own.percent("spend").map(|spend| Hedge { spend }),
        Some(Node::Text(word)) => (&**word == "on").then_some(Hedge::ON),
        Some(_) | None => inherited,
    }
}

fn dedupe(inherited: Option<Duration>, table: &Table) -> Option<Duration> {
    match table.node("dedupe") {
        Some(Node::Duration(span)) => Some(*span),
        Some(Node::Off) => None,
        Some(_) | None => inherited,
    }
}

pub(super) struct Profiles<'a> {
    names: Vec<&'a str>,
    knobs: BTreeMap<&'a str, Knobs>,
    interactive: Knobs,
}

impl<'a> Profiles<'a> {
    pub(super) fn of(root: &'a Table, report: &mut Report) -> Self {
        // The built-in layer sets every figure, so these are seen only where one is wrong.
        let unset = Knobs {
            timeouts: Timeouts::INTERACTIVE,
            max_attempts: 1,
            reserve: Percent::ZERO,
            warm: false,
            health: Policy::DEFAULT,
            hedge: None,
            dedupe: None,
        };
        let mut profiles = root.map("profiles");
        let interactive = profiles.find(|(name, _)| *name == INTERACTIVE);
        let interactive = interactive.map_or(unset, |(_, table)| unset.overridden_by(table));
        let mut knobs = BTreeMap::new();
        for (name, table) in root.map("profiles") {
            let own = interactive.overridden_by(table);
            compare(own.timeouts, table, report);
            knobs.insert(name, own);
        }
        Self {
            names: root.names("profiles"),
            knobs,
            interactive,
        }
    }

    pub(super) fn knobs_of(&self, route: &Table, report: &mut Report) -> Knobs {
        let profile = route.text("profile");
        if let Some(name) = profile.as_deref().filter(|name| !self.names.contains(name)) {
            let message = format!("no profile is named `{name}`");
            let names = self.names.iter().copied();
            report.unknown(&route.at("profile"), message, name, names);
        }
        let inherited = profile.and_then(|name| self.knobs.get(&*name));
        let knobs = inherited.unwrap_or(&self.interactive).overridden_by(route);
        compare(knobs.timeouts, route, report);
        knobs
    }
}

/// An attempt must fit into the whole. What a route only inherits is its profile's to answer for.
fn compare(timeouts: Timeouts, table: &Table, report: &mut Report) {
    for (key, span) in [
        ("first_token", timeouts.first_token),
        ("answer", timeouts.answer),
    ] {
        if span <= timeouts.whole {
            continue;
        }
        let (span, whole) = (duration_text(span), duration_text(timeouts.whole));
        if table.has(key) {
            report.problem(
                &table.at(key),
                format!("{span} is more than `timeout`, which is {whole}"),
            );
        } else if table.has("timeout") {
            let message = format!("{whole} is less than `{key}`, which is {span} by its profile");
            let hint = format!("set `{key}` here too");
            report.problem_with_hint(&table.at("timeout"), message, hint);
        }
    }
}
