//! The layers of a configuration, merged by figment: defaults, text, environment, flags.
//!
//! A later layer wins; maps merge by entry, lists replace. From the environment and from flags
//! come the keys that fixed names reach (`PILLION_LISTEN`, `PILLION_IDENTITY__TEAM`), read by the
//! shape that the table of keys gives them. Never here: reading the environment itself.

use std::collections::BTreeMap;

use figment::Figment;
use figment::value::{Dict, Value};

use super::keys;
use super::path::{Path, Step};
use super::problem::Problem;
use super::shape::Shape;
use super::text::Document;
use crate::nearest::nearest;

pub(super) const PREFIX: &str = "PILLION_";

/// What set a key that a flag set.
pub(super) const COMMAND_LINE: &str = "command line";

/// Read by the command line, not by the configuration.
const READ_ELSEWHERE: &[&str] = &[
    "PILLION_CONFIG",
    "PILLION_LOG",
    "PILLION_LOG_FORMAT",
    "PILLION_TOKEN",
];

/// One layer beside the texts: the keys that it sets, and what was wrong with their names.
#[derive(Default)]
pub(super) struct Layer {
    pub(super) sets: BTreeMap<Path, Setting>,
    pub(super) problems: Vec<Problem>,
}

/// A value, and the name of what set it.
pub(super) struct Setting {
    pub(super) by: String,
    value: Value,
}

/// The environment's layer; its `problems` are warnings, for Kubernetes injects `PILLION_PORT`
/// beside every Service of that name. An empty variable is as one that is not set.
pub(super) fn environment(variables: &[(String, String)]) -> Layer {
    let mut layer = Layer::default();
    for (name, value) in variables {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            continue;
        };
        if value.is_empty() || READ_ELSEWHERE.contains(&name.as_str()) {
            continue;
        }
        let dotted = rest.to_ascii_lowercase().replace("__", ".");
        if layer.set(&dotted, name, value).is_none() {
            let names: Vec<_> = keys::bootstrap_names()
                .iter()
                .map(|dotted| dotted.replace('.', "__").to_ascii_uppercase())
                .collect();
            let mut problem = Problem::of_text(name, "is not a variable that Pillion reads");
            problem.hint = nearest(rest, names.iter().map(String::as_str))
                .map(|near| format!("did you mean `{PREFIX}{near}`?"));
            layer.problems.push(problem);
        }
    }
    layer
}

/// The layer of flags, each a dotted key and a value.
pub(super) fn flags(flags: &[(String, String)]) -> Layer {
    let mut layer = Layer::default();
    for (dotted, value) in flags {
        if layer.set(dotted, COMMAND_LINE, value).is_none() {
            let message = format!("`{dotted}` cannot be set here");
            layer.problems.push(Problem::of_text(COMMAND_LINE, message));
        }
    }
    layer
}

/// Below the operator's text: what the table of keys cannot state as a default.
pub(super) fn defaults(in_kubernetes: bool) -> Layer {
    let mut layer = Layer::default();
    if in_kubernetes {
        // The kubelet's probes and the scraper come from outside of the pod.
        layer.set("admin", "default", "[::]:4101");
    }
    layer
}

/// The tree of all layers.
///
/// # Errors
/// When a provider cannot read its text, which the pass over the text should have found.
pub(super) fn merged(figment: &Figment) -> Result<Dict, String> {
    figment.extract().map_err(|error| error.to_string())
}

impl Layer {
    /// Whether it sets anything at or below the key of the root that has this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.sets.keys().any(|path| path.first() == Some(name))
    }

    /// With `below`, where it does not set the same itself.
    pub(super) fn above(mut self, mut below: BTreeMap<Path, Setting>) -> Self {
        below.append(&mut self.sets);
        self.sets = below;
        self
    }

    /// The part whose keys suit, and the rest; problems stay with the part.
    pub(super) fn split(self, suits: impl Fn(&Path) -> bool) -> (Self, Self) {
        let (part, rest) = self.sets.into_iter().partition(|(path, _)| suits(path));
        let rest = Self {
            sets: rest,
            problems: Vec::new(),
        };
        let part = Self { sets: part, ..self };
        (part, rest)
    }

    pub(super) fn provider(&self) -> Document {
        let mut root = Dict::new();
        for (path, setting) in &self.sets {
            insert(&mut root, path.steps(), &setting.value);
        }
        Document::of(root)
    }

    fn set(&mut self, dotted: &str, by: &str, value: &str) -> Option<()> {
        let shape = keys::bootstrap(dotted.split('.'))?;
        let path = dotted
            .split('.')
            .fold(Path::root(), |path, name| path.key(name));
        let setting = Setting {
            by: by.to_owned(),
            value: from_text(shape, value),
        };
        self.sets.insert(path, setting);
        Some(())
    }
}

/// What is there and no table gives way: no name is both a value and a table.
fn insert(table: &mut Dict, path: &[Step], value: &Value) {
    match path {
        [Step::Key(name)] => {
            table.insert(name.clone(), value.clone());
        }
        [Step::Key(name), below @ ..] => {
            let inner = table
                .entry(name.clone())
                .or_insert_with(|| Dict::new().into());
            if let Value::Dict(_, inner) = inner {
                insert(inner, below, value);
            }
        }
        [Step::Index(_), ..] | [] => {}
    }
}

/// A value that came as text, in the type that its shape takes where the text allows it; what
/// does not fit stays text, and the checker says so. Lists are separated by commas.
pub(super) fn from_text(shape: &Shape, text: &str) -> Value {
    match shape {
        Shape::Bool => text
            .parse::<bool>()
            .map_or_else(|_| text.into(), Value::from),
        Shape::Integer { .. } => text
            .parse::<u64>()
            .map_or_else(|_| text.into(), Value::from),
        Shape::Decimal { .. } => text
            .parse::<f64>()
            .map_or_else(|_| text.into(), Value::from),
        Shape::List { of, .. } => {
            let items = text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty());
            items
                .map(|item| from_text(of, item))
                .collect::<Vec<_>>()
                .into()
        }
        Shape::Text
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
        | Shape::PublicKey
        | Shape::Map { .. }
        | Shape::Table(_)
        | Shape::AnyOf(_) => text.into(),
    }
}
