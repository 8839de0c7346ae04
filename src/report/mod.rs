//! What audit records come to: spend and reliability, group by group; and what would have become of them
//! under another configuration.
//!
//! Pure over lines: whoever reads files hands them to a [`Tally`], a [`Comparison`] or a [`Replay`], line
//! by line, in any order and from any number of pods. Times are kept as they are and sorted, so quantiles
//! are exact. Money is exact to the last digit.
//! Never here: files, a clock, or content, which no record has.

mod compare;
mod costs;
mod grid;
mod intake;
mod quick;
mod replay;
mod replayed;
mod row;
mod samples;
mod summary;
mod table;
mod tally;

#[cfg(test)]
mod tests;

pub use compare::{Comparison, Side, Sides, compared, compared_csv};
pub use intake::{Lines, Span};
pub use replay::Replay;
pub use replayed::{Replayed, replayed};
pub use row::{Line, Row, line};
pub use summary::Summary;
pub use table::{csv, table};
pub use tally::{By, Grouped, Tally};
