//! Pods of every sort, and what they come to.

mod admission;
mod application;
mod asked;
mod pods;
mod sidecar;
mod webhook;

use serde_json::{Value, json};

use super::*;

fn settings() -> Settings {
    Settings {
        usual: Profile {
            source: Some("https://config.internal/pillion/prod.yaml".to_owned()),
            environment: Some("prod".to_owned()),
            ..Profile::usual()
        },
        profiles: std::collections::BTreeMap::new(),
        version: None,
    }
}

/// Settings by which sidecars are classic.
fn classic() -> Settings {
    Settings {
        version: Some(KubernetesVersion::try_new("1.28").unwrap()),
        ..settings()
    }
}

fn token() -> PodToken {
    PodToken {
        token: "pillion_secret".to_owned(),
        hash: "ab".repeat(32),
    }
}

fn pod() -> Value {
    json!({
        "metadata": { "name": "chat", "labels": { "app.kubernetes.io/name": "chat" } },
        "spec": { "containers": [{ "name": "app", "image": "chat:1" }] },
    })
}

/// A pod with something else at a place.
fn with(path: &str, value: Value) -> Value {
    let mut pod = pod();
    let (above, last) = path.rsplit_once('/').unwrap();
    let above = pod.pointer_mut(above).unwrap();
    match above.as_array_mut() {
        Some(items) => items.push(value),
        None => above[last] = value,
    }
    pod
}

fn annotated(name: &str, value: &str) -> Value {
    with(
        "/metadata/annotations",
        json!({ format!("pillion.dev/{name}"): value }),
    )
}

/// The pod as the API server makes it by the patch, which is not our own way to apply it; and the warnings.
fn injected_with(pod: &Value, settings: &Settings) -> (Value, Vec<String>) {
    match inject(pod, settings, &token()) {
        Ok(Decision::Inject {
            patch, warnings, ..
        }) => {
            let patched = patched(pod, &patch.to_json());
            let mut ours = pod.clone();
            assert!(patch.apply(&mut ours));
            assert_eq!(ours, patched, "both ways come to the same");
            keeps(pod, &patched);
            (patched, warnings)
        }
        other => panic!("{other:?}"),
    }
}

fn injected(pod: &Value) -> Value {
    injected_with(pod, &settings()).0
}

fn refused_with(pod: &Value, settings: &Settings) -> String {
    match inject(pod, settings, &token()) {
        Err(problems) => {
            let said: Vec<_> = problems.iter().map(ToString::to_string).collect();
            said.join("\n")
        }
        Ok(other) => panic!("{other:?}"),
    }
}

fn refused(pod: &Value) -> String {
    refused_with(pod, &settings())
}

fn left(pod: &Value) -> Leave {
    match inject(pod, &settings(), &token()) {
        Ok(Decision::Leave(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// The variables of a container, the last of a name.
fn env(container: &Value) -> std::collections::BTreeMap<String, Value> {
    let all = container["env"].as_array().cloned().unwrap_or_default();
    let all = all.into_iter().map(|variable| {
        let name = variable["name"].as_str().unwrap().to_owned();
        (
            name,
            variable
                .get("value")
                .or(variable.get("valueFrom"))
                .cloned()
                .unwrap_or_default(),
        )
    });
    all.collect()
}

/// RFC 6902, as far as it is spoken here.
fn patched(target: &Value, patch: &Value) -> Value {
    let mut target = target.clone();
    for operation in patch.as_array().unwrap() {
        let steps: Vec<String> = operation["path"]
            .as_str()
            .unwrap()
            .split('/')
            .skip(1)
            .map(|step| step.replace("~1", "/").replace("~0", "~"))
            .collect();
        let (last, above) = steps.split_last().unwrap();
        let mut at = &mut target;
        for step in above {
            at = match at {
                Value::Array(items) => &mut items[step.parse::<usize>().unwrap()],
                other => other.get_mut(step).unwrap(),
            };
        }
        let value = operation["value"].clone();
        match (operation["op"].as_str().unwrap(), at) {
            ("add", Value::Array(items)) if last == "-" => items.push(value),
            ("add", Value::Array(items)) => items.insert(last.parse().unwrap(), value),
            ("add", Value::Object(members)) => drop(members.insert(last.clone(), value)),
            ("replace", Value::Object(members)) => *members.get_mut(last).unwrap() = value,
            other => panic!("{other:?}"),
        }
    }
    target
}

/// All that a pod had is there afterwards: members by name, items by their names and in their order.
fn keeps(before: &Value, after: &Value) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (name, value) in before {
                let is_exempt =
                    name == "value" && after["value"].as_str().is_some_and(|it| it.contains("::1"));
                if !value.is_null() && !is_exempt {
                    keeps(value, &after[name]);
                }
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            let mut rest = after.iter();
            for item in before {
                let same = rest
                    .find(|it| it["name"] == item["name"])
                    .expect("an item is gone");
                keeps(item, same);
            }
        }
        (before, after) => assert_eq!(before, after),
    }
}
