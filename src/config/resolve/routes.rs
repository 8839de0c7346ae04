//! Routes: their targets, their names, and the knobs that they have from a profile.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::config::check::{Node, Table};
use crate::config::path::Path;
use crate::config::problem::Report;
use crate::config::shape::duration_text;
use crate::facts::Families;
use crate::health;
use crate::snapshot::{
    Member, OnBreak, OnUnsupported, Percent, Place, Provider, Route, Select, Target, Timeouts,
};

type Routes = BTreeMap<Arc<str>, Arc<Route>>;
type Aliases = HashMap<Arc<str>, Arc<Route>>;

/// The profile that gives its figures to every other.
const INTERACTIVE: &str = "interactive";

pub(super) fn resolve(
    root: &Table,
    targets: &Targets<'_>,
    report: &mut Report,
) -> (Routes, Aliases) {
    let profiles = Profiles::of(root, report);
    let mut claims = Claims::of(root);
    let mut routes = Routes::new();
    let mut aliases = Aliases::new();
    for (name, table) in root.map("routes") {
        let knobs = profiles.knobs_of(table, report);
        let route = Arc::new(Route {
            name: name.into(),
            places: places(table, targets, report),
            timeouts: knobs.timeouts,
            reserve: knobs.reserve,
            max_attempts: knobs.max_attempts,
            expose_model: table.flag("expose_model").unwrap_or(false),
            warm: knobs.warm,
            unsupported: match table.text("unsupported").as_deref() {
                Some("reject") => OnUnsupported::Reject,
                _ => OnUnsupported::Drop,
            },
            health: health::Policy::DEFAULT,
            hedge: None,
            dedupe: None,
            on_break: OnBreak::Error,
        });
        warn_of_targets(&route, table, report);
        for (at, alias) in table.texts("accepts") {
            if claims.claim(&alias, &at, report) {
                aliases.insert(alias, route.clone());
            }
        }
        routes.insert(route.name.clone(), route);
    }
    (routes, aliases)
}

/// Which strings already mean a route.
struct Claims(BTreeMap<Arc<str>, Path>);

impl Claims {
    /// Every route's own name comes before any alias.
    fn of(root: &Table) -> Self {
        let routes = root.at("routes");
        let names = root.names("routes").into_iter();
        Self(names.map(|name| (name.into(), routes.key(name))).collect())
    }

    fn claim(&mut self, alias: &Arc<str>, at: &Path, report: &mut Report) -> bool {
        match self.0.entry(alias.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(at.clone());
                true
            }
            Entry::Occupied(first) => {
                let message = format!("`{alias}` is already claimed by {}", first.get());
                report.problem(at, message);
                false
            }
        }
    }
}

/// Finds what `provider/model` names, with what `models` says about it.
pub(super) struct Targets<'a> {
    root: &'a Table,
    providers: &'a BTreeMap<Arc<str>, Arc<Provider>>,
    families: &'a Families,
}

impl<'a> Targets<'a> {
    pub(super) fn of(
        root: &'a Table,
        providers: &'a BTreeMap<Arc<str>, Arc<Provider>>,
        families: &'a Families,
        report: &mut Report,
    ) -> Self {
        let targets = Self {
            root,
            providers,
            families,
        };
        for (id, table) in root.map("models") {
            targets.find(id, &table.path, report);
        }
        targets
    }

    /// `None` after a problem, be it this target's or its provider's own.
    fn find(&self, id: &str, at: &Path, report: &mut Report) -> Option<Arc<Target>> {
        let Some((provider, model)) = id
            .split_once('/')
            .filter(|(p, m)| !p.is_empty() && !m.is_empty())
        else {
            report.problem(at, format!("`{id}` is not `provider/model`"));
            return None;
        };
        if id.contains(|c: char| c.is_whitespace() || c.is_control()) {
            report.problem(at, format!("{id:?} has white space in it"));
            return None;
        }
        let names = self.root.names("providers");
        if !names.contains(&provider) {
            let message = format!("no provider is named `{provider}`");
            report.unknown(at, message, provider, names);
            return None;
        }
        let facts = self.root.map("models").find(|(name, _)| *name == id);
        let facts = facts.map(|(_, table)| table);
        Some(Arc::new(Target {
            id: id.into(),
            provider: self.providers.get(provider)?.clone(),
            model: model.into(),
            context: facts.and_then(|facts| facts.integer("context")),
            stream_usage: facts
                .and_then(|facts| facts.flag("stream_usage"))
                .unwrap_or(true),
            facts: self.families.of(model),
            price: None,
        }))
    }
}

fn places(route: &Table, targets: &Targets<'_>, report: &mut Report) -> Vec<Place> {
    let mut places = Vec::new();
    for (at, node) in route.list("targets") {
        let members = match node {
            Node::Table(group) => group_members(group, targets, report),
            // The checker has let nothing through but text and groups.
            node => {
                let target = node.text().and_then(|id| targets.find(&id, &at, report));
                target
                    .map(|target| Member { target, weight: 1 })
                    .into_iter()
                    .collect()
            }
        };
        if !members.is_empty() {
            places.push(Place {
                members,
                select: Select::Weighted,
            });
        }
    }
    places
}

fn group_members(group: &Table, targets: &Targets<'_>, report: &mut Report) -> Vec<Member> {
    let mut members = Vec::new();
    let mut weights = Vec::new();
    for table in group.tables("any") {
        let weight = table.integer("weight").and_then(|n| u32::try_from(n).ok());
        weights.push(weight);
        let target = table
            .text("to")
            .and_then(|id| targets.find(&id, &table.at("to"), report));
        if let (Some(target), Some(weight)) = (target, weight) {
            members.push(Member { target, weight });
        }
    }
    if !weights.is_empty() && weights.iter().all(|weight| *weight == Some(0)) {
        report.problem(&group.at("any"), "has no weight above zero");
    }
    members
}

fn warn_of_targets(route: &Route, table: &Table, report: &mut Report) {
    let at = table.at("targets");
    let mut seen: Vec<&str> = Vec::new();
    for target in route.targets() {
        if seen.contains(&&*target.id) {
            report.warning(&at, format!("`{}` is listed twice", target.id));
        }
        seen.push(&target.id);
    }
    if let [one] = *seen {
        let message = format!("`{one}` is the only target: there is nothing to fall back to");
        report.warning(&at, message);
    }
}

/// What a profile sets and a route may override.
#[derive(Debug, Clone, Copy)]
struct Knobs {
    timeouts: Timeouts,
    max_attempts: u32,
    reserve: Percent,
    warm: bool,
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
        }
    }
}

struct Profiles<'a> {
    names: Vec<&'a str>,
    knobs: BTreeMap<&'a str, Knobs>,
    interactive: Knobs,
}

impl<'a> Profiles<'a> {
    fn of(root: &'a Table, report: &mut Report) -> Self {
        // The built-in layer sets every figure, so these are seen only where one is wrong.
        let unset = Knobs {
            timeouts: Timeouts::INTERACTIVE,
            max_attempts: 1,
            reserve: Percent::ZERO,
            warm: false,
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

    fn knobs_of(&self, route: &Table, report: &mut Report) -> Knobs {
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
