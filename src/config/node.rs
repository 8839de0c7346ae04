//! The checked tree: a value for every key that is set, in the type of its shape.
//!
//! Made by `check`, read by `resolve`. Never here: what makes a value right, or what it means.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::path::Path;
use super::shape::Key;
use super::shared_state::SharedState;
use crate::secret::Reference;
use crate::snapshot::{BaseUrl, Percent};
use crate::source::SourceUrl;

/// A value of the operator's that has its shape.
#[derive(Debug)]
pub(super) enum Node {
    /// It was wrong and has been reported; nothing more is to be said about it.
    Bad,
    Bool(bool),
    Integer(u64),
    /// In millionths.
    Decimal(u64),
    Text(Arc<str>),
    Duration(Duration),
    /// The shortest and the longest.
    DurationRange(Duration, Duration),
    /// `off`, where a duration may be.
    Off,
    Percent(Percent),
    Date(Timestamp),
    Address(SocketAddr),
    Url(BaseUrl),
    Reference(Reference),
    /// A hash, or a public key.
    Hash([u8; 32]),
    /// The hash of the pod's own token.
    Pod,
    SharedState(SharedState),
    SourceUrl(SourceUrl),
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
    pub(super) keys: &'static [Key],
    pub(super) nodes: BTreeMap<&'static str, Node>,
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

    /// A decimal number, in millionths.
    pub(super) fn millionths(&self, key: &str) -> Option<u64> {
        let Node::Decimal(value) = self.node(key)? else {
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

    /// The shortest and the longest.
    pub(super) fn duration_range(&self, key: &str) -> Option<(Duration, Duration)> {
        let Node::DurationRange(shortest, longest) = self.node(key)? else {
            return None;
        };
        Some((*shortest, *longest))
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

    pub(super) fn shared_state(&self, key: &str) -> Option<SharedState> {
        let Node::SharedState(value) = self.node(key)? else {
            return None;
        };
        Some(value.clone())
    }

    pub(super) fn source_url(&self, key: &str) -> Option<SourceUrl> {
        let Node::SourceUrl(value) = self.node(key)? else {
            return None;
        };
        Some(value.clone())
    }

    pub(super) fn hash(&self, key: &str) -> Option<[u8; 32]> {
        let Node::Hash(value) = self.node(key)? else {
            return None;
        };
        Some(*value)
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

    /// A text, or the texts of a list; none when the key is not set.
    pub(super) fn one_or_more(&self, key: &str) -> Vec<Arc<str>> {
        self.node(key).map(Node::one_or_more).unwrap_or_default()
    }

    /// The nodes of a map by name, each with its path.
    pub(super) fn nodes(&self, key: &str) -> impl Iterator<Item = (Path, &str, &Node)> {
        let at = self.at(key);
        let entries = match self.node(key) {
            Some(Node::Map(entries)) => Some(entries),
            Some(_) | None => None,
        };
        let entries = entries.into_iter().flatten();
        entries.map(move |(name, node)| (at.key(name), &**name, node))
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

    /// A text, or the texts of a list.
    pub(super) fn one_or_more(&self) -> Vec<Arc<str>> {
        match self {
            Self::List(items) => items.iter().filter_map(Self::text).collect(),
            node => node.text().into_iter().collect(),
        }
    }

    pub(super) fn table(&self) -> Option<&Table> {
        let Self::Table(table) = self else {
            return None;
        };
        Some(table)
    }
}
