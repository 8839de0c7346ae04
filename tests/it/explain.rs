//! `pillion explain`: where one request would go and why, with nothing sent and nobody asked.

use serde_json::{Value, json};

use crate::support::{Folder, pillion};

const CONFIG: &str = "
allow_anonymous: true
providers:
  outside: { kind: openai, secret: env:NOT_SET }
  inside: { kind: openai-compatible, base_url: http://127.0.0.1:9/v1, residency: kz }
models: { inside/small: { tools: false } }
routes:
  chat:
    accepts: [gpt-4o]
    targets: [outside/a, inside/b]
    rules:
      - { name: long, when: { prompt_tokens: { over: 2000 } }, targets: [outside/long] }
      - { name: stay, when: { tag: { place: kz } }, targets: [inside/small], residency: kz }
";

const BODY: &str = r#"{"messages":[{"role":"user","content":"Hi"}],"tools":[{"type":"function","function":{"name":"f"}}]}"#;

/// Exit code and output.
async fn explain(more: &[&str]) -> (i32, String) {
    let folder = Folder::new();
    let (config, body) = (folder.file("pillion.yaml"), folder.file("body.json"));
    std::fs::write(&config, CONFIG).unwrap();
    std::fs::write(&body, BODY).unwrap();
    let files = [config.display().to_string(), body.display().to_string()];
    let mut arguments = vec!["explain", "--config", &files[0], "--body", &files[1]];
    arguments.extend(more);
    pillion(&arguments).await
}

#[tokio::test]
async fn each_step_is_told() {
    let (code, said) = explain(&["gpt-4o", "--header", "x-pillion-tag-place: kz"]).await;
    assert_eq!(code, 0, "{said}");
    for told in [
        "route `chat`, for the key `anonymous`\n",
        "rule `long`: no, not prompt_tokens over 2000 (about 2",
        "rule `stay`: matches\n",
        "must stay within `kz`\n",
        "targets: inside/small, outside/a, inside/b\n",
        "filter permission: the key may use the route\n",
        "filter capability: removes `inside/small` takes no tools\n",
        "filter residency: removes `outside/a` is not within `kz`\n",
        "filter health: of the targets' health nothing is known here\n",
        "plan: inside/b\n",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
}

#[tokio::test]
async fn programs_get_json() {
    let (code, said) = explain(&["chat", "--json"]).await;
    assert_eq!(code, 0, "{said}");
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(told["plan"], json!(["outside/a", "inside/b"]));
    assert_eq!(told["rule"], Value::Null);
    assert_eq!(told["rules"][1]["matches"], false);
    assert_eq!(told["rules"][1]["unmet"], "tag.place: kz");
    assert_eq!(told["removed"], json!([]));
}

#[tokio::test]
async fn a_rule_is_tested_without_traffic() {
    let tag = ["--header", "x-pillion-tag-place: kz"];
    for (more, expected) in [
        (vec!["chat", "--expect", "outside/a"], 0),
        (vec!["chat", "--expect", "inside/b"], 1),
        (vec!["chat", tag[0], tag[1], "--expect", "inside/b"], 0),
        (vec!["chat", tag[0], tag[1], "--expect-rule", "stay"], 0),
        (vec!["chat", "--expect-rule", "stay"], 1),
        (vec!["chat", "--expect-rule", "-"], 0),
        (vec!["nowhere"], 2),
        (vec!["chat", "--key", "nobody"], 2),
        (vec!["chat", "--header", "x"], 2),
    ] {
        let (code, said) = explain(&more).await;
        assert_eq!(code, expected, "{more:?}: {said}");
    }
}

#[tokio::test]
async fn a_key_that_is_not_good_then_and_there_gets_nothing() {
    let folder = Folder::new();
    let (config, body) = (folder.file("pillion.yaml"), folder.file("body.json"));
    let keys = |digit: char, more: &str| {
        let hash = digit.to_string().repeat(64);
        format!("hash: \"sha256:{hash}\", {more}")
    };
    let (late, far) = (
        keys('1', "id: a-late, expires: 2027-01-01"),
        keys('2', "id: b-far, environment: test"),
    );
    let budget = "id: c-good, budget: { amount: 1, per: day }";
    let good = keys('3', budget);
    let keys = format!("keys: [{{ {late} }}, {{ {far} }}, {{ {good} }}]");
    let text = CONFIG.replace(
        "allow_anonymous: true",
        &format!("identity: {{ environment: prod }}\n{keys}"),
    );
    let free = "inside/b: { price: { input: 0, output: 0 } }, inside/small: { tools: false }";
    let text = text.replace("inside/small: { tools: false }", free);
    std::fs::write(&config, text).unwrap();
    std::fs::write(&body, BODY).unwrap();
    let files = [config.display().to_string(), body.display().to_string()];
    let ask = async |more: &[&str]| {
        let mut arguments = vec![
            "explain", "chat", "--config", &files[0], "--body", &files[1],
        ];
        arguments.extend(more);
        pillion(&arguments).await
    };
    let late = ["--key", "a-late", "--at", "2027-01-01T00:00:00Z"];
    for (more, code, told) in [
        (&late[..], 1, "filter permission: the key is expired\n"),
        (
            &["--key", "a-late", "--at", "2026-12-31T23:59:59Z"],
            0,
            "filter permission: the key may use the route\n",
        ),
        (
            &["--key", "b-far"],
            1,
            "filter permission: the key is of another environment\n",
        ),
        // Where none is named, a good one is taken.
        (&late[2..], 0, "for the key `c-good`\n"),
        (
            &["--key", "c-good"],
            0,
            "filter budget: removes `outside/a` has no price that is known",
        ),
        (
            &["--key", "a-late", "--at", "2026-12-31T23:59:59Z"],
            0,
            "filter budget: removes none\n",
        ),
    ] {
        let (ended, said) = ask(more).await;
        assert_eq!(ended, code, "{more:?}: {said}");
        assert!(said.contains(told), "{told}: {said}");
    }
}

#[tokio::test]
async fn a_bad_configuration_is_told_as_validate_tells_it() {
    let folder = Folder::new();
    let (config, body) = (folder.file("pillion.yaml"), folder.file("body.json"));
    std::fs::write(&config, CONFIG.replace("tag:", "tags:")).unwrap();
    std::fs::write(&body, BODY).unwrap();
    let files = [config.display().to_string(), body.display().to_string()];
    let (code, said) = pillion(&[
        "explain", "chat", "--config", &files[0], "--body", &files[1],
    ])
    .await;
    assert_eq!(code, 78, "{said}");
    assert!(
        said.contains("rules[1].when.tags: is not a key here; did you mean `tag`?"),
        "{said}"
    );
}

#[tokio::test]
async fn the_example_does_what_it_says() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/rules.yaml");
    let folder = Folder::new();
    let body = folder.file("body.json");
    std::fs::write(&body, r#"{"messages":[{"role":"user","content":"Hi"}]}"#).unwrap();
    let body = body.display().to_string();
    let ask = async |more: &[&str]| {
        let mut arguments = vec![
            "explain",
            "support-chat",
            "--config",
            example,
            "--body",
            &body,
        ];
        arguments.extend(more);
        pillion(&arguments).await
    };
    let day = ["--at", "2026-11-26T06:00:00Z"];
    let (code, said) = ask(&[
        day[0],
        day[1],
        "--key",
        "clinic",
        "--expect",
        "inside/qwen3-32b",
    ])
    .await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("must stay within `kz`"), "{said}");
    let gold = [
        "--header",
        "x-pillion-tag-tier: gold",
        "--expect-rule",
        "gold",
    ];
    let (code, said) = ask(&[&["--key", "chat-demo"], &day[..], &gold].concat()).await;
    assert_eq!(code, 0, "{said}");
    let night = [
        "--key",
        "chat-demo",
        "--at",
        "2026-11-26T20:00:00Z",
        "--expect-rule",
        "night",
    ];
    let (code, said) = ask(&night).await;
    assert_eq!(code, 0, "{said}");
}

#[tokio::test]
async fn what_is_done_about_personal_data_is_told() {
    let folder = Folder::new();
    let (config, body) = (folder.file("pillion.yaml"), folder.file("body.json"));
    let route = "targets: [outside/a], privacy: { mask: [email], block: [card] }";
    let rule = "rules: [{ name: stay, when: { pii: [iin] }, targets: [inside/b] }]";
    let text = CONFIG.replace(
        "  chat:",
        &format!("  private: {{ {route}, {rule} }}\n  chat:"),
    );
    std::fs::write(&config, text).unwrap();
    let files = [config.display().to_string(), body.display().to_string()];
    let arguments = [
        "explain", "private", "--config", &files[0], "--body", &files[1],
    ];
    for (said, code, told) in [
        ("a@b.kz, c@d.kz", 0, "personal data: email 2; masked\n"),
        ("Hi", 0, "personal data: none found\n"),
        (
            "a@b.kz 4111 1111 1111 1111",
            1,
            "personal data: email 1, card 1; refused: The request holds personal data that this route does not take: card.\n",
        ),
    ] {
        let asked = json!({ "messages": [{ "role": "user", "content": said }] });
        std::fs::write(&body, asked.to_string()).unwrap();
        let (ended, shown) = pillion(&arguments).await;
        assert_eq!(ended, code, "{shown}");
        assert!(shown.contains(told), "{shown}");
        assert!(shown.contains("rule `stay`: no, not pii: iin ("), "{shown}");
        let (_, shown) = pillion(&[&arguments[..], &["--json"]].concat()).await;
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["privacy"]["refused"].is_null(), code == 0, "{shown}");
    }
}
