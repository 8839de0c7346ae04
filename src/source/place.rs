//! Where the central document is, as `source` in the configuration says it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

/// Where the central document is, and how it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub url: SourceUrl,
    /// How often a source that cannot tell of a change is asked.
    pub refresh: Duration,
    pub auth: Auth,
    /// A PEM file of authorities trusted beside the usual ones.
    pub ca: Option<PathBuf>,
    /// Whose signature the document must bear, any of them; empty where none is asked for.
    pub verify: Vec<PublicKey>,
}

/// Who we are to the source. Files are read anew each time: they are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    None,
    /// A bearer token, or what the store has in its place.
    Token {
        file: PathBuf,
    },
    /// A client certificate and its key, in PEM.
    Certificate {
        chain: PathBuf,
        key: PathBuf,
    },
}

/// An Ed25519 key that documents are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    pub id: Arc<str>,
    pub key: [u8; 32],
}

/// `file:/path`, `https://…`, `etcd://…`, `consul://…`, `redis://…`, `s3://…`. It may hold a password,
/// which cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceUrl(Zeroizing<String>);

const SCHEMES: [&str; 8] = [
    "file:",
    "http://",
    "https://",
    "etcd://",
    "consul://",
    "redis://",
    "rediss://",
    "s3://",
];

impl SourceUrl {
    /// # Errors
    /// What is wrong with it, for the operator, without any of its text.
    pub fn try_new(text: &str) -> Result<Self, &'static str> {
        if !SCHEMES.iter().any(|scheme| text.starts_with(scheme)) {
            return Err(
                "does not begin with `file:`, `http://`, `https://`, `etcd://`, `consul://`, `redis://`, `rediss://` or `s3://`",
            );
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The URL itself, for the client that connects.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Without what stands before its `@`.
impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.split_once("://"), self.0.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, place))) => write!(f, "{scheme}://{place}"),
            _ => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
