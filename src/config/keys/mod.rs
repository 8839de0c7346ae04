//! The table of keys: every key that a configuration may hold, once.
//!
//! The checker, the JSON Schema of `pillion schema` and the environment layer all read it, so a
//! key that is not here is an unknown key everywhere. Never here: what a key means for another.

mod author;
#[rustfmt::skip]
mod injector;
#[rustfmt::skip]
mod privacy;
#[rustfmt::skip]
mod rules;
#[rustfmt::skip]
mod table;

use super::shape::Shape;

pub(super) use author::{Author, author, is_above, is_central_within, whole};
pub(super) use injector::INJECTOR;
pub(super) use table::ROOT;

pub(super) use super::shape::Key;

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

/// Whether the root has a key of this name.
pub(super) fn is_key(name: &str) -> bool {
    ROOT.iter().any(|key| key.name == name)
}

/// The shape of a key that may be set from outside the texts: one that is reached through fixed
/// names alone, is a value or a list of values, and is not a central document's own.
pub(super) fn bootstrap<'a>(path: impl IntoIterator<Item = &'a str>) -> Option<&'static Shape> {
    let mut shape = None;
    let mut keys = ROOT;
    for (depth, name) in path.into_iter().enumerate() {
        if depth == 0 && author(name) == Author::Release {
            return None;
        }
        let found = &keys.iter().find(|key| key.name == name)?.shape;
        keys = table_of(found);
        shape = Some(found);
    }
    shape.filter(|shape| is_value(shape))
}

/// The dotted names of all such keys.
pub(super) fn bootstrap_names() -> Vec<String> {
    let mut names = Vec::new();
    let own = ROOT
        .iter()
        .filter(|key| author(key.name) != Author::Release);
    own.for_each(|key| names_below(key, "", &mut names));
    names
}

fn names_below(key: &Key, above: &str, names: &mut Vec<String>) {
    let name = format!("{above}{}", key.name);
    if is_value(&key.shape) {
        names.push(name);
        return;
    }
    let above = format!("{name}.");
    for key in table_of(&key.shape) {
        names_below(key, &above, names);
    }
}

/// The keys of a table; also of one that may be a list of them, of which one is then set.
fn table_of(shape: &Shape) -> &'static [Key] {
    if let Shape::AnyOf([Shape::Table(keys), ..]) | Shape::Table(keys) = shape {
        keys
    } else {
        &[]
    }
}

/// Whether it is a value, or a list of values.
fn is_value(shape: &Shape) -> bool {
    match shape {
        Shape::Table(_) | Shape::Map { .. } => false,
        Shape::List { of, .. } => is_value(of),
        Shape::AnyOf(shapes) => shapes.iter().any(is_value),
        Shape::Bool
        | Shape::Integer { .. }
        | Shape::Decimal { .. }
        | Shape::Text
        | Shape::PrivateText
        | Shape::File
        | Shape::Word(_)
        | Shape::Duration { .. }
        | Shape::DurationOrOff
        | Shape::DurationRange
        | Shape::Size
        | Shape::Percent
        | Shape::Date
        | Shape::Address
        | Shape::Url
        | Shape::Reference
        | Shape::Hash
        | Shape::HashOrPod
        | Shape::SharedState
        | Shape::SourceUrl
        | Shape::PublicKey => true,
    }
}
