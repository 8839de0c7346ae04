//! Providers: what each kind needs, and where it is.

use super::*;
use crate::snapshot::Kind;

#[test]
fn azure_has_two_forms() {
    for (keys, base_url, version) in [
        (
            "base_url: https://x.example",
            "https://x.example/openai/v1",
            None,
        ),
        (
            "base_url: https://x.example/openai/",
            "https://x.example/openai/v1",
            None,
        ),
        (
            "base_url: https://x.example/openai/v1",
            "https://x.example/openai/v1",
            None,
        ),
        (
            "base_url: https://g.example/team/openai/v1",
            "https://g.example/team/openai/v1",
            None,
        ),
        (
            "base_url: https://x.example/openai/v1, api_version: preview",
            "https://x.example/openai/v1",
            None,
        ),
        (
            "base_url: https://x.example, api_version: 2024-10-21",
            "https://x.example",
            Some("2024-10-21"),
        ),
        (
            "base_url: https://x.example/openai, api_version: 2024-10-21",
            "https://x.example",
            Some("2024-10-21"),
        ),
    ] {
        let text = SMALL.replace(
            "routes:",
            &format!("  az: {{ kind: azure, secret: env:K, {keys} }}\nroutes:"),
        );
        let providers = loaded(&yaml(&text)).snapshot.providers;
        assert_eq!(providers["az"].base_url.to_string(), base_url, "{keys}");
        let kind = version.map_or(Kind::AzureV1, |version| Kind::AzureDeployments {
            api_version: version.into(),
        });
        assert_eq!(providers["az"].kind, kind, "{keys}");
    }
}

#[test]
fn each_kind_needs_its_keys() {
    for (keys, said) in [
        (
            "kind: azure",
            "p.secret: is missing; `kind: azure` needs it",
        ),
        (
            "kind: azure, secret: env:K",
            "p.base_url: is missing; `kind: azure` needs it",
        ),
        (
            "kind: azure, secret: env:K, base_url: https://x.example/models",
            "has the path `/models`",
        ),
        (
            "kind: azure, secret: env:K, base_url: https://x.example/v1, api_version: 2024-10-21",
            "has the path `/v1`",
        ),
        (
            "kind: azure, secret: env:K, base_url: https://x.example, api_version: a&b",
            "is not a version",
        ),
        (
            "kind: openai-compatible",
            "p.base_url: is missing; `kind: openai-compatible` needs it",
        ),
        ("kind: openai", "p.secret: is missing"),
        (
            "kind: openai, secret: env:K, api_version: v1",
            "is for `kind: azure` only",
        ),
        (
            "kind: openai-compatible, base_url: http://h/v1/chat/completions",
            "goes beyond `/v1`",
        ),
        (
            "secret: env:K",
            "p.kind: is missing; write one of `openai`, `openai-compatible`, `azure`, `anthropic`, `gemini`, `vertex`, `bedrock`",
        ),
        (
            "kind: openai, secret: vault",
            "is not a reference to a secret",
        ),
        (
            "kind: anthropic",
            "p.secret: is missing; `kind: anthropic` needs it",
        ),
        (
            "kind: gemini, base_url: http://127.0.0.1:1/v1",
            "p.secret: is missing; `kind: gemini` needs it",
        ),
        (
            "kind: vertex, secret: google, location: global",
            "p.project: is missing; `kind: vertex` needs it",
        ),
        (
            "kind: vertex, secret: google, project: p",
            "p.location: is missing; `kind: vertex` needs it",
        ),
        (
            "kind: vertex, secret: google, project: p/q, location: global",
            "p.project: `p/q` is not a project such as `my-project`",
        ),
        (
            "kind: vertex, secret: google, project: p, location: evil.example/",
            "p.location: `evil.example/` is not a location",
        ),
        (
            "kind: vertex, secret: aws, project: p, location: global",
            "p.secret: `aws` is for `kind: bedrock` only",
        ),
        (
            "kind: bedrock, secret: aws",
            "p.region: is missing; `kind: bedrock` needs it",
        ),
        (
            "kind: bedrock, secret: aws, region: eu.central",
            "p.region: `eu.central` is not a region such as `eu-central-1`",
        ),
        (
            "kind: bedrock, secret: google, region: eu-central-1",
            "p.secret: `google` is for `kind: vertex` only",
        ),
        (
            "kind: openai, secret: aws",
            "p.secret: `aws` is for `kind: bedrock` only",
        ),
        (
            "kind: openai, secret: env:K, region: eu-central-1",
            "p.region: is for `kind: bedrock` only",
        ),
        (
            "kind: gemini, secret: env:K, responses: true",
            "p.responses: is for `kind: openai`, `openai-compatible`, `azure` only",
        ),
        (
            "kind: gemini, secret: env:K, anthropic_version: 2023-06-01",
            "p.anthropic_version: is for `kind: anthropic` only",
        ),
        (
            "kind: anthropic, secret: env:K, anthropic_version: not a version",
            "p.anthropic_version: `not a version` is not a version",
        ),
    ] {
        let text = SMALL.replace("routes:", &format!("  p: {{ {keys} }}\nroutes:"));
        let problems = refused(&yaml(&text)).join("\n");
        assert!(problems.contains(said), "{keys}: {problems}");
    }
    let slash = SMALL.replace("routes:", "  a/b: { kind: openai, secret: env:K }\nroutes:");
    assert!(refused(&yaml(&slash))[0].contains("has a slash"));
}

#[test]
fn each_kind_has_its_place_and_its_secret() {
    use crate::secret::Reference;
    let document = |reference: &str| Reference::try_new(reference).unwrap().or_document();
    let env = || Reference::try_new("env:K").unwrap();
    for (keys, base_url, secret, responses) in [
        (
            "kind: openai, secret: env:K",
            "https://api.openai.com/v1",
            env(),
            true,
        ),
        (
            "kind: openai, secret: env:K, responses: false",
            "https://api.openai.com/v1",
            env(),
            false,
        ),
        (
            "kind: openai-compatible, secret: env:K, base_url: https://h/v1",
            "https://h/v1",
            env(),
            false,
        ),
        (
            "kind: openai-compatible, secret: env:K, base_url: https://h/v1, responses: true",
            "https://h/v1",
            env(),
            true,
        ),
        (
            "kind: azure, secret: env:K, base_url: https://x.example",
            "https://x.example/openai/v1",
            env(),
            true,
        ),
        (
            "kind: anthropic, secret: env:K",
            "https://api.anthropic.com/v1",
            env(),
            false,
        ),
        (
            "kind: gemini, secret: env:K",
            "https://generativelanguage.googleapis.com/v1beta",
            env(),
            false,
        ),
        (
            "kind: vertex, secret: google, project: p, location: global",
            "https://aiplatform.googleapis.com/v1",
            Reference::Google,
            false,
        ),
        (
            "kind: vertex, secret: env:K, project: \"example.com:p\", location: eu",
            "https://aiplatform.eu.rep.googleapis.com/v1",
            document("env:K"),
            false,
        ),
        (
            "kind: vertex, secret: file:/sa.json, project: p, location: europe-west4",
            "https://europe-west4-aiplatform.googleapis.com/v1",
            document("file:/sa.json"),
            false,
        ),
        (
            "kind: bedrock, secret: aws, region: eu-central-1",
            "https://bedrock-runtime.eu-central-1.amazonaws.com",
            Reference::Aws,
            false,
        ),
        (
            "kind: bedrock, secret: env:K, region: us-east-1, base_url: http://127.0.0.1:9",
            "http://127.0.0.1:9",
            env(),
            false,
        ),
    ] {
        let text = SMALL.replace("routes:", &format!("  p: {{ {keys} }}\nroutes:"));
        let providers = loaded(&yaml(&text)).snapshot.providers;
        let provider = &providers["p"];
        assert_eq!(provider.base_url.to_string(), base_url, "{keys}");
        assert_eq!(provider.secret.as_ref(), Some(&secret), "{keys}");
        assert_eq!(provider.responses, responses, "{keys}");
    }
    let text = SMALL.replace(
        "routes:",
        "  v: { kind: vertex, secret: google, project: p, location: global }
  b: { kind: bedrock, secret: aws, region: eu-central-1 }
routes:",
    );
    let providers = loaded(&yaml(&text)).snapshot.providers;
    let (project, location) = ("p".into(), "global".into());
    assert_eq!(providers["v"].kind, Kind::Vertex { project, location });
    let region = "eu-central-1".into();
    assert_eq!(providers["b"].kind, Kind::Bedrock { region });
}

#[test]
fn a_providers_headers_carry_no_credential() {
    let with = |headers: &str| {
        let provider = format!("  p: {{ kind: anthropic, secret: env:K, {headers} }}\nroutes:");
        yaml(&SMALL.replace("routes:", &provider))
    };
    for (headers, said) in [
        ("headers: { Authorization: x }", "carries a credential"),
        ("headers: { x-api-key: x }", "carries a credential"),
        ("headers: { Api-Key: x }", "carries a credential"),
        ("headers: { x-goog-api-key: x }", "carries a credential"),
        ("headers: { cookie: x }", "carries a credential"),
        ("headers: { x-amz-date: x }", "carries a credential"),
        ("headers: { host: x }", "is set by Pillion"),
        ("headers: { content-length: \"1\" }", "is set by Pillion"),
        ("headers: { transfer-encoding: x }", "is set by Pillion"),
        ("headers: { connection: close }", "is set by Pillion"),
        (
            "headers: { anthropic-version: x }",
            "has a key of its own; write `anthropic_version`",
        ),
        ("headers: { \"a b\": x }", "is not a header's name"),
        ("headers: { x-a: \"\u{436}\" }", "holds what no header can"),
        ("headers: { x-a: \"a\\nb\" }", "holds what no header can"),
        ("headers: { x-a: b, X-A: c }", "is there twice"),
        ("headers: { x-a: 7 }", "put it into quotes"),
        ("headers: [x-a]", "is a list, not a map"),
    ] {
        let problems = refused(&with(headers)).join("\n");
        assert!(problems.contains(said), "{headers}: {problems}");
    }
    let headers = |text: &str| loaded(&with(text)).snapshot.providers["p"].headers.clone();
    let given = headers("headers: { X-Team: chat, anthropic-beta: \"a, b\" }");
    assert_eq!(given["x-team"], "chat");
    assert_eq!(given["anthropic-beta"], "a, b");
    assert_eq!(given["anthropic-version"], "2023-06-01");
    let newer = headers("anthropic_version: 2026-10-21");
    assert_eq!(newer["anthropic-version"], "2026-10-21");
}
