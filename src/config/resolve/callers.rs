//! Who may call, and what each key reaches.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::Process;
use crate::config::node::{Node, Table};
use crate::config::path::Path;
use crate::config::problem::Report;
use crate::health::Priority;
use crate::limit::Of;
use crate::snapshot::{Callers, Key, Provider, Route};

use super::pod::{self, Pod};
use super::residency;
use super::terms::terms;

type Routes = BTreeMap<Arc<str>, Arc<Route>>;
type Providers = BTreeMap<Arc<str>, Arc<Provider>>;

pub(super) fn resolve(
    root: &Table,
    process: &Process,
    routes: &Routes,
    providers: &Providers,
    now: Timestamp,
    pod: &Pod<'_>,
    report: &mut Report,
) -> Callers {
    let anonymous = root.flag("allow_anonymous").unwrap_or(false);
    let at = root.at("allow_anonymous");
    if root.list("keys").next().is_some() {
        if anonymous {
            report.warning(
                &at,
                "has no effect: there are `keys`, and a caller needs one",
            );
        }
        return keys(root, routes, providers, now, pod, report);
    }
    // Keys that could not be read have their own problem.
    let unreadable = matches!(root.node("keys"), Some(Node::Bad));
    if anonymous && !process.listen.ip().is_loopback() {
        let message = format!(
            "would let anyone call who reaches {}, which is not a loopback address",
            process.listen
        );
        report.problem_with_hint(&at, message, "add `keys`, or listen on 127.0.0.1");
    } else if !anonymous && !unreadable {
        let hint = "add one (`pillion keys new --id NAME` makes it), or set `allow_anonymous: true` to let anyone call who can connect";
        report.problem_with_hint(
            &root.at("keys"),
            "there is no key, so nobody could call",
            hint,
        );
    }
    Callers::Anyone(Arc::new(Key::named("anonymous")))
}

fn keys(
    root: &Table,
    routes: &Routes,
    providers: &Providers,
    now: Timestamp,
    pod: &Pod<'_>,
    report: &mut Report,
) -> Callers {
    let mut ids: BTreeMap<Arc<str>, Path> = BTreeMap::new();
    let mut claimed: HashMap<[u8; 32], Path> = HashMap::new();
    let mut callers = HashMap::new();
    let mut pods_own = Vec::new();
    for table in root.tables("keys") {
        let id = table.text("id").unwrap_or_default();
        if let Some(first) = ids.get(&id).filter(|_| !id.is_empty()) {
            let message = format!("`{id}` is already the id of {first}");
            report.problem(&table.at("id"), message);
        }
        if id.trim() != &*id || id.chars().any(char::is_control) {
            let message = "has white space around it, or a control character in it";
            report.problem(&table.at("id"), message);
        }
        ids.entry(id.clone()).or_insert_with(|| table.path.clone());
        let key = Arc::new(Key {
            id,
            team: table.text("team"),
            service: table.text("service"),
            environment: table.text("environment"),
            routes: allowed(root, table, report),
            default_route: table.text("default_route").and_then(|name| {
                know_route(root, &table.at("default_route"), &name, report);
                routes.get(&name).cloned()
            }),
            passthrough: table.text("passthrough").and_then(|name| {
                know_provider(root, &table.at("passthrough"), &name, report);
                providers.get(&name).cloned()
            }),
            expires: table.date("expires"),
            residency: residency::demanded(table, providers, report),
            terms: terms(table, Of::Key, &table.text("id").unwrap_or_default()),
            priority: match table.text("priority").as_deref() {
                Some("batch") => Priority::Batch,
                _ => Priority::Interactive,
            },
        });
        if let Some(route) = key
            .default_route
            .as_ref()
            .filter(|route| !key.may_use(route))
        {
            let message = format!("`{}` is not among the key's `routes`", route.name);
            report.problem(&table.at("default_route"), message);
        }
        residency::check_key(&key, table, report);
        check_passthrough(&key, table, report);
        if key.expires.is_some_and(|expires| expires <= now) {
            report.warning(
                &table.at("expires"),
                format!("the key `{}` has expired", key.id),
            );
        }
        let mut hashes = hashes(table);
        if pod::is_own(table) {
            let at = table.at("hash");
            hashes.extend(pod.hash_of(&key).map(|hash| (at.clone(), hash)));
            pods_own.push((at, Arc::clone(&key)));
        }
        for (at, hash) in hashes {
            if let Some(first) = claimed.get(&hash) {
                report.problem(&at, format!("is already the hash at {first}"));
                continue;
            }
            claimed.insert(hash, at);
            callers.insert(hash, key.clone());
        }
    }
    pod.check(root, &pods_own, report);
    Callers::Keys(callers)
}

/// What passes through unread has no price, so a budget could not be held by it.
fn check_passthrough(key: &Key, table: &Table, report: &mut Report) {
    let is_budgeted = (key.terms.as_ref()).is_some_and(|terms| terms.budget.is_some());
    if key.passthrough.is_some() && is_budgeted {
        let message = "gets only models whose price is known, and what reads or deletes: the key has a `budget`, and what else passes through has no price to hold it by";
        report.warning(&table.at("passthrough"), message);
    }
}

/// One hash, or those of a rotation.
fn hashes(table: &Table) -> Vec<(Path, [u8; 32])> {
    let one = table.node("hash").map(|node| (table.at("hash"), node));
    let mut hashes = Vec::new();
    for (at, node) in one.into_iter().chain(table.list("hash")) {
        if let Node::Hash(hash) = node {
            hashes.push((at, *hash));
        }
    }
    hashes
}

/// The routes a key may use. A list that could not be read has its own problem, and limits nothing
/// here, so that it brings no other.
fn allowed(root: &Table, table: &Table, report: &mut Report) -> Option<BTreeSet<Arc<str>>> {
    let Some(Node::List(_)) = table.node("routes") else {
        return None;
    };
    let mut allowed = BTreeSet::new();
    for (at, name) in table.texts("routes") {
        know_route(root, &at, &name, report);
        allowed.insert(name);
    }
    Some(allowed)
}

fn know_route(root: &Table, at: &Path, name: &str, report: &mut Report) {
    let names = root.names("routes");
    if !names.contains(&name) {
        report.unknown(at, format!("no route is named `{name}`"), name, names);
    }
}

fn know_provider(root: &Table, at: &Path, name: &str, report: &mut Report) {
    let names = root.names("providers");
    if !names.contains(&name) {
        report.unknown(at, format!("no provider is named `{name}`"), name, names);
    }
}
