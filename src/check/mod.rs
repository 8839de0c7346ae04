//! Live conformance: whether a backup can stand in for the first target, before it must.
//!
//! [`Probe`] says what is asked, `caller` asks it over HTTP as an application would, `read` reads
//! the answer as strictly as the official SDKs do, `judge` says what an application would notice,
//! [`report`] tells a person or a program. [`Check`] is their order.
//! Never here: the configuration's text, a provider's address or key. A target is a route of a
//! gateway, whatever its kind; an environment is the URL of one.

pub(crate) mod caller;
pub(crate) mod judge;
pub(crate) mod probe;
pub(crate) mod read;
pub mod report;
mod run;
mod schema;
mod trial;

pub use caller::Caller;
pub use probe::Probe;
pub use report::{Comparison, Row, Sort, Subject, Word};
pub use run::Check;
pub use trial::{target_route, trial};

/// `text` on one line, without what a terminal would obey, and not too long to be read.
pub(crate) fn line(text: &str) -> String {
    const LONGEST: usize = 200;
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut line: String = clean.take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line
}
