//! The past under another configuration.

use tokio::time::Instant;

use super::*;
use crate::config::{Format, Sources, load};

const NEW: &str = "
keys:
  - { id: chat-prod, hash: \"sha256:0000000000000000000000000000000000000000000000000000000000000000\", routes: [chat] }
providers:
  a: { kind: openai-compatible, base_url: \"http://127.0.0.1:1/v1\" }
  c: { kind: openai-compatible, base_url: \"http://127.0.0.1:1/v1\" }
models:
  c/k: { context: 950, price: { input: 1, output: 10, cached: 0.5 } }
  a/m: { context: 100000 }
routes:
  chat: { targets: [c/k, a/m] }
  batch: { targets: [c/k] }
";

#[test]
fn a_replay_sends_the_past_where_the_new_table_would() {
    let loaded = load(&Sources::from_text(Format::Yaml, NEW)).unwrap();
    let rng = fastrand::Rng::with_seed(1);
    let mut replay = Replay::new(&loaded.snapshot, Span::default(), Instant::now(), rng);
    let mut lines = day();
    lines.push(record(&json!({"route": "gone"})));
    lines.push(record(&json!({"key": "nobody"})));
    lines.push(record(&json!({"route": null})));
    lines.push(record(&json!({"surface": "passthrough"})));
    for line in &lines {
        replay.line(line.as_bytes(), false);
    }
    let replayed = replay.finish();
    let told = serde_json::to_value(&replayed).unwrap();
    // Two are too long for `c/k`, one fits, and of the one without an answer nobody knows.
    assert_eq!((&told["records"], &told["planned"]), (&json!(9), &json!(3)));
    let by_target: Vec<_> = told["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|to| {
            (
                to["target"].as_str().unwrap(),
                to["requests"].as_u64().unwrap(),
                to["moved"].as_u64().unwrap(),
                to["cost"].clone(),
            )
        })
        .collect();
    assert_eq!(
        by_target,
        [
            ("a/m", 2, 0, Value::Null),
            // 900 of prompt at 1, 50 of completion at 10, for a million.
            ("c/k", 1, 1, json!("0.0014")),
        ]
    );
    assert_eq!(told["targets"][0]["answer_p50_ms"], 800);
    assert_eq!(told["targets"][0]["failed_share"], 0.2222);
    assert_eq!(told["no_longer"], json!({"b/n": 1}));
    assert_eq!(told["spent"], json!({"USD": "0.002100000001"}));
    let refused = told["refused"].to_string();
    for why in ["no route `gone`", "no key `nobody`", "may not use `batch`"] {
        assert!(refused.contains(why), "{refused}");
    }
    let unplanned = told["unplanned"].to_string();
    for why in ["length of its prompt", "came to no route", "passed through"] {
        assert!(unplanned.contains(why), "{unplanned}");
    }
    let mut out = Vec::new();
    super::replayed(&replayed, &mut out).unwrap();
    let said = String::from_utf8(out).unwrap();
    let mut expected = String::new();
    write!(
        expected,
        "3 of 9 records planned: 0.0014 USD by the new prices, 0.0021 USD as it was"
    )
    .unwrap();
    assert!(said.contains(&expected), "{said}");
    assert!(said.contains("no price"), "{said}");
}

#[test]
fn a_replay_asks_the_rules_what_a_record_can_tell() {
    let routes = "
  chat:
    targets: [a/m]
    rules:
      - { name: night, when: { time: { from: \"22:00\", to: \"06:00\" } }, targets: [c/k] }
      - { name: iin, when: { pii: [iin] }, targets: [c/k], only: true }
  batch:
    targets: [a/m]
    rules:
      - { name: streams, when: { stream: true }, targets: [c/k] }
      - { name: tools, when: { tools: true }, targets: [c/k] }
";
    let (before, _) = NEW.split_once("\nroutes:").unwrap();
    let before = before.replace(", routes: [chat]", "");
    let text = format!("{before}\nroutes:{routes}").replace("context: 950", "context: 95000");
    let loaded = load(&Sources::from_text(Format::Yaml, text)).unwrap();
    for (what, record, expected) in [
        (
            "at noon",
            json!({"time": "2026-11-20T12:00:00.000Z"}),
            "open",
        ),
        (
            "at night",
            json!({"time": "2026-11-20T23:00:00.000Z"}),
            "c/k",
        ),
        (
            "with an IIN",
            json!({"privacy": {"found": {"iin": 1}, "action": "mask"}}),
            "c/k",
        ),
        // Which it was, the record says.
        (
            "by name",
            json!({"time": "2026-11-20T12:00:00.000Z", "rule": "iin"}),
            "c/k",
        ),
        ("a stream", json!({"route": "batch", "stream": true}), "c/k"),
        ("plain", json!({"route": "batch", "stream": false}), "open"),
    ] {
        let rng = fastrand::Rng::with_seed(1);
        let mut replay = Replay::new(&loaded.snapshot, Span::default(), Instant::now(), rng);
        replay.line(self::record(&record).as_bytes(), false);
        let told = serde_json::to_value(replay.finish()).unwrap();
        let to = told["targets"].as_array().unwrap().first();
        let found = to.map_or("open", |to| to["target"].as_str().unwrap());
        assert_eq!(found, expected, "{what}: {told:#}");
    }
}
