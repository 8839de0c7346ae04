//! What operators see while it runs: metrics to scrape and log lines on stderr.
//!
//! Never here: content, secrets, or labels whose values a caller can choose. Requests are counted
//! from their records, by [`crate::record`]; nothing else counts them.

mod label;
mod lately;
pub mod log;
pub mod metrics;
pub mod names;
mod spend;
mod times;

pub use label::Label;
pub use lately::{By, Hour, Lately, Sample};
pub use metrics::Metrics;
pub use spend::{Row, Spend};
