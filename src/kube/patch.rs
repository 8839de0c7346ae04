//! A JSON Patch, as the API server takes it and as it is applied offline.
//!
//! <https://www.rfc-editor.org/rfc/rfc6902>, <https://www.rfc-editor.org/rfc/rfc6901> (read 2026-11)
//!
//! The trap: `add` at a member that exists replaces it, and at the path of an array all of the array. What
//! is added here goes through [`Draft`], which looks first.

use std::fmt;

use serde_json::{Map, Value, json};

/// A place in a JSON value.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pointer(String);

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    Add { path: Pointer, value: Value },
    Replace { path: Pointer, value: Value },
}

/// Changes, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Patch(Vec<Operation>);

impl Pointer {
    pub fn root() -> Self {
        Self::default()
    }

    /// A member of what is here.
    pub(super) fn key(&self, name: &str) -> Self {
        let name = name.replace('~', "~0").replace('/', "~1");
        Self(format!("{}/{name}", self.0))
    }

    pub(super) fn index(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }

    pub(super) fn keys(&self, names: &[&str]) -> Self {
        names.iter().fold(self.clone(), |at, name| at.key(name))
    }

    /// `below` as seen from here.
    pub(super) fn join(&self, below: &Self) -> Self {
        Self(format!("{}{}", self.0, below.0))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn parent(&self) -> Option<Self> {
        self.split().map(|(above, _)| Self(above.to_owned()))
    }

    pub(super) fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        value.pointer(&self.0).filter(|value| !value.is_null())
    }

    fn split(&self) -> Option<(&str, String)> {
        let (above, last) = self.0.rsplit_once('/')?;
        Some((above, unescaped(last)))
    }
}

fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

/// As `kubectl explain` writes a path: `spec.containers[0].env`.
impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("pod");
        }
        for (nth, step) in self.0.split('/').skip(1).enumerate() {
            let step = unescaped(step);
            if step.contains(['/', '.']) || step.bytes().all(|b| b.is_ascii_digit()) {
                write!(f, "[{step}]")?;
            } else if nth == 0 {
                f.write_str(&step)?;
            } else {
                write!(f, ".{step}")?;
            }
        }
        Ok(())
    }
}

impl Patch {
    pub fn operations(&self) -> &[Operation] {
        &self.0
    }

    /// As the API server reads it.
    pub fn to_json(&self) -> Value {
        let operations = self.0.iter().map(|operation| match operation {
            Operation::Add { path, value } => {
                json!({ "op": "add", "path": path.0, "value": value })
            }
            Operation::Replace { path, value } => {
                json!({ "op": "replace", "path": path.0, "value": value })
            }
        });
        operations.collect()
    }

    /// Makes the changes in `target`. False, and nothing more is changed, where one does not fit: it was made
    /// for another value.
    #[must_use]
    pub fn apply(&self, target: &mut Value) -> bool {
        self.0
            .iter()
            .all(|operation| operation.apply(target).is_some())
    }
}

impl Operation {
    fn apply(&self, target: &mut Value) -> Option<()> {
        match self {
            Self::Add { path, value } => {
                let (above, last) = path.split()?;
                match target.pointer_mut(above)? {
                    Value::Object(members) => {
                        members.insert(last, value.clone());
                    }
                    Value::Array(items) if last == "-" => items.push(value.clone()),
                    Value::Array(items) => {
                        let index = last.parse().ok().filter(|index| *index <= items.len())?;
                        items.insert(index, value.clone());
                    }
                    _ => return None,
                }
            }
            Self::Replace { path, value } => *target.pointer_mut(&path.0)? = value.clone(),
        }
        Some(())
    }
}

/// A patch that is being made for one value, which it keeps all of.
pub(super) struct Draft<'a> {
    target: &'a Value,
    patch: Patch,
}

impl<'a> Draft<'a> {
    pub(super) fn of(target: &'a Value) -> Self {
        Self {
            target,
            patch: Patch::default(),
        }
    }

    pub(super) fn finish(self) -> Patch {
        self.patch
    }

    /// Members of the object at `at`, which has none of these names.
    pub(super) fn add_members(&mut self, at: &Pointer, members: Map<String, Value>) {
        if at.of(self.target).is_none() {
            self.add(at.clone(), members.into());
            return;
        }
        for (name, value) in members {
            self.add(at.key(&name), value);
        }
    }

    /// Items at the end of the list at `at`.
    pub(super) fn append(&mut self, at: &Pointer, items: Vec<Value>) {
        if items.is_empty() {
            return;
        }
        if at.of(self.target).is_none() {
            self.add(at.clone(), items.into());
            return;
        }
        for item in items {
            self.add(at.key("-"), item);
        }
    }

    /// An item at the head of the list at `at`.
    pub(super) fn prepend(&mut self, at: &Pointer, item: Value) {
        if at.of(self.target).is_none() {
            self.add(at.clone(), Value::Array(vec![item]));
        } else {
            self.add(at.index(0), item);
        }
    }

    /// Another value for what is there, which holds all that was.
    pub(super) fn extend(&mut self, path: Pointer, value: Value) {
        self.patch.0.push(Operation::Replace { path, value });
    }

    fn add(&mut self, path: Pointer, value: Value) {
        self.patch.0.push(Operation::Add { path, value });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_shown_as_they_are() {
        let at = Pointer::root().keys(&["metadata", "annotations", "pillion.dev/a~b"]);
        assert_eq!(at.as_str(), "/metadata/annotations/pillion.dev~1a~0b");
        assert_eq!(at.to_string(), "metadata.annotations[pillion.dev/a~b]");
        let value = json!({ "metadata": { "annotations": { "pillion.dev/a~b": 1 } } });
        assert_eq!(at.of(&value), Some(&json!(1)));
        let env = Pointer::root()
            .key("spec")
            .key("containers")
            .index(0)
            .key("env");
        assert_eq!(env.to_string(), "spec.containers[0].env");
    }

    #[test]
    fn what_is_there_is_added_to_and_never_replaced() {
        let target = json!({ "list": [1], "map": { "a": 1 }, "none": null });
        let at = |name| Pointer::root().key(name);
        let mut draft = Draft::of(&target);
        for list in ["list", "none", "new"] {
            draft.append(&at(list), vec![json!(2), json!(3)]);
        }
        draft.prepend(&at("list"), json!(0));
        draft.prepend(&at("head"), json!(0));
        for map in ["map", "more"] {
            let members = [("b".to_owned(), json!(2))];
            draft.add_members(&at(map), members.into_iter().collect());
        }
        let mut patched = target.clone();
        assert!(draft.finish().apply(&mut patched));
        let expected = json!({
            "list": [0, 1, 2, 3], "map": { "a": 1, "b": 2 }, "none": [2, 3], "new": [2, 3],
            "head": [0], "more": { "b": 2 },
        });
        assert_eq!(patched, expected);
    }

    #[test]
    fn a_patch_of_another_value_is_told() {
        for (path, target) in [
            ("/a/-", json!({ "a": {} }).to_string()),
            ("/a/b", json!({}).to_string()),
            ("/a/5", json!({ "a": [1] }).to_string()),
            ("/a/x", json!({ "a": [1] }).to_string()),
        ] {
            let operation = Operation::Add {
                path: Pointer(path.to_owned()),
                value: json!(1),
            };
            let mut target: Value = serde_json::from_str(&target).unwrap();
            let fits = Patch(vec![operation]).apply(&mut target);
            assert_eq!(fits, path == "/a/-", "{path}");
        }
    }
}
