//! What a configuration means, and what may not be meant.

use super::*;
use crate::simulate::{FaultClass, Feature, ToolCall};
use crate::snapshot::{Callers, Kind, Timeouts};

fn problem(more: &str) -> String {
    refused(&small_with(more)).join("\n")
}

fn warnings(more: &str) -> String {
    said(&loaded(&small_with(more)).warnings).join("\n")
}

#[test]
fn defaults_are_those_of_the_contract() {
    let Loaded {
        snapshot,
        process,
        warnings,
        ..
    } = loaded(&small_with(""));
    assert_eq!(process.listen.to_string(), "127.0.0.1:4100");
    assert_eq!(process.workers, 1);
    assert_eq!(process.drain, Duration::from_secs(25));
    assert_eq!(process.lame_duck, Duration::from_secs(2));
    assert!(!process.h2c);
    assert!(process.audit.stdout && process.audit.file.is_none());
    assert_eq!(snapshot.body_limit, 32 << 20);
    let route = &snapshot.routes["fast"];
    assert_eq!(route.timeouts, Timeouts::INTERACTIVE);
    assert_eq!(route.max_attempts, 4);
    assert_eq!(
        route.reserve.of(Duration::from_secs(10)),
        Duration::from_secs(4)
    );
    assert!(!route.expose_model && !route.warm);
    assert_eq!(
        snapshot.providers["openai"].base_url.to_string(),
        "https://api.openai.com/v1"
    );
    assert!(matches!(&snapshot.callers, Callers::Anyone(key) if key.expires.is_none()));
    assert_eq!(snapshot.version.len(), 12);
    assert_eq!(warnings, []);
}

#[test]
fn a_route_has_its_profile_and_overrides_it() {
    let text = "
profiles: { mine: { idle: 7s }, batch: { stream: 45m } }
";
    let text = format!(
        "{}{text}",
        SMALL.replace(
            "routes:",
            "routes:
  a: { profile: mine, targets: [openai/x, inside/y], max_attempts: 1, reserve: 0% }
  b: { profile: batch, targets: [openai/x, inside/y], answer: 20s }",
        )
    );
    let routes = loaded(&yaml(&text)).snapshot.routes;
    assert_eq!(routes["a"].timeouts.idle, Duration::from_secs(7));
    assert_eq!(routes["a"].timeouts.whole, Duration::from_secs(30));
    assert_eq!(routes["a"].max_attempts, 1);
    assert_eq!(routes["b"].timeouts.stream, Duration::from_mins(45));
    assert_eq!(routes["b"].timeouts.whole, Duration::from_mins(3));
    assert_eq!(routes["b"].timeouts.answer, Duration::from_secs(20));
}

#[test]
fn an_attempt_fits_into_the_whole() {
    assert_eq!(
        problem("profiles: { tight: { timeout: 10s } }\n"),
        "8:22: profiles.tight.timeout: 10s is less than `answer`, which is 18s by its profile; set `answer` here too"
    );
    assert_eq!(
        problem("profiles: { tight: { timeout: 10s, answer: 9s, first_token: 11s } }\n"),
        "8:48: profiles.tight.first_token: 11s is more than `timeout`, which is 10s"
    );
}

#[test]
fn targets_are_cut_at_the_first_slash_and_know_their_facts() {
    let text = SMALL.replace("inside/qwen3", "inside/meta-llama/llama-4")
        + "models: { inside/meta-llama/llama-4: { context: 32768, stream_usage: false }, openai/unused: {} }\n";
    let routes = loaded(&yaml(&text)).snapshot.routes;
    let targets: Vec<_> = routes["fast"].targets().collect();
    assert_eq!(&*targets[1].model, "meta-llama/llama-4");
    assert_eq!(&*targets[1].provider.name, "inside");
    assert_eq!(targets[1].context, Some(32768));
    assert!(!targets[1].stream_usage && targets[0].stream_usage);
    let nowhere = problem("models: { insde/x: {} }\n");
    assert!(nowhere.contains("did you mean `inside`?"), "{nowhere}");
}

#[test]
fn a_group_shares_one_place_by_weight() {
    let text = SMALL.replace(
        "[openai/gpt-5-mini, inside/qwen3]",
        "[{ any: [{ to: openai/a, weight: 95 }, { to: inside/b }], select: weighted }, openai/c]",
    );
    let routes = loaded(&yaml(&text)).snapshot.routes;
    let places = &routes["fast"].places;
    let weights: Vec<_> = places[0].members.iter().map(|m| m.weight).collect();
    assert_eq!((places.len(), weights), (2, vec![95, 1]));
    let quickest = refused(&yaml(&text.replace("weighted", "quickest"))).join("\n");
    let said = "`quickest` is not one of `weighted`, `fastest`, `cheapest`";
    assert!(quickest.contains(said), "{quickest}");
}

#[test]
fn a_model_string_means_one_route() {
    let text = SMALL.replace(
        "routes:",
        "routes:
  a: { accepts: [gpt-4o, fast], targets: [openai/x, inside/y] }
  b: { accepts: [gpt-4o], targets: [openai/x, inside/y] }",
    );
    assert_eq!(
        refused(&yaml(&text)),
        [
            "7:26: routes.a.accepts[1]: `fast` is already claimed by routes.fast",
            "8:18: routes.b.accepts[0]: `gpt-4o` is already claimed by routes.a.accepts[0]",
        ]
    );
}

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

#[test]
fn somebody_may_call() {
    let nobody = SMALL.replace("allow_anonymous: true", "");
    let said = refused(&yaml(&nobody)).join("\n");
    assert!(
        said.contains("keys: there is no key") && said.contains("pillion keys new"),
        "{said}"
    );
    for keys in ["keys: []\n", "keys:\n"] {
        assert!(
            refused(&yaml(&format!("{nobody}{keys}")))
                .join("")
                .contains("there is no key")
        );
    }
    let open = problem("listen: 0.0.0.0:4100\n");
    assert!(
        open.contains("not a loopback address; add `keys`"),
        "{open}"
    );
    let both = warnings(&format!(
        "keys: [{{ id: a, hash: \"sha256:{}\" }}]\n",
        "0".repeat(64)
    ));
    assert!(both.contains("allow_anonymous: has no effect"), "{both}");
}

#[test]
fn keys_are_told_apart_and_reach_what_exists() {
    let [one, two, three] = ["1", "2", "3"].map(|digit| format!("sha256:{}", digit.repeat(64)));
    let keys = format!(
        "keys:
  - {{ id: a, hash: [\"{one}\", \"{two}\"], environment: prod, routes: [fast], default_route: fast, passthrough: inside, expires: 2027-06-30 }}
  - {{ id: b, hash: \"{three}\", expires: 2026-11-22 }}
"
    );
    let Loaded {
        snapshot, warnings, ..
    } = loaded(&small_with(&keys));
    let Callers::Keys(callers) = &snapshot.callers else {
        panic!("there are keys");
    };
    assert_eq!(callers.len(), 3);
    let key = &callers[&[0x11; 32]];
    assert_eq!(&*callers[&[0x22; 32]].id, "a");
    assert_eq!(&*key.default_route.as_ref().unwrap().name, "fast");
    assert_eq!(&*key.passthrough.as_ref().unwrap().name, "inside");
    assert_eq!(key.expires.unwrap().to_string(), "2027-06-30T00:00:00Z");
    assert!(said(&warnings).join("").contains("the key `b` has expired"));

    let keys = format!(
        "keys:
  - {{ id: a, hash: \"{one}\", routes: [fats] }}
  - {{ id: b, hash: [\"{two}\", \"{one}\", \"{three}\"] }}
  - {{ id: c, hash: [\"{two}\", \"{one}\"], passthrough: opena }}
  - {{ id: d, hash: \"{three}\", routes: [], default_route: fast }}
"
    );
    assert_eq!(
        refused(&small_with(&keys)),
        [
            "9:104: keys[0].routes[0]: no route is named `fats`; did you mean `fast`?",
            "10:14: keys[1].hash: has 3 entries; 2 may be",
            "11:96: keys[2].hash[1]: is already the hash at keys[0].hash",
            "11:172: keys[2].passthrough: no provider is named `opena`; did you mean `openai`?",
            "12:107: keys[3].default_route: `fast` is not among the key's `routes`",
        ]
    );
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let text = SMALL.replace(
        "routes:",
        "  far: { kind: openai-compatible, base_url: http://llm.internal/v1, secret: env:K }
routes:
  alone: { targets: [openai/x] }
  twice: { targets: [openai/x, openai/x, far/y] }",
    );
    assert_eq!(
        said(&loaded(&yaml(&text)).warnings),
        [
            "6:35: providers.far.base_url: the secret is sent to `llm.internal` in clear text",
            "8:12: routes.alone.targets: `openai/x` is the only target: there is nothing to fall back to",
            "9:12: routes.twice.targets: `openai/x` is listed twice",
        ]
    );
}

#[test]
fn audit_goes_where_it_is_sent() {
    for (audit, stdout, file) in [
        ("", true, None),
        ("audit:\n", true, None),
        ("audit: { file: /a }\n", false, Some("/a")),
        (
            "audit: { to: [stdout, file], file: /a }\n",
            true,
            Some("/a"),
        ),
        ("audit: { to: [stdout], file: /a }\n", true, None),
    ] {
        let config = loaded(&small_with(audit)).process.audit;
        assert_eq!(
            (config.stdout, config.file),
            (stdout, file.map(PathBuf::from)),
            "{audit}"
        );
    }
    assert!(problem("audit: { to: [file] }\n").contains("audit.file: is missing"));
    assert!(problem("audit: { to: [] }\n").contains("audit.to: is empty"));
}

#[test]
fn addresses_are_each_taken_once() {
    let said = problem("admin: 127.0.0.1:4100\nsimulate: { s: { listen: 127.0.0.1:4100 } }\n");
    assert!(
        said.contains("admin: 127.0.0.1:4100 is already the address of listen"),
        "{said}"
    );
    assert!(
        said.contains("simulate.s.listen: 127.0.0.1:4100 is already"),
        "{said}"
    );
    loaded(&small_with("listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n"));
}

#[test]
fn hosts_are_names() {
    let hosts = "hosts: [Pillion.Support.svc, 10.0.0.1, \"FD00:0::1\"]\n";
    let snapshot = loaded(&small_with(hosts)).snapshot;
    for host in ["pillion.support.svc", "10.0.0.1", "fd00::1"] {
        assert!(snapshot.hosts.contains(host), "{host}");
    }
    assert!(
        problem("hosts: [\"http://a\"]\n").contains("hosts[0]: `http://a` is not a host's name")
    );
}

#[test]
fn simulated_providers_behave_as_written() {
    let text = "
simulate:
  primary:
    listen: 127.0.0.1:4201
    models:
      plain:
      gpt-5:
        pace: 0s
        tokens: 3
        tool: { name: look_up }
        rejects: [json_schema]
        ignores: [stream_usage]
        context: 8192
        fail: [{ class: rate_limited, share: 20%, wait: 2s }, { class: cut, share: 5% }]
        script: [ok, overloaded]
";
    let process = loaded(&small_with(text)).process;
    let [primary] = &*process.simulate else {
        panic!("there is one");
    };
    assert_eq!(
        primary.models["plain"],
        crate::simulate::Behaviour::default()
    );
    let behaviour = &primary.models["gpt-5"];
    assert_eq!(behaviour.first_token, Duration::from_millis(150));
    assert_eq!(behaviour.pace, Duration::ZERO);
    let look_up = ToolCall::Named {
        name: "look_up".into(),
        arguments: "{}".into(),
    };
    assert_eq!(behaviour.tool, Some(look_up));
    assert_eq!(behaviour.rejects, [Feature::JsonSchema]);
    assert_eq!(behaviour.ignores, [Feature::StreamUsage]);
    assert_eq!(behaviour.context, Some(8192));
    assert_eq!(behaviour.fail[0].wait, Some(Duration::from_secs(2)));
    assert_eq!(behaviour.fail[1].class, FaultClass::Cut);
    assert_eq!(behaviour.script, [FaultClass::Ok, FaultClass::Overloaded]);
    let said = problem(&text.replace("20%", "99%").replace("overloaded", "overload"));
    assert!(
        said.contains("fail: has shares of more than `100%`"),
        "{said}"
    );
    assert!(said.contains("did you mean `overloaded`?"), "{said}");
}

#[test]
fn a_reload_is_a_restart() {
    let text = include_str!("../../../examples/support-chat.yaml");
    let once = loaded(&yaml(text)).snapshot;
    let again = loaded(&yaml(text)).snapshot;
    assert_eq!(told(&once), told(&again));
    let changed = loaded(&yaml(&format!("{text}\n# more\n"))).snapshot;
    assert_ne!(once.version, changed.version);
}

/// A snapshot in an order that repeats.
fn told(snapshot: &Snapshot) -> String {
    let mut aliases: Vec<_> = snapshot.aliases.iter().map(|a| format!("{a:?}")).collect();
    aliases.sort();
    let mut callers = match &snapshot.callers {
        Callers::Anyone(key) => vec![format!("{key:?}")],
        Callers::Keys(keys) => keys.iter().map(|key| format!("{key:?}")).collect(),
    };
    callers.sort();
    format!(
        "{} {:?} {:?} {:?} {} {:?} {aliases:?} {callers:?}",
        snapshot.version,
        snapshot.identity,
        snapshot.routes,
        snapshot.providers,
        snapshot.body_limit,
        snapshot.hosts,
    )
}

#[test]
fn a_target_is_one_however_many_routes_list_it() {
    let text = SMALL.replace(
        "routes:",
        "routes:\n  other: { targets: [{ any: [{ to: inside/qwen3 }] }, openai/gpt-5-mini] }",
    );
    let text = format!("{text}models: {{ inside/qwen3: {{ context: 8000 }} }}\n");
    let routes = loaded(&yaml(&text)).snapshot.routes.clone();
    let of = |route: &str| -> Vec<_> { routes[route].targets().cloned().collect() };
    let (fast, other) = (of("fast"), of("other"));
    assert!(std::sync::Arc::ptr_eq(&fast[0], &other[1]));
    assert!(std::sync::Arc::ptr_eq(&fast[1], &other[0]));
    assert_eq!(fast[1].context, Some(8000));
}
