//! Where a central document is kept: a file, a URL, a store of the platform's.
//!
//! A [`Source`] fetches, and says whether there is something new. When it is asked, what its
//! document means, and what is done while it is gone, is for whoever follows it. Never here: what a
//! document says.

mod place;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

use crate::config::Format;

pub use self::place::{Auth, Place, PublicKey, SourceUrl};

/// A larger document is no configuration; reading it would only cost memory.
pub const LARGEST: usize = 4 << 20;

/// One place that a document can be fetched from.
pub trait Source: Send {
    /// What is there. A source that [watches](Self::watches) waits until that is another than it
    /// last gave, for `patience` at most; the others answer at once. Dropping the future is safe.
    ///
    /// # Errors
    /// Nothing can be had now. The next call begins anew.
    fn fetch(&mut self, patience: Duration) -> Fetching<'_>;

    /// Whether [`fetch`](Self::fetch) itself waits for a change.
    fn watches(&self) -> bool;
}

pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Fetched, SourceError>> + Send + 'a>>;

#[derive(Debug)]
pub enum Fetched {
    /// As it was when it was last fetched.
    Same,
    New(Document),
}

/// A document as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub text: Bytes,
    pub format: Format,
    /// What stands beside it (the same name and `.sig`), where signatures are asked for.
    pub signature: Option<Bytes>,
}

/// Why nothing could be had. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceError {
    /// No answer, or one that says to come again; when it names a time, not before.
    Away {
        why: String,
        again: Option<Duration>,
    },
    /// It refuses us.
    Refused(String),
    /// There is no document at this place.
    Missing,
    /// There is something that can be none: too long, or nothing we can read.
    Unusable(String),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away { why, .. } => f.write_str(why),
            Self::Refused(why) => write!(f, "refuses us: {why}"),
            Self::Missing => f.write_str("has no document there"),
            Self::Unusable(why) => write!(f, "has no document there that can be read: {why}"),
        }
    }
}

impl std::error::Error for SourceError {}
