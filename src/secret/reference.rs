//! `env:NAME` and `file:/path`: where a secret is, as the operator writes it.

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
}

impl Reference {
    /// # Errors
    /// What is wrong with it, for the operator.
    pub fn try_new(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("env", name)) if is_variable(name) => Ok(Self::Env(name.into())),
            Some(("env", _)) => {
                Err("names no environment variable (letters, digits and `_`)".into())
            }
            Some(("file", path)) if Path::new(path).is_absolute() => Ok(Self::File(path.into())),
            Some(("file", "")) => Err("names no file".into()),
            Some(("file", path)) => Ok(Self::File(path.into())),
            _ => Err("is not a reference to a secret: write `env:NAME` or `file:/path`".into()),
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
        }
    }
}
