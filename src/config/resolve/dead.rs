//! What is configured and can never come to pass. It is told, as it is hardly what was meant; what else there
//! is works all the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::authority::Standing;
use crate::config::node::Table;
use crate::config::problem::Report;
use crate::price::Month;
use crate::snapshot::{Abilities, Condition, Residency, Route, Snapshot, Target};

use super::pod;

pub(super) fn check(
    root: &Table,
    snapshot: &Snapshot,
    standing: Standing,
    now: Timestamp,
    report: &mut Report,
) {
    let month = Month::of(now);
    for (name, table) in root.map("routes") {
        if let Some(route) = snapshot.routes.get(name) {
            if table.has("budget") && is_unpriced(route, month) {
                report.warning(
                    &table.at("budget"),
                    format!("cannot be held, so every request is refused: {UNPRICED}"),
                );
            }
            rules(root, route, table, report);
        }
    }
    for table in root.tables("keys") {
        key(table, snapshot, month, report);
    }
    teams(root, snapshot, standing, report);
}

const UNPRICED: &str = "no target has a price that is known now";

fn is_unpriced(route: &Route, month: Month) -> bool {
    let is_known = |target: &Arc<Target>| {
        let price = target.price.as_ref();
        price.is_some_and(|price| price.is_known(month))
    };
    !route.targets().any(is_known)
}

/// What a rule asks for, and what of that its only targets cannot do; and keys that nobody has.
fn rules(root: &Table, route: &Route, table: &Table, report: &mut Report) {
    let ids: BTreeSet<Arc<str>> = root.tables("keys").filter_map(|it| it.text("id")).collect();
    let all_known = !ids.is_empty() && !root.tables("keys").any(pod::is_own);
    for (rule, table) in route.rules.iter().zip(table.tables("rules")) {
        let targets = || rule.places.iter().flat_map(|place| &place.members);
        let cannot = |can: fn(&Abilities) -> Option<bool>| {
            rule.only && targets().all(|member| can(&member.target.can) == Some(false))
        };
        for condition in &rule.when {
            let lacks = match condition {
                Condition::Tools(true) if cannot(|can| can.tools) => "takes tools",
                Condition::Images(true) if cannot(|can| can.images) => "sees images",
                _ => continue,
            };
            let message = format!(
                "has none that {lacks}, and each request that comes here needs it: all are refused"
            );
            report.warning(&table.at("targets"), message);
        }
        let Some(when) = table.table("when").filter(|_| all_known) else {
            continue;
        };
        for id in when.one_or_more("key") {
            if !ids.contains(&id) {
                report.warning(&when.at("key"), format!("no key has the id `{id}`"));
            }
        }
    }
}

/// Routes that a key may use, and that serve nobody who has it.
fn key(table: &Table, snapshot: &Snapshot, month: Month, report: &mut Report) {
    let listed: Option<BTreeSet<Arc<str>>> = table
        .has("routes")
        .then(|| table.texts("routes").map(|(_, name)| name).collect());
    let routes = || {
        let routes = snapshot.routes.values();
        routes.filter(|route| (listed.as_ref()).is_none_or(|it| it.contains(&route.name)))
    };
    // Of one that may use all, only what holds for all of them was hardly meant.
    let told = |dead: Vec<&Arc<Route>>| {
        let is_meant = listed.is_none() && dead.len() < routes().count();
        let names = dead.iter().map(|route| format!("`{}`", route.name));
        let names: Vec<String> = names.collect();
        (!is_meant && !names.is_empty()).then(|| names.join(", "))
    };
    let residency = table.text("residency");
    let is_outside = |route: &&Arc<Route>| {
        let demanded = [residency.as_ref(), route.residency.as_ref()];
        let within: Residency = demanded.into_iter().collect();
        !(route.targets()).any(|target| within.admits(&target.provider))
    };
    if let Some(place) = &residency
        && let Some(names) = told(routes().filter(is_outside).collect())
    {
        let message = format!("no target of {names} is within `{place}`: all is refused there");
        report.warning(&table.at("residency"), message);
    }
    let has_budget = |team: &Arc<str>| {
        let terms = snapshot.teams.get(team);
        terms.is_some_and(|terms| terms.budget.is_some())
    };
    let under = match table.text("team") {
        _ if table.has("budget") => "budget",
        Some(team) if has_budget(&team) => "team",
        _ => return,
    };
    let unpriced = routes().filter(|route| is_unpriced(route, month));
    if let Some(names) = told(unpriced.collect()) {
        let message = format!(
            "there is a budget, which cannot be held at {names}, so every request is refused there: {UNPRICED}"
        );
        report.warning(&table.at(under), message);
    }
}

/// Limits of a team that nobody is in. A key without a team is in that of whoever runs there, which a
/// document of many does not know.
fn teams(root: &Table, snapshot: &Snapshot, standing: Standing, report: &mut Report) {
    let is_led = standing != Standing::Alone;
    if is_led && root.tables("keys").any(|table| !table.has("team")) {
        return;
    }
    let keys = root.tables("keys").filter_map(|table| table.text("team"));
    let known: BTreeSet<Arc<str>> = keys.chain(snapshot.identity.team.clone()).collect();
    for (name, table) in root.map("teams") {
        if !known.contains(name) {
            report.warning(&table.path, "no key is in this team, nor is `identity`");
        }
    }
}
