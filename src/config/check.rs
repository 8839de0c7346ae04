//! The merged tree against the table of keys: a [`Node`] for every value that is right, a problem
//! for every one that is not. It never stops at the first, and never relates one key to another.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use figment::value::{Dict, Value};
use jiff::Timestamp;

use super::layers;
use super::path::Path;
use super::problem::Report;
use super::shape::{self, Key, Presence, Shape};
use crate::secret::Reference;
use crate::snapshot::{BaseUrl, Percent};

/// A value of the operator's that has its shape.
#[derive(Debug)]
pub(super) enum Node {
    /// It was wrong and has been reported; nothing more is to be said about it.
    Bad,
    Bool(bool),
    Integer(u64),
    Text(Arc<str>),
    Duration(Duration),
    Percent(Percent),
    Date(Timestamp),
    Address(SocketAddr),
    Url(BaseUrl),
    Reference(Reference),
    Hash([u8; 32]),
    List(Vec<Node>),
    Map(BTreeMap<String, Node>),
    Table(Table),
}

/// The keys of one table that are set, by the operator or by default.
///
/// Read a key with the method of its shape. `None` is a key that is not set or was wrong.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) path: Path,
    keys: &'static [Key],
    nodes: BTreeMap<&'static str, Node>,
}

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
                let hint = format!("write {}", key.shape.expected());
                report.problem_with_hint(&at, "is missing", hint);
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
        (Shape::Date, _) if shape::toml_date(value).is_some() => scalar(
            shape::toml_date(value).unwrap_or_default(),
            shape,
            path,
            report,
        ),
        (Shape::Bool, Value::Bool(_, value)) => Node::Bool(*value),
        (Shape::Integer { least, most }, Value::Num(..)) => match unsigned(value) {
            Some(number) if (*least..=*most).contains(&number) => Node::Integer(number),
            Some(_) | None => not_a(shape, path, report),
        },
        (Shape::Size, Value::Num(..)) => match unsigned(value) {
            Some(bytes) if bytes > 0 => Node::Integer(bytes),
            Some(_) | None => not_a(shape, path, report),
        },
        (_, Value::String(_, text)) if shape.takes(value) => scalar(text, shape, path, report),
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
fn scalar(text: &str, shape: &Shape, path: &Path, report: &mut Report) -> Node {
    let read = match shape {
        Shape::Text | Shape::File if text.is_empty() => {
            report.problem(path, "is empty");
            return Node::Bad;
        }
        Shape::Text | Shape::File => Some(Node::Text(text.into())),
        Shape::Word(words) if words.contains(&text) => Some(Node::Text(text.into())),
        Shape::Word(words) => {
            let message = format!("`{text}` is not {}", shape.expected());
            report.unknown(path, message, text, words.iter().copied());
            return Node::Bad;
        }
        Shape::Duration { zero } => shape::duration(text)
            .filter(|span| *zero || !span.is_zero())
            .map(Node::Duration),
        Shape::Size => shape::size(text).filter(|n| *n > 0).map(Node::Integer),
        Shape::Percent => shape::percent(text).map(Node::Percent),
        Shape::Date => shape::date(text).map(Node::Date),
        Shape::Address => shape::address(text).map(Node::Address),
        Shape::Url => match shape::url(text) {
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
        Shape::Hash => match shape::hash(text) {
            Some(hash) => Some(Node::Hash(hash)),
            None => return not_a(shape, path, report),
        },
        Shape::Bool
        | Shape::Integer { .. }
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

fn unsigned(value: &Value) -> Option<u64> {
    let number = value.to_num()?;
    let unsigned = number.to_u128().and_then(|n| u64::try_from(n).ok());
    unsigned.or_else(|| number.to_i128().and_then(|n| u64::try_from(n).ok()))
}

fn not_a(shape: &Shape, path: &Path, report: &mut Report) -> Node {
    report.problem(path, format!("is not {}", shape.expected()));
    Node::Bad
}

fn wrong_type(value: &Value, shape: &Shape, path: &Path, report: &mut Report) -> Node {
    let message = format!("is {}, not {}", shape::describe(value), shape.expected());
    match (value, shape) {
        (Value::Num(..) | Value::Bool(..) | Value::Dict(..), Shape::Text)
            if !matches!(shape::describe(value), "a map") =>
        {
            report.problem_with_hint(path, message, "put it into quotes");
        }
        (Value::Num(..), Shape::Duration { .. }) => {
            report.problem_with_hint(path, message, "add the unit");
        }
        (_, _) => report.problem(path, message),
    }
    Node::Bad
}

impl Table {
    /// Whether the operator or a default set this key, be it right or wrong.
    pub(super) fn has(&self, key: &str) -> bool {
        self.node(key).is_some()
    }

    /// The path of one of its keys.
    pub(super) fn at(&self, key: &str) -> Path {
        self.path.key(key)
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        let Node::Bool(value) = self.node(key)? else {
            return None;
        };
        Some(*value)
    }

    /// An integer, or a size in bytes.
    pub(super) fn integer(&self, key: &str) -> Option<u64> {
        let Node::Integer(value) = self.node(key)? else {
            return None;
        };
        Some(*value)
    }

    /// Text, a word, or a file's path.
    pub(super) fn text(&self, key: &str) -> Option<Arc<str>> {
        self.node(key)?.text()
    }

    pub(super) fn duration(&self, key: &str) -> Option<Duration> {
        let Node::Duration(value) = self.node(key)? else {
            return None;
        };
        Some(*value)
    }

    pub(super) fn percent(&self, key: &str) -> Option<Percent> {
        let Node::Percent(value) = self.node(key)? else {
            return None;
        };
        Some(*value)
    }

    pub(super) fn date(&self, key: &str) -> Option<Timestamp> {
        let Node::Date(value) = self.node(key)? else {
            return None;
        };
        Some(*value)
    }

    pub(super) fn address(&self, key: &str) -> Option<SocketAddr> {
        let Node::Address(value) = self.node(key)? else {
            return None;
        };
        Some(*value)
    }

    pub(super) fn url(&self, key: &str) -> Option<BaseUrl> {
        let Node::Url(value) = self.node(key)? else {
            return None;
        };
        Some(value.clone())
    }

    pub(super) fn reference(&self, key: &str) -> Option<Reference> {
        let Node::Reference(value) = self.node(key)? else {
            return None;
        };
        Some(value.clone())
    }

    pub(super) fn table(&self, key: &str) -> Option<&Self> {
        self.node(key)?.table()
    }

    /// The items of a list, each with its path.
    pub(super) fn list(&self, key: &str) -> impl Iterator<Item = (Path, &Node)> {
        let at = self.at(key);
        let items = match self.node(key) {
            Some(Node::List(items)) => items.as_slice(),
            Some(_) | None => &[],
        };
        items
            .iter()
            .enumerate()
            .map(move |(i, item)| (at.index(i), item))
    }

    /// The texts of a list, each with its path.
    pub(super) fn texts(&self, key: &str) -> impl Iterator<Item = (Path, Arc<str>)> {
        self.list(key)
            .filter_map(|(at, item)| Some((at, item.text()?)))
    }

    /// The tables of a list.
    pub(super) fn tables(&self, key: &str) -> impl Iterator<Item = &Self> {
        self.list(key).filter_map(|(_, item)| item.table())
    }

    /// The entries of a map, by name.
    pub(super) fn map(&self, key: &str) -> impl Iterator<Item = (&str, &Self)> {
        let entries = match self.node(key) {
            Some(Node::Map(entries)) => Some(entries),
            Some(_) | None => None,
        };
        let entries = entries.into_iter().flatten();
        entries.filter_map(|(name, node)| Some((&**name, node.table()?)))
    }

    /// The texts of a map by name, each with its path.
    pub(super) fn named_texts(&self, key: &str) -> impl Iterator<Item = (Path, &str, Arc<str>)> {
        let at = self.at(key);
        let entries = match self.node(key) {
            Some(Node::Map(entries)) => Some(entries),
            Some(_) | None => None,
        };
        let entries = entries.into_iter().flatten();
        entries.filter_map(move |(name, node)| Some((at.key(name), &**name, node.text()?)))
    }

    /// The names of a map, also of entries that are wrong.
    pub(super) fn names(&self, key: &str) -> Vec<&str> {
        match self.node(key) {
            Some(Node::Map(entries)) => entries.keys().map(String::as_str).collect(),
            Some(_) | None => Vec::new(),
        }
    }

    pub(super) fn node(&self, key: &str) -> Option<&Node> {
        debug_assert!(
            self.keys.iter().any(|known| known.name == key),
            "`{key}` is not in the table of keys"
        );
        self.nodes.get(key)
    }
}

impl Node {
    pub(super) fn text(&self) -> Option<Arc<str>> {
        let Self::Text(text) = self else { return None };
        Some(text.clone())
    }

    pub(super) fn table(&self) -> Option<&Table> {
        let Self::Table(table) = self else {
            return None;
        };
        Some(table)
    }
}
