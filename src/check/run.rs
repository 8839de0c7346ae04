//! The order in which targets and environments are asked, one request at a time: what is measured
//! is then the target's own doing, and no rate limit is met that an application would not meet.

use std::sync::Arc;
use std::time::Duration;

use super::caller::{Answer, Caller};
use super::judge::{self, Finding, Lack};
use super::probe::{Probe, Question};
use super::report::{Comparison, Row, Sort, Subject, Word};
use super::trial::target_route;
use crate::snapshot::{Route, Target};

/// An answer that takes so much longer than the first's is worth a note.
const SLOWER: u32 = 3;
const SLOWER_BY: Duration = Duration::from_secs(1);

/// What is asked, and how much of it.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Tokens of the long prompt, where the target's context has room for them.
    pub long: u64,
}

impl Check {
    /// Every target of `route`, through the [trial](super::trial::trial) gateway that `caller` asks.
    pub async fn targets(self, caller: &Caller<'_>, route: &Route) -> Comparison {
        let mut targets: Vec<&Arc<Target>> = Vec::new();
        for target in route.targets() {
            if !targets.iter().any(|known| known.id == target.id) {
                targets.push(target);
            }
        }
        let mut first: Option<Vec<(Probe, Finding)>> = None;
        let mut subjects = Vec::new();
        for target in &targets {
            tracing::info!(route = %route.name, target = %target.id, "asking");
            let question = Question {
                model: target_route(target),
                long: self.long_for(target),
            };
            let mut findings = probe(caller, &question).await;
            if let Some(pace) = judge::pace(&findings, &route.timeouts) {
                findings.push((Probe::Pace, pace));
            }
            let mut rows = rows(first.as_deref(), &findings);
            note_context(targets[0], target, &mut rows);
            subjects.push(Subject {
                name: target.id.to_string(),
                rows,
            });
            first.get_or_insert(findings);
        }
        Comparison {
            route: route.name.to_string(),
            sort: Sort::Targets,
            subjects,
        }
    }

    /// The route of this name in several environments, each with its name; the first is what the
    /// others are compared with.
    pub async fn environments(
        self,
        environments: &[(String, Caller<'_>)],
        route: &str,
    ) -> Comparison {
        let question = Question {
            model: route.to_owned(),
            long: self.long,
        };
        let mut first: Option<Vec<(Probe, Finding)>> = None;
        let mut subjects = Vec::new();
        for (name, caller) in environments {
            tracing::info!(route, environment = %name, "asking");
            let findings = probe(caller, &question).await;
            let mut rows = rows(first.as_deref(), &findings);
            if let Some(first) = &first {
                note_pace(first, &findings, &mut rows);
            }
            subjects.push(Subject {
                name: name.clone(),
                rows,
            });
            first.get_or_insert(findings);
        }
        Comparison {
            route: route.to_owned(),
            sort: Sort::Environments,
            subjects,
        }
    }

    /// A prompt that a target cannot take by its own declaration would only prove that.
    fn long_for(self, target: &Target) -> u64 {
        target
            .context
            .map_or(self.long, |context| self.long.min(context / 4 * 3))
    }
}

/// Asks everything. What cannot be reached at all is not asked any further.
async fn probe(caller: &Caller<'_>, question: &Question) -> Vec<(Probe, Finding)> {
    let mut findings = Vec::new();
    for probe in Probe::ALL {
        let mut answers: Vec<Answer> = Vec::new();
        while let Some(request) = probe.next(question, &answers) {
            answers.push(caller.ask(&request).await);
        }
        if answers.is_empty() {
            continue;
        }
        let finding = judge::of(probe, &answers);
        let lost = probe == Probe::Plain
            && matches!(&finding.result, Err(trouble) if trouble.lack == Lack::Unreachable);
        findings.push((probe, finding));
        if lost {
            break;
        }
    }
    findings
}

/// The verdicts on `findings`, in comparison with `first` where they are not the first themselves.
fn rows(first: Option<&[(Probe, Finding)]>, findings: &[(Probe, Finding)]) -> Vec<Row> {
    let find = |all: &[(Probe, Finding)], probe| all.iter().position(|(known, _)| *known == probe);
    let lost = findings.len() == 1;
    let mut rows = Vec::new();
    for probe in Probe::ALL {
        let Some(place) = find(findings, probe) else {
            let of_first = first.is_some_and(|first| find(first, probe).is_some());
            let wanted = of_first || (lost && probe != Probe::Pace);
            if wanted {
                rows.push(Row::skipped(probe));
            }
            continue;
        };
        let finding = &findings[place].1;
        let compared = first.and_then(|first| Some(&first[find(first, probe)?].1));
        let (word, said) = match compared {
            Some(first) => judge::against(first, finding),
            None => judge::alone(probe, finding),
        };
        rows.push(Row {
            probe,
            word,
            said,
            first_token: finding.first_token,
            total: Some(finding.total),
        });
    }
    rows
}

/// Prompts longer than a backup's context cannot go there, whatever the probes found.
fn note_context(first: &Target, target: &Target, rows: &mut [Row]) {
    if let (Some(first), Some(context)) = (first.context, target.context)
        && context < first
        && let Some(row) = rows.iter_mut().find(|row| row.probe == Probe::LongContext)
    {
        row.said.push(format!(
            "its declared context is {context} tokens, the first's {first}: longer prompts cannot go there"
        ));
    }
}

/// How fast an environment is depends on where it is asked from: worth knowing, and no failure.
fn note_pace(first: &[(Probe, Finding)], other: &[(Probe, Finding)], rows: &mut [Row]) {
    for row in rows.iter_mut().filter(|row| row.word == Word::Ok) {
        let time = |all: &[(Probe, Finding)]| {
            let (_, finding) = all.iter().find(|(probe, _)| *probe == row.probe)?;
            Some(finding.first_token.unwrap_or(finding.total))
        };
        if let (Some(first), Some(other)) = (time(first), time(other))
            && other > first * SLOWER
            && other > first + SLOWER_BY
        {
            row.said.push(format!(
                "slower: {}, the first {}",
                judge::seconds(other),
                judge::seconds(first)
            ));
        }
    }
}
