//! `env:NAME`, `file:/path`, `aws` and `google`: where a secret is, as the operator writes it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Names a secret without holding it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reference {
    /// An environment variable. It cannot change without a restart.
    Env(Arc<str>),
    /// A file, whose content less the white space at its end is the secret.
    File(PathBuf),
    /// One of the two above, whose content may be a JSON document of many lines.
    Document(Box<Reference>),
    /// The standard AWS credential chain.
    Aws,
    /// Google's application default credentials.
    Google,
}

impl Reference {
    /// # Errors
    /// What is wrong with it, for the operator.
    pub fn try_new(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "aws" => Ok(Self::Aws),
            None if text == "google" => Ok(Self::Google),
            Some(("env", name)) if is_variable(name) => Ok(Self::Env(name.into())),
            Some(("env", _)) => {
                Err("names no environment variable (letters, digits and `_`)".into())
            }
            Some(("file", path)) if Path::new(path).is_absolute() => Ok(Self::File(path.into())),
            Some(("file", "")) => Err("names no file".into()),
            Some(("file", path)) => Ok(Self::File(path.into())),
            _ => Err(
                "is not a reference to a secret: write `env:NAME`, `file:/path`, `aws` or `google`"
                    .into(),
            ),
        }
    }

    /// The same place, where a JSON document may be too. Nothing else changes by it.
    #[must_use]
    pub fn or_document(self) -> Self {
        match self {
            Self::Env(_) | Self::File(_) => Self::Document(Box::new(self)),
            Self::Document(_) | Self::Aws | Self::Google => self,
        }
    }

    /// The file that holds it, if one does.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Document(inner) => inner.path(),
            Self::Env(_) | Self::Aws | Self::Google => None,
        }
    }

    /// Whether its value is read here. What is not is issued by a service, for a while.
    pub fn is_held(&self) -> bool {
        match self {
            Self::Env(_) | Self::File(_) | Self::Document(_) => true,
            Self::Aws | Self::Google => false,
        }
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Document(inner) => inner.fmt(f),
            Self::Aws => f.write_str("aws"),
            Self::Google => f.write_str("google"),
        }
    }
}
