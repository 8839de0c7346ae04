//! Where the central document is, as `source` in the configuration says it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::url::SourceUrl;

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
