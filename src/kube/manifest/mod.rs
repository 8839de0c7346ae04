//! Manifests: texts of one or more objects, in YAML or JSON.
//!
//! An object that is not changed keeps its text to the byte, comments included, where that is in the format that is
//! asked for. Of any other the value is written. Never here: files.

mod read;
mod scalar;
mod write;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::names::PREFIX;
use super::settings::Settings;
use super::workload::{Found, pods};
use super::{Decision, PodToken, Pointer, inject};

/// Line and column, both from 1.
pub type Position = (usize, usize);

/// A text with its objects.
#[derive(Debug)]
pub struct Manifest {
    documents: Vec<Document>,
}

#[derive(Debug)]
struct Document {
    text: String,
    /// Of the text.
    format: Format,
    /// `None` where the text is empty or a comment.
    value: Option<Value>,
    /// Of each member and each item.
    positions: BTreeMap<Pointer, Position>,
    changed: bool,
}

/// Something to be told about a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub at: Option<Position>,
    /// Where in the object; empty when it is the text.
    pub path: String,
    pub message: String,
}

/// How objects are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Yaml,
    Json,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.at {
            write!(f, "{line}:{column}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// What came of an injection.
#[derive(Debug, Default)]
pub struct Injected {
    pub pods: usize,
    /// Pods that stay as they are.
    pub left: usize,
    pub warnings: Vec<Note>,
}

impl Manifest {
    /// # Errors
    /// It is neither YAML nor JSON.
    pub fn read(text: &str) -> Result<Self, Note> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let documents = match read::json(text) {
            Some(documents) => documents,
            None => read::yaml(text)?,
        };
        Ok(Self { documents })
    }

    /// Gives each pod the sidecar that wants one.
    ///
    /// # Errors
    /// Everything that is wrong with any of them; then nothing of this is to be used.
    pub fn inject<E>(
        &mut self,
        settings: &Settings,
        mut mint: impl FnMut() -> Result<PodToken, E>,
    ) -> Result<Result<Injected, Vec<Note>>, E> {
        let mut done = Injected::default();
        let mut problems = Vec::new();
        for document in &mut self.documents {
            let Some(value) = &document.value else {
                continue;
            };
            let pods = pods(value);
            for found in &pods.elsewhere {
                done.warnings.push(document.unknown(found));
            }
            for found in &pods.found {
                document.inject(found, settings, &mint()?, &mut done, &mut problems);
            }
        }
        Ok(if problems.is_empty() {
            Ok(done)
        } else {
            Err(problems)
        })
    }

    /// All of it; valid in the format, with the members in the order in which they were.
    pub fn write(&self, format: Format) -> String {
        let mut out = String::new();
        for (nth, document) in self.documents.iter().enumerate() {
            let is_kept = !document.changed && document.format == format;
            match (format, &document.value) {
                (Format::Json, None) => continue,
                (Format::Json, Some(_)) if is_kept => out.push_str(&document.text),
                (Format::Json, Some(value)) => {
                    out.push_str(&serde_json::to_string_pretty(value).unwrap_or_default());
                }
                (Format::Yaml, Some(value)) if !is_kept => {
                    if nth > 0 || document.text.starts_with("---") {
                        out.push_str("---\n");
                    }
                    write::yaml(value, &mut out);
                }
                (Format::Yaml, _) => {
                    // After `...` a document may begin without it.
                    if nth > 0 && !document.text.starts_with("---") {
                        out.push_str("---\n");
                    }
                    out.push_str(&document.text);
                }
            }
            if !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
        }
        out
    }
}

impl Document {
    /// About an object that has templates of pods where only its own controller looks for them.
    fn unknown(&self, found: &Found) -> Note {
        let name = name(self.value.as_ref().unwrap_or(&Value::Null), &found.owner);
        Note {
            at: position(&self.positions, &found.pod),
            path: found.pod.to_string(),
            message: format!(
                "{name} is left: it has its pods elsewhere than at spec.template; the webhook sees them when they are made"
            ),
        }
    }

    fn inject(
        &mut self,
        found: &Found,
        settings: &Settings,
        token: &PodToken,
        done: &mut Injected,
        problems: &mut Vec<Note>,
    ) {
        let Some(value) = &mut self.value else {
            return;
        };
        let name = name(value, &found.owner);
        // Of the pod as a whole.
        let about = |message: String| Note {
            at: position(&self.positions, &found.pod),
            path: String::new(),
            message: format!("{name}: {message}"),
        };
        let Some(pod) = value.pointer_mut(found.pod.as_str()) else {
            problems.push(about("has no template of a pod".to_owned()));
            return;
        };
        match inject(pod, settings, token) {
            Ok(Decision::Leave(why)) => {
                done.left += 1;
                if why.is_surprising() {
                    done.warnings.push(about(format!("gets no sidecar: {why}")));
                }
            }
            Ok(Decision::Inject {
                patch,
                warnings,
                token_in_pod,
            }) => {
                if !patch.apply(pod) {
                    problems.push(about(
                        "has a place where the sidecar does not fit".to_owned(),
                    ));
                    return;
                }
                self.changed = true;
                done.pods += 1;
                done.warnings.extend(warnings.into_iter().map(about));
                if token_in_pod {
                    let message = "holds a new token in clear: name a secret by `pillion.dev/token-secret` for a manifest that is kept";
                    done.warnings.push(about(message.to_owned()));
                }
            }
            Err(wrong) => problems.extend(wrong.into_iter().map(|problem| {
                let at = found.pod.join(&problem.at);
                Note {
                    at: position(&self.positions, &at),
                    path: at.to_string(),
                    message: problem.said(),
                }
            })),
        }
        if found.pod != found.owner {
            let template = found.pod.key("metadata");
            let misplaced = misplaced(value, &found.owner).into_iter();
            done.warnings.extend(misplaced.map(|at| Note {
                at: position(&self.positions, &at),
                path: at.to_string(),
                message: format!("has no effect here: it belongs to {template}"),
            }));
        }
    }
}

/// Labels and annotations of ours at a workload, where the webhook would not see them.
fn misplaced(value: &Value, owner: &Pointer) -> Vec<Pointer> {
    let mut all = Vec::new();
    for kind in ["labels", "annotations"] {
        let at = owner.keys(&["metadata", kind]);
        let entries = at.of(value).and_then(Value::as_object);
        let names = entries.into_iter().flatten().map(|(name, _)| name);
        all.extend(
            names
                .filter(|name| name.starts_with(PREFIX))
                .map(|name| at.key(name)),
        );
    }
    all
}

/// `Deployment chat`.
fn name(value: &Value, owner: &Pointer) -> String {
    let object = value.pointer(owner.as_str()).unwrap_or(&Value::Null);
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    format!(
        "{} {}",
        text(&object["kind"]),
        text(&object["metadata"]["name"])
    )
}

/// Of the place, or of the nearest one above it.
fn position(positions: &BTreeMap<Pointer, Position>, at: &Pointer) -> Option<Position> {
    let mut nearest = Some(at.clone());
    while let Some(at) = nearest {
        if let Some(position) = positions.get(&at) {
            return Some(*position);
        }
        nearest = at.parent();
    }
    None
}

#[cfg(test)]
mod tests;
