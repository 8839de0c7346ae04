//! Each answer alone: what a target can do, or what it lacks.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Finding, Lack, Refused, Traits, Trouble};
use crate::check::caller::Answer;
use crate::check::probe::{self, Probe};
use crate::check::read::{self, Reading};
use crate::check::schema::satisfies;
use crate::listen::respond::X_SHOULD_RETRY;

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
