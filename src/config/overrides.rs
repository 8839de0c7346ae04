//! What a sidecar says beside its central document and that does not count.
//!
//! Nothing of that may keep a document from being taken: what has lost its ground there is dropped, and
//! told. What is wrong by itself stays a problem. Never here: what the document leaves to the sidecar
//! (`authority` knows).

use figment::value::{Dict, Value};
use serde_json::json;

use super::check;
use super::keys::{self, Author, author};
use super::layers::Layer;
use super::path::{Path, Step};
use super::pattern::Patterns;
use super::problem::{Origin, Origins, Problem, Report, Written};
use super::shape::{Key, Presence, Shape};

/// Something that does not count.
#[derive(Debug)]
pub(super) struct Dropped {
    pub(super) warning: Problem,
    /// As in `origins` of what is shown.
    at: String,
    why: String,
}

/// Why something does not count.
pub(super) enum Why {
    /// It is the central document's to say, which does not leave it.
    NotLeft,
    /// It is a part of what the central document does not have.
    Groundless,
    /// The central document says it, there.
    Said(String),
}

impl Dropped {
    /// `file` and `position` are where it was said, `origin` the same as it is shown.
    fn new(path: &Path, file: &str, origin: Option<Origin<'_>>, why: &Why) -> Self {
        let at = match origin {
            Some(Origin::Text(_, at)) => Some((at.line, at.column)),
            Some(Origin::Named(_)) | None => None,
        };
        let said = match why {
            Why::NotLeft => "it is for the central document to say".to_owned(),
            Why::Groundless => {
                "the central document has nothing here that it could be a part of".to_owned()
            }
            Why::Said(place) => format!("the central document says it, at {place}"),
        };
        let hint = match why {
            Why::NotLeft => Some(format!(
                "set it there, or list `{path}` in its `local_overrides`"
            )),
            Why::Said(_) => Some(format!("`{path}` in its `local_overrides` would leave it")),
            Why::Groundless => None,
        };
        Self {
            warning: Problem {
                path: path.to_string(),
                at,
                file: file.to_owned(),
                message: format!("is dropped: {said}"),
                hint,
            },
            at: origin.map(|origin| origin.to_string()).unwrap_or_default(),
            why: said,
        }
    }

    /// Of the sidecar's own text.
    pub(super) fn in_text(text: &Written, path: &Path, why: &Why) -> Self {
        let position = text.positions.get(path);
        let origin = position.map(|position| Origin::Text(text, *position));
        Self::new(path, &text.name, origin, why)
    }

    pub(super) fn shown(&self) -> serde_json::Value {
        json!({ "path": self.warning.path, "at": self.at, "why": self.why })
    }
}

/// Takes out of a central document the keys without a value that a sidecar may say as well: they are as
/// ones that are not there, and must not hide what it says.
pub(super) fn take_unsaid(central: &mut Dict, written: &mut Written) {
    for key in keys::ROOT {
        let name = key.name;
        if author(name) != Author::Either {
            continue;
        }
        let path = Path::root().key(name);
        if !is_said(central.get(name)) {
            central.remove(name);
            written.positions.remove(&path);
        }
        let (Shape::Table(_) | Shape::Map { .. }, Some(Value::Dict(_, entries))) =
            (key.shape, central.get_mut(name))
        else {
            continue;
        };
        entries.retain(|name, value| {
            let is_said = is_said(Some(value));
            if !is_said {
                written.positions.remove(&path.key(name));
            }
            is_said
        });
    }
}

/// Takes the variables or flags out of `layer` that do not count below the central document.
pub(super) fn take_beaten(
    layer: Layer,
    central: &Dict,
    written: &Written,
    dropped: &mut Vec<Dropped>,
) -> Layer {
    let why = |path: &Path| {
        if path.first().map(author) != Some(Author::Either) || keys::is_central_within(path) {
            return Some(Why::NotLeft);
        }
        said_of(central, path).map(|at| Why::Said(written.place(&at)))
    };
    let (counts, beaten) = layer.split(|path| why(path).is_none());
    for (path, setting) in &beaten.sets {
        let origin = Some(Origin::Named(&setting.by));
        dropped.extend(why(path).map(|why| Dropped::new(path, &setting.by, origin, &why)));
    }
    counts
}

/// Takes out of the sidecar's own keys what has one author as a whole, who is the central document, but
/// for what that leaves. Where each was, and what the central document says.
pub(super) fn take_whole(
    own: &mut Dict,
    central: &Dict,
    left: &Patterns,
    written: &Written,
) -> Vec<(Path, Why)> {
    let mut taken = Vec::new();
    retain(own, &Path::root(), &mut |value, path| {
        if keys::whole(path).as_ref() != Some(path) {
            return true;
        }
        let Some(at) = said_of(central, path) else {
            return true;
        };
        let mut strays = Vec::new();
        left.strays(value, path, &mut strays);
        let why = |stray| (stray, Why::Said(written.place(&at)));
        taken.extend(strays.into_iter().map(why));
        let part = left.part(value, path);
        let may_stay = part.is_some();
        if let Some(part) = part {
            *value = part;
        }
        may_stay
    });
    taken
}

/// Keeps of the root's keys, and of their entries, those that `keeps`.
fn retain(entries: &mut Dict, path: &Path, keeps: &mut impl FnMut(&mut Value, &Path) -> bool) {
    entries.retain(|name, value| {
        let path = path.key(name);
        if !keeps(value, &path) {
            return false;
        }
        if let (1, Value::Dict(_, entries)) = (path.steps().len(), value) {
            retain(entries, &path, keeps);
        }
        true
    });
}

/// Takes out of the sidecar's own keys what is a part of something that the central document does not
/// have, such as the `timeout` of a route that is gone. It could never be whole.
pub(super) fn take_groundless(own: &mut Dict, central: Option<&Dict>) -> Vec<Path> {
    let mut taken = Vec::new();
    for key in keys::ROOT {
        if matches!(author(key.name), Author::Either | Author::Central) {
            take_from(own, key, central, &Path::root(), &mut taken);
        }
    }
    taken
}

fn take_from(
    own: &mut Dict,
    key: &Key,
    central: Option<&Dict>,
    path: &Path,
    taken: &mut Vec<Path>,
) {
    let central = central.and_then(|keys| keys.get(key.name));
    let has_ground =
        |value: &mut Value| has_ground(value, &key.shape, central, &path.key(key.name), taken);
    if !own.get_mut(key.name).is_none_or(has_ground) {
        own.remove(key.name);
    }
}

/// Whether `own` may stay, after what has no ground in it has been taken out.
fn has_ground(
    own: &mut Value,
    shape: &Shape,
    central: Option<&Value>,
    path: &Path,
    taken: &mut Vec<Path>,
) -> bool {
    let beside = central.and_then(Value::as_dict);
    let before = taken.len();
    match (shape, own) {
        (Shape::AnyOf(shapes), own) => {
            let shape = shapes.iter().find(|shape| shape.takes(own));
            shape.is_none_or(|shape| has_ground(own, shape, central, path, taken))
        }
        (Shape::Map { of, .. }, Value::Dict(_, entries)) => {
            entries.retain(|name, own| {
                let central = beside.and_then(|entries| entries.get(name));
                has_ground(own, of, central, &path.key(name), taken)
            });
            true
        }
        (Shape::Table(keys), Value::Dict(_, entries)) => {
            for key in *keys {
                take_from(entries, key, beside, path, taken);
            }
            let is_whole = keys.iter().all(|key| {
                let is_required = matches!(key.presence, Presence::Required);
                !is_required || is_said(entries.get(key.name))
            });
            if is_whole || is_said(central) {
                return true;
            }
            taken.truncate(before);
            taken.push(path.clone());
            false
        }
        (_, _) => true,
    }
}

/// What is wrong by itself with those of the sidecar's own keys that do not count.
pub(super) fn problems_beside(counted: &Dict, own: &Dict, written: &Written) -> Vec<Problem> {
    let mut beside = without(own, counted);
    beside.retain(|name, _| keys::is_key(name));
    let mut report = Report::of_part(Origins {
        written: vec![written.clone()],
        ..Origins::default()
    });
    check::check(&beside, keys::ROOT, &mut report);
    report.into_parts().0
}

/// What of `all` is not in `part`.
fn without(all: &Dict, part: &Dict) -> Dict {
    let rest = |(name, value): (&String, &Value)| {
        let rest = match (value, part.get(name)) {
            (value, None) => value.clone(),
            (Value::Dict(tag, all), Some(Value::Dict(_, part))) => {
                let rest = without(all, part);
                (!rest.is_empty()).then_some(Value::Dict(*tag, rest))?
            }
            (_, Some(_)) => return None,
        };
        Some((name.clone(), rest))
    };
    all.iter().filter_map(rest).collect()
}

/// What of the central document there is instead of `path`: the same, or the whole of which it is a part.
fn said_of(central: &Dict, path: &Path) -> Option<Path> {
    let at = keys::whole(path).unwrap_or_else(|| path.clone());
    says(central, &at).then_some(at)
}

/// Whether something is said at `path`.
fn says(keys: &Dict, path: &Path) -> bool {
    let mut found = None;
    let mut keys = Some(keys);
    for step in path.steps() {
        found = match (keys, step) {
            (Some(keys), Step::Key(name)) => keys.get(name),
            (_, _) => None,
        };
        keys = found.and_then(Value::as_dict);
    }
    is_said(found)
        && found
            .and_then(Value::as_dict)
            .is_none_or(|it| !it.is_empty())
}

/// A key without a value is as one that is not there.
fn is_said(value: Option<&Value>) -> bool {
    value.is_some_and(|value| value.to_empty().is_none())
}
