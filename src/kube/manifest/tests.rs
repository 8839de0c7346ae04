//! Texts in, texts out, by our own reading and by Python's where there is one.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::slice;

use serde_json::json;

use super::*;
use crate::kube::Profile;

fn settings() -> Settings {
    Settings {
        usual: Profile {
            config_map: Some(crate::kube::Entry {
                name: "pillion".to_owned(),
                key: "pillion.yaml".to_owned(),
            }),
            ..Profile::usual()
        },
        profiles: BTreeMap::new(),
        version: None,
    }
}

fn injected(manifest: &mut Manifest) -> Result<Injected, Vec<Note>> {
    let mint = || {
        Ok::<_, Infallible>(PodToken {
            token: "pillion_secret".to_owned(),
            hash: "ab".repeat(32),
        })
    };
    match manifest.inject(&settings(), mint) {
        Ok(injected) => injected,
        Err(never) => match never {},
    }
}

fn written(value: &Value) -> String {
    let mut out = String::new();
    write::yaml(value, &mut out);
    out
}

fn values(text: &str) -> Vec<Value> {
    let manifest = Manifest::read(text).unwrap_or_else(|note| panic!("{note}\n{text}"));
    manifest
        .documents
        .into_iter()
        .filter_map(|it| it.value)
        .collect()
}

/// What Python's `yaml`, which goes by YAML 1.1, makes of a text; `None` where there is none.
fn by_python(text: &str) -> Option<Vec<Value>> {
    let code = "import sys, json, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin.buffer.read().decode()))))";
    let mut python = Command::new("python3")
        .args(["-c", code])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    // Where the module is missing, nobody reads.
    let _ = python.stdin.take()?.write_all(text.as_bytes());
    let output = python.wait_with_output().ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

#[test]
fn what_is_written_reads_back_as_it_was() {
    let texts = [
        "",
        " ",
        "a",
        " a",
        "a ",
        "a: b",
        "a:",
        "a #b",
        "#a",
        "- a",
        "-",
        "--",
        "---",
        "yes",
        "No",
        "ON",
        "off",
        "y",
        "n",
        "true",
        "null",
        "~",
        "0",
        "1",
        "-1",
        "0644",
        "0o17",
        "0x1f",
        "0b1",
        "1_000",
        "1e3",
        "1.5",
        ".5",
        ".inf",
        "-.inf",
        ".nan",
        "NaN",
        "1:30",
        "190:20:30",
        "2026-11-01",
        "2026-11-01T10:00:00Z",
        "10m",
        "24Mi",
        "=",
        "<<",
        "*a",
        "&a",
        "!a",
        "!!str",
        "%a",
        "@a",
        "`a",
        "{a}",
        "[a]",
        "a, b",
        "'",
        "\"",
        "'a'",
        "a'b",
        "a\\b",
        "|",
        ">",
        "?",
        "? a",
        ":",
        "a\nb",
        "a\nb\n",
        "a\nb\n\n",
        "\na",
        "\n",
        " a\nb",
        "a\n b\n  c\n",
        "a\n\n b\n",
        "a \nb \n",
        "a\tb",
        "\ta\nb",
        "a\n\tb\n",
        "a\r\nb",
        "é",
        "日本",
        "😀",
        "\u{85}",
        "\u{2028}",
        "\u{feff}a",
        "\u{0}",
        "\u{7f}",
        "\u{1b}[0m",
        "a\u{2028}b\nc",
        "http://127.0.0.1:4100/v1",
        "$(A)",
        "key: |\n  text\n",
        "# c\nset -e\necho \"$A\" | sed 's/a/b/'\n",
        "...",
        "a\n---\nb\n",
        "- - a",
        "a: [b",
        "Infinity",
        "e5",
        "012e3",
    ];
    let mut all = serde_json::Map::new();
    for text in texts {
        all.insert(
            text.to_owned(),
            json!([text, { "a": text }, [[text]], { text: text }]),
        );
    }
    all.insert("others".to_owned(), json!([
        null, true, false, 0, -1, u64::MAX, 1.0, 0.1, 1e21, 1e-9, -2.5, {}, [], [[]], [{}], { "a": {}, "b": [], "c": [[1], {}] },
    ]));
    let value = Value::Object(all);
    let text = written(&value);
    assert_eq!(values(&text), slice::from_ref(&value), "{text}");
    match by_python(&text) {
        Some(read) => assert_eq!(read, [value]),
        None => println!("skipped: Python has no yaml here"),
    }
    for value in [
        json!("a\nb\n"),
        json!([]),
        json!({}),
        json!([["a"], { "b": "c\nd" }]),
        json!(1),
    ] {
        assert_eq!(
            values(&written(&value)),
            slice::from_ref(&value),
            "{}",
            written(&value)
        );
    }
}

#[test]
fn manifests_are_read_as_kubectl_reads_them() {
    let text = "
kind: A
mode: 0644
on: yes
text: \"yes\"
tagged: [!!str 1, !!int \"2\", ! 3]
base: &base { a: 1, b: 2 }
merged: { <<: *base, b: 3 }
again: *base
folded: >-
  one
  two
literal: |
  one
  two
";
    let expected = json!({
        "kind": "A", "mode": 420, "on": true, "text": "yes", "tagged": ["1", 2, "3"],
        "base": { "a": 1, "b": 2 }, "merged": { "b": 3, "a": 1 }, "again": { "a": 1, "b": 2 },
        "folded": "one two", "literal": "one\ntwo\n",
    });
    assert_eq!(values(text), [expected]);
    assert_eq!(
        values("{\"a\": \"\\ud83d\\ude00\"}\n{\"b\": 1}"),
        [json!({ "a": "😀" }), json!({ "b": 1 })]
    );
    assert_eq!(
        values("# nothing\n---\n---\na: 1\n...\n"),
        [json!({ "a": 1 })]
    );
}

#[test]
fn what_is_no_manifest_is_told_with_its_place() {
    for (text, said) in [
        ("a: [1, 2\nb: 3\n", "is not YAML"),
        ("a: 1\na: 2\n", "2:1: a: is written twice"),
        ("{\"a\": 1,\n\"a\": 2}\n", "2:1: a: is written twice"),
        ("a: !Ref b\n", "1:"),
        ("a: &a [*a]\n", "is an alias of something that holds it"),
        ("? [a]\n: 1\n", "has a key that is not text"),
    ] {
        let note = Manifest::read(text).unwrap_err().to_string();
        assert!(note.contains(said), "{text}: {note}");
    }
    let deep = format!("a: {}", "[".repeat(200));
    assert!(Manifest::read(&deep).is_err());
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..10 {
        let of = format!("*a{}", n - 1);
        let _ = writeln!(bomb, "a{n}: &a{n} [{}]", vec![of; 10].join(", "));
    }
    let note = Manifest::read(&bomb).unwrap_err().to_string();
    assert!(note.contains("too large"), "{note}");
}

const MANIFEST: &str = "# Of the team support.
apiVersion: v1
kind: ConfigMap # kept
metadata: { name: chat }
data: { on: 'yes' }
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: chat
spec:
  selector: { matchLabels: { app: chat } }
  template:
    metadata:
      labels: { app: chat }
    spec:
      containers:
      - name: app
        image: chat:1
        command: [sh, -c, \"echo yes\\nsleep 1\\n\"]
        volumeMounts: [{ name: data, mountPath: /data }]
      volumes:
      - name: data
        configMap: { name: chat, defaultMode: 0440 }
---
# The end.
apiVersion: v1
kind: Service
metadata: { name: chat }
";

#[test]
fn workloads_are_injected_and_the_rest_keeps_its_text() {
    let mut manifest = Manifest::read(MANIFEST).unwrap();
    let done = injected(&mut manifest).unwrap();
    assert_eq!(done.pods, 1);
    assert!(
        done.warnings[0]
            .to_string()
            .contains("Deployment chat: holds a new token in clear")
    );
    let once = manifest.write(Format::Yaml);
    assert!(
        once.starts_with("# Of the team support.\napiVersion: v1\nkind: ConfigMap # kept\n"),
        "{once}"
    );
    assert!(
        once.ends_with(
            "---\n# The end.\napiVersion: v1\nkind: Service\nmetadata: { name: chat }\n"
        ),
        "{once}"
    );
    let deployment = &values(&once)[1];
    let spec = &deployment["spec"]["template"]["spec"];
    assert_eq!(spec["initContainers"][0]["name"], "pillion");
    assert_eq!(spec["volumes"][0]["configMap"]["defaultMode"], 0o440);
    assert_eq!(deployment["metadata"], json!({ "name": "chat" }));

    let mut again = Manifest::read(&once).unwrap();
    assert_eq!(injected(&mut again).unwrap().pods, 0);
    assert_eq!(again.write(Format::Yaml), once);

    let json = manifest.write(Format::Json);
    assert_eq!(values(&json), values(&once));
}

#[test]
fn json_is_kept_as_json() {
    let map = "{\n\t\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\",\n\t\"number\": 1.10, \"t\": \"\\ud83d\\ude00\" }";
    let pod =
        json!({ "apiVersion": "v1", "kind": "Pod", "spec": { "containers": [{ "name": "app" }] } });
    let mut manifest = Manifest::read(&format!(" {map}\n{pod}\n")).unwrap();
    assert_eq!(injected(&mut manifest).unwrap().pods, 1);
    let json = manifest.write(Format::Json);
    assert!(json.starts_with(&format!("{map}\n{{\n")), "{json}");
    let yaml = manifest.write(Format::Yaml);
    assert!(
        yaml.starts_with("apiVersion: v1\nkind: ConfigMap\nnumber: 1.1\n"),
        "{yaml}"
    );
    assert_eq!(values(&json), values(&yaml));
}

#[test]
fn every_kind_of_workload_has_its_place() {
    let template =
        json!({ "spec": { "containers": [{ "name": "app" }], "restartPolicy": "Never" } });
    let cron = json!({ "kind": "CronJob", "spec": { "jobTemplate": { "spec": { "template": template } } } });
    let list = json!({ "kind": "List", "items": [
        { "kind": "Job", "spec": { "template": template } }, { "kind": "Service" }, cron,
    ] });
    for text in [list.to_string(), written(&list)] {
        let mut manifest = Manifest::read(&text).unwrap();
        assert_eq!(injected(&mut manifest).unwrap().pods, 2);
        let list = &values(&manifest.write(Format::Yaml))[0];
        let job = "/items/0/spec/template/spec/initContainers/0/name";
        let cron = "/items/2/spec/jobTemplate/spec/template/spec/initContainers/0/name";
        for at in [job, cron] {
            assert_eq!(list.pointer(at), Some(&json!("pillion")), "{at}");
        }
    }
}

#[test]
fn an_object_whose_pods_are_elsewhere_is_left_and_told() {
    let text = "apiVersion: batch.volcano.sh/v1alpha1
kind: Job
metadata: { name: train }
spec:
  tasks:
  - template: { spec: { containers: [{ name: a }] } }
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: { name: chat }
spec:
  template:
    metadata: { labels: { pillion.dev/inject: \"false\" } }
    spec: { containers: [{ name: a }] }
";
    let mut manifest = Manifest::read(text).unwrap();
    let done = injected(&mut manifest).unwrap();
    assert_eq!((done.pods, done.left), (0, 1));
    let said = done.warnings[0].to_string();
    let expected = "6:5: spec.tasks[0].template: Job train is left: it has its pods elsewhere";
    assert!(said.starts_with(expected), "{said}");
    assert_eq!(manifest.write(Format::Yaml), text);
}

#[test]
fn problems_are_told_with_their_place_and_nothing_is_to_be_used_then() {
    let text = MANIFEST
        .replace("      labels: { app: chat }", "      annotations:\n        pillion.dev/memory-limit: lots\n        pillion.dev/imgae: x")
        .replace("  name: chat\nspec:", "  name: chat\n  labels: { pillion.dev/inject: \"false\" }\nspec:");
    let mut manifest = Manifest::read(&text).unwrap();
    let problems = injected(&mut manifest).unwrap_err();
    let said: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "18:9: spec.template.metadata.annotations[pillion.dev/imgae]: is not an annotation of ours; did you mean `pillion.dev/image`?",
            "17:9: spec.template.metadata.annotations[pillion.dev/memory-limit]: `lots` is not an amount above zero such as `10m` or `64Mi`",
        ]
    );
    let misplaced = text.replace("lots", "64Mi").replace("imgae", "image");
    let mut manifest = Manifest::read(&misplaced).unwrap();
    let done = injected(&mut manifest).unwrap();
    let said = done.warnings.last().unwrap().to_string();
    let expected = "11:13: metadata.labels[pillion.dev/inject]: has no effect here: it belongs to spec.template.metadata";
    assert_eq!(said, expected);
    let mut none = Manifest::read("kind: Deployment\nspec: {}\n").unwrap();
    let said = injected(&mut none).unwrap_err()[0].to_string();
    assert!(said.contains("has no template"), "{said}");
}
