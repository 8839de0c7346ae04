//! What `/api/config` tells: each value, where it is from, and no secret.

use serde_json::{Value, json};

use super::central::{led, led_by};
use super::*;

fn shown(sources: &Sources) -> Value {
    let loaded = loaded(sources);
    loaded.effective.show(&loaded.snapshot)
}

#[test]
fn each_value_is_told_with_who_said_it() {
    let mut sources = led(
        "drain: 1s\nroutes: { fast: { timeout: 19s } }\n",
        "queue: 7\nhosts: [a.example, b.example]\nlocal_overrides: [routes.*.timeout]\n",
    );
    sources.env = vec![
        ("PILLION_CONNECTIONS".into(), "100".into()),
        ("POD_NAME".into(), "chat-0".into()),
    ];
    sources.flags = vec![("admin".into(), "127.0.0.1:0".into())];
    let shown = shown(&sources);
    let (config, origins) = (&shown["config"], &shown["origins"]);
    for (path, value, origin) in [
        ("workers", json!(1), "default"),
        ("drain", json!("1s"), "file:<text>:5:1"),
        ("queue", json!(7), "central:central:10:1"),
        (
            "hosts",
            json!(["a.example", "b.example"]),
            "central:central:11:1",
        ),
        ("connections", json!(100), "env:PILLION_CONNECTIONS"),
        ("admin", json!("127.0.0.1:0"), "flag"),
        ("routes.fast.timeout", json!("19s"), "file:<text>:6:19"),
        (
            "routes.fast.targets",
            json!(["openai/gpt-5-mini", "inside/qwen3"]),
            "central:central:7:11",
        ),
        ("routes.fast.profile", json!("interactive"), "default"),
        ("profiles.batch.timeout", json!("180s"), "default"),
        ("identity.team", json!("support"), "file:<text>:3:13"),
    ] {
        let at = path.split('.').fold(config, |value, name| &value[name]);
        assert_eq!(at, &value, "{path}");
        assert_eq!(origins[path], origin, "{path}");
    }
    assert_eq!(shown["version"].as_str().unwrap().len(), 19);
    assert_eq!(config["keys"][0]["id"], "chat");
    assert_eq!(origins["keys[0].id"], "central:central:9:7");
}

#[test]
fn every_value_has_an_origin_and_every_origin_a_value() {
    let shown = shown(&led("", ""));
    let mut leaves = Vec::new();
    gather(&shown["config"], &Path::root(), &mut leaves);
    let origins = shown["origins"].as_object().unwrap();
    let mut named: Vec<_> = origins.keys().cloned().collect();
    leaves.sort();
    named.sort();
    assert_eq!(leaves, named);
}

fn gather(value: &Value, at: &Path, leaves: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                gather(value, &at.key(name), leaves);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, item) in items.iter().enumerate() {
                gather(item, &at.index(index), leaves);
            }
        }
        _ => leaves.push(at.to_string()),
    }
}

#[test]
fn variables_in_the_identity_are_shown_as_what_they_hold() {
    let mut sources = small_with("identity: { team: $TEAM, instance: $POD }\n");
    sources.env = vec![("TEAM".into(), "support".into())];
    let identity = &shown(&sources)["config"]["identity"];
    assert_eq!(identity, &json!({ "team": "support", "instance": null }));
}

#[test]
fn only_what_the_sidecar_keeps_is_shown() {
    let hash = "0".repeat(63);
    let central = format!(
        "
version: 1
secret_stores:
  ours: {{ kind: vault, address: \"https://vault.internal\", auth: token, token_file: /run/token }}
  theirs: {{ kind: aws-sm }}
providers:
  a: {{ kind: openai, secret: \"ours:openai#key\" }}
  b: {{ kind: openai, secret: \"theirs:openai\" }}
models: {{ a/x: {{ context: 5 }}, b/x: {{ context: 6 }} }}
routes:
  one: {{ targets: [a/x] }}
  two: {{ targets: [b/x] }}
keys:
  - {{ id: theirs, hash: \"sha256:{hash}1\", team: sales, routes: [two] }}
  - {{ id: ours, hash: \"sha256:{hash}2\", team: support, routes: [one] }}
"
    );
    let own = "identity: { team: support }\nsource: { url: \"file:/c.yaml\" }\n";
    let shown = shown(&led_by(own, &central));
    let config = &shown["config"];
    let names = |key: &str| config[key].as_object().unwrap().keys().cloned().collect();
    let none_of_theirs: [Vec<String>; 4] =
        ["providers", "routes", "models", "secret_stores"].map(names);
    assert_eq!(
        none_of_theirs,
        [vec!["a"], vec!["one"], vec!["a/x"], vec!["ours"]]
    );
    assert_eq!(config["providers"]["a"]["secret"], "ours:openai#key");
    let store = "central:central:4:11";
    assert_eq!(shown["origins"]["secret_stores.ours.kind"], store);
    let keys = config["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0]["id"], "ours");
    assert_eq!(shown["origins"]["keys[0].id"], "central:central:15:7");
    assert!(!shown.to_string().contains("theirs"), "{shown}");
}

#[test]
fn nothing_that_may_be_a_secret_is_shown() {
    let text = format!(
        "
shared_state: rediss://user:canary@redis.internal:6380/1
source: {{ url: \"https://h/c.yaml?sig=canary\", report: \"redis://u:canary@h/0/k\" }}
providers:
  openai: {{ kind: openai, secret: env:OPENAI_API_KEY, headers: {{ x-tenant: canary }} }}
routes: {{ fast: {{ targets: [openai/x] }} }}
keys:
  - {{ id: a, hash: \"sha256:{}\" }}
  - {{ id: b, hash: [\"sha256:{}\", \"sha256:{}\"] }}
",
        "c".repeat(64),
        "d".repeat(64),
        "e".repeat(64),
    );
    let sources = Sources {
        local: Local::Free,
        ..yaml(&text)
    };
    let loaded = loaded(&sources);
    let shown = loaded.effective.show(&loaded.snapshot);
    let config = &shown["config"];
    assert_eq!(config["shared_state"], "rediss://…@redis.internal:6380/1");
    assert_eq!(config["source"]["url"], "https://h/c.yaml?…");
    assert_eq!(config["source"]["report"], "redis://…@h/0/k");
    assert_eq!(config["keys"][1]["hash"], json!(["sha256:…", "sha256:…"]));
    assert_eq!(
        config["providers"]["openai"]["secret"],
        "env:OPENAI_API_KEY"
    );
    let seen = format!("{shown}{:?}", loaded.effective);
    for secret in ["canary", "cccc", "dddd", "eeee"] {
        assert!(!seen.contains(secret), "{secret}: {seen}");
    }
}
