//! The outage drill: thirty requests, of which the primary lives to see eleven; and the command that
//! rehearses one, `pillion drill`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::fixture::{
    DONE, Ended, arguments, ask, ask_stream, call, finish, plain, plain_calls, read_plain,
    read_stream, role, streamed, usage,
};
use crate::support::kind::KINDS;
use crate::support::upstream::Seen;
use crate::support::wire::{Script, Wire};
use crate::support::{Answer, Config, Folder, Gate, Gateway, Kind, Reply, Upstream, program};

const DEADLINE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Streamed,
    Tools,
}

fn body(form: Form) -> String {
    let tools = json!([{ "type": "function", "function": { "name": "order", "parameters": {} } }]);
    match form {
        Form::Plain => ask(),
        Form::Streamed => ask_stream(),
        Form::Tools => ask_stream().replacen('{', &format!("{{\"tools\":{tools},"), 1),
    }
}

/// A provider that answers each form, and gives every call an id of its own.
fn answers(name: &'static str, pause: Option<(usize, Gate)>) -> impl FnMut(&Seen) -> Reply + Send {
    let mut number = 0;
    move |seen| {
        number += 1;
        let ask = seen.json();
        if ask["stream"] != true {
            return Reply::json(plain("Hello!"));
        }
        if ask.get("tools").is_none() {
            return Reply::sse(streamed(&["Hel", "lo!"]));
        }
        let begun =
            role() + &call(0, &format!("call_{name}_{number}"), "order") + &arguments(0, "{\"n\":");
        let at = begun.len();
        let reply =
            Reply::sse(begun + &arguments(0, "1}") + &finish("tool_calls") + &usage() + DONE);
        match &pause {
            Some((held, gate)) if *held == number => reply.pause_at(at, gate),
            _ => reply,
        }
    }
}

/// The members of an answer, or of a stream's frames, at any depth.
fn schema(answer: &Answer, form: Form) -> BTreeSet<String> {
    fn members(value: &Value, at: &str, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| {
                into.insert(format!("{at}.{key}"));
                members(value, &format!("{at}.{key}"), into);
            }),
            Value::Array(items) => items.iter().for_each(|item| members(item, at, into)),
            _ => {}
        }
    }
    let mut all = BTreeSet::new();
    if form == Form::Plain {
        members(&answer.json(), "", &mut all);
    } else {
        for data in answer.data().into_iter().filter(|data| *data != "[DONE]") {
            members(&serde_json::from_str(data).unwrap(), "", &mut all);
        }
    }
    all
}

#[tokio::test]
async fn thirty_requests_and_an_outage_come_to_thirty_answers() {
    let gate = Gate::new();
    // The eleventh is in the middle of its tool call when the primary dies.
    let held = (11, gate.clone());
    let mut first = Upstream::choosing(answers("first", Some(held))).await;
    let second = Upstream::choosing(answers("second", None)).await;
    let config = Config::of(&[&first, &second]).limits("5s", "2s", "2s");
    let gateway = Gateway::start(config).await;
    let mut calls = BTreeSet::new();
    let mut schemas = [const { None }; 3];
    let (mut died, mut probes) = (None, 0);
    for number in 1..=30_usize {
        let form = [Form::Plain, Form::Streamed, Form::Tools][number % 3];
        let start = Instant::now();
        let answer = if number == 11 {
            let mut client = gateway.connect().await;
            client
                .post("/v1/chat/completions", &[], body(form).as_bytes())
                .await;
            first.request(10).await;
            first.kill().await;
            client.answer().await.rest().await
        } else {
            gateway.chat(&body(form)).await
        };
        assert!(
            start.elapsed() < DEADLINE,
            "{number}: {:?}",
            start.elapsed()
        );
        assert_eq!(answer.status, 200, "{number}: {}", answer.text());
        let said = if form == Form::Plain {
            read_plain(&answer.json()).remove(0)
        } else {
            let whole = read_stream(&answer.data(), false);
            assert_eq!(whole.ended, Ended::Done, "{number}");
            whole.choices.into_iter().next().unwrap()
        };
        match form {
            Form::Plain | Form::Streamed => assert_eq!(said.text, "Hello!"),
            Form::Tools => {
                assert_eq!(said.calls.len(), 1, "{number}");
                assert_eq!(said.calls[0].2, "{\"n\":1}");
                assert!(
                    calls.insert(said.calls[0].0.clone()),
                    "{number}: a call twice"
                );
            }
        }
        let schema = schema(&answer, form);
        let known = schemas[number % 3].get_or_insert_with(|| schema.clone());
        assert_eq!(*known, schema, "{number}: another schema");

        let record = gateway.audit(answer.id()).await;
        let classes = record.classes();
        match number {
            ..=10 => assert_eq!(classes, ["ok"], "{number}"),
            11 => {
                died.get_or_insert(start);
                assert_eq!(classes, ["reset", "connect", "ok"], "{number}");
                assert!(!record.reasons()[0].is_empty() && !record.reasons()[1].is_empty());
            }
            // Two failures are enough: from here on it is left alone, but for a probe now and then.
            _ if classes == ["connect", "ok"] => probes += 1,
            _ => assert_eq!(classes, ["ok"], "{number}"),
        }
        if number > 10 {
            assert_eq!(record.text("target"), "second/model-second");
        }
    }
    // The first comes after five seconds at most a fifth less, each other one later still.
    let after = died.unwrap().elapsed().as_secs();
    assert!(probes <= after / 4, "{probes} probes in {after} s");
    assert_eq!(calls.len(), 10);
    assert_eq!(gateway.all_records().len(), 30);
}

const ORDER: &str = r#"{"customer":{"name":"Aigul","tier":"plus"},"items":[{"sku":"A-17","quantity":2}],"express":true}"#;

/// The answer that the command asks for, in the form that it is asked for.
fn ordered(seen: &Seen, ids: &[&str]) -> Reply {
    if seen.json()["stream"] != true {
        let calls: Vec<_> = ids.iter().map(|id| (*id, "record_order", ORDER)).collect();
        return Reply::json(plain_calls(&calls));
    }
    let mut text = role();
    for (index, id) in (0..).zip(ids) {
        text += &(call(index, id, "record_order") + &arguments(index, ORDER));
    }
    Reply::sse(text + &finish("tool_calls") + &usage() + DONE)
}

/// A provider that does as it is asked, each call with an id of its own, and is silent at the
/// request of this number.
fn orders(name: &'static str, silent: usize) -> impl FnMut(&Seen) -> Reply + Send {
    let mut number = 0;
    move |seen| {
        number += 1;
        if number == silent {
            return Reply::silence();
        }
        ordered(seen, &[&format!("call_{name}_{number}")])
    }
}

/// A configuration with a provider for each, and a route `chat` to these targets of theirs.
fn config(folder: &Folder, upstreams: &[&Upstream], targets: &str, knobs: &str) -> String {
    let mut text = format!(
        "allow_anonymous: true\naudit: {{ file: {} }}\nproviders:\n",
        folder.file("audit.jsonl").display()
    );
    for (name, upstream) in ["first", "second"].iter().zip(upstreams) {
        let base = upstream.base_url();
        let _ = writeln!(
            text,
            "  {name}: {{ kind: openai-compatible, base_url: \"{base}\" }}"
        );
    }
    text + &format!("routes: {{ chat: {{ targets: [{targets}]{knobs} }} }}\n")
}

/// What a backup does at the request of this number.
type Act = fn(&Seen, usize) -> Reply;

const BOTH: &str = "first/m, second/n";
const PRICES: &str = "models:
  first/m: { price: { input: 0.25, output: 2 } }
  second/n: { price: { input: 1, output: 5 } }
";

/// Runs the command, with a configuration or without, while the tests' own providers answer.
async fn command(folder: &Folder, config: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.arg("drill").args(arguments).env_clear();
    if let Some(config) = config {
        let file = folder.file("pillion.yaml");
        fs::write(&file, config).unwrap();
        command.arg("--config").arg(file);
    }
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// What the command says as JSON of a drill of `chat`, and whether all was well.
async fn drill(config: impl Fn(&Folder) -> String, arguments: &[&str]) -> (Value, bool) {
    let folder = Folder::new();
    let arguments = [&["chat", "--json"], arguments].concat();
    let output = command(&folder, Some(&config(&folder)), &arguments).await;
    let said: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let fine = output.status.success();
    assert_eq!(output.status.code(), Some(i32::from(!fine)), "{output:?}");
    assert_eq!(said["ok"], fine, "{said:#}");
    assert_eq!(said["noticed"] == "yes", !fine, "{said:#}");
    assert!(
        !folder.file("audit.jsonl").exists(),
        "a drill leaves no records"
    );
    (said, fine)
}

/// Attempts that failed with this class, by target.
fn attempts(said: &Value, class: &str) -> Vec<(String, u64)> {
    let causes = said["attempts_failed"].as_array().unwrap();
    let causes = causes.iter().filter(|cause| cause["class"] == class);
    let counted = causes.map(|cause| {
        let target = cause["target"].as_str().unwrap();
        (target.to_owned(), cause["attempts"].as_u64().unwrap())
    });
    counted.collect()
}

#[tokio::test]
async fn the_command_finds_that_nobody_would_have_noticed() {
    for (form, forms) in [("", "both"), ("--stream", "stream"), ("--plain", "plain")] {
        // The eleventh waits for its answer when the primary is cut: nothing else ends it.
        let first = Upstream::choosing(orders("first", 11)).await;
        let second = Upstream::choosing(orders("second", 0)).await;
        let config = |folder: &Folder| config(folder, &[&first, &second], BOTH, "") + PRICES;
        let mut arguments = vec!["-n", "20"];
        arguments.extend(Some(form).filter(|form| !form.is_empty()));
        let (said, fine) = drill(config, &arguments).await;
        assert!(fine, "{forms}: {said:#}");
        assert_eq!(said["primary"], "first/m");
        assert_eq!(said["backups"], json!(["second/n"]));
        assert_eq!(
            (&said["cut_at_request"], &said["in_flight"]),
            (&11.into(), &true.into())
        );
        assert_eq!(
            (&said["requests"], &said["failed"]),
            (&20.into(), &0.into())
        );
        assert_eq!(said["error_rate"], 0.0);
        for (part, first_tokens) in [("before", forms != "plain"), ("after", forms != "plain")] {
            let times = &said[part];
            assert_eq!(times["requests"], 10);
            let [p50, p95, worst] = ["p50", "p95", "worst"].map(|name| times["ms"][name].as_u64());
            assert!(p50.is_some() && p50 <= p95 && p95 <= worst, "{times}");
            assert_eq!(
                times["first_token_ms"]["p50"].is_u64(),
                first_tokens,
                "{times}"
            );
        }
        assert_eq!(said["switch"]["to"], "second/n");
        assert_eq!(said["switch"]["request"], 11);
        assert_eq!(said["tool_calls"]["calls"], 20);
        assert_eq!(said["tool_calls"]["repeated"], 0);
        assert_eq!(said["schema"]["differences"], json!([]));
        assert_eq!(said["schema"]["compared"], 10);
        let [primary, backup] = &said["targets"].as_array().unwrap()[..] else {
            panic!("{said:#}");
        };
        for target in [primary, backup] {
            assert_eq!(target["answers"], 10);
            assert_eq!(target["prompt_tokens"], 90);
            assert_eq!(target["completion_tokens"], 30);
        }
        assert_eq!(
            (&primary["cost"], &backup["cost"]),
            (&"0.0000825".into(), &"0.00024".into())
        );
        assert_eq!(primary["unanswered_maybe_billed"], 1);
        assert_eq!(backup["attempts"], 10);
        assert_eq!(attempts(&said, "reset"), [("first/m".to_owned(), 1)]);
        let refused = attempts(&said, "connect");
        assert!(
            matches!(&refused[..], [(target, 1..)] if target == "first/m"),
            "{refused:?}"
        );
        // Behind the cut the provider itself is left in peace.
        assert_eq!((first.hits(), second.hits()), (11, 10));
        let streams = first.requests();
        let streams = streams.iter().filter(|seen| seen.json()["stream"] == true);
        let expected = if forms == "both" {
            5
        } else {
            11 * usize::from(forms == "stream")
        };
        assert_eq!(streams.count(), expected, "{forms}");
    }
}

#[tokio::test]
async fn each_way_to_go_is_survived() {
    let mut drills = JoinSet::new();
    for (fault, class) in [
        ("connect", "connect"),
        ("reset", "reset"),
        ("hang", "timeout"),
        ("error", "overloaded"),
    ] {
        drills.spawn(async move {
            let first = Upstream::choosing(orders("first", 0)).await;
            let second = Upstream::choosing(orders("second", 0)).await;
            // Short for silence, and long enough for a busy machine.
            let knobs = ", timeout: 3s, first_token: 1s, answer: 1s";
            let config = |folder: &Folder| config(folder, &[&first, &second], BOTH, knobs);
            let (said, fine) = drill(config, &["-n", "8", "--fault", fault]).await;
            assert!(fine, "{fault}: {said:#}");
            assert_eq!(said["fault"], fault);
            assert_eq!(said["switch"]["to"], "second/n");
            let failed = attempts(&said, class);
            assert!(
                failed
                    .iter()
                    .any(|(target, count)| target == "first/m" && *count >= 1),
                "{fault}: {said:#}"
            );
            // At most the one that was on its way was still the primary's.
            let hits = first.hits();
            let in_flight = ["connect", "reset"].contains(&fault);
            assert!(
                hits == 4 || in_flight && hits == 5,
                "{fault}: {hits}: {said:#}"
            );
            assert!((3..=4).contains(&second.hits()), "{fault}");
        });
    }
    drills.join_all().await;
}

#[tokio::test]
async fn a_provider_of_any_kind_goes_and_stands_in() {
    let mut drills = JoinSet::new();
    let fault = |place: usize| ["connect", "reset", "error"][place % 3];
    for (place, kind) in KINDS.into_iter().enumerate() {
        for (first, second) in [(kind, Kind::Compatible), (Kind::Compatible, kind)] {
            drills.spawn(async move {
                let call = ("call_1", "record_order", &[ORDER][..]);
                let script = Script::calls(&[], &[call]);
                let playing = script.clone();
                let says = move |seen: &Seen| Wire::of(seen).reply(Wire::streamed(seen), &playing);
                let one = Upstream::choosing(says.clone()).await;
                let other = Upstream::choosing(says).await;
                let folder = Folder::new();
                let config = Config::new()
                    .kind("one", first, &one)
                    .kind("other", second, &other)
                    .write(&folder);
                let config = config.to_str().unwrap();
                let arguments = ["chat", "-n", "8", "--json", "--fault", fault(place)];
                let arguments = [&arguments[..], &["--config", config]].concat();
                let output = command(&folder, None, &arguments).await;
                let what = format!("{first:?}, then {second:?}");
                assert!(output.status.success(), "{what}: {output:?}");
                let said: Value = serde_json::from_slice(&output.stdout).unwrap();
                assert_eq!(said["primary"], first.target("one"), "{what}");
                assert_eq!(said["switch"]["to"], second.target("other"), "{what}");
                assert_eq!(said["tool_calls"]["calls"], 8, "{what}");
                assert!((4..=5).contains(&one.hits()), "{what}");
            });
        }
    }
    drills.join_all().await;
}

#[tokio::test]
async fn without_a_backup_at_another_provider_nothing_is_sent() {
    for targets in ["first/m", "first/m, first/n"] {
        let first = Upstream::choosing(orders("first", 0)).await;
        let config = |folder: &Folder| config(folder, &[&first], targets, "");
        let (said, fine) = drill(config, &[]).await;
        assert!(!fine);
        assert_eq!(said["requests"], 0);
        assert_eq!(said["backups"], json!([]));
        assert!(
            said["verdict"].as_str().unwrap().contains("NO BACKUP"),
            "{said}"
        );
        assert_eq!(first.hits(), 0);
    }
}

#[tokio::test]
async fn a_backup_that_answers_otherwise_is_found_out() {
    let words = |_: &Seen, _: usize| Reply::json(plain("It is recorded."));
    let no_usage = |seen: &Seen, number: usize| {
        let id = format!("call_second_{number}");
        let mut answer: Value =
            serde_json::from_slice(plain_calls(&[(&id, "record_order", ORDER)]).as_bytes())
                .unwrap();
        assert_ne!(seen.json()["stream"], true);
        answer.as_object_mut().unwrap().remove("usage");
        Reply::json(answer.to_string())
    };
    let twice = |seen: &Seen, number: usize| {
        let ids = [format!("call_{number}_a"), format!("call_{number}_b")];
        ordered(seen, &[&ids[0], &ids[1]])
    };
    let same_id = |seen: &Seen, _: usize| ordered(seen, &["call_first_1"]);
    let dead = |_: &Seen, _: usize| Reply::error(500, "server_error", None, "not today");
    let acts: [(&str, Act, &str, u64, u64); 5] = [
        ("words", words, "finish_reason is stop", 0, 0),
        ("no usage", no_usage, "there is no usage", 0, 0),
        ("twice", twice, "REPEATED", 4, 0),
        ("same id", same_id, "REPEATED", 4, 0),
        ("dead", dead, "4 of 8 requests FAILED", 0, 4),
    ];
    for (name, act, why, repeated, failed) in acts {
        let first = Upstream::choosing(orders("first", 5)).await;
        let mut number = 0;
        let second = Upstream::choosing(move |seen| {
            number += 1;
            act(seen, number)
        })
        .await;
        let config = |folder: &Folder| config(folder, &[&first, &second], BOTH, "");
        let (said, fine) = drill(config, &["-n", "8", "--plain"]).await;
        assert!(!fine, "{name}: {said:#}");
        let all = format!("{} {}", said["verdict"], said["schema"]["differences"]);
        assert!(all.contains(why), "{name}: {all}");
        assert_eq!(said["tool_calls"]["repeated"], repeated, "{name}");
        assert_eq!(said["after"]["failed"], failed, "{name}");
        let listed = said["requests_failed"].as_array().unwrap();
        assert_eq!(listed.len() as u64, failed, "{name}");
        let differs = ["words", "no usage"].contains(&name);
        assert_eq!(said["schema"]["ok"], !differs, "{name}: {said:#}");
        assert_eq!(said["switch"].is_null(), name == "dead");
    }
}

#[tokio::test]
async fn without_any_configuration_the_simulated_providers_are_drilled() {
    let folder = Folder::new();
    let output = command(&folder, None, &["chat", "-n", "6"]).await;
    let (said, log) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(output.status.success(), "{said}{log}");
    for line in [
        "chat: outage drill\n",
        "  north/sim-large: cut at request 4",
        "switched in ",
        "to south/sim-small",
        "connect: no connection to the provider\n",
        "Would your users have noticed? no: all 6 requests were answered",
        "\nok\n",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    assert!(
        log.contains("6 requests go to `chat`: simulated providers"),
        "{log}"
    );
}

#[tokio::test]
async fn what_will_be_sent_is_said_before_and_what_cannot_be_meant_is_refused() {
    let first = Upstream::choosing(orders("first", 0)).await;
    let second = Upstream::choosing(orders("second", 0)).await;
    let folder = Folder::new();
    let text = config(&folder, &[&first, &second], BOTH, "");
    let output = command(&folder, Some(&text), &["chat", "-n", "4"]).await;
    let log = String::from_utf8(output.stderr).unwrap();
    let warned = log.lines().next().unwrap();
    assert!(warned.starts_with("4 real requests go to `chat`"), "{log}");
    assert!(warned.contains("first/m has no price"), "{log}");
    let priced = text.clone() + PRICES;
    let output = command(&folder, Some(&priced), &["chat", "-n", "4"]).await;
    let log = String::from_utf8(output.stderr).unwrap();
    let warned = log.lines().next().unwrap();
    // More than 4000 tokens of answers at the dearest, and not by much.
    assert!(warned.contains(": at most 0.02"), "{log}");
    let sent = first.hits() + second.hits();
    for arguments in [
        &["nowhere"][..],
        &["chat", "-n", "3"],
        &["chat", "--plain", "--stream"],
        &["chat", "--fault", "fire"],
        &[],
    ] {
        let output = command(&folder, Some(&text), arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    assert_eq!(first.hits() + second.hits(), sent);
}
