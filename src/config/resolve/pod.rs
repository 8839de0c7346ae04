//! Keys whose token is each pod's own: which of them is this pod's.
//!
//! The configuration says that there is such a key and what it may use; a sidecar says by what token it
//! is shown, and nothing more. So the one that a sidecar gets must follow from its `identity` alone.

use std::sync::Arc;

use crate::config::authority::Standing;
use crate::config::node::{Node, Table};
use crate::config::path::Path;
use crate::config::problem::Report;
use crate::snapshot::{Identity, Key};

/// What a sidecar knows of its pod.
pub(super) struct Pod<'a> {
    /// Of the pod's own token.
    hash: Option<[u8; 32]>,
    identity: &'a Identity,
    standing: Standing,
}

impl<'a> Pod<'a> {
    pub(super) fn of(root: &Table, identity: &'a Identity, standing: Standing) -> Self {
        Self {
            hash: root.hash("pod_key"),
            identity,
            standing,
        }
    }

    /// The hash of `key`, if that is this pod's: the `identity` must say all that the key says of team,
    /// service and environment.
    pub(super) fn hash_of(&self, key: &Key) -> Option<[u8; 32]> {
        let suits = facts(key)
            .zip(facts_of(self.identity))
            .all(|(its, ours)| its.is_none() || its == ours);
        self.hash.filter(|_| suits)
    }

    /// What is wrong between the keys of this kind, each with the path of its `hash`.
    pub(super) fn check(&self, root: &Table, keys: &[(Path, Arc<Key>)], report: &mut Report) {
        for (nth, (at, key)) in keys.iter().enumerate() {
            let twin = keys.iter().take(nth).find(|(_, other)| overlap(key, other));
            if let Some((first, _)) = twin {
                let message = format!(
                    "is a pod's own, and so is {first}: one sidecar could be meant by both"
                );
                let hint = "let them differ in `team`, `service` or `environment`";
                report.problem_with_hint(at, message, hint);
            }
        }
        if self.hash.is_some() {
            if keys.iter().all(|(_, key)| self.hash_of(key).is_none()) {
                let message =
                    "has no effect: no key with `hash: pod` is for this sidecar's `identity`";
                report.warning(&root.at("pod_key"), message);
            }
        } else if self.standing == Standing::Alone {
            for (at, key) in keys {
                let message = format!(
                    "`PILLION_POD_KEY` is not set, so nobody can call with the key `{}`",
                    key.id
                );
                report.warning(at, message);
            }
        }
    }
}

/// Whether a key's hash is its pod's.
pub(super) fn is_own(table: &Table) -> bool {
    matches!(table.node("hash"), Some(Node::Pod))
}

/// Whether there can be an identity that suits both.
fn overlap(one: &Key, other: &Key) -> bool {
    facts(one)
        .zip(facts(other))
        .all(|(a, b)| a.is_none() || b.is_none() || a == b)
}

fn facts(key: &Key) -> impl Iterator<Item = Option<&str>> {
    [&key.team, &key.service, &key.environment]
        .into_iter()
        .map(Option::as_deref)
}

fn facts_of(identity: &Identity) -> impl Iterator<Item = Option<&str>> {
    let Identity {
        team,
        service,
        environment,
        ..
    } = identity;
    [team, service, environment]
        .into_iter()
        .map(Option::as_deref)
}
