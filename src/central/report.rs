//! What an instance reports of itself, so that an operator sees which of a thousand lag.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::following::{Following, SourceDetail};
use crate::proof::{Heads, Told};
use crate::snapshot::Identity;
use crate::source::{KEPT, Reports, SourceError};

/// Between two reports; a fifth shorter or longer.
const EVERY: Duration = Duration::from_secs(30);
/// The first one, and one of a change, comes soon, but not a thousand at once.
const SOON: Duration = Duration::from_secs(5);

/// One instance, as it stood at `time`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub instance: String,
    #[serde(default)]
    pub team: Option<String>,
    #[serde(default)]
    pub service: Option<String>,
    #[serde(default)]
    pub environment: Option<String>,
    #[serde(with = "rfc3339")]
    pub time: Timestamp,
    /// Of Pillion itself.
    #[serde(default)]
    pub release: String,
    /// How far the chains of its audit records have come: what they can be checked against, though the
    /// files be gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<Told>,
    #[serde(flatten)]
    pub standing: SourceDetail,
}

/// How an instance is to be seen among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lag {
    /// It runs what the others do.
    Current,
    /// It keeps what it has because the newest is not for it yet.
    Waits,
    Refused,
    /// It runs an older document than others do, or another.
    Behind,
    /// It has nothing to run.
    Unready,
    /// It has told nothing for a while.
    Silent,
}

impl Lag {
    pub fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Waits => "waits",
            Self::Refused => "refused",
            Self::Behind => "behind",
            Self::Unready => "unready",
            Self::Silent => "silent",
        }
    }

    /// Whether somebody should look at it.
    pub fn is_bad(self) -> bool {
        match self {
            Self::Current | Self::Waits => false,
            Self::Refused | Self::Behind | Self::Unready | Self::Silent => true,
        }
    }
}

/// Each report with how its instance stands, by name. What is newest is the highest version that one
/// of them runs who still reports, and where documents have none, what most of those run.
pub fn judged(reports: Vec<Report>, now: Timestamp) -> Vec<(Report, Lag)> {
    // One instance may have told more than once.
    let mut latest: BTreeMap<String, Report> = BTreeMap::new();
    for report in reports {
        let known = latest.get(&report.instance);
        if known.is_none_or(|known| known.time < report.time) {
            latest.insert(report.instance.clone(), report);
        }
    }
    let is_silent = |one: &Report| now.duration_since(one.time).unsigned_abs() > KEPT;
    let heard = || latest.values().filter(|one| !is_silent(one));
    let newest = heard().filter_map(|one| one.standing.version).max();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for document in heard().filter_map(|one| one.standing.document.as_deref()) {
        *counts.entry(document).or_default() += 1;
    }
    let usual = counts.into_iter().max_by_key(|(_, count)| *count);
    let usual = usual.map(|(document, _)| document.to_owned());
    let lag = |report: &Report| {
        let standing = &report.standing;
        if is_silent(report) {
            Lag::Silent
        } else if standing.document.is_none() {
            Lag::Unready
        } else if standing.refused.is_some() {
            Lag::Refused
        } else if standing.waits.is_some() {
            Lag::Waits
        } else if standing.version < newest || (newest.is_none() && standing.document != usual) {
            Lag::Behind
        } else {
            Lag::Current
        }
    };
    let latest = latest.into_values();
    latest
        .map(|report| {
            let lag = lag(&report);
            (report, lag)
        })
        .collect()
}

/// A time as a report has it.
mod rfc3339 {
    use std::borrow::Cow;

    use jiff::Timestamp;
    use serde::de::{Deserialize as _, Deserializer, Error as _};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(time)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// Tells how this instance stands, until `end` is cancelled, and then once more. What cannot be told is
/// told the next time.
pub async fn report(
    mut reports: Reports,
    identity: Identity,
    following: Arc<Following>,
    heads: Heads,
    end: CancellationToken,
    mut rng: Rng,
) {
    let fact = |fact: &Option<Arc<str>>| fact.as_deref().map(str::to_owned);
    // Told apart from others without a name.
    let instance = fact(&identity.instance).unwrap_or_else(|| format!("{:08x}", rng.u32(..)));
    let mut was_told = true;
    let first = sleep(SOON.mul_f64(rng.f64()));
    let _ = end.run_until_cancelled(first).await;
    loop {
        let is_last = end.is_cancelled();
        let report = Report {
            instance: instance.clone(),
            team: fact(&identity.team),
            service: fact(&identity.service),
            environment: fact(&identity.environment),
            time: Timestamp::now(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            heads: heads.all(),
            standing: following.detail(Instant::now().into_std()),
        };
        let told = match serde_json::to_vec(&report) {
            Ok(text) => reports.tell(&instance, text.into()).await,
            Err(error) => Err(SourceError::Unusable(error.to_string())),
        };
        match &told {
            Err(error) if was_told => {
                tracing::warn!(%error, "how this instance stands could not be reported");
            }
            Ok(()) | Err(_) => {}
        }
        if is_last {
            return;
        }
        was_told = told.is_ok();
        let pause = EVERY.mul_f64(0.8 + 0.4 * rng.f64());
        let soon = SOON.mul_f64(0.5 + 0.5 * rng.f64());
        let waiting = async {
            sleep(soon).await;
            let _ = timeout(pause.saturating_sub(soon), following.changed()).await;
        };
        let _ = end.run_until_cancelled(waiting).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(instance: &str, seconds: i64, set: impl Fn(&mut SourceDetail)) -> Report {
        let mut standing = SourceDetail {
            url: "https://centre/a.yaml".into(),
            document: Some("aaaa".into()),
            ..SourceDetail::default()
        };
        set(&mut standing);
        Report {
            instance: instance.into(),
            team: None,
            service: Some("chat".into()),
            environment: None,
            time: Timestamp::from_second(1_795_000_000 + seconds).unwrap(),
            release: "1".into(),
            heads: Vec::new(),
            standing,
        }
    }

    fn lags(reports: Vec<Report>) -> Vec<(String, &'static str)> {
        let now = Timestamp::from_second(1_795_000_000).unwrap();
        let judged = judged(reports, now).into_iter();
        judged
            .map(|(report, lag)| (report.instance, lag.name()))
            .collect()
    }

    #[test]
    fn who_lags_is_told_from_the_others() {
        let at = |version| move |one: &mut SourceDetail| one.version = Some(version);
        let found = lags(vec![
            report("a", -5, at(7)),
            report("b", -5, at(6)),
            // What it had told is no measure for the others.
            report("c", -91, at(9)),
            report("d", -5, |one| {
                one.version = Some(6);
                one.waits = Some("it is for 5 %".into());
            }),
            report("e", -5, |one| {
                one.version = Some(6);
                one.refused = Some("routes: none".into());
            }),
            report("f", -5, |one| one.document = None),
            // It had told before.
            report("a", -35, at(6)),
        ]);
        let expected = [
            ("a", "current"),
            ("b", "behind"),
            ("c", "silent"),
            ("d", "waits"),
            ("e", "refused"),
            ("f", "unready"),
        ];
        assert_eq!(found, expected.map(|(name, lag)| (name.to_owned(), lag)));
    }

    #[test]
    fn without_versions_what_most_run_is_the_newest() {
        let runs =
            |name: &'static str| move |one: &mut SourceDetail| one.document = Some(name.into());
        let found = lags(vec![
            report("a", 0, runs("bbbb")),
            report("b", 0, runs("aaaa")),
            report("c", 0, runs("bbbb")),
        ]);
        let expected = [("a", "current"), ("b", "behind"), ("c", "current")];
        assert_eq!(found, expected.map(|(name, lag)| (name.to_owned(), lag)));
    }

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let one = report("a", 0, |one| one.version = Some(7));
        let text = serde_json::to_string(&one).unwrap();
        assert!(text.contains("\"version\":7"), "{text}");
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), one);
    }
}
