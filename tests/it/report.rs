//! `pillion report` and `pillion replay`, beside sums that something else makes of the same file.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::fixture::{ask, ask_stream, plain, streamed};
use crate::support::{Config, Folder, Gateway, Reply, Upstream};

fn pillion(arguments: &[&str], piped: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pillion"));
    command.args(arguments).env_clear();
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Whoever does not read it has closed it.
    let _ = stdin.write_all(piped.unwrap_or_default().as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn said(arguments: &[&str], piped: Option<&str>) -> Value {
    let output = pillion(arguments, piped);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Records of two teams and three targets, with odd values among them, and the sums of what they say,
/// made here by a way of its own: decimal digits added as whole numbers.
fn records(count: u64) -> String {
    let mut rng = fastrand::Rng::with_seed(11);
    let mut text = String::new();
    for seq in 0..count {
        let target = ["openai/gpt-5", "claude/haiku", "inside/qwen"][rng.usize(..3)];
        let (provider, model) = target.split_once('/').unwrap();
        let fell_back = rng.u8(..5) == 0;
        let other = json!({"target": "openai/gpt-5", "class": "timeout", "ms": 2500, "first_token_ms": null});
        let answer = json!({"target": target, "class": "ok", "ms": rng.u64(..9000), "first_token_ms": rng.u64(..900)});
        let attempts = if fell_back {
            json!([other, answer])
        } else {
            json!([answer])
        };
        let failed = rng.u8(..10) == 0;
        let priced = provider != "inside" && !failed;
        let record = json!({
            "kind": "pillion.audit", "time": format!("2026-11-{:02}T10:00:00.{:03}Z", rng.u8(1..=28), rng.u16(..1000)),
            "id": format!("req_{seq}"), "key": "k", "team": (["support", "sales \"east\""][rng.usize(..2)]),
            "route": (["chat", "summaries"][rng.usize(..2)]), "surface": "chat", "stream": true, "attempts": attempts,
            "outcome": if failed { "error" } else { "ok" }, "reason": if failed { json!("timeout") } else { Value::Null },
            "target": if failed { Value::Null } else { json!(target) }, "provider": provider, "model": model,
            "first_token_ms": rng.u64(..1000), "total_ms": rng.u64(..20_000),
            "usage": if failed { Value::Null } else {
                json!({"prompt": rng.u64(..50_000), "cached": null, "completion": rng.u64(..2000), "estimated": rng.u8(..8) == 0})
            },
            "cost": if priced { json!(format!("0.{:012}", rng.u64(..900_000_000))) } else { Value::Null },
            "currency": if priced { json!("USD") } else { Value::Null },
            "privacy": if rng.u8(..4) == 0 { json!({"found": {"iin": rng.u8(..2)}, "action": "observe"}) } else { Value::Null },
            "seq": seq, "prev": null, "hash": null
        });
        writeln!(text, "{record}").unwrap();
    }
    text
}

/// Of each team: requests, those with an error, prompt, completion, picos of cost, the 95th of a hundred
/// total times.
const SUMS: &str = r#"
    map(select(.kind == "pillion.audit")) | group_by(.team) | map({
        team: .[0].team,
        requests: length,
        errors: (map(select(.outcome == "error")) | length),
        prompt: (map(.usage.prompt // 0) | add),
        completion: (map(.usage.completion // 0) | add),
        unpriced: (map(select(.usage != null and .cost == null)) | length),
        personal: (map(select((.privacy.found.iin // 0) > 0)) | length),
        picos: (map(select(.cost != null) | (.cost | ltrimstr("0.") | tonumber)) | add),
        p95: (map(.total_ms) | sort | .[(((length * 95) + 99) / 100 | floor) - 1])
    })
"#;

/// The same, where `jq` is not installed.
fn sums(text: &str) -> Value {
    let records: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let teams = ["sales \"east\"", "support"];
    let sums = teams.map(|team| {
        let of: Vec<&Value> = records.iter().filter(|it| it["team"] == team).collect();
        let count = |suits: &dyn Fn(&Value) -> bool| of.iter().filter(|it| suits(it)).count();
        let sum = |key: &str| {
            of.iter()
                .filter_map(|it| it["usage"][key].as_u64())
                .sum::<u64>()
        };
        let digits = |it: &&Value| it["cost"].as_str()?.strip_prefix("0.")?.parse::<u64>().ok();
        let mut times: Vec<u64> = of
            .iter()
            .map(|it| it["total_ms"].as_u64().unwrap())
            .collect();
        times.sort_unstable();
        json!({
            "team": team,
            "requests": of.len(),
            "errors": count(&|it| it["outcome"] == "error"),
            "prompt": sum("prompt"),
            "completion": sum("completion"),
            "unpriced": count(&|it| !it["usage"].is_null() && it["cost"].is_null()),
            "personal": count(&|it| it["privacy"]["found"]["iin"].as_u64().unwrap_or_default() > 0),
            "picos": of.iter().filter_map(digits).sum::<u64>(),
            "p95": times[(times.len() * 95).div_ceil(100) - 1],
        })
    });
    json!(sums)
}

/// By `jq`, if that is installed.
fn by_jq(file: &Path) -> Option<Value> {
    let output = Command::new("jq")
        .args(["-s", "-c", SUMS])
        .arg(file)
        .output()
        .ok()?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn its_sums_are_those_that_something_else_makes_of_the_same_file() {
    let folder = Folder::new();
    let (one, other, both) = (
        folder.file("pod-1.jsonl"),
        folder.file("pod-2.jsonl"),
        folder.file("both.jsonl"),
    );
    let text = records(2000);
    let half = text[..text.len() / 2].rfind('\n').unwrap() + 1;
    fs::write(&one, &text[..half]).unwrap();
    fs::write(&other, &text[half..]).unwrap();
    fs::write(&both, &text).unwrap();

    let report = said(
        &[
            "report",
            shown(&one),
            shown(&other),
            "--by",
            "team",
            "--json",
        ],
        None,
    );
    let told = report["rows"].as_array().unwrap().iter().map(|row| {
        let picos = row["costs"][0]["cost"].as_str().unwrap();
        let (whole, decimals) = picos.split_once('.').unwrap();
        let picos: u64 = format!("{whole}{decimals:0<12}").parse().unwrap();
        json!({
            "team": row["team"], "requests": row["requests"], "errors": row["errors"],
            "prompt": row["tokens"]["prompt"], "completion": row["tokens"]["completion"],
            "unpriced": row["unpriced"], "personal": row["personal"], "picos": picos, "p95": row["total_ms"]["p95"],
        })
    });
    let told = Value::Array(told.collect());
    assert_eq!(told, sums(&text));
    if let Some(by_jq) = by_jq(&both) {
        assert_eq!(told, by_jq);
    }
    assert_eq!(report["lines"]["records"], 2000);
}

#[test]
fn a_piped_log_is_read_and_what_is_cut_or_none_of_ours_is_told() {
    let text = records(20);
    let mut log = String::from("{\"level\":\"info\",\"message\":\"started\"}\n");
    for line in text.lines() {
        writeln!(log, "2026-11-20T10:00:00Z stdout F {line}").unwrap();
    }
    log.push_str(&text[..text.find('\n').unwrap() - 100]);
    let report = said(&["report", "-", "--by", "route,day", "--json"], Some(&log));
    let expected =
        json!({"records": 20, "outside": 0, "repeated": 0, "other": 1, "broken": 1, "torn": 1});
    assert_eq!(report["lines"], expected);
    let notes = report["notes"].to_string();
    assert!(notes.contains("1 last lines of files are cut"), "{notes}");
    // Nothing is named, and something is piped in.
    assert_eq!(said(&["report", "--json"], Some(&log))["lines"], expected);
}

#[test]
fn a_month_is_told_in_the_currency_that_the_configuration_has_a_rate_for() {
    let folder = Folder::new();
    let (file, config) = (folder.file("audit.jsonl"), folder.file("pillion.yaml"));
    let text = records(200);
    fs::write(&file, &text).unwrap();
    fs::write(&config, "allow_anonymous: true\nproviders: { a: { kind: openai-compatible, base_url: \"http://127.0.0.1:1/v1\" } }\nroutes: { chat: { targets: [a/m] } }\nrates: { KZT: { 2026-11: 480 } }\n").unwrap();
    let asked = |month: &'static str| {
        pillion(
            &[
                "report",
                shown(&file),
                "--month",
                month,
                "--currency",
                "KZT",
                "--config",
                shown(&config),
                "--json",
            ],
            None,
        )
    };
    let output = asked("2026-11");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let picos: u64 = sums(&text)
        .as_array()
        .unwrap()
        .iter()
        .map(|of| of["picos"].as_u64().unwrap())
        .sum();
    let picos = picos * 480;
    let cost = report["total"]["costs"][0]["cost"].as_str().unwrap();
    let expected = format!(
        "{}.{:012}",
        picos / 1_000_000_000_000,
        picos % 1_000_000_000_000
    );
    assert_eq!(cost.trim_end_matches('0'), expected.trim_end_matches('0'));
    assert_eq!(report["total"]["costs"][0]["currency"], "KZT");
    let refused = asked("2026-10");
    assert_eq!(refused.status.code(), Some(78));
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(why.contains("no rate for KZT in 2026-10"), "{why}");
}

#[test]
fn tables_lines_of_values_and_comparisons_have_the_same_rows() {
    let text = records(300);
    for (arguments, head) in [
        (vec!["report", "--by", "provider"], "PROVIDER"),
        (
            vec!["report", "--by", "provider", "--csv"],
            "provider,requests",
        ),
        (vec!["report", "--compare", "openai", "claude"], "ROUTE"),
        (
            vec!["report", "--compare", "openai", "haiku", "--csv"],
            "route,side",
        ),
    ] {
        let output = pillion(&arguments, Some(&text));
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.starts_with(head), "{arguments:?}: {stdout}");
        assert!(
            stdout.contains("claude") || stdout.contains("haiku"),
            "{stdout}"
        );
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    }
}

#[test]
fn what_cannot_be_read_or_meant_is_said_with_an_exit_code() {
    for (arguments, code, why) in [
        (
            &["report", "/nowhere/audit.jsonl"][..],
            1,
            "/nowhere/audit.jsonl",
        ),
        (&["report", "-", "--since", "yesterday"], 2, "is no time"),
        (&["report", "-", "--month", "2026-13"], 2, "is not a month"),
        (&["report", "-", "--by", "colour"], 2, "colour"),
        (
            &["replay", "-", "--config", "/nowhere.yaml"],
            78,
            "/nowhere.yaml",
        ),
    ] {
        let output = pillion(arguments, Some(""));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(why), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn what_a_gateway_has_written_is_reported_and_replayed() {
    let first = Upstream::script([
        Reply::json(plain("Hello!")),
        Reply::sse(streamed(&["Hel", "lo!"])),
        Reply::error(503, "server_error", None, "busy"),
    ])
    .await;
    let second = Upstream::script([Reply::json(plain("Hello!"))]).await;
    let config = Config::of(&[&first, &second])
        .root("models: { first/model-first: { price: { input: 2, output: 30 } }, second/model-second: { price: { input: 1, output: 1 } } }");
    let gateway = Gateway::start(config).await;
    for body in [ask(), ask_stream(), ask()] {
        gateway.chat(&body).await;
    }
    gateway.records(|_| true, 3).await;
    let file = gateway.folder.file("audit.jsonl");
    let report = said(&["report", shown(&file), "--by", "target", "--json"], None);
    let rows = report["rows"].as_array().unwrap();
    let costs: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row["requests"].clone(),
                row["costs"][0]["cost"].clone(),
                row["fallbacks"].clone(),
            )
        })
        .collect();
    assert_eq!(
        costs,
        [
            (json!(2), json!("0.000216"), json!(0)),
            (json!(1), json!("0.000012"), json!(1))
        ]
    );

    let other = gateway.folder.file("new.yaml");
    let base = second.base_url();
    fs::write(&other, format!("allow_anonymous: true\nproviders: {{ second: {{ kind: openai-compatible, base_url: \"{base}\" }} }}\nmodels: {{ second/model-second: {{ price: {{ input: 1, output: 1 }} }} }}\nroutes: {{ chat: {{ targets: [second/model-second] }} }}\n")).unwrap();
    let replay = said(
        &["replay", shown(&file), "--config", shown(&other), "--json"],
        None,
    );
    assert_eq!(replay["planned"], 3);
    assert_eq!(replay["cost"], "0.000036");
    assert_eq!(replay["spent"], json!({"USD": "0.000228"}));
    let target = &replay["targets"][0];
    assert_eq!(
        (
            &target["moved"],
            &target["measured"],
            &target["failed_share"]
        ),
        (&json!(2), &json!(1), &json!(0.0))
    );
    assert_eq!(replay["no_longer"], json!({"first/model-first": 2}));
}
