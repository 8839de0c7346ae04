//! Routes: their targets, their names, and the knobs that they have from a profile.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::config::node::{Node, Table};
use crate::config::path::Path;
use crate::config::problem::Report;
use crate::facts::Families;
use crate::limit::Of;
use crate::price::Exchange;
use crate::snapshot::{
    Abilities, Member, OnBreak, OnUnsupported, Place, Provider, Route, Select, Target,
};

use super::knobs::Profiles;
use super::terms::terms;
use super::{money, privacy, residency, rules};

type Routes = BTreeMap<Arc<str>, Arc<Route>>;
type Aliases = HashMap<Arc<str>, Arc<Route>>;

pub(super) fn resolve(
    root: &Table,
    targets: &mut Targets<'_>,
    zone: &dyn Fn(&str) -> Option<TimeZone>,
    known: &privacy::Known,
    report: &mut Report,
) -> (Routes, Aliases) {
    let profiles = Profiles::of(root, report);
    let mut claims = Claims::of(root);
    let mut routes = Routes::new();
    let mut aliases = Aliases::new();
    for (name, table) in root.map("routes") {
        let knobs = profiles.knobs_of(table, report);
        let places = places(table, targets, report);
        let residency = residency::demanded(table, targets.providers, report);
        let rules = rules::resolve(name, table, targets, (zone, known), report);
        let privacy = privacy::resolve(table, &rules, known, report);
        let route = Arc::new(Route {
            name: name.into(),
            places,
            rules,
            residency,
            privacy,
            content: privacy::content(root, table),
            timeouts: knobs.timeouts,
            reserve: knobs.reserve,
            max_attempts: knobs.max_attempts,
            expose_model: table.flag("expose_model").unwrap_or(false),
            warm: knobs.warm,
            unsupported: match table.text("unsupported").as_deref() {
                Some("reject") => OnUnsupported::Reject,
                _ => OnUnsupported::Drop,
            },
            health: knobs.health,
            hedge: knobs.hedge,
            dedupe: knobs.dedupe,
            on_break: match table.text("on_break").as_deref() {
                Some("continue") => OnBreak::Continue,
                _ => OnBreak::Error,
            },
            terms: terms(table, Of::Route, name),
        });
        warn_of_targets(&route, table, report);
        residency::check(&route, table, report);
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
    /// What the operator says of a target.
    facts: HashMap<&'a str, &'a Table>,
    /// The names of all providers, also of those that are wrong.
    names: BTreeSet<&'a str>,
    providers: &'a BTreeMap<Arc<str>, Arc<Provider>>,
    families: &'a Families,
    exchange: &'a Exchange,
    /// Those found so far: a target is one, however many list it.
    found: HashMap<Arc<str>, Arc<Target>>,
}

impl<'a> Targets<'a> {
    pub(super) fn of(
        root: &'a Table,
        providers: &'a BTreeMap<Arc<str>, Arc<Provider>>,
        families: &'a Families,
        exchange: &'a Exchange,
        report: &mut Report,
    ) -> Self {
        let mut targets = Self {
            facts: root.map("models").collect(),
            names: root.names("providers").into_iter().collect(),
            providers,
            families,
            exchange,
            found: HashMap::new(),
        };
        for (id, table) in root.map("models") {
            targets.find(id, &table.path, report);
        }
        targets
    }

    pub(super) fn providers(&self) -> &'a BTreeMap<Arc<str>, Arc<Provider>> {
        self.providers
    }

    /// `None` after a problem, be it this target's or its provider's own.
    fn find(&mut self, id: &str, at: &Path, report: &mut Report) -> Option<Arc<Target>> {
        if let Some(found) = self.found.get(id) {
            return Some(Arc::clone(found));
        }
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
        if !self.names.contains(provider) {
            let message = format!("no provider is named `{provider}`");
            report.unknown(at, message, provider, self.names.iter().copied());
            return None;
        }
        let facts = self.facts.get(id).copied();
        let provider = self.providers.get(provider)?;
        let own = facts.and_then(|facts| money::price(facts, self.exchange));
        let price = own.or_else(|| provider.list_price(model, self.exchange));
        let target = Arc::new(Target {
            id: id.into(),
            provider: provider.clone(),
            model: model.into(),
            context: facts.and_then(|facts| facts.integer("context")),
            stream_usage: facts
                .and_then(|facts| facts.flag("stream_usage"))
                .unwrap_or(true),
            facts: self.families.of(model),
            can: facts.map(abilities).unwrap_or_default(),
            price,
        });
        let id = Arc::clone(&target.id);
        self.found.insert(id, Arc::clone(&target));
        Some(target)
    }

    /// Whether its price is known, or set and wrong.
    fn has_price(&self, target: &Target) -> bool {
        let is_set = |facts: &&Table| facts.has("price");
        target.price.is_some() || self.facts.get(&*target.id).is_some_and(is_set)
    }
}

fn abilities(facts: &Table) -> Abilities {
    Abilities {
        tools: facts.flag("tools"),
        images: facts.flag("images"),
        json_schema: facts.flag("json_schema"),
    }
}

/// What `targets` of a route or a rule lists.
pub(super) fn places(table: &Table, targets: &mut Targets<'_>, report: &mut Report) -> Vec<Place> {
    let mut places = Vec::new();
    for (at, node) in table.list("targets") {
        let place = match node {
            Node::Table(group) => {
                let select = select(group);
                Place {
                    members: group_members(group, select, targets, report),
                    select,
                }
            }
            // The checker has let nothing through but text and groups.
            node => {
                let target = node.text().and_then(|id| targets.find(&id, &at, report));
                let member = target.map(|target| Member { target, weight: 1 });
                Place {
                    members: member.into_iter().collect(),
                    select: Select::Weighted,
                }
            }
        };
        if !place.members.is_empty() {
            places.push(place);
        }
    }
    places
}

fn select(group: &Table) -> Select {
    match group.text("select").as_deref() {
        Some("fastest") => Select::Fastest,
        Some("cheapest") => Select::Cheapest,
        _ => Select::Weighted,
    }
}

fn group_members(
    group: &Table,
    select: Select,
    targets: &mut Targets<'_>,
    report: &mut Report,
) -> Vec<Member> {
    let mut members = Vec::new();
    let mut weights = Vec::new();
    for table in group.tables("any") {
        let weight = weight(table, select, report);
        weights.push(weight);
        let at = table.at("to");
        let target = table
            .text("to")
            .and_then(|id| targets.find(&id, &at, report));
        let Some(target) = target else { continue };
        if select == Select::Cheapest && !targets.has_price(&target) {
            let id = &target.id;
            let hint = format!("add `models: {{ {id}: {{ price: {{ input: …, output: … }} }} }}`");
            let message = format!("`{id}` has no price, and its group is to take the cheapest");
            report.problem_with_hint(&at, message, hint);
        }
        if let Some(weight) = weight {
            members.push(Member { target, weight });
        }
    }
    if !weights.is_empty() && weights.iter().all(|weight| *weight == Some(0)) {
        report.problem(&group.at("any"), "has no weight above zero");
    }
    members
}

/// `None` when it was wrong.
fn weight(member: &Table, select: Select, report: &mut Report) -> Option<u32> {
    if !member.has("weight") {
        return Some(1);
    }
    if select == Select::Weighted {
        let weight = member.integer("weight")?;
        return u32::try_from(weight).ok();
    }
    let message = format!("has no effect: its group is `select: {}`", select.name());
    report.warning(&member.at("weight"), message);
    Some(1)
}

fn warn_of_targets(route: &Route, table: &Table, report: &mut Report) {
    let at = table.at("targets");
    let mut seen = HashSet::new();
    let members = route.places.iter().flat_map(|place| &place.members);
    for Member { target, .. } in members {
        if !seen.insert(&*target.id) {
            report.warning(&at, format!("`{}` is listed twice", target.id));
        }
    }
    let mut seen = seen.iter();
    if let (Some(one), None, true) = (seen.next(), seen.next(), route.rules.is_empty()) {
        let message = format!("`{one}` is the only target: there is nothing to fall back to");
        report.warning(&at, message);
    }
}
