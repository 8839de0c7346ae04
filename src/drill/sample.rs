//! One request of a drill, and what came of it.
//!
//! Pure.

use std::time::Duration;

use serde_json::Value;

use crate::check::caller::Answer;
use crate::check::judge::{self, Finding, Lack, Trouble};
use crate::check::read::Call;

/// Where a request stood when the primary was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It was over.
    Before,
    /// It was waiting for its answer.
    InFlight,
    /// It had not begun.
    After,
}

#[derive(Debug)]
pub(super) struct Sample {
    /// From 1.
    pub(super) number: usize,
    pub(super) streamed: bool,
    pub(super) phase: Phase,
    pub(super) first_token: Option<Duration>,
    pub(super) total: Duration,
    /// From the cut to its end.
    pub(super) since_cut: Option<Duration>,
    pub(super) finding: Finding,
    pub(super) calls: Vec<Call>,
    /// The target whose answer it is.
    pub(super) target: Option<String>,
    /// The target that was to be asked first.
    pub(super) planned: Option<String>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) usage: Option<Usage>,
}

/// As the gateway recorded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) target: String,
    pub(super) class: String,
    pub(super) reason: String,
    /// Whether the provider cannot charge for it.
    pub(super) free: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) prompt: u64,
    pub(super) completion: u64,
}

impl Sample {
    pub(super) fn of(number: usize, streamed: bool, phase: Phase, answer: &Answer) -> Self {
        let record = answer.record.as_ref();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let target = answer.header("x-pillion-target").map(str::to_owned);
        let attempts = record.and_then(|record| record["attempts"].as_array());
        let reading = judge::good(answer);
        let calls = (reading.as_ref()).map_or_else(|_| Vec::new(), |reading| reading.calls.clone());
        // An answer in words is one too; a call must be right.
        let result = reading.and_then(|reading| {
            if !reading.calls.is_empty() {
                judge::ordered(&reading)?;
            }
            Ok(judge::traits(answer, &reading))
        });
        Self {
            number,
            streamed,
            phase,
            first_token: answer.first_token,
            total: answer.total,
            since_cut: None,
            finding: Finding {
                result,
                first_token: answer.first_token,
                total: answer.total,
            },
            calls,
            target: target.or_else(|| record.and_then(|record| text(&record["target"]))),
            planned: record.and_then(|record| text(&record["plan"][0])),
            attempts: attempts.into_iter().flatten().map(Attempt::of).collect(),
            usage: record.and_then(|record| {
                Some(Usage {
                    prompt: record["usage"]["prompt"].as_u64()?,
                    completion: record["usage"]["completion"].as_u64()?,
                })
            }),
        }
    }

    /// Why the application has no answer that it can read, if it has none. One that calls the tool
    /// wrongly is an answer.
    pub(super) fn failed(&self) -> Option<&Trouble> {
        let trouble = self.finding.result.as_ref().err()?;
        match trouble.lack {
            Lack::Lacking => None,
            Lack::Refused | Lack::Broken | Lack::Unreachable => Some(trouble),
        }
    }

    pub(super) fn form(&self) -> &'static str {
        if self.streamed { "stream" } else { "plain" }
    }
}

impl Attempt {
    fn of(attempt: &Value) -> Self {
        let text = |key: &str| attempt[key].as_str().unwrap_or_default().to_owned();
        Self {
            target: text("target"),
            class: text("class"),
            reason: crate::check::line(&text("reason")),
            // Nobody charges for what was refused.
            free: attempt["billed"] == false || attempt["status"].as_u64() >= Some(400),
        }
    }

    pub(super) fn answered(&self) -> bool {
        self.class == "ok"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: &Value) -> Answer {
        Answer {
            status,
            body: body.to_string().into(),
            record: Some(json!({
                "target": "b/m",
                "plan": ["a/m", "b/m"],
                "usage": { "prompt": 9, "completion": 3 },
                "attempts": [
                    { "target": "a/m", "class": "connect", "reason": "no\nconnection", "billed": false },
                    { "target": "a/m", "class": "overloaded", "status": 503, "billed": null },
                    { "target": "b/m", "class": "ok", "reason": null, "billed": null },
                ],
            })),
            ..Answer::default()
        }
    }

    #[test]
    fn an_answer_in_words_is_one_and_an_error_is_none() {
        let message = json!({ "role": "assistant", "content": "Hello!" });
        let words = json!({
            "id": "1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
        });
        let sample = Sample::of(1, false, Phase::After, &answer(200, &words));
        assert_eq!(sample.failed(), None);
        let error = json!({ "error": { "message": "gone" } });
        let sample = Sample::of(1, false, Phase::After, &answer(502, &error));
        assert!(sample.failed().is_some());
        let sample = Sample::of(1, true, Phase::After, &answer(200, &json!("half")));
        assert!(sample.failed().is_some());
    }

    #[test]
    fn the_record_says_who_was_asked() {
        let sample = Sample::of(7, false, Phase::Before, &answer(502, &json!({})));
        assert_eq!(sample.planned.as_deref(), Some("a/m"));
        assert_eq!(sample.target.as_deref(), Some("b/m"));
        assert_eq!(sample.usage.map(|usage| usage.prompt), Some(9));
        let [first, refused, second] = &sample.attempts[..] else {
            panic!("{sample:?}");
        };
        assert_eq!(first.reason, "no connection");
        assert!(first.free && !first.answered());
        assert!(refused.free && !refused.answered());
        assert!(!second.free && second.answered());
    }
}
