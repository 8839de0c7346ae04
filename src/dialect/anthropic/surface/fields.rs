//! A request's objects and lists, with the path at which each stands: for errors that name the field.

use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;
use smallvec::SmallVec;

use crate::chat::Unsupported;
use crate::wire::json::{Cursor, Invalid};

/// More members than any object of the schema has. Each look-up passes them all.
const MAX_MEMBERS: usize = 256;

/// Where a value stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Path<'p> {
    Root,
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(Path::Root, key) => f.write_str(key),
            Self::Key(parent, key) => write!(f, "{parent}.{key}"),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

impl Path<'_> {
    /// That the value here is not `what` it must be.
    pub(super) fn must_be(&self, what: &str) -> Unsupported {
        let path = self.to_string();
        let message = if path.is_empty() {
            format!("The request body must be {what}.")
        } else {
            format!("`{path}` must be {what}.")
        };
        Unsupported::invalid(path, message)
    }

    /// That what the value here asks for cannot be had elsewhere.
    pub(super) fn refused(&self, what: &str) -> Unsupported {
        let path = self.to_string();
        let message = format!(
            "`{path}` is {what}, which the provider that this route leads to does not have."
        );
        Unsupported::parameter(path, message)
    }
}

/// One object's members; null is absent.
#[derive(Debug)]
pub(super) struct Fields<'a, 'p> {
    members: SmallVec<[(Cow<'a, str>, &'a str); 8]>,
    pub(super) path: &'p Path<'p>,
}

impl<'a, 'p> Fields<'a, 'p> {
    /// Reads `raw`, the value at `path`.
    pub(super) fn read(raw: &'a str, path: &'p Path<'p>) -> Result<Self, Unsupported> {
        if !raw.trim_start().starts_with('{') {
            return Err(path.must_be("an object"));
        }
        let mut members = SmallVec::new();
        let mut cursor = Cursor::new(raw);
        let walked = cursor.object(|cursor, key| {
            let span = cursor.skip()?;
            if members.len() == MAX_MEMBERS {
                return Err(Invalid {
                    at: span.start,
                    what: "an object has more members than are allowed",
                });
            }
            if &raw[span.clone()] != "null" {
                members.push((key.decode(), &raw[span]));
            }
            Ok(())
        });
        walked.and_then(|_| cursor.end())?;
        Ok(Self { members, path })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(name, _)| &**name)
    }

    /// The text of a member; of two of one name the last, as parsers take it.
    pub(super) fn raw(&self, key: &str) -> Option<&'a str> {
        let named = |(name, _): &&(Cow<'a, str>, &'a str)| *name == key;
        self.members.iter().rfind(named).map(|(_, raw)| *raw)
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<String>, Unsupported> {
        self.raw(key)
            .map(|raw| string(raw, &Path::Key(self.path, key)))
            .transpose()
    }

    pub(super) fn some_text(&self, key: &str) -> Result<String, Unsupported> {
        self.text(key)?
            .ok_or_else(|| Path::Key(self.path, key).must_be("a string"))
    }

    pub(super) fn boolean(&self, key: &str) -> Result<Option<bool>, Unsupported> {
        match self.raw(key) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Path::Key(self.path, key).must_be("true or false")),
        }
    }

    pub(super) fn integer(&self, key: &str) -> Result<Option<u64>, Unsupported> {
        let whole = |raw: &str| {
            let must_be = || Path::Key(self.path, key).must_be("a whole number");
            raw.parse().map_err(|_| must_be())
        };
        self.raw(key).map(whole).transpose()
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, Unsupported> {
        let number = |raw: &str| {
            let must_be = || Path::Key(self.path, key).must_be("a number");
            serde_json::from_str(raw).map_err(|_| must_be())
        };
        self.raw(key).map(number).transpose()
    }

    /// An object as it came, byte for byte.
    pub(super) fn object(&self, key: &str) -> Result<Option<Box<RawValue>>, Unsupported> {
        let kept = |raw: &'a str| {
            let must_be = || Path::Key(self.path, key).must_be("an object");
            if !raw.starts_with('{') {
                return Err(must_be());
            }
            RawValue::from_string(raw.to_owned()).map_err(|_| must_be())
        };
        self.raw(key).map(kept).transpose()
    }
}

/// The items of the list `raw`, the value at `path`.
pub(super) fn items<'a>(raw: &'a str, path: &Path<'_>) -> Result<Vec<&'a str>, Unsupported> {
    if !raw.starts_with('[') {
        return Err(path.must_be("a list"));
    }
    let mut items = Vec::new();
    Cursor::new(raw).array(|cursor| {
        items.push(&raw[cursor.skip()?]);
        Ok::<(), Invalid>(())
    })?;
    Ok(items)
}

/// What the string `raw` says.
pub(super) fn string(raw: &str, path: &Path<'_>) -> Result<String, Unsupported> {
    // Most strings hold no escape, and are then what stands between the quotes.
    let plain = raw
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .filter(|text| memchr::memchr(b'\\', text.as_bytes()).is_none());
    match plain {
        Some(text) => Ok(text.to_owned()),
        None => serde_json::from_str(raw).map_err(|_| path.must_be("a string")),
    }
}
