//! The merged tree against the table of keys: a [`Node`] for every value that is right, a problem
//! for every one that is not. It never stops at the first, and never relates one key to another.

use std::collections::BTreeMap;

use figment::value::{Dict, Value};

use super::layers;
use super::node::{Node, Table};
use super::path::Path;
use super::problem::Report;
use super::scalar;
use super::shape::{self, Key, POD, Presence, Shape};
use super::shared_state::SharedState;
use crate::secret::Reference;
use crate::source::SourceUrl;

pub(super) fn check(tree: &Dict, keys: &'static [Key], report: &mut Report) -> Table {
    table(tree, keys, &Path::root(), report)
}

fn table(entries: &Dict, keys: &'static [Key], path: &Path, report: &mut Report) -> Table {
    let names = || keys.iter().map(|key| key.name);
    for name in entries.keys() {
        if !names().any(|known| known == name) {
            report.unknown(&path.key(name), "is not a key here", name, names());
        }
    }
    let mut nodes = BTreeMap::new();
    for key in keys {
        let at = path.key(key.name);
        // A key without a value is as one that is not there: its entries may be commented out.
        let given = entries.get(key.name).filter(|v| v.to_empty().is_none());
        let node = match (given, key.presence) {
            (Some(value), _) => node(value, &key.shape, &at, report),
            (None, Presence::Default(text)) => node(
                &layers::from_text(&key.shape, text),
                &key.shape,
                &at,
                report,
            ),
            (None, Presence::Required) => {
                report.missing(&at, format!("write {}", key.shape.expected()));
                Node::Bad
            }
            (None, Presence::Optional) => continue,
        };
        nodes.insert(key.name, node);
    }
    Table {
        path: path.clone(),
        keys,
        nodes,
    }
}

fn node(value: &Value, shape: &Shape, path: &Path, report: &mut Report) -> Node {
    match (shape, value) {
        (Shape::AnyOf(shapes), _) => match shapes.iter().find(|shape| shape.takes(value)) {
            Some(shape) => node(value, shape, path, report),
            None => wrong_type(value, shape, path, report),
        },
        (Shape::Table(keys), Value::Dict(_, entries)) if shape::toml_date(value).is_none() => {
            Node::Table(table(entries, keys, path, report))
        }
        (Shape::Map { name, of }, Value::Dict(_, entries)) => map(entries, name, of, path, report),
        (Shape::List { of, least, most }, Value::Array(_, items)) => {
            if items.len() < *least {
                report.problem(path, "is empty");
                return Node::Bad;
            }
            if items.len() > *most {
                report.problem(path, format!("has {} entries; {most} may be", items.len()));
                return Node::Bad;
            }
            let items = items.iter().enumerate();
            Node::List(
                items
                    .map(|(i, item)| node(item, of, &path.index(i), report))
                    .collect(),
            )
        }
        (Shape::Date, _) if shape::toml_date(value).is_some() => of_text(
            shape::toml_date(value).unwrap_or_default(),
            shape,
            path,
            report,
        ),
        (Shape::Bool, Value::Bool(_, value)) => Node::Bool(*value),
        (Shape::Integer { least, most }, Value::Num(..)) => match scalar::unsigned(value) {
            Some(number) if (*least..=*most).contains(&number) => Node::Integer(number),
            Some(_) | None => not_a(shape, path, report),
        },
        (Shape::Decimal { least, most }, Value::Num(..)) => match scalar::millionths(value) {
            Some(number) if (least * 1_000_000..=most * 1_000_000).contains(&number) => {
                Node::Decimal(number)
            }
            Some(_) | None => not_a(shape, path, report),
        },
        (Shape::Size, Value::Num(..)) => match scalar::unsigned(value) {
            Some(bytes) if bytes > 0 => Node::Integer(bytes),
            Some(_) | None => not_a(shape, path, report),
        },
        (_, Value::String(_, text)) if shape.takes(value) => of_text(text, shape, path, report),
        (_, _) => wrong_type(value, shape, path, report),
    }
}

fn map(entries: &Dict, kind: &str, of: &Shape, path: &Path, report: &mut Report) -> Node {
    let empty = Value::from(Dict::new());
    let mut nodes = BTreeMap::new();
    for (name, value) in entries {
        let at = path.key(name);
        if name.trim() != name || name.is_empty() || name.chars().any(char::is_control) {
            let message =
                format!("is no name for a {kind}: it is empty or has white space around it");
            report.problem(&at, message);
            continue;
        }
        // `NAME:` alone is an entry with nothing set.
        let value = if value.to_empty().is_some() {
            &empty
        } else {
            value
        };
        nodes.insert(name.clone(), node(value, of, &at, report));
    }
    Node::Map(nodes)
}

/// Text of a shape that is written as text.
fn of_text(text: &str, shape: &Shape, path: &Path, report: &mut Report) -> Node {
    let read = match shape {
        Shape::Text | Shape::PrivateText | Shape::File if text.is_empty() => {
            report.problem(path, "is empty");
            return Node::Bad;
        }
        Shape::Text | Shape::PrivateText | Shape::File => Some(Node::Text(text.into())),
        Shape::Word(words) if words.contains(&text) => Some(Node::Text(text.into())),
        Shape::Word(words) => {
            let message = format!("`{text}` is not {}", shape.expected());
            report.unknown(path, message, text, words.iter().copied());
            return Node::Bad;
        }
        Shape::Duration { zero } => scalar::duration(text)
            .filter(|span| *zero || !span.is_zero())
            .map(Node::Duration),
        Shape::DurationOrOff if text == "off" => Some(Node::Off),
        Shape::DurationOrOff => scalar::duration(text)
            .filter(|span| !span.is_zero())
            .map(Node::Duration),
        Shape::DurationRange => scalar::duration_range(text)
            .map(|(shortest, longest)| Node::DurationRange(shortest, longest)),
        Shape::Size => scalar::size(text).filter(|n| *n > 0).map(Node::Integer),
        Shape::Percent => scalar::percent(text).map(Node::Percent),
        Shape::Date => scalar::date(text).map(Node::Date),
        Shape::Address => scalar::address(text).map(Node::Address),
        Shape::Url => match scalar::url(text) {
            Ok(url) => Some(Node::Url(url)),
            Err(why) => {
                report.problem(path, why);
                return Node::Bad;
            }
        },
        Shape::Reference => match Reference::try_new(text) {
            Ok(reference) => Some(Node::Reference(reference)),
            Err(why) => {
                report.problem(path, why);
                return Node::Bad;
            }
        },
        Shape::SharedState => match SharedState::try_new(text) {
            Ok(url) => Some(Node::SharedState(url)),
            Err(why) => {
                report.problem(path, why);
                return Node::Bad;
            }
        },
        Shape::SourceUrl => match SourceUrl::try_new(text) {
            Ok(url) => Some(Node::SourceUrl(url)),
            Err(why) => {
                report.problem(path, why);
                return Node::Bad;
            }
        },
        Shape::PublicKey => match scalar::public_key(text) {
            Some(key) => Some(Node::Hash(key)),
            None => return not_a(shape, path, report),
        },
        Shape::HashOrPod if text == POD => Some(Node::Pod),
        Shape::Hash | Shape::HashOrPod => match scalar::hash(text) {
            Some(hash) => Some(Node::Hash(hash)),
            None => return not_a(shape, path, report),
        },
        Shape::Bool
        | Shape::Integer { .. }
        | Shape::Decimal { .. }
        | Shape::List { .. }
        | Shape::Map { .. }
        | Shape::Table(_)
        | Shape::AnyOf(_) => None,
    };
    read.unwrap_or_else(|| {
        report.problem(path, format!("`{text}` is not {}", shape.expected()));
        Node::Bad
    })
}

fn not_a(shape: &Shape, path: &Path, report: &mut Report) -> Node {
    report.problem(path, format!("is not {}", shape.expected()));
    Node::Bad
}

fn wrong_type(value: &Value, shape: &Shape, path: &Path, report: &mut Report) -> Node {
    let message = format!("is {}, not {}", shape::describe(value), shape.expected());
    match (value, shape) {
        (Value::Num(..) | Value::Bool(..) | Value::Dict(..), Shape::Text | Shape::PrivateText)
            if !matches!(shape::describe(value), "a map") =>
        {
            report.problem_with_hint(path, message, "put it into quotes");
        }
        (Value::Num(..), Shape::Duration { .. } | Shape::DurationOrOff | Shape::DurationRange) => {
            report.problem_with_hint(path, message, "add the unit");
        }
        (Value::Array(..), Shape::Table(_)) => {
            let hint = "there is one of it: write its keys without a list around them";
            report.problem_with_hint(path, message, hint);
        }
        (_, _) => report.problem(path, message),
    }
    Node::Bad
}
