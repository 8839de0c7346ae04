//! `pillion fleet`: which instance runs which document, and what it refused.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::run::{refuse, runtime};
use super::{BAD_CONFIGURATION, FAILED, variable};
use crate::central::{Lag, Report, judged};
use crate::config::{self, Sources};
use crate::source::{Auth, Place, Reports, SourceUrl};
use crate::tasks::Tasks;
use crate::upstream::{Clients, Egress};

/// The longest reason that a line of the table has room for.
const LONGEST_REASON: usize = 100;

/// List the instances that follow a central document: what each runs and what it refused. Exit code 1
/// when one lags.
#[derive(Debug, Args)]
pub(super) struct Fleet {
    /// Where they report, as `source.report` names it: redis://… or https://…
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// A sidecar's own file, whose `source.report` is read; else the variable `PILLION_CONFIG`
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    config: Option<PathBuf>,
    /// One JSON list instead of a table
    #[arg(long)]
    json: bool,
}

/// An instance in the JSON list.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    report: &'a Report,
    state: Lag,
    lags: bool,
}

impl Fleet {
    pub(super) fn run(self, out: &mut impl Write) -> io::Result<ExitCode> {
        let file = self
            .config
            .or_else(|| variable("PILLION_CONFIG").map(PathBuf::from));
        // The environment, also for the proxy that it may name.
        let (place, url, env) = match (self.from, file) {
            (Some(from), _) => {
                let url = match SourceUrl::try_new(&from) {
                    Ok(url) => url,
                    Err(why) => {
                        tracing::error!("--from {why}");
                        return Ok(ExitCode::from(2));
                    }
                };
                let place = Place {
                    url: url.clone(),
                    refresh: Duration::from_secs(15),
                    auth: Auth::None,
                    ca: None,
                    verify: Vec::new(),
                };
                let none = config::Document::Text {
                    format: config::Format::Yaml,
                    text: String::new(),
                };
                (place, url, Sources::from_process(none, Vec::new()).env)
            }
            (None, Some(file)) => {
                let sources = Sources::from_process(file, Vec::new());
                let found = match config::bootstrap(&sources) {
                    Ok(found) => found,
                    Err(problems) => return Ok(refuse(&problems)),
                };
                let (Some(place), Some(url)) = (found.source, found.report) else {
                    tracing::error!("that configuration names no `source.report`");
                    return Ok(ExitCode::from(BAD_CONFIGURATION));
                };
                (place, url, sources.env)
            }
            (None, None) => {
                tracing::error!("nowhere to ask: give --from URL or --config FILE");
                return Ok(ExitCode::from(2));
            }
        };
        let runtime = runtime(1)?;
        let listed = runtime.block_on(async {
            let clients = Clients::new(Tasks::default(), Egress::of(&env));
            let mut reports = Reports::open(&url, &place, &clients).map_err(str::to_owned)?;
            reports.list().await.map_err(|error| error.to_string())
        });
        runtime.shutdown_background();
        let listed = match listed {
            Ok(listed) => listed,
            Err(why) => {
                tracing::error!("{url} {why}");
                return Ok(ExitCode::from(FAILED));
            }
        };
        let mut reports = Vec::new();
        for text in &listed {
            match serde_json::from_slice(text) {
                Ok(report) => reports.push(report),
                Err(error) => tracing::warn!(%error, "a report there is none of ours"),
            }
        }
        let now = Timestamp::now();
        let judged = judged(reports, now);
        if self.json {
            json(&judged, out)?;
        } else {
            table(&judged, now, out)?;
        }
        let bad = judged.iter().any(|(_, lag)| lag.is_bad());
        Ok(if bad {
            ExitCode::from(FAILED)
        } else {
            ExitCode::SUCCESS
        })
    }
}

fn json(judged: &[(Report, Lag)], out: &mut impl Write) -> io::Result<()> {
    let rows: Vec<_> = judged
        .iter()
        .map(|(report, lag)| Row {
            report,
            state: *lag,
            lags: lag.is_bad(),
        })
        .collect();
    serde_json::to_writer_pretty(&mut *out, &rows)?;
    writeln!(out)
}

fn table(judged: &[(Report, Lag)], now: Timestamp, out: &mut impl Write) -> io::Result<()> {
    let name = |report: &Report| report.instance.chars().count();
    let wide = judged.iter().map(|(report, _)| name(report)).max();
    let wide = wide.unwrap_or_default().max("INSTANCE".len());
    writeln!(
        out,
        "{:wide$}  {:>7}  {:12}  {:>5}  {:8}  WHY",
        "INSTANCE", "VERSION", "DOCUMENT", "TOLD", "STATE"
    )?;
    for (report, lag) in judged {
        let standing = &report.standing;
        let version = standing
            .version
            .map_or_else(|| "-".to_owned(), |it| it.to_string());
        let told = now.duration_since(report.time).unsigned_abs().as_secs();
        let why = [
            &standing.refused,
            &standing.waits,
            &standing.early,
            &standing.away,
        ];
        let why = why.into_iter().flatten().next();
        let why: String = why.map_or_else(String::new, |why| {
            why.chars().take(LONGEST_REASON).collect()
        });
        let line = format!(
            "{:wide$}  {version:>7}  {:12}  {:>5}  {:8}  {why}",
            report.instance,
            standing.document.as_deref().unwrap_or("-"),
            format!("{told}s"),
            lag.name(),
        );
        // What others say of themselves moves no terminal.
        let line = line.replace(char::is_control, "\u{fffd}");
        writeln!(out, "{}", line.trim_end())?;
    }
    let lagging = judged.iter().filter(|(_, lag)| lag.is_bad()).count();
    writeln!(out, "{} instances, {lagging} lag", judged.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::central::Lag;

    #[test]
    fn what_an_instance_says_of_itself_moves_no_terminal() {
        let report = serde_json::json!({
            "instance": "a\u{1b}[2J\nb",
            "time": "2026-11-26T12:00:00Z",
            "url": "https://centre/a.yaml",
            "age_seconds": 1,
            "refused": "\u{1b}]0;x\u{7}",
        });
        let report: Report = serde_json::from_value(report).unwrap();
        let now = report.time;
        let mut told = Vec::new();
        table(&[(report, Lag::Refused)], now, &mut told).unwrap();
        let told = String::from_utf8(told).unwrap();
        assert_eq!(told.lines().count(), 3, "{told}");
        assert!(!told.contains(['\u{1b}', '\u{7}']), "{told:?}");
    }
}
