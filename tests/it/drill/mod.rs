//! The outage drill: thirty requests, of which the primary lives to see eleven; and the command that
//! rehearses one, `pillion drill`.

mod noticed;
mod survived;
mod thirty;
mod warned;

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::fixture::{DONE, arguments, call, finish, plain_calls, role, usage};
use crate::support::upstream::Seen;
use crate::support::{Folder, Reply, Upstream, program};

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
