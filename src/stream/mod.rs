//! An answer's body while it is on its way: pulled from the provider as the caller takes it.
//!
//! No task and no channel: a slow caller slows the provider, and a caller that hangs up drops the
//! body, which cancels the call at the provider and writes the record. The recorder lives in the
//! body, so that an end, an error, a stall and a hang-up are each recorded once.

mod held;
mod passing;
mod relay;

pub use held::held;
pub use passing::Passing;
pub use relay::{Broken, Limits, Relay, Resume, Resumed};

use crate::outcome::{Class, Failure};

/// Whose answer is cut because the process ends.
fn shutting_down() -> Failure {
    Failure::new(Class::Cancelled, "the sidecar is shutting down")
}
