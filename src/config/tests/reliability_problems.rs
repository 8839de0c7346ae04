//! What may not be said about reliability, and what the schema says of it.

use super::*;

/// What is said of a route with these knobs, in the tail of each line.
fn knobs_refused(knobs: &str) -> String {
    let text = SMALL.replace("inside/qwen3]", &format!("inside/qwen3], {knobs}"));
    refused(&yaml(&text)).join("\n")
}

#[test]
fn every_wrong_knob_is_told_with_what_may_be() {
    let duration = "a duration above zero such as `300ms`, `8s`, `5m`, `1h`";
    let range = "a duration above zero, or two such as `5s..60s`, the shorter first";
    let factor = "a number from 1 to 1000 with at most six decimals";
    let failures = "a whole number from 1 to 1000000";
    for (knobs, said) in [
        ("slow_factor: 0.5", format!("slow_factor: is not {factor}")),
        (
            "slow_factor: 1.0000001",
            format!("slow_factor: is not {factor}"),
        ),
        ("slow_factor: -3", format!("slow_factor: is not {factor}")),
        (
            "slow_factor: 3x",
            format!("slow_factor: is text, not {factor}"),
        ),
        (
            "slow_floor: 0s",
            format!("slow_floor: `0s` is not {duration}"),
        ),
        (
            "breaker: 2",
            "breaker: is a number, not a map of keys".into(),
        ),
        (
            "breaker: { failures: 0 }",
            format!("breaker.failures: is not {failures}"),
        ),
        (
            "breaker: { failures: 1.5 }",
            format!("breaker.failures: is not {failures}"),
        ),
        (
            "breaker: { window: 0s }",
            format!("breaker.window: `0s` is not {duration}"),
        ),
        (
            "breaker: { cooldown: 60s..5s }",
            format!("breaker.cooldown: `60s..5s` is not {range}"),
        ),
        (
            "breaker: { cooldown: 0s..5s }",
            format!("breaker.cooldown: `0s..5s` is not {range}"),
        ),
        (
            "breaker: { cooldown: 5 }",
            format!("breaker.cooldown: is a number, not {range}; add the unit"),
        ),
        (
            "breaker: { failure: 2 }",
            "breaker.failure: is not a key here; did you mean `failures`?".into(),
        ),
        (
            "hedge: of",
            "hedge: `of` is not one of `off`, `on`; did you mean `off`?".into(),
        ),
        (
            "hedge: true",
            "hedge: is true or false, not one of `off`, `on`, or a map of keys".into(),
        ),
        (
            "hedge: { spend: 5 }",
            "hedge.spend: is a number, not a percentage from `0%` to `100%`".into(),
        ),
        (
            "dedupe: on",
            "dedupe: `on` is not `off`, or a duration above zero such as `300ms`, `8s`".into(),
        ),
        (
            "dedupe: 0s",
            "dedupe: `0s` is not `off`, or a duration".into(),
        ),
        ("dedupe: 2", "`300ms`, `8s`; add the unit".into()),
        (
            "on_break: go on",
            "on_break: `go on` is not one of `error`, `continue`".into(),
        ),
    ] {
        let problem = knobs_refused(knobs);
        assert!(problem.contains(&said), "{knobs}: {problem}");
        assert_eq!(problem.lines().count(), 1, "{knobs}: {problem}");
    }
    let outside = refused(&small_with("profiles: { mine: { on_break: continue } }\n")).join("\n");
    assert!(
        outside.contains("profiles.mine.on_break: is not a key here"),
        "{outside}"
    );
}

#[test]
fn all_of_them_are_told_at_once_each_at_its_place() {
    let text = "\
allow_anonymous: true
concurrency: 0
queue: -1
connections: 1.5
shared_state: http://localhost
providers:
  a: { kind: openai, secret: env:A, capacity: { rpm: 0, tpm: many, concurency: 1 } }
models:
  a/x: { price: { input: 0.0000001 } }
profiles:
  mine: { slow_factor: 0, breaker: { cooldown: 9s..1s } }
routes:
  fast:
    targets: [{ any: [{ to: a/x }, { to: a/y }], select: cheapest }]
    hedge: { spend: 101% }
    dedupe: soon
";
    let money = "a number from 0 to 100000000 with at most six decimals";
    let at_once = "a whole number from 1 to 1000000";
    assert_eq!(
        refused(&yaml(text)),
        [
            format!("2:1: concurrency: is not {at_once}"),
            format!("3:1: queue: is not {at_once}"),
            format!("4:1: connections: is not {at_once}"),
            "5:1: shared_state: does not begin with `redis://` or `rediss://`".into(),
            "7:49: providers.a.capacity.rpm: is not a whole number from 1".into(),
            "7:57: providers.a.capacity.tpm: is text, not a whole number from 1".into(),
            "7:68: providers.a.capacity.concurency: is not a key here; did you mean `concurrency`?".into(),
            format!("9:10: models.\"a/x\".price.output: is missing; write {money}"),
            format!("9:19: models.\"a/x\".price.input: is not {money}"),
            "11:11: profiles.mine.slow_factor: is not a number from 1 to 1000 with at most six decimals".into(),
            "11:38: profiles.mine.breaker.cooldown: `9s..1s` is not a duration above zero, or two such as `5s..60s`, the shorter first".into(),
            "14:38: routes.fast.targets[0].any[1].to: `a/y` has no price, and its group is to take the cheapest; add `models: { a/y: { price: { input: …, output: … } } }`".into(),
            "15:14: routes.fast.hedge.spend: `101%` is not a percentage from `0%` to `100%`".into(),
            "16:5: routes.fast.dedupe: `soon` is not `off`, or a duration above zero such as `300ms`, `8s`".into(),
        ]
    );
}

#[test]
fn the_password_of_the_shared_state_is_never_repeated() {
    let secret = "canary4711";
    for (url, said) in [
        (format!("redis://:{secret}@h:port"), "shared_state: "),
        (
            format!("postgres://{secret}@h"),
            "shared_state: does not begin",
        ),
        (secret.to_owned(), "shared_state: does not begin"),
        (format!("redis://:{secret}/x@h"), "shared_state: "),
    ] {
        let in_text = small_with(&format!("shared_state: \"{url}\"\n"));
        let in_list = small_with(&format!("shared_state: [\"{url}\"]\n"));
        let in_env = Sources {
            env: vec![("PILLION_SHARED_STATE".into(), url.clone())],
            ..small_with("")
        };
        for sources in [in_text, in_list, in_env] {
            let problem = refused(&sources).join("\n");
            assert!(!problem.contains(secret), "{problem}");
            assert!(problem.contains("shared_state: "), "{problem}");
        }
        let problem = refused(&small_with(&format!("shared_state: \"{url}\"\n"))).join("\n");
        assert!(problem.contains(said), "{problem}");
    }
    let loaded = loaded(&small_with(&format!(
        "shared_state: redis://{secret}:{secret}@h\n"
    )));
    let shown = format!("{loaded:?}");
    assert!(shown.contains("shared_state") && !shown.contains(secret));
}

#[test]
fn the_schema_says_of_each_new_shape_what_the_checker_does() {
    let schema = schema();
    let properties = |of: &serde_json::Value| of["properties"].clone();
    let route = properties(&properties(&schema)["routes"]["additionalProperties"]);
    let factor = &route["slow_factor"];
    assert_eq!(factor["type"], "number");
    assert_eq!(
        (&factor["minimum"], &factor["maximum"]),
        (&1.into(), &1000.into())
    );
    let span = "0*[1-9][0-9]*(ms|s|m|h|d)";
    assert_eq!(route["dedupe"]["pattern"], format!("^(off|{span})$"));
    let breaker = properties(&route["breaker"]);
    let range = format!("^{span}(\\.\\.{span})?$");
    assert_eq!(breaker["cooldown"]["pattern"], range);
    let hedge = &route["hedge"]["anyOf"];
    assert_eq!(hedge[0]["enum"], serde_json::json!(["off", "on"]));
    assert_eq!(hedge[1]["properties"]["spend"]["default"], "5%");
    assert_eq!(route["on_break"]["default"], "error");
    let profile = properties(&properties(&schema)["profiles"]["additionalProperties"]);
    for knob in ["slow_factor", "slow_floor", "breaker", "hedge", "dedupe"] {
        assert_eq!(profile[knob], route[knob], "{knob}");
        assert!(route[knob].is_object(), "{knob}");
    }
    let price = &properties(&properties(&schema)["models"]["additionalProperties"])["price"];
    assert_eq!(price["required"], serde_json::json!(["input", "output"]));
    assert_eq!(price["properties"]["input"]["minimum"], 0);
    for (key, default) in [
        ("concurrency", 1024),
        ("queue", 1024),
        ("connections", 16384),
    ] {
        let property = &properties(&schema)[key];
        assert_eq!(
            (&property["minimum"], &property["default"]),
            (&1.into(), &default.into())
        );
    }
    assert_eq!(
        properties(&schema)["shared_state"]["pattern"],
        "^rediss?://[^?#]+$"
    );
}
