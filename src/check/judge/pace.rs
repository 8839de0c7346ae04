//! Whether the answers come within the times that the route allows.

use std::time::Duration;

use super::{Finding, Lack, Traits, Trouble};
use crate::check::probe::Probe;
use crate::snapshot::Timeouts;

/// Whether what was measured with the other probes lies within what the route allows.
pub(crate) fn pace(findings: &[(Probe, Finding)], allowed: &Timeouts) -> Option<Finding> {
    let times = |of: &[Probe], time: fn(&Finding) -> Option<Duration>| {
        let good = findings
            .iter()
            .filter(|(probe, finding)| of.contains(probe) && finding.result.is_ok());
        median(good.filter_map(|(_, finding)| time(finding)).collect())
    };
    let first_token = times(
        &[Probe::Stream, Probe::Usage, Probe::ToolsStreamed],
        |finding| finding.first_token,
    );
    let total = times(
        &[Probe::Plain, Probe::Tools, Probe::JsonSchema],
        |finding| Some(finding.total),
    );
    if first_token.is_none() && total.is_none() {
        return None;
    }
    let late = [
        ("the first token", first_token, allowed.first_token),
        ("a plain answer", total, allowed.answer),
    ]
    .into_iter()
    .find_map(|(what, time, allowed)| {
        let time = time.filter(|time| *time > allowed)?;
        Some(Trouble::new(
            Lack::Lacking,
            format!(
                "{what} comes after {}, and the route allows {}",
                seconds(time),
                seconds(allowed)
            ),
        ))
    });
    Some(Finding {
        result: late.map_or_else(|| Ok(Traits::default()), Err),
        first_token,
        total: total.unwrap_or_default(),
    })
}

/// The one in the middle: a single late answer is no slow target.
fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
