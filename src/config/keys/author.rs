//! Who says what, where a central document leads: one line a key of the root.

use crate::config::path::{Path, Step};

/// Who may set a key of the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Author {
    /// The sidecar alone: its file, its environment, its command line.
    Own,
    /// The sidecar, and the central document, which then has the last word.
    Either,
    /// The central document, as soon as there is one.
    Central,
    /// A central document and nothing else.
    Release,
}

/// What is needed before there is a central document, or is taken up by the system at the start.
const OWN: &[&str] = &[
    "listen",
    "admin",
    "identity",
    "source",
    "cache_dir",
    "pod_key",
    "workers",
    "simulate",
];

/// What the process is made of, but serves nobody by itself.
const EITHER: &[&str] = &[
    "shared_state",
    "secret_stores",
    "secret_max_stale",
    "body_limit",
    "drain",
    "lame_duck",
    "concurrency",
    "queue",
    "connections",
    "hosts",
    "h2c",
    "audit",
    "traces",
    "admin_token",
];

/// Whose variable is there because its value must not be in a text.
const PRIVATE: &str = "shared_state";

/// What has one author as a whole, who is the central document where that says anything of it: a part
/// of each would send the records, the spans, or the requests for secrets, where neither of them does.
const WHOLE: &[&[&str]] = &[&["audit"], &["traces"], &["secret_stores", ANY]];

/// Within what a sidecar may say, the central document's all the same: what is kept of requests.
const CENTRAL_WITHIN: &[[&str; 2]] = &[["audit", "content"]];

/// In [`WHOLE`]: any name.
const ANY: &str = "*";

/// What a central document says of itself.
const RELEASE: &[&str] = &[
    "version",
    "audience",
    "allow_rollback",
    "allow_rollback_from",
    "rollout",
    "local_overrides",
];

/// Of a key of the root. What is in no list is the central document's, so that a new key cannot loosen
/// it by being forgotten here.
pub(in crate::config) fn author(name: &str) -> Author {
    if OWN.contains(&name) {
        Author::Own
    } else if EITHER.contains(&name) {
        Author::Either
    } else if RELEASE.contains(&name) {
        Author::Release
    } else {
        Author::Central
    }
}

/// Whether `path` is the central document's, though the key of the root that it is in is not.
pub(in crate::config) fn is_central_within(path: &Path) -> bool {
    let is_it = |names: &[&str; 2]| {
        let steps = path.steps().iter();
        path.steps().len() == names.len()
            && names.iter().zip(steps).all(|(name, step)| match step {
                Step::Key(key) => name == key,
                Step::Index(_) => false,
            })
    };
    CENTRAL_WITHIN.iter().any(is_it)
}

/// What `path` is or is a part of and has one author as a whole.
pub(in crate::config) fn whole(path: &Path) -> Option<Path> {
    let is_of = |names: &&&[&str]| {
        let agrees = |(name, step): (&&str, &Step)| match step {
            Step::Key(key) => *name == ANY || name == key,
            Step::Index(_) => false,
        };
        names.len() <= path.steps().len() && names.iter().zip(path.steps()).all(agrees)
    };
    WHOLE
        .iter()
        .find(is_of)
        .map(|names| path.up_to(names.len()))
}

/// Whether a sidecar's variables and flags have the last word on a key of the root, also beside a
/// central document. Its file has not.
pub(in crate::config) fn is_above(name: &str) -> bool {
    author(name) == Author::Own || name == PRIVATE
}
