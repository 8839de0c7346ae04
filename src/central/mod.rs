//! Following a central document: what is asked when, what of it is taken, and what is gone on with
//! while there is nobody to ask.
//!
//! A [`Follower`] asks a [`Source`](crate::source::Source), sees to it that a document is one of
//! theirs, and offers it to a [`Taker`], who makes it live as a whole or says why not. Whatever goes
//! wrong, what is live stays live; the last good documents are kept on disk for a start without the
//! source. How it stands is told in one place, [`Following`], where probes, metrics and reports read.
//! Never here: how a source is asked, what a configuration means, or a request that waits for any of
//! it.

mod copies;
mod digest;
mod examine;
mod fetch;
mod follow;
mod following;
mod keeping;
mod pace;
mod report;
mod signature;
mod standing;
mod start;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::config::Release;
use crate::source::Document;

pub use self::fetch::fetch;
pub use self::follow::{Follower, Opened};
pub use self::following::{Following, Origin, Reason, SourceDetail};
pub(crate) use self::following::{say, summary};
pub use self::report::{Lag, Report, judged, report};
pub use self::standing::{Standing, Stay};

/// Who makes a document live.
pub trait Taker: Send + Sync + 'static {
    /// Reads the whole configuration with this document in it, and publishes it if it is sound and
    /// `standing` admits it. Blocks; one at a time.
    fn take(&self, offer: &Offer, standing: &Standing) -> Verdict;
}

/// A document that is to be made live.
#[derive(Debug, Clone)]
pub struct Offer {
    /// Whom its problems name.
    pub name: Arc<str>,
    pub document: Document,
}

/// What became of it.
#[derive(Debug)]
pub enum Verdict {
    Live(Release),
    Stays(Stay),
    /// Every problem of it.
    Refused(Vec<String>),
}
