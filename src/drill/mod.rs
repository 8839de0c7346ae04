//! The outage drill: what applications would notice if the primary were gone, before it is.
//!
//! Identical requests go to one route, one after another, as an application sends them; half way
//! the provider of the primary is [cut](crate::app::Embedded::cut), for this process alone.
//! [`Drill`] is that order, `sample` what came of one request, `tally` what all of them come to,
//! [`Report`] what that means; [`table`] and [`json`] tell it to a person and to a program. How answers are asked for, read and compared is
//! [`crate::check`]'s.
//! Never here: the configuration's text, a provider's address or key.

mod json;
mod report;
mod run;
mod sample;
mod table;
mod tally;

pub use json::json;
pub use report::Report;
pub use run::{Drill, Forms};
pub use table::table;

#[cfg(test)]
mod tests;
