//! The table of keys: every key that a configuration may hold, once.
//!
//! The checker, the JSON Schema of `pillion schema` and the environment layer all read it, so a
//! key that is not here is an unknown key everywhere. Never here: what a key means for another.

#[rustfmt::skip]
mod table;

use super::shape::Shape;

pub(super) use table::ROOT;

/// The built-in profiles: a layer below the operator's, so that an entry may change one figure.
pub(super) const PROFILES: &str = "
profiles:
  interactive:
    { timeout: 30s, first_token: 2500ms, answer: 18s, idle: 15s, stream: 10m, max_attempts: 4, reserve: 40%, warm: false,
      slow_factor: 3, slow_floor: 500ms, breaker: { failures: 2, window: 60s, cooldown: 5s..60s }, hedge: off, dedupe: off }
  batch:
    { timeout: 180s, first_token: 60s, answer: 170s, idle: 60s, stream: 30m, max_attempts: 4, reserve: 40%, warm: false,
      slow_factor: 3, slow_floor: 500ms, breaker: { failures: 2, window: 60s, cooldown: 5s..60s }, hedge: off, dedupe: off }
";

/// The shape of a key that may be set from outside the text: one that is reached through fixed
/// names alone, and is a value or a list of values.
pub(super) fn bootstrap<'a>(path: impl IntoIterator<Item = &'a str>) -> Option<&'static Shape> {
    let mut shape = None;
    let mut keys = ROOT;
    for name in path {
        let found = &keys.iter().find(|key| key.name == name)?.shape;
        keys = if let Shape::Table(inner) = found {
            inner
        } else {
            &[]
        };
        shape = Some(found);
    }
    match shape? {
        Shape::Table(_)
        | Shape::Map { .. }
        | Shape::List {
            of: Shape::Table(_) | Shape::Map { .. },
            ..
        } => None,
        leaf => Some(leaf),
    }
}

/// The dotted names of all such keys.
pub(super) fn bootstrap_names() -> Vec<String> {
    let mut names = Vec::new();
    for outer in ROOT {
        if let Shape::Table(inner) = outer.shape {
            names.extend(
                inner
                    .iter()
                    .map(|key| format!("{}.{}", outer.name, key.name)),
            );
        } else if bootstrap([outer.name]).is_some() {
            names.push(outer.name.to_owned());
        }
    }
    names
}
