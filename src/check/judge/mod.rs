//! What an answer is worth, and what an application would notice between two of them.
//!
//! Pure. First each answer alone: [`of`] says what a target can do, or what it lacks. Then two
//! against each other: [`against`] asks whether the second may stand in for the first. What the
//! first cannot do either is a note, not a failure: nobody can rely on it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::caller::Answer;
use super::line;
use super::probe::{self, Probe};
use super::read::{self, Reading};
use super::report::Word;
use super::schema::satisfies;
use crate::listen::respond::X_SHOULD_RETRY;
use crate::snapshot::Timeouts;

/// What came of one probe.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) result: Result<Traits, Trouble>,
    pub(crate) first_token: Option<Duration>,
    pub(crate) total: Duration,
}

/// What an application can see of an answer that is good.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Traits {
    pub(crate) finish: Option<String>,
    pub(crate) content_type: String,
    pub(crate) usage: bool,
    pub(crate) fields: BTreeSet<String>,
    pub(crate) headers: BTreeSet<String>,
    /// Of the answer to a request that is wrong.
    pub(crate) error: Option<Refused>,
    pub(crate) notes: Vec<String>,
}

/// An error as an application's code tells it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) kind: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) should_retry: Option<String>,
}

/// Why there is no good answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) lack: Lack,
    /// In plain words.
    pub(crate) said: String,
}

/// In the order of how much worse it is for an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lack {
    /// A whole answer without what was asked for.
    Lacking,
    /// The request was refused as one that this model does not take.
    Refused,
    /// An answer that an SDK fails at, or that the gateway had to throw away.
    Broken,
    /// No answer: the connection, the key, the account, an outage.
    Unreachable,
}

impl Trouble {
    fn new(lack: Lack, said: impl AsRef<str>) -> Self {
        let said = line(said.as_ref());
        Self { lack, said }
    }
}

/// What came of `probe`, all of whose requests have these answers.
pub(crate) fn of(probe: Probe, answers: &[Answer]) -> Finding {
    let result = match (probe, answers) {
        (Probe::Error, [answer]) => refused(answer),
        (Probe::Cancel, [left, after]) => cancelled(left, after),
        (Probe::Tools, [called, rest @ ..]) => tools(called, rest.first()),
        (_, [answer]) => good(answer).and_then(|reading| {
            let mut traits = traits(answer, &reading);
            able(probe, &reading, &mut traits)?;
            Ok(traits)
        }),
        (_, _) => Err(Trouble::new(Lack::Unreachable, "it was not asked")),
    };
    let first = answers.first();
    Finding {
        result,
        first_token: first.and_then(|answer| answer.first_token),
        total: first.map(|answer| answer.total).unwrap_or_default(),
    }
}

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

/// An answer that any SDK reads, plain or streamed.
pub(crate) fn good(answer: &Answer) -> Result<Reading, Trouble> {
    if let Some(failed) = &answer.failed {
        let lack = if answer.status == 0 {
            Lack::Unreachable
        } else {
            Lack::Broken
        };
        return Err(Trouble::new(lack, failed));
    }
    if answer.status != 200 {
        return Err(unanswered(answer));
    }
    let read = if answer.is_stream() {
        read::stream(&answer.body)
    } else {
        read::plain(&answer.body)
    };
    read.map_err(|why| Trouble::new(Lack::Broken, why))
}

/// What a status other than 200 says.
fn unanswered(answer: &Answer) -> Trouble {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let error = &body["error"];
    let message = error["message"].as_str().unwrap_or("no error object");
    // What the gateway recorded says more than what it tells applications.
    let attempt = answer
        .record
        .as_ref()
        .and_then(|record| record["attempts"].as_array()?.last());
    let class = attempt.and_then(|attempt| attempt["class"].as_str());
    let lack = match (class, answer.status) {
        (Some("invalid_request" | "context_length" | "policy"), _)
        | (None, 400 | 413 | 415 | 422) => Lack::Refused,
        (Some("broken"), _) => Lack::Broken,
        (_, _) => Lack::Unreachable,
    };
    let status = answer.status;
    match (class, lack) {
        (Some(class), Lack::Broken | Lack::Unreachable) => {
            let reason = attempt.and_then(|attempt| attempt["reason"].as_str());
            Trouble::new(lack, format!("{class}: {}", reason.unwrap_or(message)))
        }
        (_, _) => Trouble::new(lack, format!("refused with {status}: {message}")),
    }
}

/// Whether a good answer holds what `probe` asked for.
fn able(probe: Probe, reading: &Reading, traits: &mut Traits) -> Result<(), Trouble> {
    let lacks = |said: &str| Err(Trouble::new(Lack::Lacking, said));
    match probe {
        Probe::Plain | Probe::Stream if reading.text.is_empty() => lacks("the answer is empty"),
        Probe::Stream if reading.usage.is_some() => Err(Trouble::new(
            Lack::Broken,
            "usage comes unasked, on an event without choices",
        )),
        Probe::Usage => match reading.usage {
            None => lacks("there is no usage"),
            Some([0, ..] | [_, 0, _]) => lacks("the usage counts no tokens"),
            Some([prompt, completion, total]) => {
                if total != prompt + completion {
                    let note = "the total of the usage is not the sum of its parts";
                    traits.notes.push(note.into());
                }
                Ok(())
            }
        },
        Probe::Tools | Probe::ToolsStreamed => ordered(reading),
        Probe::ParallelTools if reading.calls.len() < 2 => {
            lacks("made fewer than the two calls asked for in one turn")
        }
        Probe::JsonSchema => match serde_json::from_str::<Value>(&reading.text) {
            Err(_) => lacks("the answer is not JSON"),
            Ok(ticket) => satisfies(&ticket, &probe::ticket_schema())
                .or_else(|why| lacks(&format!("the answer does not satisfy the schema: {why}"))),
        },
        Probe::LongContext if !reading.text.contains(probe::HIDDEN) => {
            lacks("did not find what stood in the first line of a long prompt")
        }
        Probe::Plain
        | Probe::Stream
        | Probe::ParallelTools
        | Probe::LongContext
        | Probe::Cancel
        | Probe::Error
        | Probe::Pace => Ok(()),
    }
}

/// Whether the one tool was called, with arguments of its schema.
pub(crate) fn ordered(reading: &Reading) -> Result<(), Trouble> {
    let lacks = |said: String| Err(Trouble::new(Lack::Lacking, said));
    let Some(call) = reading.calls.first() else {
        return lacks("answered in words where a tool was to be called".into());
    };
    if call.name != probe::ORDER {
        return lacks(format!("called `{}`, which was not offered", call.name));
    }
    let arguments = serde_json::from_str(&call.arguments).unwrap_or_default();
    satisfies(&arguments, &probe::order_schema())
        .or_else(|why| lacks(format!("the arguments do not satisfy the schema: {why}")))
}

fn tools(called: &Answer, result: Option<&Answer>) -> Result<Traits, Trouble> {
    let reading = good(called)?;
    let traits = traits(called, &reading);
    ordered(&reading)?;
    let Some(result) = result else {
        let said = "the call could not be answered";
        return Err(Trouble::new(Lack::Broken, said));
    };
    match good(result) {
        Ok(_) => Ok(traits),
        Err(trouble) => Err(Trouble::new(
            trouble.lack,
            format!("the turn after the tool's result: {}", trouble.said),
        )),
    }
}

fn cancelled(left: &Answer, after: &Answer) -> Result<Traits, Trouble> {
    let mut traits = Traits::default();
    if !left.left {
        good(left)?;
    }
    let recorded = left.record.as_ref().map(|record| &record["outcome"]);
    // A short answer may be on its way whole before anybody can leave it: that proves nothing.
    if !left.left || recorded.is_some_and(|outcome| outcome == "ok") {
        let note = "the answer was over before it could be left";
        traits.notes.push(note.into());
    } else if let Some(outcome) = recorded.filter(|outcome| *outcome != "cancelled") {
        let said = format!("a stream that was left is recorded as {outcome}");
        return Err(Trouble::new(Lack::Broken, said));
    }
    good(after).map(|_| traits).map_err(|trouble| {
        let said = format!("the next request after a cancelled one: {}", trouble.said);
        Trouble::new(trouble.lack, said)
    })
}

/// What a request that nobody can answer is told.
fn refused(answer: &Answer) -> Result<Traits, Trouble> {
    if let Some(failed) = &answer.failed {
        return Err(Trouble::new(Lack::Unreachable, failed));
    }
    if answer.status == 200 {
        let said = "a conversation without messages was answered";
        return Err(Trouble::new(Lack::Lacking, said));
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let error = &body["error"];
    let optional = |key: &str| matches!(error[key], Value::String(_) | Value::Null);
    if !error["message"].is_string() || !optional("type") || !optional("code") {
        let said = format!("status {} came without an error object", answer.status);
        return Err(Trouble::new(Lack::Broken, said));
    }
    let text = |key: &str| error[key].as_str().map(str::to_owned);
    Ok(Traits {
        content_type: content_type(answer),
        error: Some(Refused {
            status: answer.status,
            kind: text("type"),
            code: text("code"),
            should_retry: answer.header(X_SHOULD_RETRY.as_str()).map(str::to_owned),
        }),
        headers: headers(answer),
        ..Traits::default()
    })
}

pub(crate) fn traits(answer: &Answer, reading: &Reading) -> Traits {
    Traits {
        finish: Some(reading.finish.clone()),
        content_type: content_type(answer),
        usage: reading.usage.is_some(),
        fields: reading.fields.clone(),
        headers: headers(answer),
        error: None,
        notes: Vec::new(),
    }
}

/// Without parameters: those of JSON mean nothing.
fn content_type(answer: &Answer) -> String {
    let whole = answer.header("content-type").unwrap_or("none");
    let bare = whole.split(';').next().unwrap_or(whole);
    bare.trim().to_ascii_lowercase()
}

/// The headers that people and their tools read.
fn headers(answer: &Answer) -> BTreeSet<String> {
    ["x-request-id", "x-pillion-target", "x-pillion-attempts"]
        .into_iter()
        .filter(|name| answer.headers.contains_key(*name))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests;
