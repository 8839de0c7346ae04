//! What the samples of a drill come to.
//!
//! Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::report::{Calls, Cause, Difference, Failed, Report, Spent, Switch, Times};
use super::run::Drill;
use super::sample::{Phase, Sample};
use crate::check::judge;
use crate::check::report::Word;
use crate::snapshot::Target;

/// `cut` is the number of the first request that may have met the outage; none when nothing was sent.
pub(super) fn report(
    drill: &Drill<'_>,
    primary: &Target,
    cut: Option<usize>,
    samples: &[Sample],
) -> Report {
    let elsewhere = |target: &&str| {
        let mut targets = drill.route.targets();
        targets.any(|known| *known.id == **target && known.provider.name != primary.provider.name)
    };
    let mut backups: Vec<String> = Vec::new();
    for id in drill.route.targets().map(|target| &*target.id) {
        if elsewhere(&id) && !backups.iter().any(|known| known == id) {
            backups.push(id.to_owned());
        }
    }
    let (before, after): (Vec<&Sample>, Vec<&Sample>) =
        (samples.iter()).partition(|sample| sample.phase == Phase::Before);
    let (compared, differences) = differences(&primary.id, samples);
    let (notes, differences) = differences
        .into_iter()
        .partition(|found| found.word == Word::Note);
    let mut report = Report {
        route: drill.route.name.to_string(),
        fault: drill.fault,
        primary: primary.id.to_string(),
        provider: primary.provider.name.to_string(),
        backups,
        cut,
        in_flight: samples.iter().any(|sample| sample.phase == Phase::InFlight),
        before: times(&before),
        after: times(&after),
        switch: switch(samples, elsewhere),
        calls: calls(samples),
        compared,
        differences,
        schema_notes: notes,
        targets: spent(drill, primary, samples),
        causes: causes(samples),
        failed: failed(samples),
        notes: Vec::new(),
    };
    report.notes = remarks(&report, primary, &before);
    report
}

/// The nearest-rank quantile.
pub(super) fn quantile(mut times: Vec<Duration>, hundredths: usize) -> Option<Duration> {
    times.sort_unstable();
    let rank = (times.len() * hundredths).div_ceil(100);
    times.get(rank.saturating_sub(1)).copied()
}

/// Of those that were answered: an error that comes at once is no quick answer.
fn times(samples: &[&Sample]) -> Times {
    let answered: Vec<_> = (samples.iter())
        .filter(|sample| sample.failed().is_none())
        .collect();
    let totals: Vec<_> = answered.iter().map(|sample| sample.total).collect();
    let firsts: Vec<_> = (answered.iter())
        .filter_map(|sample| sample.first_token)
        .collect();
    let of = |times: Vec<Duration>| [50, 95, 100].map(|share| quantile(times.clone(), share));
    Times {
        requests: samples.len(),
        failed: samples.len() - answered.len(),
        total: of(totals),
        first_token: of(firsts),
    }
}

/// The first good answer behind the cut that came from elsewhere.
fn switch(samples: &[Sample], elsewhere: impl Fn(&&str) -> bool) -> Option<Switch> {
    samples.iter().find_map(|sample| {
        let to = sample.target.as_deref().filter(&elsewhere)?;
        let after = sample.since_cut?;
        sample.failed().is_none().then(|| Switch {
            to: to.to_owned(),
            after,
            request: sample.number,
        })
    })
}

/// Each answer of another target against those that the primary gave in the same form. A model
/// does not always answer alike: an answer counts as other when it is like none of them. Returns how
/// many there were to compare, too.
fn differences(primary: &str, samples: &[Sample]) -> (usize, Vec<Difference>) {
    let mut compared = 0;
    let is_primary = |sample: &&Sample| sample.target.as_deref() == Some(primary);
    let good = |sample: &&Sample| sample.failed().is_none();
    let mut found: BTreeMap<(String, &str, Vec<String>), (Word, usize)> = BTreeMap::new();
    for other in samples.iter().filter(good) {
        let Some(target) = other.target.clone().filter(|target| target != primary) else {
            continue;
        };
        let firsts = samples.iter().filter(is_primary).filter(good);
        let alike = firsts.filter(|first| first.streamed == other.streamed);
        let best = alike
            .map(|first| judge::against(&first.finding, &other.finding))
            .min_by_key(|(word, said)| (*word, said.len()));
        let Some((word, said)) = best else { continue };
        compared += 1;
        if !said.is_empty() {
            let word = word.max(Word::Note);
            let entry = found.entry((target, other.form(), said));
            let (worst, count) = entry.or_insert((word, 0));
            *worst = word.max(*worst);
            *count += 1;
        }
    }
    let found = found.into_iter();
    let found = found.map(|((target, form, said), (word, answers))| Difference {
        target,
        form,
        word,
        said,
        answers,
    });
    (compared, found.collect())
}

/// What an application that runs every call would have run twice.
fn calls(samples: &[Sample]) -> Calls {
    let mut repeated = Vec::new();
    for sample in samples {
        let mut known = BTreeSet::new();
        for call in &sample.calls {
            if !known.insert((&call.name, &call.arguments)) {
                repeated.push(format!(
                    "request {}: {} twice with the same arguments",
                    sample.number, call.name
                ));
            }
        }
    }
    // An id that came before is another request's call again. But some providers give the same id to
    // the same request, and then it tells of them only what it tells of others.
    let alike = alike(samples);
    let mut known: BTreeMap<&str, &Sample> = BTreeMap::new();
    for sample in samples {
        let is_alike = sample.target.as_ref().is_some_and(|id| alike.contains(id));
        for call in &sample.calls {
            match known.get(&*call.id) {
                Some(earlier) if !is_alike || earlier.target != sample.target => {
                    repeated.push(format!(
                        "request {}: the call that request {} had already",
                        sample.number, earlier.number
                    ));
                }
                Some(_) => {}
                None if is_alike => {}
                None => drop(known.insert(&call.id, sample)),
            }
        }
    }
    Calls {
        made: samples.iter().map(|sample| sample.calls.len()).sum(),
        answers: samples
            .iter()
            .filter(|sample| !sample.calls.is_empty())
            .count(),
        repeated,
        alike,
    }
}

/// The targets whose calls have the same ids in every answer.
fn alike(samples: &[Sample]) -> Vec<String> {
    let mut answers: BTreeMap<&str, Vec<Vec<&str>>> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| !sample.calls.is_empty()) {
        if let Some(target) = &sample.target {
            let ids = sample.calls.iter().map(|call| &*call.id).collect();
            answers.entry(target).or_default().push(ids);
        }
    }
    answers.retain(|_, ids| ids.len() > 1 && ids.iter().all(|other| *other == ids[0]));
    answers.into_keys().map(str::to_owned).collect()
}

/// Where the tokens went, by target in the order of the route.
fn spent(drill: &Drill<'_>, primary: &Target, samples: &[Sample]) -> Vec<Spent> {
    let mut all: Vec<Spent> = Vec::new();
    for target in drill.route.targets() {
        if all.iter().any(|known| *known.target == *target.id) {
            continue;
        }
        let answered: Vec<&Sample> = (samples.iter())
            .filter(|sample| sample.target.as_deref() == Some(&*target.id))
            .collect();
        let usages: Vec<_> = answered.iter().filter_map(|sample| sample.usage).collect();
        let prompt = usages.iter().map(|usage| usage.prompt).sum();
        let completion = usages.iter().map(|usage| usage.completion).sum();
        let mut spent = Spent {
            target: target.id.to_string(),
            answers: (answered.iter())
                .filter(|sample| sample.failed().is_none())
                .count(),
            attempts: 0,
            unanswered: 0,
            uncounted: answered.len() - usages.len(),
            prompt,
            completion,
            cost: (target.price.as_ref()).map(|price| price.foreseen(prompt, completion)),
        };
        let is_cut = target.provider.name == primary.provider.name;
        for sample in samples {
            for (place, attempt) in sample.attempts.iter().enumerate() {
                if *attempt.target != *target.id {
                    continue;
                }
                spent.attempts += 1;
                // What met the outage did not reach the provider.
                let reached = match sample.phase {
                    Phase::Before => true,
                    Phase::InFlight => !is_cut || place == 0,
                    Phase::After => !is_cut,
                };
                if reached && !attempt.answered() && !attempt.free {
                    spent.unanswered += 1;
                }
            }
        }
        all.push(spent);
    }
    all
}

/// The attempts that came to nothing, and why.
fn causes(samples: &[Sample]) -> Vec<Cause> {
    let mut found: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    for attempt in samples.iter().flat_map(|sample| &sample.attempts) {
        if !attempt.answered() {
            let key = (&*attempt.target, &*attempt.class, &*attempt.reason);
            *found.entry(key).or_default() += 1;
        }
    }
    (found.into_iter())
        .map(|((target, class, reason), attempts)| Cause {
            target: target.to_owned(),
            class: class.to_owned(),
            reason: reason.to_owned(),
            attempts,
        })
        .collect()
}

fn failed(samples: &[Sample]) -> Vec<Failed> {
    (samples.iter())
        .filter_map(|sample| {
            let trouble = sample.failed()?;
            Some(Failed {
                request: sample.number,
                form: sample.form(),
                after: sample.total,
                said: trouble.said.clone(),
            })
        })
        .collect()
}

/// What a person should know to read the report right.
fn remarks(report: &Report, primary: &Target, before: &[&Sample]) -> Vec<String> {
    let mut notes = Vec::new();
    let answered = |sample: &&&Sample| {
        sample.failed().is_none() && sample.target.as_deref() == Some(&*primary.id)
    };
    let good = before.iter().filter(answered).count();
    if report.cut.is_some() && good == 0 {
        notes.push(format!(
            "{} gave no answer before the cut either: there was nothing to lose, and nothing to compare with",
            primary.id
        ));
    }
    if report.cut.is_some() && report.calls.made == 0 {
        notes.push(
            "no model called the tool that was offered: tool calls were not put to the proof"
                .into(),
        );
    }
    if !report.calls.alike.is_empty() {
        notes.push(format!(
            "{}: the ids of its calls are the same in every answer, so that one of another request would not be told by them",
            report.calls.alike.join(", ")
        ));
    }
    notes
}
