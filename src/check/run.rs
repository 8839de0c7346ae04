//! The order in which targets and environments are asked, one request at a time: what is measured
//! is then the target's own doing, and no rate limit is met that an application would not meet.

use std::collections::BTreeMap;
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
#[derive(Debug)]
pub struct Check {
    /// Tokens of the long prompt, where the target's context has room for them.
    long: u64,
    /// What was found of each target so far: one that stands in several routes is paid for once.
    known: BTreeMap<Arc<str>, Vec<(Probe, Finding)>>,
}

/// What was found of one subject.
struct Found<'a> {
    all: &'a [(Probe, Finding)],
    pace: Option<Finding>,
}

impl Found<'_> {
    fn of(&self, probe: Probe) -> Option<&Finding> {
        if probe == Probe::Pace {
            return self.pace.as_ref();
        }
        let found = self.all.iter().find(|(known, _)| *known == probe);
        found.map(|(_, finding)| finding)
    }

    /// Whether nothing answered at all, so that no more was asked.
    fn is_lost(&self) -> bool {
        self.all.len() == 1
    }
}

impl Check {
    pub fn new(long: u64) -> Self {
        Self {
            long,
            known: BTreeMap::new(),
        }
    }

    /// Every target of `route`, through the [trial](super::trial::trial) gateway that `caller` asks.
    pub async fn targets(&mut self, caller: &Caller<'_>, route: &Route) -> Comparison {
        let mut targets: Vec<&Arc<Target>> = Vec::new();
        for target in route.targets() {
            if !targets.iter().any(|known| known.id == target.id) {
                targets.push(target);
            }
        }
        for target in &targets {
            if self.known.contains_key(&target.id) {
                continue;
            }
            tracing::info!(target = %target.id, "asking");
            let question = Question {
                model: target_route(target),
                long: self.long_for(target),
            };
            let findings = probe(caller, &question).await;
            self.known.insert(Arc::clone(&target.id), findings);
        }
        let found: Vec<Found<'_>> = (targets.iter())
            .map(|target| {
                let all = &*self.known[&target.id];
                let pace = judge::pace(all, &route.timeouts);
                Found { all, pace }
            })
            .collect();
        let subjects = targets.iter().zip(&found).enumerate();
        let subjects = subjects.map(|(place, (target, found_here))| {
            let mut rows = rows((place > 0).then(|| &found[0]), found_here);
            note_context(targets[0], target, &mut rows);
            Subject {
                name: target.id.to_string(),
                rows,
            }
        });
        Comparison {
            route: route.name.to_string(),
            sort: Sort::Targets,
            subjects: subjects.collect(),
        }
    }

    /// The route of this name in several environments, each with its name; the first is what the
    /// others are compared with.
    pub async fn environments(
        &self,
        environments: &[(String, Caller<'_>)],
        route: &str,
    ) -> Comparison {
        let question = Question {
            model: route.to_owned(),
            long: self.long,
        };
        let mut findings = Vec::new();
        for (name, caller) in environments {
            tracing::info!(route, environment = %name, "asking");
            findings.push(probe(caller, &question).await);
        }
        let found: Vec<Found<'_>> = (findings.iter())
            .map(|all| Found { all, pace: None })
            .collect();
        let subjects = environments.iter().zip(&found).enumerate();
        let subjects = subjects.map(|(place, ((name, _), found_here))| {
            let first = (place > 0).then(|| &found[0]);
            let mut rows = rows(first, found_here);
            if let Some(first) = first {
                note_pace(first, found_here, &mut rows);
            }
            Subject {
                name: name.clone(),
                rows,
            }
        });
        Comparison {
            route: route.to_owned(),
            sort: Sort::Environments,
            subjects: subjects.collect(),
        }
    }

    /// A prompt that a target cannot take by its own declaration would only prove that.
    fn long_for(&self, target: &Target) -> u64 {
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

/// The verdicts on what was found, in comparison with `first` where it is not the first itself.
fn rows(first: Option<&Found<'_>>, found: &Found<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    for probe in Probe::ALL {
        let of_first = first.and_then(|first| first.of(probe));
        let Some(finding) = found.of(probe) else {
            if of_first.is_some() || (found.is_lost() && probe != Probe::Pace) {
                rows.push(Row::skipped(probe));
            }
            continue;
        };
        let (word, said) = match of_first {
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
fn note_pace(first: &Found<'_>, other: &Found<'_>, rows: &mut [Row]) {
    for row in rows.iter_mut().filter(|row| row.word == Word::Ok) {
        let time = |found: &Found<'_>| {
            let finding = found.of(row.probe)?;
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
