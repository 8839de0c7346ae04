//! Rules and residency: what they mean, and every way in which they mean nothing.

use super::*;
use crate::snapshot::{Abilities, Condition, Residency};

const PLACES: &str = "
allow_anonymous: true
providers:
  openai: { kind: openai, secret: env:OPENAI_API_KEY }
  inside: { kind: openai-compatible, base_url: http://127.0.0.1:8000/v1, residency: kz }
  both: { kind: openai-compatible, base_url: http://127.0.0.1:8001/v1, residency: [eu, de] }
";

fn with_route(route: &str) -> Sources {
    yaml(&format!("{PLACES}routes:\n  fast: {route}\n"))
}

fn with_rules(rules: &str) -> Sources {
    with_route(&format!(
        "{{ targets: [openai/a, inside/b], rules: [{rules}] }}"
    ))
}

#[test]
fn a_rule_is_what_it_says() {
    let sources = with_rules(
        "{ name: data, when: { pii: [iin, phone], prompt_tokens: { over: 10 } }, targets: [inside/b, { any: [{ to: inside/c, weight: 2 }, { to: inside/d }] }], residency: kz, only: true },
         { name: stay, when: { tag: { Place: kz } }, residency: kz }",
    );
    let snapshot = loaded(&sources).snapshot;
    let route = &snapshot.routes["fast"];
    let [data, stay] = &*route.rules else {
        panic!("two rules");
    };
    assert_eq!(&*data.name, "data");
    assert!(data.only && !stay.only && stay.places.is_empty());
    assert_eq!(data.residency.as_deref(), Some("kz"));
    assert_eq!(data.places[1].members[0].weight, 2);
    let told: Vec<_> = data.when.iter().map(Condition::to_string).collect();
    assert_eq!(told, ["prompt_tokens over 10", "pii: iin or phone"]);
    assert_eq!(stay.when[0].to_string(), "tag.place: kz");
    let ids: Vec<_> = route.targets().map(|target| &*target.id).collect();
    assert_eq!(ids, ["openai/a", "inside/b", "inside/c", "inside/d"]);
}

#[test]
fn conditions_are_told_as_they_were_written() {
    let rule = "{ name: all, targets: [inside/b], when: {
        key: [a, b], team: t, tools: true, images: false, stream: true, matches: \"x+\",
        metadata: { m: [1a, 2b] }, header: { X-A: { matches: \"^y\" } }, share: 5%,
        time: { days: [sun, mon], from: \"09:00\", to: \"18:30\", zone: \"+05:00\" } } }";
    let snapshot = loaded(&with_rules(rule)).snapshot;
    let told: Vec<_> = snapshot.routes["fast"].rules[0]
        .when
        .iter()
        .map(Condition::to_string)
        .collect();
    assert_eq!(
        told,
        [
            "key: a or b",
            "team: t",
            "tools: true",
            "stream: true",
            "time: mon sun 09:00 to 18:30 +05:00",
            "header.x-a: /^y/",
            "share: 5%",
            "metadata.m: 1a or 2b",
            "images: false",
            "matches: /x+/",
        ]
    );
}

#[test]
fn a_rule_that_cannot_be_meant_is_a_problem() {
    let rule = |when: &str| format!("{{ name: it, when: {{ {when} }}, targets: [inside/b] }}");
    for (rules, said) in [
        (
            rule(""),
            "rules[0].when: has no condition; `share: 100%` is for every request",
        ),
        (
            "{ name: it, targets: [inside/b] }".into(),
            "rules[0].when: is missing",
        ),
        (
            rule("toools: true"),
            "rules[0].when.toools: is not a key here; did you mean `tools`?",
        ),
        (
            rule("share: 0%"),
            "rules[0].when.share: is for no request at all",
        ),
        (rule("share: 101%"), "`101%` is not a percentage"),
        (rule("prompt_tokens: {}"), "says neither `over` nor `under`"),
        (
            rule("prompt_tokens: { over: 9, under: 10 }"),
            "has nothing over 9 and under 10",
        ),
        (
            rule("matches: \"a(\""),
            "rules[0].when.matches: is no regular expression: unclosed group",
        ),
        (
            rule("matches: \"(\\\\w{100}){100}\""),
            "rules[0].when.matches: is too large a pattern",
        ),
        (rule("header: { \"a b\": x }"), "is not a header's name"),
        (
            rule("header: { authorization: x }"),
            "carries a credential; `key` is for who asks",
        ),
        (rule("pii: []"), "rules[0].when.pii: is empty"),
        (
            rule("time: { from: \"9:00\" }"),
            "`9:00` is not a time such as `09:00`, up to `24:00`",
        ),
        (rule("time: { to: \"24:01\" }"), "`24:01` is not a time"),
        (
            rule("time: { from: \"08:00\", to: \"08:00\" }"),
            "has no hours",
        ),
        (
            rule("time: { days: [monday] }"),
            "`monday` is not one of `mon`",
        ),
        (
            rule("time: { zone: Nowhere/Land }"),
            "`Nowhere/Land` is no zone that this system knows; write an offset such as `+05:00`",
        ),
        (rule("time: { zone: \"+5\" }"), "`+5` is no zone"),
        (
            "{ name: it, when: { tools: true } }".into(),
            "rules[0]: changes nothing: it has neither `targets` nor `residency`",
        ),
        (
            "{ name: it, when: { tools: true }, only: true }".into(),
            "rules[0].only: leaves no target at all",
        ),
        (
            "{ name: it, when: { tools: true }, targets: [nobody/b] }".into(),
            "no provider is named `nobody`",
        ),
        (
            "{ name: it, when: { tools: true }, residency: kx }".into(),
            "no provider says of itself that it is in `kx`; did you mean `kz`?",
        ),
        (
            "{ name: it, when: { tools: true }, targets: [openai/a], only: true, residency: kz }"
                .into(),
            "rules[0].targets: has none that is within `kz`",
        ),
        (
            "{ name: it, when: { tools: true }, residency: eu }".into(),
            "rules[0].residency: has none that is within `eu`",
        ),
    ] {
        let problems = refused(&with_rules(&rules)).join("\n");
        assert!(problems.contains(said), "{rules}: {problems}");
    }
}

#[test]
fn a_rule_that_never_comes_first_is_a_problem() {
    let rules = |first: &str, second: &str| {
        format!(
            "{{ name: a, when: {{ {first} }}, targets: [inside/b] }}, {{ name: b, when: {{ {second} }}, targets: [openai/a] }}"
        )
    };
    for (first, second) in [
        ("share: 100%", "tools: true"),
        ("tools: true", "tools: true"),
        ("tools: true", "stream: true, tools: true"),
        ("tools: true", "share: 5%, tools: true"),
        ("key: [x, y]", "key: [x, y], share: 100%"),
    ] {
        let problems = refused(&with_rules(&rules(first, second))).join("\n");
        let said =
            "rules[1].when: can never match: the rule `a` before it takes every such request";
        assert!(problems.contains(said), "{first}; {second}: {problems}");
    }
    for (first, second) in [
        ("share: 5%", "share: 5%"),
        ("share: 5%, tools: true", "tools: true"),
        ("tools: true", "tools: false"),
        ("stream: true, tools: true", "tools: true"),
    ] {
        loaded(&with_rules(&rules(first, second)));
    }
    let twice = "{ name: a, when: { tools: true }, targets: [inside/b] }, { name: a, when: { stream: true }, targets: [inside/b] }";
    let problems = refused(&with_rules(twice)).join("\n");
    assert!(problems.contains("rules[1].name: `a` is already the name of a rule before it"));
}

#[test]
fn where_requests_must_stay_is_checked_against_where_providers_are() {
    let snapshot = loaded(&with_route(
        "{ targets: [inside/a, inside/b], residency: kz }",
    ))
    .snapshot;
    let route = &snapshot.routes["fast"];
    assert_eq!(route.residency.as_deref(), Some("kz"));
    let within: Residency = [route.residency.as_ref()].into_iter().collect();
    let admitted = snapshot.providers.values().filter(|it| within.admits(it));
    let admitted: Vec<_> = admitted.map(|it| &*it.name).collect();
    assert_eq!(admitted, ["inside"]);
    // A provider may be part of several places, and one that says nothing is nowhere.
    let de: Residency = [Some(&"de".into()), Some(&"eu".into())]
        .into_iter()
        .collect();
    assert!(de.admits(&snapshot.providers["both"]));
    let split: Residency = [Some(&"de".into()), Some(&"kz".into())]
        .into_iter()
        .collect();
    assert!(!split.admits(&snapshot.providers["both"]));
    let problems = refused(&with_route(
        "{ targets: [openai/a, both/b], residency: kz }",
    ))
    .join("\n");
    assert!(
        problems.contains("routes.fast.targets: has none that is within `kz`"),
        "{problems}"
    );
    let loaded = loaded(&with_route(
        "{ targets: [openai/a, inside/b], residency: kz }",
    ));
    let warnings = said(&loaded.warnings).join("\n");
    assert!(
        warnings.contains("`openai/a` is not within `kz`: it gets no requests"),
        "{warnings}"
    );
}

#[test]
fn a_key_and_its_own_provider_agree() {
    let key = |more: &str| {
        let hash = format!("sha256:{}", "0".repeat(64));
        let text = format!(
            "{}routes:\n  fast: {{ targets: [inside/a, openai/b] }}\nkeys: [{{ id: k, hash: \"{hash}\", {more} }}]\n",
            PLACES.replace("allow_anonymous: true\n", "")
        );
        yaml(&text)
    };
    let problems = refused(&key("residency: kz, passthrough: openai")).join("\n");
    assert!(
        problems.contains(
            "keys[0].passthrough: `openai` is not within `kz`: nothing could be sent there"
        ),
        "{problems}"
    );
    let problems = refused(&key("residency: kzz")).join("\n");
    assert!(problems.contains("did you mean `kz`?"), "{problems}");
    loaded(&key("residency: kz, passthrough: inside"));
}

#[test]
fn what_the_operator_says_of_a_model_is_kept() {
    let more = "models: { inside/qwen3: { tools: false, json_schema: true } }\n";
    let snapshot = loaded(&small_with(more)).snapshot;
    let targets: Vec<_> = snapshot.routes["fast"].targets().collect();
    let can = Abilities {
        tools: Some(false),
        images: None,
        json_schema: Some(true),
    };
    assert_eq!(targets[0].can, Abilities::default());
    assert_eq!(targets[1].can, can);
}

#[test]
fn a_zone_is_known_by_its_name_where_the_system_knows_it() {
    let known = jiff::tz::db().get("Asia/Almaty").is_ok();
    let rule = "{ name: it, when: { time: { zone: Asia/Almaty } }, targets: [inside/b] }";
    assert_eq!(load(&with_rules(rule)).is_ok(), known);
}

#[test]
fn a_sidecar_keeps_the_providers_that_rules_alone_name() {
    let rules = "[{ name: it, when: { tools: true }, targets: [third/x] }]";
    let text = central::CENTRAL
        .replace("timeout: 20s", &format!("timeout: 20s, rules: {rules}"))
        .replace(
            "routes:",
            "  third: { kind: openai-compatible, base_url: http://127.0.0.1:8002/v1 }\n  fourth: { kind: openai-compatible, base_url: http://127.0.0.1:8003/v1 }\nroutes:",
        );
    let snapshot = loaded(&central::led_by(central::OWN, &text)).snapshot;
    let kept: Vec<_> = snapshot.providers.keys().map(|name| &**name).collect();
    assert_eq!(kept, ["inside", "openai", "third"]);
}
