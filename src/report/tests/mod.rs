//! Reports as a whole: records in, what a person or a program is told out.

mod compare;
mod intake;
mod replay;

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::price::{Exchange, Money, Months};

/// A record of `chat`, with what differs from the usual one.
fn record(other: &Value) -> String {
    let mut record = json!({
        "kind": "pillion.audit", "time": "2026-11-20T08:09:10.123Z", "id": "req_1", "trace_id": null,
        "key": "chat-prod", "team": "support", "service": "chat", "environment": "prod", "instance": "pod-1",
        "route": "chat", "rule": null, "surface": "chat", "stream": true, "plan": ["a/m", "b/n"],
        "attempts": [{"target": "a/m", "class": "ok", "status": 200, "ms": 800, "first_token_ms": 300, "reason": null, "billed": true, "upstream_id": null}],
        "status": 200, "outcome": "ok", "reason": null, "target": "a/m", "provider": "a", "model": "m",
        "first_token_ms": 310, "total_ms": 810,
        "usage": {"prompt": 1000, "cached": 200, "cache_write": null, "reasoning": null, "completion": 100, "estimated": false},
        "cost": "0.0021", "currency": "USD", "privacy": null, "residency": null, "dropped": null, "content": null, "config_version": "v", "seq": 1, "prev": null, "hash": null
    });
    for (key, value) in other.as_object().unwrap() {
        record[key] = value.clone();
    }
    record.to_string()
}

/// Five requests: two good ones, one that fell back to a target without a price, one without an answer, one
/// whose caller left.
fn day() -> Vec<String> {
    let failed = json!({"target": "a/m", "class": "timeout", "ms": 2500, "first_token_ms": null});
    vec![
        record(&json!({})),
        record(
            &json!({"time": "2026-11-21T08:09:10.123Z", "first_token_ms": 510, "total_ms": 1010, "cost": "0.000000000001"}),
        ),
        record(&json!({
            "attempts": [failed, {"target": "b/n", "class": "ok", "ms": 700, "first_token_ms": 200}],
            "target": "b/n", "provider": "b", "model": "n", "first_token_ms": 2710, "total_ms": 3210,
            "cost": null, "currency": null, "privacy": {"found": {"iin": 2, "card": 0}, "action": "mask"},
            "usage": {"prompt": 900, "cached": null, "cache_write": null, "reasoning": null, "completion": 50, "estimated": true}
        })),
        record(&json!({
            "attempts": [failed], "outcome": "error", "reason": "timeout", "status": 504, "target": null, "provider": null,
            "model": null, "first_token_ms": null, "total_ms": 2510, "usage": null, "cost": null, "currency": null
        })),
        record(&json!({
            "route": "batch", "outcome": "cancelled", "reason": "cancelled", "status": null, "total_ms": 400, "usage": null, "cost": null, "currency": null
        })),
    ]
}

fn summary(
    by: &[By],
    span: Span,
    lines: &[String],
    currency: Option<&str>,
    exchange: &Exchange,
) -> Summary {
    let mut tally = Tally::new(by.to_vec(), span);
    for line in lines {
        tally.line(line.as_bytes(), false);
    }
    Summary::of(tally.finish(), currency, exchange)
}

fn told(by: &[By], lines: &[String]) -> Value {
    let summary = summary(by, Span::default(), lines, None, &Exchange::default());
    serde_json::to_value(summary).unwrap()
}

#[test]
fn a_group_has_its_requests_errors_times_tokens_and_money() {
    let told = told(&[By::Route], &day());
    let chat = &told["rows"][1];
    assert_eq!(chat["route"], "chat");
    for (figure, expected) in [
        ("requests", json!(4)),
        ("errors", json!(1)),
        ("error_share", json!(0.25)),
        ("cancelled", json!(0)),
        ("reasons", json!({"timeout": 1})),
        ("fallbacks", json!(1)),
        ("fallback_share", json!(0.25)),
        (
            "first_token_ms",
            json!({"mean": 1177, "p50": 510, "p95": 2710, "p99": 2710}),
        ),
        (
            "total_ms",
            json!({"mean": 1885, "p50": 1010, "p95": 3210, "p99": 3210}),
        ),
        (
            "tokens",
            json!({"prompt": 2900, "cached": 400, "cache_write": 0, "reasoning": 0, "completion": 250}),
        ),
        ("counted", json!(3)),
        ("estimated_share", json!(0.3333)),
        ("unpriced", json!(1)),
        (
            "costs",
            json!([{"currency": "USD", "cost": "0.002100000001", "requests": 2, "per_request": "0.001050000001", "per_1k_tokens": "0.000954545455"}]),
        ),
        ("personal_share", json!(0.25)),
        ("classes", json!({"iin": {"requests": 1, "share": 0.25}})),
    ] {
        assert_eq!(chat[figure], expected, "{figure}");
    }
    assert_eq!(told["rows"][0]["route"], "batch");
    assert_eq!(told["rows"][0]["cancelled"], 1);
    assert_eq!(told["total"]["requests"], 5);
    let notes = told["notes"].to_string();
    assert!(
        notes.contains("1 requests have tokens and no cost"),
        "{notes}"
    );
}

#[test]
fn records_are_grouped_by_any_of_their_fields() {
    for by in By::ALL {
        let told = told(&[by], &day());
        let rows = told["rows"].as_array().unwrap();
        let sum: u64 = rows
            .iter()
            .map(|row| row["requests"].as_u64().unwrap())
            .sum();
        assert_eq!(sum, 5, "{}", by.name());
    }
    let told = told(&[By::Provider, By::Day], &day());
    let groups: Vec<_> = told["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {} {}", row["provider"], row["day"], row["requests"]))
        .collect();
    assert_eq!(
        groups,
        [
            "null \"2026-11-20\" 1",
            "\"a\" \"2026-11-20\" 2",
            "\"a\" \"2026-11-21\" 1",
            "\"b\" \"2026-11-20\" 1",
        ]
    );
}

/// KZT at 480 in November, nothing known of December.
fn exchange() -> Exchange {
    let months: Months = [("2026-11".parse().unwrap(), 480_000_000)].into();
    Exchange {
        rates: [("KZT".into(), Arc::new(months))].into(),
        ..Exchange::default()
    }
}

#[test]
fn costs_are_told_by_the_rate_of_their_month_or_stay_as_they_are() {
    let mut lines = day();
    lines.push(record(
        &json!({"time": "2026-12-01T00:00:00.000Z", "cost": "3"}),
    ));
    let summary = summary(&[], Span::default(), &lines, Some("KZT"), &exchange());
    let told = serde_json::to_value(&summary).unwrap();
    let costs = &told["total"]["costs"];
    assert_eq!(
        (&costs[0]["currency"], &costs[0]["cost"]),
        (&json!("KZT"), &json!("1.00800000048"))
    );
    assert_eq!(
        (&costs[1]["currency"], &costs[1]["cost"]),
        (&json!("USD"), &json!("3.00"))
    );
    assert!(
        told["notes"]
            .to_string()
            .contains("no rate from USD to KZT in 2026-12"),
        "{}",
        told["notes"]
    );
}

#[test]
fn a_person_gets_tables_and_a_spreadsheet_lines() {
    let summary = summary(
        &[By::Team, By::Provider],
        Span::default(),
        &day(),
        None,
        &Exchange::default(),
    );
    let mut out = Vec::new();
    table(&summary, &mut out).unwrap();
    let said = String::from_utf8(out).unwrap();
    assert!(said.starts_with("TEAM     PROVIDER  REQUESTS"), "{said}");
    assert!(said.contains("no price"), "{said}");
    assert!(said.contains("timeout 1"), "{said}");
    assert!(said.contains("iin 100.0%"), "{said}");
    assert!(said.contains("0.0021  USD"), "{said}");
    let mut out = Vec::new();
    csv(&summary, &mut out).unwrap();
    let said = String::from_utf8(out).unwrap();
    let lines: Vec<Vec<&str>> = said.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 4);
    assert!(
        lines.iter().all(|line| line.len() == lines[0].len()),
        "{said}"
    );
    let at = |name: &str| lines[0].iter().position(|head| *head == name).unwrap();
    assert_eq!(lines[2][at("cost")], "0.002100000001");
    assert_eq!(lines[3][at("unpriced")], "1");
}

#[test]
fn a_name_does_not_steer_the_terminal_nor_break_a_line_of_values() {
    let name = "a\u{1b}[2Jb\n=1,\"c\"";
    let lines = [record(
        &json!({"key": name, "reason": name, "outcome": "error"}),
    )];
    let summary = summary(
        &[By::Key],
        Span::default(),
        &lines,
        None,
        &Exchange::default(),
    );
    let (mut shown, mut values) = (Vec::new(), Vec::new());
    table(&summary, &mut shown).unwrap();
    csv(&summary, &mut values).unwrap();
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("a\u{fffd}[2Jb\u{fffd}=1"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown}");
    let values = String::from_utf8(values).unwrap();
    assert!(
        values.contains("\n\"a\u{1b}[2Jb\n=1,\"\"c\"\"\",1,"),
        "{values}"
    );
}

#[test]
fn tokens_that_nobody_can_have_counted_are_in_no_sum() {
    let absurd = json!({"prompt": u64::MAX, "completion": u64::MAX, "estimated": false});
    let lines = [
        record(&json!({ "usage": absurd, "cost": null })),
        record(&json!({})),
    ];
    let told = told(&[By::Route], &lines);
    let tokens = &told["rows"][0]["tokens"];
    assert_eq!(
        (&tokens["prompt"], &tokens["completion"]),
        (&json!(1000), &json!(100))
    );
}

#[test]
fn the_sums_are_those_of_the_lines_whatever_the_groups() {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut lines = Vec::new();
    let (mut money, mut prompt, mut completion) = (0_u128, 0, 0);
    for _ in 0..500 {
        let usage = (rng.u64(..100_000), rng.u64(..5000));
        let cost = u128::from(rng.u64(..1 << 50));
        (prompt, completion, money) = (prompt + usage.0, completion + usage.1, money + cost);
        lines.push(record(&json!({
            "team": (["a", "b, \"c\"", "ü"][rng.usize(..3)]), "route": (["x", "y"][rng.usize(..2)]),
            "time": format!("2026-{:02}-10T00:00:00.000Z", rng.u8(1..=12)),
            "usage": {"prompt": usage.0, "completion": usage.1, "estimated": false},
            "cost": Money::from_picos(cost).to_string(),
        })));
    }
    for by in [vec![], vec![By::Team], vec![By::Team, By::Route, By::Day]] {
        let summary = summary(&by, Span::default(), &lines, None, &Exchange::default());
        let total = &summary.total;
        assert_eq!(total.costs[0].amount, Money::from_picos(money));
        assert_eq!(
            (total.tokens.prompt, total.tokens.completion),
            (prompt, completion)
        );
        let rows: Money = summary
            .rows
            .iter()
            .flat_map(|row| &row.entry.costs)
            .map(|cost| cost.amount)
            .sum();
        assert_eq!(rows, Money::from_picos(money), "{by:?}");
    }
}
