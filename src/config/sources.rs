//! Where a configuration comes from, and what is found there. Files and the environment are read
//! here and nowhere else in [`config`](super). Never here: what a text says.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::problem::Problem;
use super::text::Format;
use crate::source::LARGEST;

/// Where a configuration comes from. [`load`](super::load) reads the same sources to the same result
/// each time. It has no `Debug`: secrets are in an environment.
#[derive(Clone)]
pub struct Sources {
    /// The sidecar's own file.
    pub document: Document,
    /// What its `source` holds, once that has been fetched.
    pub central: Option<CentralText>,
    pub local: Local,
    /// The whole environment: `PILLION_` variables are a layer, any may be named in `identity`.
    pub env: Vec<(String, String)>,
    /// Dotted key and value, such as `("listen", "127.0.0.1:0")`.
    pub flags: Vec<(String, String)>,
    pub in_kubernetes: bool,
    /// Decides which keys have expired.
    pub now: Timestamp,
}

/// The operator's text.
#[derive(Clone)]
pub enum Document {
    /// Read anew by each [`load`](super::load).
    File(PathBuf),
    Text {
        format: Format,
        text: String,
    },
}

/// A central document as it was fetched. Cheap to clone.
#[derive(Clone)]
pub struct CentralText {
    /// Whom problems name: the place that it came from, without a password.
    pub name: Arc<str>,
    pub format: Format,
    pub text: Arc<str>,
}

/// What the sidecar's own file may say beside a central document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    /// What is its own, and what the central document leaves to it.
    Bound,
    /// Everything, as on a developer's machine.
    Free,
}

impl Sources {
    /// A document under the environment of this process, which is read once, here.
    pub fn from_process(document: impl Into<Document>, flags: Vec<(String, String)>) -> Self {
        // A variable that is not UTF-8 can be no value of ours.
        let env: Vec<_> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            document: document.into(),
            central: None,
            local: Local::Bound,
            in_kubernetes: env
                .iter()
                .any(|(name, _)| name == "KUBERNETES_SERVICE_HOST"),
            env,
            flags,
            now: Timestamp::now(),
        }
    }

    /// A text alone, under no environment.
    pub fn from_text(format: Format, text: impl Into<String>) -> Self {
        Self {
            document: Document::Text {
                format,
                text: text.into(),
            },
            central: None,
            local: Local::Bound,
            env: Vec::new(),
            flags: Vec::new(),
            in_kubernetes: false,
            now: Timestamp::now(),
        }
    }
}

impl Sources {
    /// The environment with these beside it, as a file has them: what is set already stays. Returns the names
    /// of those that were not.
    pub fn beside(&mut self, variables: Vec<(String, String)>) -> Vec<String> {
        let mut taken = Vec::new();
        for (name, value) in variables {
            if self.variable(&name).is_none() {
                taken.push(name.clone());
                self.env.push((name, value));
            }
        }
        taken
    }

    /// A variable of the environment.
    pub fn variable(&self, name: &str) -> Option<String> {
        let found = self.env.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }
}

impl CentralText {
    /// What a file holds now, to be taken for a central document.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(document: &Document) -> Result<Self, Vec<Problem>> {
        let Text {
            name,
            format,
            content,
        } = Text::read(document)?;
        Ok(Self {
            name,
            format,
            text: content,
        })
    }
}

impl From<PathBuf> for Document {
    fn from(file: PathBuf) -> Self {
        Self::File(file)
    }
}

/// One text, and what it is called.
#[derive(Clone)]
pub(super) struct Text {
    pub(super) name: Arc<str>,
    pub(super) format: Format,
    pub(super) content: Arc<str>,
}

impl Text {
    /// What the document holds now.
    pub(super) fn read(document: &Document) -> Result<Self, Vec<Problem>> {
        match document {
            Document::Text { format, text } => Ok(Self::of("<text>", *format, text)),
            Document::File(file) => {
                let name = file.display().to_string();
                let refuse = |why: String| vec![Problem::of_text(&name, why)];
                let format = Format::of(file).ok_or_else(|| {
                    refuse("has none of the extensions .yaml, .yml, .toml, .json".into())
                })?;
                let text =
                    read_file(file).map_err(|error| refuse(format!("cannot be read: {error}")))?;
                Ok(Self::of(&*name, format, &text))
            }
        }
    }

    fn of(name: impl Into<Arc<str>>, format: Format, text: &str) -> Self {
        Self {
            name: name.into(),
            format,
            // Some editors mark UTF-8 with these three bytes; they are no part of the text.
            content: text.strip_prefix('\u{feff}').unwrap_or(text).into(),
        }
    }
}

impl From<&CentralText> for Text {
    fn from(central: &CentralText) -> Self {
        match central.text.strip_prefix('\u{feff}') {
            Some(_) => Self::of(Arc::clone(&central.name), central.format, &central.text),
            None => Self {
                name: Arc::clone(&central.name),
                format: central.format,
                content: Arc::clone(&central.text),
            },
        }
    }
}

pub(super) fn read_file(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?
        .take(LARGEST as u64 + 1)
        .read_to_string(&mut text)?;
    if text.len() > LARGEST {
        return Err(io::Error::other("it is larger than 4 MiB"));
    }
    Ok(text)
}
