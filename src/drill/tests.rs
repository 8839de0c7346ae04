//! What samples come to, and what that means.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::report::{Noticed, Report};
use super::run::{Drill, Forms};
use super::sample::{Phase, Sample};
use super::tally::{self, quantile};
use super::{json as to_json, table};
use crate::check::caller::Answer;
use crate::config::{Format, Sources, load};
use crate::simulate::Gone;
use crate::snapshot::Route;

const ARGUMENTS: &str = r#"{"customer":{"name":"A","tier":"plus"},"items":[],"express":true}"#;

fn route(targets: &str) -> Arc<Route> {
    let text = format!(
        "
allow_anonymous: true
providers:
  a: {{ kind: openai-compatible, base_url: \"http://127.0.0.1:1/v1\" }}
  b: {{ kind: openai-compatible, base_url: \"http://127.0.0.1:1/v1\" }}
routes:
  chat: {{ targets: [{targets}] }}
"
    );
    let loaded = load(&Sources::from_text(Format::Yaml, text.as_str())).unwrap();
    Arc::clone(&loaded.snapshot.routes["chat"])
}

fn call(id: &str) -> Value {
    let function = json!({ "name": "record_order", "arguments": ARGUMENTS });
    json!({ "id": id, "type": "function", "function": function })
}

/// An answer of `target` with these calls, or in words where there are none.
fn answer(target: &str, calls: &[Value], millis: u64) -> Answer {
    let (message, finish) = if calls.is_empty() {
        (json!({ "role": "assistant", "content": "Hi" }), "stop")
    } else {
        let message = json!({ "role": "assistant", "content": null, "tool_calls": calls });
        (message, "tool_calls")
    };
    let body = json!({
        "id": "1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "message": message, "finish_reason": finish }],
        "usage": { "prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12 },
    });
    Answer {
        status: 200,
        body: body.to_string().into(),
        total: Duration::from_millis(millis),
        record: Some(json!({
            "target": target,
            "plan": ["a/m", "b/m"],
            "usage": { "prompt": 9, "completion": 3 },
            "attempts": [{ "target": target, "class": "ok" }],
        })),
        ..Answer::default()
    }
}

fn lost() -> Answer {
    Answer {
        failed: Some("no end".into()),
        total: Duration::from_secs(9),
        record: Some(json!({
            "plan": ["a/m", "b/m"],
            "attempts": [
                { "target": "a/m", "class": "timeout", "reason": "late" },
                { "target": "b/m", "class": "timeout", "reason": "late" },
            ],
        })),
        ..Answer::default()
    }
}

/// The report of these answers, of which the first `before` came before the cut.
fn drilled(before: usize, answers: &[Answer]) -> Report {
    let route = route("a/m, b/m");
    let samples: Vec<Sample> = (answers.iter().enumerate())
        .map(|(place, answer)| {
            let phase = if place < before {
                Phase::Before
            } else {
                Phase::After
            };
            Sample {
                since_cut: (place >= before).then(|| Duration::from_millis(700)),
                ..Sample::of(place + 1, false, phase, answer)
            }
        })
        .collect();
    let drill = Drill {
        route: &route,
        requests: samples.len(),
        forms: Forms::Plain,
        fault: Gone::Connect,
    };
    let primary = &route.places[0].members[0].target;
    tally::report(&drill, primary, Some(before + 1), &samples)
}

#[test]
fn a_quantile_is_one_of_the_times() {
    let times = |count: u64| (1..=count).rev().map(Duration::from_secs).collect();
    for (count, share, expected) in [
        (0, 50, None),
        (1, 95, Some(1)),
        (4, 50, Some(2)),
        (20, 95, Some(19)),
        (15, 95, Some(15)),
        (15, 100, Some(15)),
    ] {
        let expected = expected.map(Duration::from_secs);
        assert_eq!(quantile(times(count), share), expected, "{count} {share}");
    }
}

#[test]
fn a_backup_that_answers_alike_is_not_noticed() {
    let report = drilled(
        2,
        &[
            answer("a/m", &[call("1")], 100),
            answer("a/m", &[call("2")], 300),
            answer("b/m", &[call("3")], 200),
            answer("b/m", &[call("4")], 900),
        ],
    );
    assert!(report.is_fine(), "{report:#?}");
    assert_eq!(report.verdict().0, Noticed::No);
    let said = to_json(&report);
    assert_eq!(
        said["before"]["ms"],
        json!({ "p50": 100, "p95": 300, "worst": 300 })
    );
    assert_eq!(said["after"]["ms"]["worst"], 900);
    assert_eq!(
        said["switch"],
        json!({ "to": "b/m", "ms": 700, "request": 3 })
    );
    assert_eq!(said["backups"], json!(["b/m"]));
    assert_eq!(said["tool_calls"]["calls"], 4);
    assert_eq!(said["targets"][1]["prompt_tokens"], 18);
    assert_eq!(said["targets"][1]["cost"], Value::Null);
}

#[test]
fn a_wait_is_told_from_a_failure() {
    let quick = || answer("a/m", &[], 100);
    let report = drilled(2, &[quick(), quick(), answer("b/m", &[], 5000)]);
    assert!(report.is_fine());
    let (noticed, said) = report.verdict();
    assert_eq!(noticed, Noticed::Waited);
    assert!(said.contains("from 0.10 s to 5.00 s"), "{said}");

    let report = drilled(2, &[quick(), quick(), lost(), answer("b/m", &[], 100)]);
    assert!(!report.is_fine());
    assert_eq!(report.verdict().0, Noticed::Yes);
    let said = to_json(&report);
    assert_eq!(said["error_rate"], 0.25);
    assert_eq!(said["after"]["error_rate"], 0.5);
    assert_eq!(said["requests_failed"][0]["request"], 3);
    // Behind the cut the primary is not reached, and cannot charge.
    assert_eq!(said["targets"][0]["unanswered_maybe_billed"], 0);
    assert_eq!(said["targets"][1]["unanswered_maybe_billed"], 1);
    // The error is not the quickest answer, nor the slowest.
    assert_eq!(said["after"]["ms"]["worst"], 100);
}

#[test]
fn an_answer_is_compared_with_all_of_the_primarys() {
    let words = |target| answer(target, &[], 100);
    let calls = |target, id: &str| answer(target, &[call(id)], 100);
    let report = drilled(1, &[calls("a/m", "1"), words("b/m"), words("b/m")]);
    let said = to_json(&report);
    let difference = &said["schema"]["differences"][0];
    assert_eq!(difference["answers"], 2, "{said:#}");
    assert_eq!(difference["target"], "b/m");
    let why = difference["said"][0].as_str().unwrap();
    assert!(why.contains("finish_reason is stop"), "{why}");
    assert!(!report.is_fine());
    assert_eq!(said["schema"]["compared"], 2);
    // With an answer that is none there is nothing to compare.
    let report = drilled(1, &[lost(), words("b/m")]);
    assert_eq!(to_json(&report)["schema"]["compared"], 0);
    assert!(
        to_json(&report)["notes"][0]
            .as_str()
            .unwrap()
            .contains("nothing to compare")
    );
    // The primary speaks in words too, now and then.
    let report = drilled(2, &[calls("a/m", "1"), words("a/m"), words("b/m")]);
    assert!(report.is_fine(), "{report:#?}");
    // A call that does not fit its schema is an answer, and not like the primary's.
    let mut wrong = call("9");
    wrong["function"]["arguments"] = "{}".into();
    let report = drilled(1, &[calls("a/m", "1"), answer("b/m", &[wrong], 100)]);
    assert!(!report.is_fine());
    assert!(report.failed.is_empty());
}

#[test]
fn a_call_that_comes_twice_is_found_by_what_it_does_and_by_its_id() {
    let calls = |target, ids: &[&str]| {
        let calls: Vec<Value> = ids.iter().map(|id| call(id)).collect();
        answer(target, &calls, 100)
    };
    for (before, after, repeated) in [
        (["1", "2"], &["3"][..], 0),
        (["1", "2"], &["3", "4"], 1),
        (["1", "2"], &["2"], 1),
        // This provider gives the same id to the same request.
        (["1", "1"], &["1"], 0),
        (["1", "1"], &["1", "2"], 1),
    ] {
        let [one, two] = before;
        let report = drilled(
            2,
            &[
                calls("a/m", &[one]),
                calls("a/m", &[two]),
                calls("b/m", after),
            ],
        );
        assert_eq!(
            report.calls.repeated.len(),
            repeated,
            "{before:?} {after:?}"
        );
        assert_eq!(report.is_fine(), repeated == 0);
    }
}

#[test]
fn without_a_backup_nothing_is_compared_and_it_is_said() {
    let route = route("a/m, a/n");
    let drill = Drill {
        route: &route,
        requests: 30,
        forms: Forms::Both,
        fault: Gone::Hang,
    };
    assert!(!drill.has_backup());
    let primary = &route.places[0].members[0].target;
    let report = tally::report(&drill, primary, None, &[]);
    assert!(!report.is_fine());
    let mut out = Vec::new();
    table(&report, &mut out).unwrap();
    let said = String::from_utf8(out).unwrap();
    assert!(said.contains("nothing was sent"), "{said}");
    assert!(said.contains("NO BACKUP"), "{said}");
    assert!(said.ends_with("\nnot ok\n"), "{said}");
    assert_eq!(to_json(&report)["error_rate"], Value::Null);
}
