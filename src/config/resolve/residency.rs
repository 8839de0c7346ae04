//! What is demanded of where requests stay, against what providers say of themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::node::Table;
use crate::config::problem::Report;
use crate::snapshot::{Key, Member, Place, Provider, Residency, Route, Rule};

/// What `residency` of a route, a rule or a key demands.
pub(super) fn demanded(
    table: &Table,
    providers: &BTreeMap<Arc<str>, Arc<Provider>>,
    report: &mut Report,
) -> Option<Arc<str>> {
    let demanded = table.text("residency")?;
    let known = || providers.values().flat_map(|provider| &provider.residency);
    if !known().any(|place| *place == demanded) {
        let message = format!("no provider says of itself that it is in `{demanded}`");
        let known = known().map(|place| &**place);
        report.unknown(&table.at("residency"), message, &demanded, known);
    }
    Some(demanded)
}

/// Whether a route's targets, and those of its rules, are where its requests must stay.
pub(super) fn check(route: &Route, table: &Table, report: &mut Report) {
    let own: Residency = [route.residency.as_ref()].into_iter().collect();
    check_places(&own, &route.places, &[], table, report);
    for (rule, table) in route.rules.iter().zip(table.tables("rules")) {
        let demanded = [route.residency.as_ref(), rule.residency.as_ref()];
        let within: Residency = demanded.into_iter().collect();
        check_places(&within, &rule.places, behind(route, rule), table, report);
    }
}

/// What comes after the targets of a rule.
fn behind<'a>(route: &'a Route, rule: &Rule) -> &'a [Place] {
    if rule.only { &[] } else { &route.places }
}

/// A target that is listed here and is elsewhere would never be used; where all are, nothing could be
/// answered.
fn check_places(
    within: &Residency,
    listed: &[Place],
    behind: &[Place],
    table: &Table,
    report: &mut Report,
) {
    let is_in = |member: &&Member| within.admits(&member.target.provider);
    let members = |places| <[Place]>::iter(places).flat_map(|place: &Place| &place.members);
    let any = members(listed).chain(members(behind)).next().is_some();
    if any && !members(listed).chain(members(behind)).any(|it| is_in(&it)) {
        let at = if listed.is_empty() {
            "residency"
        } else {
            "targets"
        };
        report.problem(&table.at(at), format!("has none that is within {within}"));
        return;
    }
    for outside in members(listed).filter(|member| !is_in(member)) {
        let message = format!(
            "{}: it gets no requests",
            within.excludes(&outside.target.id)
        );
        report.warning(&table.at("targets"), message);
    }
}

/// Whether the provider that gets what no route takes is where a key lets its requests go.
pub(super) fn check_key(key: &Key, table: &Table, report: &mut Report) {
    let within = Residency::of(key, None, None);
    if let Some(provider) = &key.passthrough
        && !within.admits(provider)
    {
        let message = format!(
            "{}: nothing could be sent there",
            within.excludes(&provider.name)
        );
        report.problem(&table.at("passthrough"), message);
    }
}
