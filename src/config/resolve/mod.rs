//! The checked tree, key related to key, as what the proxy runs on.
//!
//! Pure: no socket, clock, randomness, log or environment; `now` and the look-up of variables are
//! arguments. It says every problem at once, so it goes on where something is wrong: what cannot
//! be read is left out, and nobody sees a result that has problems.

mod audit;
mod callers;
mod central;
mod collector;
mod dead;
mod headers;
mod knobs;
mod money;
mod pod;
mod privacy;
mod privilege;
mod process;
mod providers;
mod residency;
mod routes;
mod rules;
mod stores;
mod terms;

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub(super) use self::central::{reports_to, source};

use super::authority::Standing;
use super::node::Table;
use super::problem::Report;
use super::{Process, Release};
use crate::facts::Families;
use crate::snapshot::{Callers, Identity, Snapshot};

/// What resolving may know beside the text.
pub(super) struct Facts<'a> {
    pub(super) version: Arc<str>,
    pub(super) now: Timestamp,
    /// The variables that `identity` may name.
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
    /// The zone of this name, where the system knows it.
    pub(super) zone: &'a dyn Fn(&str) -> Option<TimeZone>,
    /// What the operator knows of model families.
    pub(super) families: &'a Families,
    pub(super) standing: Standing,
}

/// Meaningless unless the report is without problems.
pub(super) fn resolve(
    root: &Table,
    facts: &Facts<'_>,
    report: &mut Report,
) -> (Snapshot, Process, Release) {
    let process = process::resolve(root, report);
    let secret_stores = stores::resolve(root, report);
    let providers = providers::resolve(root, report);
    let exchange = money::exchange(root, report);
    let known = privacy::Known::of(root, report);
    let mut targets = routes::Targets::of(root, &providers, facts.families, &exchange, report);
    let (routes, aliases) = routes::resolve(root, &mut targets, facts.zone, &known, report);
    privacy::warn_of_content(root, &process, &routes, report);
    let identity = identity(root, facts.variable, facts.standing, report);
    let pod = pod::Pod::of(root, &identity, facts.standing);
    let callers = callers::resolve(root, &process, &routes, &providers, facts.now, &pod, report);
    let snapshot = Snapshot {
        version: facts.version.clone(),
        identity,
        routes,
        aliases,
        providers,
        secret_stores,
        secret_max_stale: root.duration("secret_max_stale").unwrap_or_default(),
        callers,
        body_limit: usize::try_from(root.integer("body_limit").unwrap_or(0)).unwrap_or(usize::MAX),
        hosts: hosts(root, report),
        instances: instances(root, facts.standing),
        teams: terms::teams(root),
        exchange,
        admin_token: providers::admin_token(root, report),
        detectors: known.detectors,
    };
    terms::share_budgets(root, snapshot.instances.is_some(), report);
    terms::warn_of_loss(root, report);
    dead::check(root, &snapshot, facts.standing, facts.now, report);
    source(root, report);
    if !facts.standing.is_led() {
        return (snapshot, process, Release::default());
    }
    if !leads_anywhere(root, &snapshot.callers) {
        let message = "is missing or empty, and no key has a `passthrough`: nobody could be served";
        report.problem(&root.at("routes"), message);
    }
    let snapshot = privilege::least(snapshot);
    if privilege::is_nobody(&snapshot.callers) {
        let message = "has no key for this sidecar's `identity`, so nobody can call here";
        report.warning(&root.at("keys"), message);
    }
    (snapshot, process, central::release(root, report))
}

/// A document that was cut short may have lost its routes, and be sound but for that.
fn leads_anywhere(root: &Table, callers: &Callers) -> bool {
    let passes = match callers {
        Callers::Anyone(key) => key.passthrough.is_some(),
        Callers::Keys(keys) => keys.values().any(|key| key.passthrough.is_some()),
    };
    passes || root.map("routes").next().is_some()
}

/// How many share a limit where no state is shared. A file of one's own is for one.
fn instances(root: &Table, standing: Standing) -> Option<NonZeroU32> {
    let said = root.integer("instances");
    let said = said.and_then(|count| NonZeroU32::new(u32::try_from(count).ok()?));
    match standing {
        Standing::Alone => Some(said.unwrap_or(NonZeroU32::MIN)),
        Standing::Waiting | Standing::Led | Standing::Free => said,
    }
}

/// What can be told of a sidecar before it has a central document.
pub(super) fn process_alone(
    root: &Table,
    variable: &dyn Fn(&str) -> Option<String>,
    standing: Standing,
    report: &mut Report,
) -> (Process, Identity) {
    let process = process::resolve(root, report);
    (process, identity(root, variable, standing, report))
}

fn hosts(root: &Table, report: &mut Report) -> BTreeSet<String> {
    let mut hosts = BTreeSet::new();
    for (at, host) in root.texts("hosts") {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if let Ok(address) = host.parse::<Ipv6Addr>() {
            // In the one form that it is looked up by.
            hosts.insert(address.to_string());
        } else if host.chars().all(is_name) {
            hosts.insert(host.to_ascii_lowercase());
        } else {
            report.problem(
                &at,
                format!("`{host}` is not a host's name without scheme and port"),
            );
        }
    }
    hosts
}

fn identity(
    root: &Table,
    variable: &dyn Fn(&str) -> Option<String>,
    standing: Standing,
    report: &mut Report,
) -> Identity {
    let Some(table) = root.table("identity") else {
        return Identity::default();
    };
    let mut fact = |key| {
        let text = table.text(key)?;
        match expand(&text, variable) {
            Ok(text) if text.is_empty() => None,
            Ok(text) => Some(Arc::from(text)),
            // A fact that is not known excludes no key of a central document.
            Err(Unexpanded::Unset(name)) if standing != Standing::Alone && key != "instance" => {
                let message = format!(
                    "the variable `{name}` is not set, and the keys that this sidecar gets go by it"
                );
                report.problem(&table.at(key), message);
                None
            }
            Err(Unexpanded::Unset(name)) => {
                let message = format!("the variable `{name}` is not set: this fact stays unknown");
                report.warning(&table.at(key), message);
                None
            }
            Err(Unexpanded::Malformed) => {
                let message = "has a `$` that no variable's name follows";
                report.problem_with_hint(&table.at(key), message, "write `$$` for a `$`");
                None
            }
        }
    };
    Identity {
        team: fact("team"),
        service: fact("service"),
        environment: fact("environment"),
        instance: fact("instance"),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Unexpanded {
    Unset(String),
    Malformed,
}

/// `$VAR` and `${VAR}` replaced, `$$` a dollar. What a variable holds is not expanded again.
fn expand(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, Unexpanded> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let (name, after) = match after.strip_prefix('{') {
            Some(braced) => braced.split_once('}').ok_or(Unexpanded::Malformed)?,
            None => after.split_at(after.find(|c| !is_name(c)).unwrap_or(after.len())),
        };
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(Unexpanded::Malformed);
        }
        out.push_str(&variable(name).ok_or_else(|| Unexpanded::Unset(name.to_owned()))?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_expanded_once() {
        let variable = |name: &str| match name {
            "POD" => Some("chat-0".to_owned()),
            "SLY" => Some("$POD".to_owned()),
            _ => None,
        };
        for (text, expanded) in [
            ("$POD", Ok("chat-0")),
            ("a-${POD}b", Ok("a-chat-0b")),
            ("$POD-$POD", Ok("chat-0-chat-0")),
            ("$SLY", Ok("$POD")),
            ("5$$", Ok("5$")),
            ("$NONE", Err(Unexpanded::Unset("NONE".into()))),
            ("${POD", Err(Unexpanded::Malformed)),
            ("$", Err(Unexpanded::Malformed)),
            ("${a-b}", Err(Unexpanded::Malformed)),
        ] {
            assert_eq!(
                expand(text, &variable),
                expanded.map(str::to_owned),
                "{text}"
            );
        }
    }
}
