//! A drill's report for a program.

use std::time::Duration;

use serde_json::{Value, json};

use super::report::{Difference, Report, Times};
use crate::simulate::Gone;

/// One JSON object for programs.
pub fn json(report: &Report) -> Value {
    let (noticed, verdict) = report.verdict();
    let failed = report.failed.len();
    let requests = report.before.requests + report.after.requests;
    json!({
        "ok": report.is_fine(),
        "noticed": noticed.name(),
        "verdict": verdict,
        "route": report.route,
        "fault": fault_name(report.fault),
        "primary": report.primary,
        "backups": report.backups,
        "cut_at_request": report.cut,
        "in_flight": report.in_flight,
        "requests": requests,
        "failed": failed,
        "error_rate": rate(failed, requests),
        "before": times_json(&report.before),
        "after": times_json(&report.after),
        "switch": report.switch.as_ref().map(|switch| json!({
            "to": switch.to, "ms": millis(switch.after), "request": switch.request,
        })),
        "tool_calls": {
            "calls": report.calls.made,
            "answers": report.calls.answers,
            "repeated": report.calls.repeated.len(),
            "said": report.calls.repeated,
        },
        "schema": {
            "ok": report.differences.is_empty(),
            "compared": report.compared,
            "differences": report.differences.iter().map(difference_json).collect::<Vec<_>>(),
            "notes": report.schema_notes.iter().map(difference_json).collect::<Vec<_>>(),
        },
        "targets": report.targets.iter().map(|spent| json!({
            "target": spent.target,
            "answers": spent.answers,
            "attempts": spent.attempts,
            "unanswered_maybe_billed": spent.unanswered,
            "answers_without_usage": spent.uncounted,
            "prompt_tokens": spent.prompt,
            "completion_tokens": spent.completion,
            "cost": spent.cost.map(|cost| cost.to_string()),
        })).collect::<Vec<_>>(),
        "attempts_failed": report.causes.iter().map(|cause| json!({
            "target": cause.target,
            "class": cause.class,
            "reason": cause.reason,
            "attempts": cause.attempts,
        })).collect::<Vec<_>>(),
        "requests_failed": report.failed.iter().map(|failed| json!({
            "request": failed.request,
            "form": failed.form,
            "ms": millis(failed.after),
            "said": failed.said,
        })).collect::<Vec<_>>(),
        "notes": report.notes,
    })
}

fn times_json(times: &Times) -> Value {
    let of = |times: &[Option<Duration>; 3]| {
        let [p50, p95, worst] = times.map(|time| time.map(millis));
        json!({ "p50": p50, "p95": p95, "worst": worst })
    };
    json!({
        "requests": times.requests,
        "failed": times.failed,
        "error_rate": rate(times.failed, times.requests),
        "ms": of(&times.total),
        "first_token_ms": of(&times.first_token),
    })
}

fn difference_json(difference: &Difference) -> Value {
    json!({
        "target": difference.target,
        "form": difference.form,
        "verdict": difference.word.name(),
        "said": difference.said,
        "answers": difference.answers,
    })
}

/// Null where nothing was asked.
fn rate(failed: usize, requests: usize) -> Option<f64> {
    let number = |count: usize| u32::try_from(count).map(f64::from).ok();
    (requests > 0).then_some(())?;
    Some(number(failed)? / number(requests)?)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The word of `--fault`.
fn fault_name(fault: Gone) -> &'static str {
    match fault {
        Gone::Connect => "connect",
        Gone::Reset => "reset",
        Gone::Hang => "hang",
        Gone::Error => "error",
    }
}
