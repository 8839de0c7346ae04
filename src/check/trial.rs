//! The snapshot that a check runs on: the operator's, with a route to each single target beside
//! the routes, and one caller.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ring::digest::{SHA256, digest};

use crate::snapshot::{Callers, Key, Percent, Route, Snapshot, Target, Timeouts};

/// The `model` that means `target` and nothing else.
pub fn target_route(target: &Target) -> String {
    format!("check:{}", target.id)
}

/// `snapshot` for whoever holds `token`: a request to [`target_route`] is tried once, at that
/// target, for as long as `patience`. What is faster or slower than a route allows is judged, not
/// cut.
pub fn trial(mut snapshot: Snapshot, token: &str, patience: Duration) -> Snapshot {
    let targets: Vec<_> = (snapshot.routes.values())
        .flat_map(|route| route.targets().cloned())
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
            ..Route::to(target)
        };
        snapshot.routes.insert(name, Arc::new(route));
    }
    let key = Key {
        id: "check".into(),
        team: None,
        service: None,
        environment: None,
        routes: None,
        default_route: None,
        passthrough: None,
        expires: None,
    };
    snapshot.callers = Callers::Keys(HashMap::from([(hash(token), Arc::new(key))]));
    snapshot
}

fn hash(token: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}
