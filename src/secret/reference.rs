//! `env:NAME`, `file:/path`, `STORE:path#field`, `aws` and `google`: where a secret is, as the operator
//! writes it.

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
    /// What a store keeps.
    Stored(Stored),
    /// One of those above, whose content may be a JSON document of many lines.
    Document(Box<Reference>),
    /// The standard AWS credential chain.
    Aws,
    /// Google's application default credentials.
    Google,
}

/// A place in a store of `secret_stores`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stored {
    pub store: Arc<str>,
    /// As the store's own tools write it, without what the store's `mount` says.
    pub path: Arc<str>,
    /// Of what lies there; absent where all of it is the secret.
    pub field: Option<Arc<str>>,
}

/// What no store may be called: these mean something else before a `:`, or alone.
pub const RESERVED: [&str; 4] = ["env", "file", "aws", "google"];

impl Reference {
    /// # Errors
    /// What is wrong with it, for the operator, without any of its text: it may be the secret.
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
            Some((store, place)) if is_store(store) => Stored::try_new(store, place).map(Self::Stored),
            _ => Err(
                "is not a reference to a secret: write `env:NAME`, `file:/path`, `STORE:path#field`, `aws` or `google`"
                    .into(),
            ),
        }
    }

    /// The same place, where a JSON document may be too. Nothing else changes by it.
    #[must_use]
    pub fn or_document(self) -> Self {
        match self {
            Self::Env(_) | Self::File(_) | Self::Stored(_) => Self::Document(Box::new(self)),
            Self::Document(_) | Self::Aws | Self::Google => self,
        }
    }

    /// The file that holds it, if one does.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Document(inner) => inner.path(),
            Self::Env(_) | Self::Stored(_) | Self::Aws | Self::Google => None,
        }
    }

    /// The variable that holds it, if one does.
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::Env(name) => Some(name),
            Self::Document(inner) => inner.variable(),
            Self::File(_) | Self::Stored(_) | Self::Aws | Self::Google => None,
        }
    }

    /// The place in a store, if it is in one.
    pub fn stored(&self) -> Option<&Stored> {
        match self {
            Self::Stored(stored) => Some(stored),
            Self::Document(inner) => inner.stored(),
            Self::Env(_) | Self::File(_) | Self::Aws | Self::Google => None,
        }
    }

    /// Whether its value is held here. What is not is issued by a service, for a while.
    pub fn is_held(&self) -> bool {
        match self {
            Self::Env(_) | Self::File(_) | Self::Stored(_) | Self::Document(_) => true,
            Self::Aws | Self::Google => false,
        }
    }
}

impl Stored {
    fn try_new(store: &str, place: &str) -> Result<Self, String> {
        let (path, field) = match place.split_once('#') {
            Some((_, "")) => return Err("names no field behind its `#`".into()),
            Some((path, field)) => (path, Some(field)),
            None => (place, None),
        };
        if path.is_empty() {
            return Err("names no path in its store".into());
        }
        // Anything else would be another place by the time that it is a URL.
        let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
        if !is_plain(place) || path.split('/').any(|step| matches!(step, "." | "..")) {
            return Err("has a path that no store has: white space, `.` or `..` in it".into());
        }
        Ok(Self {
            store: store.into(),
            path: path.into(),
            field: field.map(Into::into),
        })
    }
}

/// Whether a store may be called so.
pub fn is_store(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    !name.is_empty() && name.bytes().all(fits) && !RESERVED.contains(&name)
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Stored(Stored { store, path, field }) => {
                write!(f, "{store}:{path}")?;
                match field {
                    Some(field) => write!(f, "#{field}"),
                    None => Ok(()),
                }
            }
            Self::Document(inner) => inner.fmt(f),
            Self::Aws => f.write_str("aws"),
            Self::Google => f.write_str("google"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_told_as_it_is_written() {
        for text in [
            "env:OPENAI_API_KEY",
            "file:/run/secrets/openai",
            "bank:openai-b#key",
            "bank:team/llm/openai",
            "params:/prod/llm/openai",
            "sm:arn:aws:secretsmanager:eu-central-1:1:secret:llm-AbCdEf#key",
            "aws",
            "google",
        ] {
            let reference = Reference::try_new(text).unwrap();
            assert_eq!(reference.to_string(), text);
            assert_eq!(reference.or_document().to_string(), text);
        }
        let reference = Reference::try_new("bank:a/b#c").unwrap().or_document();
        let Stored { store, path, field } = reference.stored().unwrap();
        assert_eq!(
            (&**store, &**path, field.as_deref()),
            ("bank", "a/b", Some("c"))
        );
    }

    #[test]
    fn what_is_wrong_is_said_without_its_text() {
        for (text, why) in [
            ("canary4711", "is not a reference"),
            ("aws:canary4711", "is not a reference"),
            ("google:canary4711", "is not a reference"),
            ("can ary:4711", "is not a reference"),
            (":canary4711", "is not a reference"),
            ("env:canary-4711", "names no environment variable"),
            ("canary:", "names no path"),
            ("canary:#4711", "names no path"),
            ("canary:4711#", "names no field"),
            ("canary:47 11", "no store has"),
            ("canary:a/../4711", "no store has"),
        ] {
            let said = Reference::try_new(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
            assert!(!said.contains("canary") && !said.contains("4711"), "{said}");
        }
    }
}
