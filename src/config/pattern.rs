//! `routes.*.timeout`: the keys that a central document leaves to the sidecars.
//!
//! A pattern covers the key that it names, and all below it. `*` stands for any one entry of a map;
//! a name that has a dot in it is put into quotes: `models."openai/gpt-4.1".price`.

use figment::value::{Dict, Value};

use super::keys;
use super::path::{Path, Step};
use super::problem::Written;
use super::shape::Shape;

/// The names on the way to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Name>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Any,
    This(String),
}

impl Pattern {
    /// `None` when it is not written as a path is.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut names = Vec::new();
        let mut rest = text;
        loop {
            let (name, after) = if let Some(quoted) = rest.strip_prefix('"') {
                let (name, after) = quoted.split_once('"')?;
                (Name::This(name.to_owned()), after)
            } else {
                let (name, after) = rest.split_at(rest.find('.').unwrap_or(rest.len()));
                match name {
                    "*" => (Name::Any, after),
                    name if name.contains(|c: char| c == '"' || c.is_whitespace()) => return None,
                    name => (Name::This(name.to_owned()), after),
                }
            };
            if name == Name::This(String::new()) {
                return None;
            }
            names.push(name);
            match after.strip_prefix('.') {
                Some(after) => rest = after,
                None if after.is_empty() => return Some(Self(names)),
                None => return None,
            }
        }
    }

    /// The key of the root that it begins with.
    pub(super) fn root(&self) -> Option<&str> {
        match self.0.first()? {
            Name::Any => None,
            Name::This(name) => Some(name),
        }
    }

    /// The first of its names that is none, and those that there are in its place.
    pub(super) fn unknown(&self) -> Option<(&str, Vec<&'static str>)> {
        let mut shape = Some(Shape::Table(keys::ROOT));
        for name in &self.0 {
            let (keys, of) = entries(shape);
            match (name, of) {
                (_, Some(of)) => shape = Some(of),
                (Name::Any, None) => return Some(("*", Vec::new())),
                (Name::This(name), None) => {
                    let Some(key) = keys.iter().find(|key| key.name == name) else {
                        return Some((name, keys.iter().map(|key| key.name).collect()));
                    };
                    shape = Some(key.shape);
                }
            }
        }
        None
    }

    fn covers(&self, path: &Path) -> bool {
        self.0.len() <= path.steps().len() && self.agrees(path)
    }

    /// Whether something below `path` is covered, and perhaps not all of it.
    fn is_below(&self, path: &Path) -> bool {
        self.0.len() > path.steps().len() && self.agrees(path)
    }

    /// As far as both go.
    fn agrees(&self, path: &Path) -> bool {
        let mut both = self.0.iter().zip(path.steps());
        both.all(|(name, step)| match (name, step) {
            (_, Step::Index(_)) => false,
            (Name::Any, Step::Key(_)) => true,
            (Name::This(name), Step::Key(key)) => name == key,
        })
    }
}

/// What a name may be below a value of this shape: a key of a table, or any, for an entry of a map.
fn entries(shape: Option<Shape>) -> (&'static [keys::Key], Option<Shape>) {
    match shape {
        Some(Shape::Table(keys)) => (keys, None),
        Some(Shape::Map { of, .. }) => (&[], Some(*of)),
        Some(Shape::AnyOf(shapes)) => {
            let table = shapes
                .iter()
                .find(|shape| matches!(shape, Shape::Table(_) | Shape::Map { .. }));
            table.map_or((&[], None), |shape| entries(Some(*shape)))
        }
        Some(_) | None => (&[], None),
    }
}

/// All that is left to the sidecars.
#[derive(Debug, Clone, Default)]
pub(super) struct Patterns(Vec<Pattern>);

impl Patterns {
    pub(super) fn of(patterns: impl Iterator<Item = Pattern>) -> Self {
        Self(patterns.collect())
    }

    pub(super) fn everything() -> Self {
        Self(vec![Pattern(Vec::new())])
    }

    /// What they cover of a text's keys.
    pub(super) fn part_of(&self, keys: &Dict) -> Dict {
        let root = Path::root();
        let part =
            |(name, value): (&String, _)| Some((name.clone(), self.part(value, &root.key(name))?));
        keys.iter().filter_map(part).collect()
    }

    /// What they cover of where texts say something.
    pub(super) fn positions(&self, written: &[Written]) -> Vec<Written> {
        let covered = |text: &Written| Written {
            positions: text
                .positions
                .iter()
                .filter(|(path, _)| self.cover(path))
                .map(|(path, position)| (path.clone(), *position))
                .collect(),
            ..text.clone()
        };
        written.iter().map(covered).collect()
    }

    pub(super) fn cover(&self, path: &Path) -> bool {
        self.0.iter().any(|pattern| pattern.covers(path))
    }

    /// Of `value` at `path`, what is covered; `None` where nothing is. A key without a value is as one
    /// that is not there.
    pub(super) fn part(&self, value: &Value, path: &Path) -> Option<Value> {
        if value.to_empty().is_some() {
            return None;
        }
        if self.cover(path) {
            return Some(value.clone());
        }
        let Value::Dict(tag, entries) = value else {
            return None;
        };
        if !self.0.iter().any(|pattern| pattern.is_below(path)) {
            return None;
        }
        let part: Dict = entries
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), self.part(value, &path.key(name))?)))
            .collect();
        (!part.is_empty()).then_some(Value::Dict(*tag, part))
    }

    /// Where `value` at `path` says something that is not covered.
    pub(super) fn strays(&self, value: &Value, path: &Path, found: &mut Vec<Path>) {
        if self.cover(path) || value.to_empty().is_some() {
            return;
        }
        match value {
            Value::Dict(_, entries) if self.0.iter().any(|pattern| pattern.is_below(path)) => {
                for (name, value) in entries {
                    self.strays(value, &path.key(name), found);
                }
            }
            _ => found.push(path.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_path_with_any_name_in_it() {
        let this = |name: &str| Name::This(name.to_owned());
        for (text, names) in [
            ("audit", Some(vec![this("audit")])),
            (
                "routes.*.timeout",
                Some(vec![this("routes"), Name::Any, this("timeout")]),
            ),
            (
                r#"models."openai/gpt-4.1".price"#,
                Some(vec![this("models"), this("openai/gpt-4.1"), this("price")]),
            ),
            (
                "models.openai/gpt-5",
                Some(vec![this("models"), this("openai/gpt-5")]),
            ),
            ("", None),
            (".", None),
            ("routes.", None),
            ("routes..timeout", None),
            ("routes. fast", None),
            ("models.\"a", None),
            ("models.\"a\"b", None),
            ("models.\"\"", None),
            ("models.a\"b\"", None),
        ] {
            assert_eq!(Pattern::read(text), names.map(Pattern), "{text}");
        }
    }

    #[test]
    fn only_keys_that_there_are_can_be_left() {
        for (text, unknown) in [
            ("routes", None),
            ("routes.*", None),
            ("routes.*.timeout", None),
            ("routes.fast.breaker.failures", None),
            ("routes.*.hedge.spend", None),
            ("providers.*.headers.*", None),
            ("rutes", Some("rutes")),
            ("routes.*.timout", Some("timout")),
            ("routes.*.timeout.x", Some("x")),
            ("keys.0", Some("0")),
            ("*", Some("*")),
            ("routes.fast.*", Some("*")),
        ] {
            let pattern = Pattern::read(text).unwrap();
            assert_eq!(pattern.unknown().map(|(name, _)| name), unknown, "{text}");
        }
    }
}
