//! `pillion replay`: the past's records under another configuration.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use tokio::time::Instant;

use super::run::refuse;
use super::{FAILED, records, report::named};
use crate::report::{self, Replay as Replaying};

/// Tell where past requests would have gone under another configuration, and what that would have cost and
/// taken.
///
/// Each record is planned anew by its route, key, surface and length of prompt, with every target standing as at
/// a start. Costs are those of the same tokens by the new prices, latencies and failures what the records say
/// of each target. What no record can say is told as such.
#[derive(Debug, Args)]
pub(super) struct Replay {
    /// Files of audit records, compressed or not, or of logs that hold some, or folders; `-` is the standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The new configuration: a whole file, or a central document
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Records from then on: `7d`, `12h`, a day such as `2026-11-01`, or an instant
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Records before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Groups by weight are drawn; another seed draws otherwise
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
}

impl Replay {
    /// # Errors
    /// Those of `out`.
    pub(super) fn run(self, out: &mut impl Write) -> io::Result<ExitCode> {
        let (since, until) = (self.since.as_deref(), self.until.as_deref());
        let span = match records::span(since, until, Timestamp::now()) {
            Ok(span) => span,
            Err(problem) => {
                tracing::error!("{problem}");
                return Ok(ExitCode::from(2));
            }
        };
        let loaded = match records::configuration(&self.config) {
            Ok(loaded) => loaded,
            Err(problems) => return Ok(refuse(&problems)),
        };
        let Some(files) = named(&self.files) else {
            return Ok(ExitCode::from(2));
        };
        let rng = fastrand::Rng::with_seed(self.seed);
        let mut replay = Replaying::new(&loaded.snapshot, span, Instant::now(), rng);
        let read = records::read(&files, |line, is_last| replay.line(line, is_last));
        if let Err(error) = read {
            tracing::error!("{error}");
            return Ok(ExitCode::from(FAILED));
        }
        let replayed = replay.finish();
        if self.json {
            serde_json::to_writer_pretty(&mut *out, &replayed)?;
            writeln!(out)?;
        } else {
            report::replayed(&replayed, out)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
