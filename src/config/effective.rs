//! The configuration that is live, as it is shown: what each key came to, and who had the last word.
//!
//! It is made when somebody asks, from the texts alone, which is all that is kept of it until then.
//! Never here: a key's hash, a password in a URL, or other text that may be a secret.

use std::fmt;

use figment::value::{Dict, Value as Raw};
use serde_json::{Map, Value, json};

use super::keys;
use super::layers;
use super::overrides::Dropped;
use super::path::Path;
use super::problem::Report;
use super::shape::{self, Key, POD, Presence, Shape};
use super::stack;
use crate::snapshot::{Callers, Snapshot};

/// In the place of what is not shown.
const HIDDEN: &str = "…";

/// A configuration that can be shown.
#[derive(Clone)]
pub struct Effective(pub(super) stack::Given);

impl Effective {
    /// `config` is what a file would say that says all of it, defaults included; of a central document
    /// it has what this sidecar keeps. `origins` has for the path of each value in it where that is
    /// from: `default`, `file:NAME:LINE:COLUMN`, `central:NAME:LINE:COLUMN`, `env:NAME`, or `flag`.
    /// `dropped` is what the sidecar says and does not count beside its central document: its `path`,
    /// `at` as in `origins`, and `why`.
    ///
    /// `snapshot` is what the configuration was resolved to.
    pub fn show(&self, snapshot: &Snapshot) -> Value {
        let Ok(merged) = self.0.merge() else {
            // It could be read when it was taken, and nothing of it has changed.
            return Value::Null;
        };
        let mut view = View {
            report: &merged.report,
            origins: Map::new(),
        };
        let mut tree = merged.tree;
        let root = Path::root();
        let mut keys = None;
        if merged.standing.is_led() {
            keep(&mut tree, snapshot);
            keys = tree.remove("keys");
        }
        let mut config = view.table(&tree, keys::ROOT, &root, &root);
        if let Some(Raw::Array(_, items)) = &keys {
            config["keys"] = view.own_keys(items, snapshot);
        }
        if let Some(Value::Object(identity)) = config.get_mut("identity") {
            let known = &snapshot.identity;
            for (name, fact) in [
                ("team", &known.team),
                ("service", &known.service),
                ("environment", &known.environment),
                ("instance", &known.instance),
            ] {
                if let Some(value) = identity.get_mut(name) {
                    *value = fact.as_deref().into();
                }
            }
        }
        let dropped = merged.dropped.iter().map(Dropped::shown);
        json!({
            "version": &*snapshot.version,
            "config": config,
            "origins": view.origins,
            "dropped": dropped.collect::<Value>(),
        })
    }
}

impl fmt::Debug for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Effective(…)")
    }
}

/// Takes out what belongs to other sidecars.
fn keep(tree: &mut Dict, snapshot: &Snapshot) {
    let provider = |name: &str| snapshot.providers.contains_key(name);
    retain(tree, "providers", provider);
    retain(tree, "routes", |name| snapshot.routes.contains_key(name));
    retain(tree, "teams", |name| snapshot.teams.contains_key(name));
    retain(tree, "secret_stores", |name| {
        snapshot.secret_stores.contains_key(name)
    });
    retain(tree, "models", |name| {
        name.split_once('/')
            .is_some_and(|(of, _model)| provider(of))
    });
}

fn retain(tree: &mut Dict, key: &str, is_kept: impl Fn(&str) -> bool) {
    if let Some(Raw::Dict(_, entries)) = tree.get_mut(key) {
        entries.retain(|name, _| is_kept(name));
    }
}

struct View<'a> {
    report: &'a Report,
    origins: Map<String, Value>,
}

impl View<'_> {
    /// `written` is where it is in the text, `at` in what is shown: the two differ below a list of
    /// which only a part is shown.
    fn table(&mut self, entries: &Dict, keys: &'static [Key], written: &Path, at: &Path) -> Value {
        let mut shown = Map::new();
        for key in keys {
            let (written, at) = (written.key(key.name), at.key(key.name));
            let given = entries.get(key.name).filter(|v| v.to_empty().is_none());
            let value = match (given, key.presence) {
                (Some(value), _) => self.value(value, &key.shape, &written, &at),
                (None, Presence::Default(text)) => {
                    let value = layers::from_text(&key.shape, text);
                    self.value(&value, &key.shape, &written, &at)
                }
                (None, Presence::Optional | Presence::Required) => continue,
            };
            shown.insert(key.name.to_owned(), value);
        }
        shown.into()
    }

    fn value(&mut self, value: &Raw, shape: &Shape, written: &Path, at: &Path) -> Value {
        match (shape, value) {
            (Shape::AnyOf(shapes), _) => match shapes.iter().find(|shape| shape.takes(value)) {
                Some(shape) => self.value(value, shape, written, at),
                None => Value::Null,
            },
            (Shape::Table(keys), Raw::Dict(_, entries)) => self.table(entries, keys, written, at),
            (Shape::Map { of, .. }, Raw::Dict(_, entries)) => {
                let empty = Raw::from(Dict::new());
                let shown = entries.iter().map(|(name, value)| {
                    let value = if value.to_empty().is_some() {
                        &empty
                    } else {
                        value
                    };
                    let (written, at) = (written.key(name), at.key(name));
                    (name.clone(), self.value(value, of, &written, &at))
                });
                Value::Object(shown.collect())
            }
            (Shape::List { of, .. }, Raw::Array(_, items))
                if items.iter().any(|item| item.as_dict().is_some()) =>
            {
                let shown = items.iter().enumerate().map(|(index, item)| {
                    self.value(item, of, &written.index(index), &at.index(index))
                });
                Value::Array(shown.collect())
            }
            (_, _) => {
                self.origins.insert(at.to_string(), self.origin(written));
                shown(value, shape)
            }
        }
    }

    /// The keys that this sidecar keeps.
    fn own_keys(&mut self, items: &[Raw], snapshot: &Snapshot) -> Value {
        let keys = keys::ROOT.iter().find(|key| key.name == "keys");
        let Some(Shape::List { of, .. }) = keys.map(|key| &key.shape) else {
            return Value::Null;
        };
        let is_kept = |item: &Raw| {
            let id = item.as_dict().and_then(|key| key.get("id")?.as_str());
            match &snapshot.callers {
                Callers::Anyone(_) => false,
                Callers::Keys(keys) => keys.values().any(|key| Some(&*key.id) == id),
            }
        };
        let root = Path::root().key("keys");
        let kept = items.iter().enumerate().filter(|(_, item)| is_kept(item));
        let shown = kept.enumerate().map(|(shown, (index, item))| {
            self.value(item, of, &root.index(index), &root.index(shown))
        });
        Value::Array(shown.collect())
    }

    fn origin(&self, written: &Path) -> Value {
        match self.report.origins().exactly(written) {
            None => "default".into(),
            Some(origin) => origin.to_string().into(),
        }
    }
}

/// A value without what may be a secret in it.
fn shown(value: &Raw, shape: &Shape) -> Value {
    match (shape, value) {
        (Shape::List { of, .. }, Raw::Array(_, items)) => {
            items.iter().map(|item| shown(item, of)).collect()
        }
        (Shape::PrivateText, _) => HIDDEN.into(),
        (Shape::HashOrPod, Raw::String(_, word)) if word == POD => POD.into(),
        (Shape::Hash | Shape::HashOrPod, _) => format!("sha256:{HIDDEN}").into(),
        (Shape::SharedState | Shape::SourceUrl | Shape::Url, Raw::String(_, url)) => {
            without_secrets(url).into()
        }
        (Shape::Date, _) if shape::toml_date(value).is_some() => shape::toml_date(value).into(),
        (_, value) => serde_json::to_value(value).unwrap_or_default(),
    }
}

/// Without user, password, query and fragment.
fn without_secrets(url: &str) -> String {
    let (url, query) = match url.find(['?', '#']) {
        Some(at) => (url.get(..at).unwrap_or_default(), true),
        None => (url, false),
    };
    let mut shown = match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://{HIDDEN}@{place}"),
        (_, _) => url.to_owned(),
    };
    if query {
        shown.push('?');
        shown.push_str(HIDDEN);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        for (url, shown) in [
            ("https://h/a/b.yaml", "https://h/a/b.yaml"),
            ("file:/etc/a@b.yaml", "file:/etc/a@b.yaml"),
            ("redis://:canary@h:6379/0", "redis://…@h:6379/0"),
            ("redis://u:can/ary@h/0/k", "redis://…@h/0/k"),
            ("redis://u:can@ary@h/0/k", "redis://…@h/0/k"),
            ("https://h/a?sig=canary", "https://h/a?…"),
            ("https://u:canary@h/a?b=c@d#canary", "https://…@h/a?…"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }
}
