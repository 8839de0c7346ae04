//! `pillion check`: whether a backup can stand in, found out before it must.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;
use tokio::task::JoinSet;

use crate::support::fixture::{plain, streamed};
use crate::support::upstream::Seen;
use crate::support::{Config, Folder, Gateway, Reply, Upstream, program};

const PROBES: [&str; 11] = [
    "plain",
    "stream",
    "usage",
    "tools",
    "tools_streamed",
    "parallel_tools",
    "json_schema",
    "long_context",
    "cancel",
    "error",
    "pace",
];

/// Ports below those that the system hands out by itself, so that none is taken between here and
/// the process that is to listen there.
fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = 20_000 + u16::try_from(std::process::id() % 100).unwrap() * 100;
    loop {
        let port = start + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Good models and others, at two simulated providers; a route from a good one to each.
fn config(folder: &Folder) -> String {
    let (north, south) = (port(), port());
    let words = "and nothing else is said here ".repeat(8);
    let good = format!(
        "pace: 2ms, tool: {{ name: \"*\" }}, text: \"The code word is kumquat-7431 {words}\""
    );
    let quick = format!("first_token: 5ms, {good}");
    format!(
        "listen: 127.0.0.1:0
admin: 127.0.0.1:0
allow_anonymous: true
audit: {{ file: {audit} }}
simulate:
  north: {{ listen: \"127.0.0.1:{north}\", models: {{ good: {{ {quick} }}, no-tools: {{ {quick}, rejects: [tools] }} }} }}
  south:
    listen: \"127.0.0.1:{south}\"
    models:
      good: {{ {quick} }}
      no-tools: {{ {quick}, rejects: [tools] }}
      deaf: {{ {quick}, ignores: [tools] }}
      no-schema: {{ {quick}, ignores: [json_schema] }}
      no-usage: {{ {quick}, ignores: [stream_usage] }}
      short: {{ {quick}, context: 1000 }}
      slow: {{ {good}, first_token: 1500ms }}
      broken: {{ {quick}, fail: [{{ class: broken }}] }}
providers:
  north: {{ kind: openai-compatible, base_url: \"http://127.0.0.1:{north}/v1\" }}
  south: {{ kind: openai-compatible, base_url: \"http://127.0.0.1:{south}/v1\" }}
  dead: {{ kind: openai-compatible, base_url: \"http://127.0.0.1:1/v1\" }}
routes:
  good: {{ targets: [north/good, south/good] }}
  neither: {{ targets: [north/no-tools, south/no-tools] }}
  better: {{ targets: [north/no-tools, south/good] }}
  no-tools: {{ targets: [north/good, south/no-tools] }}
  deaf: {{ targets: [north/good, south/deaf] }}
  no-schema: {{ targets: [north/good, south/no-schema] }}
  no-usage: {{ targets: [north/good, south/no-usage] }}
  short: {{ targets: [north/good, south/short] }}
  slow: {{ targets: [north/good, south/slow], first_token: 1s }}
  broken: {{ targets: [north/good, south/broken] }}
  dead: {{ targets: [north/good, dead/any] }}
  first-dead: {{ targets: [dead/any, north/good] }}
",
        audit = folder.file("audit.jsonl").display()
    )
}

/// Runs the command while the tests' own providers go on answering.
async fn check(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(program());
    command.arg("check").args(arguments).env_clear();
    command.envs(variables.iter().copied());
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// The probes of one target or environment, with their verdicts.
fn verdicts(subject: &Value) -> Vec<(&str, &str)> {
    let probes = subject["probes"].as_array().unwrap();
    probes
        .iter()
        .map(|row| {
            (
                row["probe"].as_str().unwrap(),
                row["verdict"].as_str().unwrap(),
            )
        })
        .collect()
}

fn troubles(subject: &Value) -> Vec<&str> {
    verdicts(subject)
        .into_iter()
        .filter(|(_, verdict)| ["differs", "fails"].contains(verdict))
        .map(|(probe, _)| probe)
        .collect()
}

/// Checks the route of this name, and expects trouble with these probes of its second target alone.
async fn expect(route: &'static str, expected: &'static [&'static str]) {
    let folder = Folder::new();
    let file = folder.file("pillion.yaml");
    fs::write(&file, config(&folder)).unwrap();
    let arguments = [route, "--config", file.to_str().unwrap(), "--json"];
    let output = check(&arguments, &[]).await;
    let said = json(&output);
    let route_said = &said["routes"][0];
    let [first, backup] = &route_said["targets"].as_array().unwrap()[..] else {
        panic!("{route}: {said}");
    };
    assert!(troubles(first).is_empty(), "{route}: {said:#}");
    assert_eq!(troubles(backup), expected, "{route}: {said:#}");
    let suits = expected.is_empty();
    assert_eq!(output.status.code(), Some(i32::from(!suits)), "{route}");
    assert_eq!((&said["ok"], &backup["ok"]), (&suits.into(), &suits.into()));
    assert_eq!(route_said["route"], route);
    assert!(
        !folder.file("audit.jsonl").exists(),
        "a check leaves no records"
    );
}

#[tokio::test]
async fn a_backup_that_can_stand_in_is_told_from_one_that_cannot() {
    let mut checks = JoinSet::new();
    for (route, expected) in [
        ("good", &[][..]),
        ("neither", &[]),
        ("better", &[]),
        // A simulated model makes one call at most, which is noted of the first too.
        ("no-tools", &["tools", "tools_streamed", "parallel_tools"]),
        ("deaf", &["tools", "tools_streamed"]),
        ("no-schema", &["json_schema"]),
        ("no-usage", &["usage"]),
        ("short", &["long_context"]),
        ("slow", &["pace"]),
        ("broken", &PROBES[..9]),
        ("dead", &["plain"]),
    ] {
        checks.spawn(expect(route, expected));
    }
    checks.join_all().await;
}

#[tokio::test]
async fn a_person_and_a_program_are_told_of_every_probe() {
    let folder = Folder::new();
    let file = folder.file("pillion.yaml");
    fs::write(&file, config(&folder)).unwrap();
    let file = file.to_str().unwrap();
    let output = check(&["good", "--config", file, "--json"], &[]).await;
    let said = json(&output);
    for target in said["routes"][0]["targets"].as_array().unwrap() {
        let verdicts = verdicts(target);
        let probes: Vec<&str> = verdicts.iter().map(|(probe, _)| *probe).collect();
        assert_eq!(probes, PROBES);
        for (probe, verdict) in verdicts {
            let expected = if probe == "parallel_tools" {
                "note"
            } else {
                "ok"
            };
            assert_eq!(verdict, expected, "{probe}: {said:#}");
        }
        let stream = &target["probes"][1];
        assert!(stream["first_token_ms"].as_u64() <= stream["total_ms"].as_u64());
        assert_eq!(
            target["probes"][8]["said"],
            Value::Array(Vec::new()),
            "left in time"
        );
    }

    let output = check(
        &["no-tools", "dead", "--config", file],
        &[("PILLION_LOG", "info")],
    )
    .await;
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    for words in [
        "north/good: the first\n",
        "south/no-tools: CANNOT STAND IN for the first: tools, tools_streamed, parallel_tools\n",
        "refused with 400: Unsupported parameter: 'tools' is not supported with this model.",
        "dead/any: CANNOT STAND IN for the first: plain\n",
        "connect: no connection to the provider",
        "not ok\n",
    ] {
        assert!(table.contains(words), "{words}\n{table}");
    }
    let output = check(&["first-dead"], &[("PILLION_CONFIG", file)]).await;
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        table.contains("dead/any: the first, and it FAILS: plain"),
        "{table}"
    );
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_before_anything_is_sent() {
    let folder = Folder::new();
    let good = folder.file("pillion.yaml");
    fs::write(&good, config(&folder)).unwrap();
    let bad = folder.file("bad.yaml");
    fs::write(&bad, "routes: { chat: { targets: [nobody/m] } }\n").unwrap();
    let (good, bad) = (good.to_str().unwrap(), bad.to_str().unwrap());
    let url = "http://127.0.0.1:1";
    for (arguments, code, words) in [
        (
            &["nope", "--config", good][..],
            2,
            "better, broken, dead, deaf",
        ),
        (&["--config", bad], 78, "nobody"),
        (&["--config", "/no/such.yaml"], 78, "cannot be read"),
        (&["chat"], 2, "--config"),
        (&["chat", "--against", url], 2, "two environments"),
        (&["--against", url, url], 2, "must be named"),
        (&["chat", "--against", "ftp://x", url], 2, "scheme"),
        (
            &["chat", "--against", url, url, "--token", "t\u{7f}ken"],
            2,
            "the token is none",
        ),
    ] {
        let output = check(arguments, &[]).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
        assert!(!said.contains("ken\""), "a token is not shown: {said}");
        assert!(output.stdout.is_empty());
    }
}

/// A provider that answers anything, and refuses an empty conversation like this.
fn refusing(status: u16, code: &'static str) -> impl FnMut(&Seen) -> Reply + Send {
    move |seen| {
        let ask = seen.json();
        if ask["messages"].as_array().is_none_or(Vec::is_empty) {
            Reply::error(status, "invalid_request_error", Some(code), "empty")
        } else if ask["stream"] == true {
            Reply::sse(streamed(&["Hel", "lo!"]))
        } else {
            Reply::json(plain("Hello!"))
        }
    }
}

#[tokio::test]
async fn other_error_codes_are_a_difference() {
    for (status, code, expected) in [
        (400, "empty_array", None),
        (
            400,
            "bad_value",
            Some("the error's code is bad_value, the first's is empty_array"),
        ),
        (
            422,
            "empty_array",
            Some("the error's status is 422, the first's is 400"),
        ),
    ] {
        let first = Upstream::choosing(refusing(400, "empty_array")).await;
        let second = Upstream::choosing(refusing(status, code)).await;
        let folder = Folder::new();
        let file = folder.file("pillion.yaml");
        let text = format!(
            "allow_anonymous: true
providers:
  first: {{ kind: openai-compatible, base_url: \"{}\" }}
  second: {{ kind: openai-compatible, base_url: \"{}\" }}
routes: {{ chat: {{ targets: [first/m, second/m] }} }}
",
            first.base_url(),
            second.base_url()
        );
        fs::write(&file, text).unwrap();
        let output = check(&["chat", "--json", "--config", file.to_str().unwrap()], &[]).await;
        let said = json(&output);
        let backup = &said["routes"][0]["targets"][1];
        let troubles = troubles(backup);
        assert_eq!(troubles, expected.map(|_| "error").as_slice(), "{said:#}");
        let row = &backup["probes"][9];
        assert_eq!(row["said"][0].as_str(), expected, "{said:#}");
        assert_eq!(output.status.code(), Some(i32::from(expected.is_some())));
    }
}

/// A sidecar whose route `chat` has one target that refuses an empty conversation like this.
async fn environment(code: &'static str) -> (Upstream, Gateway) {
    let upstream = Upstream::choosing(refusing(400, code)).await;
    // The hash of `the-token`..
    let key = "keys: [{ id: k, hash: \"sha256:c2a73fcf61dfbdcadc79a10ba330b2ef5eb66fc0a6735ed69b796bb3c97b97ae\" }]";
    let gateway = Gateway::start(Config::of(&[&upstream]).root(key)).await;
    (upstream, gateway)
}

#[tokio::test]
async fn environments_are_compared_by_what_reaches_an_application() {
    let (_upstream, dev) = environment("empty_array").await;
    let (_upstream, stage) = environment("empty_array").await;
    let (_upstream, other) = environment("bad_value").await;
    let url = |gateway: &Gateway| format!("http://{}", gateway.listen);
    let (dev, stage, other) = (url(&dev), url(&stage), url(&other));
    let token = [("PILLION_TOKEN", "the-token")];

    let output = check(&["chat", "--json", "--against", &dev, &stage], &token).await;
    let said = json(&output);
    assert_eq!(output.status.code(), Some(0), "{said:#}");
    let environments = said["against"][0]["environments"].as_array().unwrap();
    assert_eq!(environments.len(), 2);
    assert_eq!(environments[1]["name"], format!("{stage}/v1"));
    let probes: Vec<&str> = verdicts(&environments[1])
        .iter()
        .map(|(probe, _)| *probe)
        .collect();
    assert_eq!(probes, PROBES[..10]);

    let arguments = ["chat", "--against", &dev, &other, "--token", "the-token"];
    let output = check(&arguments, &[]).await;
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{table}");
    for words in [
        "chat: its environments",
        "DIFFERS from the first: error",
        "the error's code is bad_value, the first's is empty_array",
    ] {
        assert!(table.contains(words), "{words}\n{table}");
    }
    assert!(!table.contains("the-token"));

    let output = check(&["chat", "--json", "--against", &dev, &stage], &[]).await;
    let said = json(&output);
    assert_eq!(output.status.code(), Some(1), "{said:#}");
    let first = &said["against"][0]["environments"][0]["probes"][0];
    assert_eq!(first["verdict"], "fails");
    assert!(
        first["said"][0]
            .as_str()
            .unwrap()
            .starts_with("refused with 401")
    );
}

#[tokio::test]
async fn the_configuration_itself_is_an_environment_to_compare_with() {
    let folder = Folder::new();
    let file = folder.file("pillion.yaml");
    fs::write(&file, config(&folder)).unwrap();
    let (_upstream, stage) = environment("empty_array").await;
    let url = format!("http://{}", stage.listen);
    let arguments = [
        "neither",
        "--json",
        "--config",
        file.to_str().unwrap(),
        "--against",
        &url,
    ];
    let output = check(&arguments, &[("PILLION_TOKEN", "the-token")]).await;
    let said = json(&output);
    assert_eq!(said["routes"][0]["ok"], true, "{said:#}");
    let environments = &said["against"][0]["environments"];
    assert_eq!(environments[0]["name"], "this configuration");
    assert_eq!(environments[0]["ok"], true, "{said:#}");
    // It has no route of that name.
    assert_eq!(troubles(&environments[1]), ["plain"], "{said:#}");
    assert_eq!(output.status.code(), Some(1));
}

#[tokio::test]
async fn a_target_of_several_routes_is_paid_for_once() {
    let upstream = Upstream::choosing(refusing(400, "empty_array")).await;
    let folder = Folder::new();
    let file = folder.file("pillion.yaml");
    let text = format!(
        "allow_anonymous: true
providers: {{ first: {{ kind: openai-compatible, base_url: \"{}\" }} }}
routes: {{ one: {{ targets: [first/m] }}, two: {{ targets: [first/m] }} }}
",
        upstream.base_url()
    );
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let output = check(&["one", "--config", file], &[]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let once = upstream.hits();
    let output = check(&["--json", "--config", file], &[]).await;
    assert_eq!(upstream.hits(), 2 * once);
    let said = json(&output);
    let routes = said["routes"].as_array().unwrap();
    let names: Vec<&str> = routes.iter().filter_map(|r| r["route"].as_str()).collect();
    assert_eq!(names, ["one", "two"]);
    assert!(
        routes
            .iter()
            .all(|route| verdicts(&route["targets"][0]).len() == PROBES.len())
    );
}
