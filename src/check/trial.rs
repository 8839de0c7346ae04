//! The snapshot that a check runs on: the operator's, with a route to each single target beside
//! the routes, and one caller.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ring::digest::{SHA256, digest};

use crate::health::{BreakerPolicy, Policy};
use crate::snapshot::{Callers, Key, Percent, Route, Snapshot, Target, Timeouts};

/// The `model` that means `target` and nothing else.
pub fn target_route(target: &Target) -> String {
    format!("check:{}", target.id)
}

/// `snapshot` with these routes alone, for whoever holds `token`. A request to [`target_route`] is
/// tried once, at that target, for as long as `patience`: what is faster or slower than a route
/// allows is judged, not cut, and however much it fails, the next request is sent there too.
pub fn trial(
    mut snapshot: Snapshot,
    routes: &[Arc<Route>],
    token: &str,
    patience: Duration,
) -> Snapshot {
    let targets: Vec<_> = (routes.iter())
        .flat_map(|route| route.targets().cloned())
        .collect();
    // The key of a provider that is not asked is not read either.
    (snapshot.providers).retain(|name, _| targets.iter().any(|t| t.provider.name == *name));
    snapshot.aliases.clear();
    snapshot.routes = (routes.iter())
        .map(|route| (Arc::clone(&route.name), Arc::clone(route)))
        .collect();
    for target in targets {
        let name: Arc<str> = target_route(&target).into();
        let route = Route {
            name: Arc::clone(&name),
            timeouts: Timeouts {
                whole: patience,
                first_token: patience,
                answer: patience,
                idle: patience,
                stream: patience,
            },
            reserve: Percent::ZERO,
            max_attempts: 1,
            health: Policy {
                breaker: BreakerPolicy::NEVER,
                ..Policy::DEFAULT
            },
            ..Route::to(target)
        };
        snapshot.routes.insert(name, Arc::new(route));
    }
    let key = Key::named("check");
    snapshot.callers = Callers::Keys(HashMap::from([(hash(token), Arc::new(key))]));
    snapshot
}

fn hash(token: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Format, Sources, load};

    #[test]
    fn each_target_has_a_route_and_nothing_else_is_left() {
        let text = "
allow_anonymous: true
providers:
  a: { kind: openai, secret: env:A }
  b: { kind: openai, secret: env:B }
  c: { kind: openai, secret: env:C }
routes:
  one: { accepts: [alias], targets: [a/m, { any: [{ to: b/m, weight: 0 }, { to: b/n }] }] }
  two: { targets: [c/m] }
";
        let snapshot = load(&Sources::from_text(Format::Yaml, text))
            .unwrap()
            .snapshot;
        let route = Arc::clone(&snapshot.routes["one"]);
        let patience = Duration::from_secs(7);
        let trial = trial(snapshot, &[route], "token", patience);
        let names: Vec<&str> = trial.routes.keys().map(|name| &**name).collect();
        assert_eq!(names, ["check:a/m", "check:b/m", "check:b/n", "one"]);
        assert_eq!(trial.providers.len(), 2);
        assert!(trial.aliases.is_empty());
        let single = &trial.routes["check:b/m"];
        assert_eq!(single.max_attempts, 1);
        assert_eq!(single.targets().count(), 1);
        assert_eq!(single.timeouts.first_token, patience);
        assert_eq!(single.health.breaker, BreakerPolicy::NEVER);
        let Callers::Keys(keys) = &trial.callers else {
            panic!("nobody else may call");
        };
        assert!(keys.len() == 1 && keys.contains_key(&hash("token")));
    }
}
