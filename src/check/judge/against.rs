//! The verdict on a finding: of what comes first by itself, of any other beside the first.

use std::collections::BTreeSet;

use super::{Finding, Lack, Refused, Traits};
use crate::check::line;
use crate::check::probe::Probe;
use crate::check::report::Word;
use crate::listen::respond::X_SHOULD_RETRY;

/// The verdict on what comes first: there is nothing to compare it with.
pub(crate) fn alone(probe: Probe, finding: &Finding) -> (Word, Vec<String>) {
    match &finding.result {
        Ok(traits) => (Word::Ok, traits.notes.clone()),
        Err(trouble) => {
            let word = match trouble.lack {
                // Without a plain answer there is nothing that another could stand in for.
                Lack::Lacking | Lack::Refused if probe != Probe::Plain => Word::Note,
                Lack::Lacking | Lack::Refused | Lack::Broken | Lack::Unreachable => Word::Fails,
            };
            (word, vec![trouble.said.clone()])
        }
    }
}

/// Whether `other` may stand in for `first`, and why not.
pub(crate) fn against(first: &Finding, other: &Finding) -> (Word, Vec<String>) {
    match (&first.result, &other.result) {
        (Ok(first), Ok(other)) => {
            let differences = differences(first, other);
            let notes = notes(first, other);
            if differences.is_empty() {
                (Word::Ok, notes)
            } else {
                (Word::Differs, [differences, notes].concat())
            }
        }
        (Err(_), Ok(other)) => (Word::Ok, other.notes.clone()),
        (Ok(_), Err(trouble)) => (Word::Fails, vec![trouble.said.clone()]),
        (Err(first), Err(other)) => {
            if other.lack == Lack::Unreachable || other.lack > first.lack {
                (Word::Fails, vec![other.said.clone()])
            } else {
                let said = format!("{}; the first cannot either", other.said);
                (Word::Note, vec![said])
            }
        }
    }
}

/// What would reach an application.
fn differences(first: &Traits, other: &Traits) -> Vec<String> {
    let mut found = Vec::new();
    let mut differ = |what: &str, first: &str, other: &str| {
        if first != other {
            found.push(line(&format!("{what} is {other}, the first's is {first}")));
        }
    };
    let none = || "none".to_owned();
    let shown = |text: &Option<String>| text.clone().unwrap_or_else(none);
    differ(
        "finish_reason",
        &shown(&first.finish),
        &shown(&other.finish),
    );
    differ("content-type", &first.content_type, &other.content_type);
    if let (Some(first), Some(other)) = (&first.error, &other.error) {
        let status = |refused: &Refused| refused.status.to_string();
        differ("the error's status", &status(first), &status(other));
        differ("the error's type", &shown(&first.kind), &shown(&other.kind));
        differ(
            X_SHOULD_RETRY.as_str(),
            &shown(&first.should_retry),
            &shown(&other.should_retry),
        );
        // Many providers have no code: code that reads it must be ready for that.
        if first.code.is_some() && other.code.is_some() {
            differ("the error's code", &shown(&first.code), &shown(&other.code));
        }
    }
    if first.usage && !other.usage {
        found.push("there is no usage, and the first has it".into());
    }
    found
}

/// What is worth knowing and breaks nobody: every SDK takes these members as optional.
fn notes(first: &Traits, other: &Traits) -> Vec<String> {
    let mut notes = other.notes.clone();
    let mut missing = |what: &str, from: &BTreeSet<String>, to: &BTreeSet<String>| {
        // A member within one that is missing says no more than that one.
        let missing: Vec<&str> = from
            .difference(to)
            .filter(|path| {
                path.rsplit_once('.')
                    .is_none_or(|(above, _)| to.contains(above) || !from.contains(above))
            })
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            notes.push(line(&format!("{what} {}", missing.join(", "))));
        }
    };
    missing("lacks", &first.fields, &other.fields);
    missing("lacks the header", &first.headers, &other.headers);
    if let (Some(first), Some(other)) = (&first.error, &other.error)
        && first.code.is_some() != other.code.is_some()
    {
        let shown = |code: &Option<String>| code.clone().unwrap_or_else(|| "none".into());
        notes.push(line(&format!(
            "the error's code is {}, the first's is {}",
            shown(&other.code),
            shown(&first.code)
        )));
    }
    notes
}
