//! Least privilege: what of a central document concerns one sidecar. A key that is not for it cannot
//! call here, and the secret of a provider that nobody here can reach is never read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::snapshot::{Callers, Identity, Key, Provider, Snapshot};

/// The keys that fit the identity, the routes that those reach, the providers behind them, and the
/// stores that hold their secrets. What is left out has been checked like the rest: a document is right or wrong for everybody.
pub(super) fn least(mut snapshot: Snapshot) -> Snapshot {
    if let Callers::Keys(keys) = &mut snapshot.callers {
        let identity = &snapshot.identity;
        keys.retain(|_, key| is_for(identity, key));
    }
    let callers: Vec<&Key> = match &snapshot.callers {
        Callers::Anyone(key) => vec![key],
        Callers::Keys(keys) => keys.values().map(AsRef::as_ref).collect(),
    };
    snapshot
        .routes
        .retain(|_, route| callers.iter().any(|key| key.may_use(route)));
    let routes = &snapshot.routes;
    snapshot
        .aliases
        .retain(|_, route| routes.contains_key(&route.name));
    let targets = routes.values().flat_map(|route| route.targets());
    let passed = callers.iter().filter_map(|key| key.passthrough.as_ref());
    let reached = targets.map(|target| &target.provider).chain(passed);
    let reached: BTreeMap<Arc<str>, Arc<Provider>> = reached
        .map(|provider| (Arc::clone(&provider.name), Arc::clone(provider)))
        .collect();
    let secrets = reached.values().filter_map(|it| it.secret.as_ref());
    let secrets = secrets.chain(&snapshot.admin_token);
    let stores: BTreeSet<&str> = secrets
        .filter_map(|secret| Some(&*secret.stored()?.store))
        .collect();
    snapshot
        .secret_stores
        .retain(|name, _| stores.contains(&**name));
    snapshot.providers = reached;
    let own = snapshot.identity.team.as_ref();
    let teams: BTreeSet<&Arc<str>> = callers
        .iter()
        .filter_map(|it| it.team.as_ref())
        .chain(own)
        .collect();
    snapshot.teams.retain(|name, _| teams.contains(name));
    snapshot
}

/// A fact that either of the two does not say excludes nothing.
fn is_for(identity: &Identity, key: &Key) -> bool {
    let agree = |ours: &Option<Arc<str>>, its: &Option<Arc<str>>| match (ours, its) {
        (Some(ours), Some(its)) => ours == its,
        (None, _) | (_, None) => true,
    };
    agree(&identity.team, &key.team)
        && agree(&identity.service, &key.service)
        && agree(&identity.environment, &key.environment)
}

/// Whether nobody can call.
pub(super) fn is_nobody(callers: &Callers) -> bool {
    match callers {
        Callers::Anyone(_) => false,
        Callers::Keys(keys) => keys.is_empty(),
    }
}
