//! Every problem of a text at once, each with its place.

use super::*;

const MISTAKES_YAML: &str = "\
listn: 127.0.0.1:4100
drain: 25
body_limit: 32 MB
providers:
  openai: { kind: openai }
  azure:
    kind: azrue
    base_url: https://x.example
  inside: { kind: openai-compatible, base_url: ftp://h/v1 }
routes:
  fast:
    acepts: [gpt-4o]
    targets:
      - opnai/gpt-5
      - just-a-model
      - any: [{ to: inside/a, weight: 0 }, { to: openai/b, weight: 0 }]
    answer: 40s
  slow: { profile: bacth, targets: [], idle: 0s }
keys:
  - id: a
    hash: sk-plain-secret
    default_route: fats
  - id: a
    hash: sha256:0000000000000000000000000000000000000000000000000000000000000000
    expires: tomorrow
";

const MISTAKES: &[&str] = &[
    "1:1: listn: is not a key here; did you mean `listen`?",
    "2:1: drain: is a number, not a duration such as `300ms`, `8s`, `5m`, `1h`; add the unit",
    "3:1: body_limit: `32 MB` is not a size such as `32MiB`, `100MB` or a number of bytes",
    "5:3: providers.openai.secret: is missing; `kind: openai` needs it",
    "7:5: providers.azure.kind: `azrue` is not one of `openai`, `openai-compatible`, `azure`, `anthropic`, `gemini`, `vertex`, `bedrock`; did you mean `azure`?",
    "9:38: providers.inside.base_url: has the scheme `ftp`; use http or https",
    "12:5: routes.fast.acepts: is not a key here; did you mean `accepts`?",
    "14:9: routes.fast.targets[0]: no provider is named `opnai`; did you mean `openai`?",
    "15:9: routes.fast.targets[1]: `just-a-model` is not `provider/model`",
    "16:9: routes.fast.targets[2].any: has no weight above zero",
    "17:5: routes.fast.answer: 40s is more than `timeout`, which is 30s",
    "18:11: routes.slow.profile: no profile is named `bacth`; did you mean `batch`?",
    "18:27: routes.slow.targets: is empty",
    "18:40: routes.slow.idle: `0s` is not a duration above zero such as `300ms`, `8s`, `5m`, `1h`",
    "21:5: keys[0].hash: is not `sha256:` and 64 hexadecimal digits, or `pod`",
    "22:5: keys[0].default_route: no route is named `fats`; did you mean `fast`?",
    "23:5: keys[1].id: `a` is already the id of keys[0]",
    "25:5: keys[1].expires: `tomorrow` is not a date such as `2027-06-30`",
];

#[test]
fn every_mistake_of_a_yaml_text_is_told_with_its_place() {
    assert_eq!(refused(&yaml(MISTAKES_YAML)), MISTAKES);
}

#[test]
fn json_is_told_the_same_problems_at_its_own_places() {
    let text = r#"{
	"listn": "127.0.0.1:4100",
	"drain": 25,
	"providers": {
		"openai": { "kind": "openai" },
		"\u0061zure": { "note": "\ud83d\ude00 \"}{", "kind": "azrue" }
	},
	"routes": { "fast": { "targets": [ "opnai/gpt-5",
		{ "any": [ { "to": "openai/b", "weight": -1 } ] } ] } },
	"allow_anonymous": true
}"#;
    assert_eq!(
        refused(&Sources::from_text(Format::Json, text)),
        [
            "2:2: listn: is not a key here; did you mean `listen`?",
            "3:2: drain: is a number, not a duration such as `300ms`, `8s`, `5m`, `1h`; add the unit",
            "5:3: providers.openai.secret: is missing; `kind: openai` needs it",
            "6:19: providers.azure.note: is not a key here",
            "6:48: providers.azure.kind: `azrue` is not one of `openai`, `openai-compatible`, `azure`, `anthropic`, `gemini`, `vertex`, `bedrock`; did you mean `azure`?",
            "8:37: routes.fast.targets[0]: no provider is named `opnai`; did you mean `openai`?",
            "9:34: routes.fast.targets[1].any[0].weight: is not a whole number from 0 to 1000000",
        ]
    );
}

#[test]
fn toml_is_told_the_same_problems_at_its_own_places() {
    let text = r#"listn = "127.0.0.1:4100"
drain = 25
allow_anonymous = true

[providers.openai]
kind = "openai"
[providers.azure]
kind = "azrue"
api_version = 2024-10-21

[routes.fast]
timeout.x = 1
targets = [ "opnai/gpt-5",
  { any = [ { to = "openai/b", weight = -1 } ] } ]

[[keys]]
id = "a"
hash = []
[[keys]]
id = "a"
hash = "sha256:0"
"#;
    assert_eq!(
        refused(&Sources::from_text(Format::Toml, text)),
        [
            "1:1: listn: is not a key here; did you mean `listen`?",
            "2:1: drain: is a number, not a duration such as `300ms`, `8s`, `5m`, `1h`; add the unit",
            "5:12: providers.openai.secret: is missing; `kind: openai` needs it",
            "8:1: providers.azure.kind: `azrue` is not one of `openai`, `openai-compatible`, `azure`, `anthropic`, `gemini`, `vertex`, `bedrock`; did you mean `azure`?",
            "9:1: providers.azure.api_version: is a date, not text; put it into quotes",
            "12:1: routes.fast.timeout: is a map, not a duration above zero such as `300ms`, `8s`, `5m`, `1h`",
            "13:13: routes.fast.targets[0]: no provider is named `opnai`; did you mean `openai`?",
            "14:32: routes.fast.targets[1].any[0].weight: is not a whole number from 0 to 1000000",
            "18:1: keys[0].hash: is empty",
            "20:1: keys[1].id: `a` is already the id of keys[0]",
            "21:1: keys[1].hash: is not `sha256:` and 64 hexadecimal digits, or `pod`",
        ]
    );
}

#[test]
fn a_key_written_twice_is_told_beside_the_other_problems() {
    let text =
        format!("{SMALL}drain: 1s\nroutes:\n  fast: {{ targets: [] }}\ndrian: 2s\ndrain: 3s\n");
    assert_eq!(
        refused(&yaml(&text)),
        [
            "9:1: routes: is written twice; the first is on line 6",
            "11:1: drian: is not a key here; did you mean `drain`?",
            "12:1: drain: is written twice; the first is on line 8",
        ]
    );
    let json = r#"{ "allow_anonymous": true, "drain": "1s",
  "drain": "2s" }"#;
    assert_eq!(
        refused(&Sources::from_text(Format::Json, json)),
        ["2:3: drain: is written twice; the first is on line 1"]
    );
    let toml = "allow_anonymous = true\ndrain = '1s'\ndrain = '2s'\n";
    assert_eq!(
        refused(&Sources::from_text(Format::Toml, toml)),
        ["3:1: is not TOML: duplicate key `drain` in document root"]
    );
}

#[test]
fn a_text_that_cannot_be_read_says_where() {
    for (format, text, problem) in [
        (Format::Yaml, "a: [1\nb", "3:1: is not YAML: "),
        (Format::Toml, "a = 1\nb =\n", "2:4: is not TOML: "),
        (
            Format::Json,
            "{ \"a\": 1,\n  b }",
            "2:3: is not JSON: key must be a string",
        ),
        (Format::Json, "[1]", "1:1: is not an object of keys"),
        (Format::Json, "{\"drain\": 1e999}", ": number out of range"),
        (Format::Json, "", "1:1: is not JSON: EOF"),
    ] {
        let said = refused(&Sources::from_text(format, text));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains(problem), "{said:?}");
    }
}

#[test]
fn what_may_be_a_secret_is_never_repeated() {
    let secret = "sk-proj-0123456789";
    for text in [
        format!("providers: {{ openai: {{ kind: openai, secret: {secret} }} }}"),
        format!("keys: [{{ id: a, hash: {secret} }}]"),
        format!("keys: [{{ id: a, hash: [{secret}] }}]"),
    ] {
        let said = refused(&yaml(&text)).join("\n");
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem() {
    for (file, why) in [
        ("/no/such/pillion.yaml", "cannot be read"),
        ("Cargo.lock", "has none of the extensions"),
        ("src", "has none of the extensions"),
    ] {
        let sources = Sources {
            document: Document::File(file.into()),
            ..yaml("")
        };
        let said = refused(&sources);
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with(&format!("{file}: {why}")), "{said:?}");
    }
}

#[test]
fn a_file_of_more_than_4_mib_is_refused() {
    let file = std::env::temp_dir().join(format!("pillion-large-{}.yaml", std::process::id()));
    std::fs::write(&file, "#".repeat(4 * 1024 * 1024 + 1)).unwrap();
    let sources = Sources {
        document: Document::File(file.clone()),
        ..yaml("")
    };
    let said = refused(&sources);
    std::fs::remove_file(&file).unwrap();
    assert!(said[0].contains("larger than 4 MiB"), "{said:?}");
}

/// An editor saves at any moment, and a reload may read what is there.
#[test]
fn a_text_cut_anywhere_is_read_or_refused() {
    let toml = include_str!("../../../examples/aggregator.toml");
    let json = r#"{ "allow_anonymous": true, "hosts": ["a\"\\", "b"], "drain": "\u0031s", "x": [-1.5e3, null] }"#;
    for (format, text) in [
        (Format::Yaml, MISTAKES_YAML),
        (Format::Toml, toml),
        (Format::Json, json),
    ] {
        for (cut, _) in text.char_indices() {
            if let Err(problems) = load(&Sources::from_text(format, &text[..cut])) {
                assert!(!problems.is_empty(), "{format:?} {cut}");
            }
        }
    }
}
