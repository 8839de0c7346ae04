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
pub use report::{Report, money};
pub use run::{Drill, Forms};
pub use table::table;

use crate::snapshot::Price;

/// What so many tokens cost, in millionths of a millionth of the currency.
pub fn cost(price: Price, prompt: u64, completion: u64) -> u128 {
    let of = |tokens: u64, each: u64| u128::from(tokens) * u128::from(each);
    of(prompt, price.input) + of(completion, price.output)
}

#[cfg(test)]
mod tests;
