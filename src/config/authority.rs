//! Who may say what, once a sidecar follows a central document: its own file cannot loosen that.
//!
//! The table of authors says whose each key is; what the central document lists in `local_overrides`
//! is the sidecar's again. Never here: what a key means.

use figment::value::{Dict, Value};

use super::keys::{Author, author, is_above, is_central_within, is_key};
use super::node::Table;
use super::path::Path;
use super::pattern::{Pattern, Patterns};
use super::problem::{Report, Writer};
use super::sources::Local;

/// How a sidecar stands to a central document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// There is none: its own file says everything.
    Alone,
    /// There is one, which is not here yet.
    Waiting,
    /// It is here.
    Led,
    /// It is here, and the sidecar's own file may say everything all the same.
    Free,
}

impl Standing {
    pub(super) fn of(local: Local, has_source: bool, has_central: bool) -> Self {
        match (local, has_source, has_central) {
            (Local::Bound, _, true) => Self::Led,
            (Local::Free, _, true) => Self::Free,
            (Local::Bound, true, false) => Self::Waiting,
            (Local::Free, true, false) | (_, false, false) => Self::Alone,
        }
    }

    /// Whether what a central document does not leave is not the sidecar's to say.
    pub(super) fn is_bound(self) -> bool {
        match self {
            Self::Waiting | Self::Led => true,
            Self::Alone | Self::Free => false,
        }
    }

    /// Whether only what suits the sidecar's `identity` is to be kept.
    pub(super) fn is_led(self) -> bool {
        match self {
            Self::Led | Self::Free => true,
            Self::Alone | Self::Waiting => false,
        }
    }
}

pub(super) fn has_source(keys: &Dict) -> bool {
    keys.get("source")
        .is_some_and(|source| source.to_empty().is_none())
}

/// Whether a text is a central document, by its keys.
pub(super) fn is_central(keys: &Dict) -> bool {
    !has_source(keys) && keys.keys().any(|name| author(name) == Author::Release)
}

/// What a central document leaves to the sidecars; [`know_overrides`] says what is wrong with it.
pub(super) fn left_to_own(central: &Dict) -> Patterns {
    let listed = central.get("local_overrides");
    let listed = listed.and_then(|listed| listed.as_array()).unwrap_or(&[]);
    let patterns = listed
        .iter()
        .filter_map(|text| Pattern::read(text.as_str()?));
    Patterns::of(patterns.filter(|pattern| match pattern.root().map(author) {
        Some(Author::Either | Author::Central) => true,
        Some(Author::Own | Author::Release) | None => false,
    }))
}

/// What counts of the sidecar's own keys. Those that mean nothing without a central document are
/// whole only together with it.
pub(super) fn counted(own: &Dict, standing: Standing, left: &Patterns) -> Dict {
    let counts = |(name, value): (&String, &Value)| {
        let value = match (author(name), standing) {
            (Author::Central, Standing::Waiting | Standing::Led) if is_key(name) => {
                left.part(value, &Path::root().key(name))?
            }
            (Author::Release, Standing::Waiting | Standing::Led | Standing::Free) => return None,
            (Author::Either, Standing::Waiting | Standing::Led) => own_part(name, value, left),
            (Author::Own | Author::Either | Author::Central | Author::Release, _) => value.clone(),
        };
        Some((name.clone(), value))
    };
    own.iter().filter_map(counts).collect()
}

/// A key that the sidecar may say, without what in it is the central document's, which does not leave it.
fn own_part(name: &str, value: &Value, left: &Patterns) -> Value {
    let mut value = value.clone();
    let path = Path::root().key(name);
    if let Value::Dict(_, entries) = &mut value {
        entries.retain(|inner, _| !is_stray(&path.key(inner), left));
    }
    value
}

/// Whether it is within a key of the sidecar's, and the central document's all the same.
fn is_stray(path: &Path, left: &Patterns) -> bool {
    is_central_within(path) && !left.cover(path)
}

/// Where the sidecar's own file says what is the central document's, which does not leave it.
pub(super) fn strays(own: &Dict, left: &Patterns) -> Vec<Path> {
    let mut strays = Vec::new();
    for (name, value) in own {
        if author(name) == Author::Central && is_key(name) {
            left.strays(value, &Path::root().key(name), &mut strays);
        }
        let entries = value.as_dict().into_iter().flat_map(Dict::keys);
        let within = entries.map(|inner| Path::root().key(name).key(inner));
        strays.extend(within.filter(|path| is_stray(path, left)));
    }
    strays
}

/// Whether a variable or a flag is above the central document, too.
pub(super) fn outranks(path: &Path, standing: Standing, left: &Patterns) -> bool {
    standing != Standing::Led || path.first().is_some_and(is_above) || left.cover(path)
}

/// What the sidecar's own file says and may not say.
pub(super) fn judge_own(own: &Dict, standing: Standing, report: &mut Report) {
    for name in own.keys() {
        let at = Path::root().key(name);
        match (author(name), standing) {
            (Author::Release, Standing::Alone) => {
                let message = "has no effect: it is for a central document";
                report.warning_of(Writer::Own, &at, message);
            }
            (Author::Release, Standing::Waiting | Standing::Led | Standing::Free) => {
                let message = "is for a central document, and this file has a `source` for one";
                report.problem_of(Writer::Own, &at, message, None);
            }
            (Author::Central, Standing::Waiting) if is_key(name) => {
                let message =
                    "counts as far as the central document lists it in its `local_overrides`";
                report.warning_of(Writer::Own, &at, message);
            }
            (Author::Own | Author::Either | Author::Central, _) => {}
        }
    }
}

/// What a central document says and may not say.
pub(super) fn judge_central(central: &Dict, report: &mut Report) {
    for (name, value) in central {
        let at = Path::root().key(name);
        match author(name) {
            Author::Own => {
                let message = "is for a sidecar's own file: a central document is for all of them";
                report.problem_of(Writer::Central, &at, message, None);
            }
            // It is kept on a disk, and goes to whoever may ask the source.
            Author::Either if name == "shared_state" && has_password(value.as_str()) => {
                let message = "names a user or holds a password, which a central document must not";
                let hint = "set `PILLION_SHARED_STATE` where the sidecars run";
                report.problem_of(Writer::Central, &at, message, Some(hint.to_owned()));
            }
            Author::Either | Author::Central | Author::Release => {}
        }
    }
}

fn has_password(url: Option<&str>) -> bool {
    url.is_some_and(|url| url.contains('@'))
}

/// Whether each entry of `local_overrides` is a key that can be left.
pub(super) fn know_overrides(root: &Table, report: &mut Report) {
    for (at, text) in root.texts("local_overrides") {
        let Some(pattern) = Pattern::read(&text) else {
            let message = format!("`{text}` is not a path such as `routes.*.timeout`");
            report.problem(&at, message);
            continue;
        };
        match pattern.unknown() {
            Some((_, known)) if known.is_empty() => {
                report.problem(&at, format!("`{text}` goes further than there are keys"));
            }
            Some((name, known)) => {
                let message = format!("`{text}` is no key: there is no `{name}`");
                report.unknown(&at, message, name, known);
            }
            None => match pattern.root().map(author) {
                Some(Author::Own) => {
                    report.warning(&at, format!("`{text}` is the sidecar's own anyway"));
                }
                Some(Author::Release) => {
                    let message = format!("`{text}` is a central document's own");
                    report.problem(&at, message);
                }
                Some(Author::Either | Author::Central) | None => {}
            },
        }
    }
}
