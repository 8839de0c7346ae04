//! Limits and budgets: what they mean, and where a budget would be shared by nobody.

use super::central::{CENTRAL, OWN, led_by};
use super::*;
use crate::limit::{OnLoss, Per};
use crate::snapshot::Callers;

const EXAMPLE: &str = include_str!("../../../examples/limits.yaml");

fn key(limits: &str) -> String {
    format!(
        "keys: [{{ id: a, hash: \"sha256:{}\", {limits} }}]\n",
        "0".repeat(64)
    )
}

/// A sidecar that follows a document with these keys and more.
fn led(more: &str) -> Sources {
    let rest = CENTRAL.split("keys:").next().unwrap();
    led_by(OWN, &format!("{rest}{more}"))
}

#[test]
fn the_example_is_what_it_says() {
    let Loaded {
        snapshot,
        process,
        warnings,
        ..
    } = loaded(&yaml(EXAMPLE));
    assert_eq!(said(&warnings), Vec::<String>::new());
    assert_eq!(process.cache_dir, Some("/var/tmp/pillion".into()));
    assert_eq!(snapshot.instances.map(u32::from), Some(4));
    let Callers::Keys(keys) = &snapshot.callers else {
        panic!("there are keys");
    };
    let of = |id: &str| {
        let key = keys.values().find(|key| &*key.id == id).unwrap();
        key.terms.as_ref().unwrap()
    };
    let chat = of("chat");
    assert_eq!(&*chat.scope.id, "key:chat");
    assert_eq!(
        (chat.rpm, chat.tpm, chat.concurrency),
        (Some(600), Some(400_000), Some(64))
    );
    let budget = chat.budget.unwrap();
    assert_eq!(
        (budget.per, budget.amount.to_string()),
        (Per::Month, "2000.00".to_owned())
    );
    assert_eq!((chat.on_loss, budget.on_loss), (OnLoss::Open, OnLoss::Open));
    let nightly = of("nightly");
    assert_eq!(nightly.on_loss, OnLoss::Closed);
    assert_eq!(nightly.budget.unwrap().on_loss, OnLoss::Closed);
    let route = snapshot.routes["support-chat"].terms.as_ref().unwrap();
    assert_eq!((route.rpm, route.budget.unwrap().per), (None, Per::Day));
    let team = &snapshot.teams["support"];
    assert_eq!(
        (&*team.scope.id, team.budget.unwrap().alone),
        ("team:support", false)
    );
}

#[test]
fn what_limits_nothing_is_none() {
    let small = loaded(&small_with(
        "teams: { a: { limits: { on_loss: closed } } }\n",
    ));
    assert!(small.snapshot.teams.is_empty());
    assert!(small.snapshot.routes["fast"].terms.is_none());
    for (line, told) in [
        (
            "teams: { a: { budget: { amount: 1 } } }\n",
            "budget.per: is missing",
        ),
        (
            "teams: { a: { budget: { per: day } } }\n",
            "budget.amount: is missing",
        ),
        (
            "teams: { a: { budget: { amount: -1, per: day } } }\n",
            "budget.amount",
        ),
        ("teams: { a: { limits: { rpm: 0 } } }\n", "limits.rpm"),
        (
            "teams: { a: { budget: [{ amount: 1, per: day }, { amount: 9, per: month }] } }\n",
            "budget: is a list, not a map of keys; there is one of it",
        ),
    ] {
        let problems = refused(&small_with(line)).join("\n");
        assert!(problems.contains(told), "{line}: {problems}");
    }
}

#[test]
fn a_budget_of_many_needs_somebody_who_counts_or_knows_how_many_they_are() {
    let central = |budget: &str, more: &str| format!("{}{more}", key(budget));
    let budget = "budget: { amount: 5, per: day }";
    let problems = refused(&led(&central(budget, ""))).join("\n");
    assert!(
        problems.contains("keys[0].budget: is shared by nobody"),
        "{problems}"
    );
    assert!(problems.contains("`scope: pod`"), "{problems}");
    for (budget, more) in [
        (budget, "instances: 3\n"),
        (budget, "shared_state: redis://redis.internal\n"),
        ("budget: { amount: 5, per: day, scope: pod }", ""),
        ("limits: { rpm: 5 }", ""),
    ] {
        loaded(&led(&central(budget, more)));
    }
    // One's own file is for one.
    let alone = SMALL.replace("allow_anonymous: true", "");
    loaded(&yaml(&format!("{alone}{}", key(budget))));
}

#[test]
fn what_passes_through_under_a_budget_is_warned_of() {
    let alone = SMALL.replace("allow_anonymous: true", "");
    for (limits, is_warned) in [
        ("passthrough: inside, budget: { amount: 5, per: day }", true),
        ("passthrough: inside, limits: { rpm: 5 }", false),
        ("budget: { amount: 5, per: day }", false),
    ] {
        let loaded = loaded(&yaml(&format!("{alone}{}", key(limits))));
        let told = said(&loaded.warnings).join("\n");
        let warned = told.contains("keys[0].passthrough: gets only models whose price is known");
        assert_eq!(warned, is_warned, "{limits}: {told}");
    }
}

#[test]
fn a_sidecar_keeps_the_teams_of_its_keys() {
    let teams =
        "instances: 1\nteams: { support: { limits: { rpm: 1 } }, sales: { limits: { rpm: 1 } } }\n";
    let Loaded { snapshot, .. } = loaded(&led(&format!("{}{teams}", key("team: support"))));
    assert_eq!(
        snapshot
            .teams
            .keys()
            .map(AsRef::as_ref)
            .collect::<Vec<&str>>(),
        ["support"]
    );
}

/// What is said to a document with these providers, and this behind them.
fn warned(more: &str) -> String {
    let text = format!(
        "providers:
  here: {{ kind: openai-compatible, base_url: http://127.0.0.1:8000/v1, residency: kz }}
  there: {{ kind: openai, secret: env:OPENAI_API_KEY }}
models: {{ here/plain: {{ tools: false, images: false }}, here/free: {{ price: {{ input: 0, output: 0 }} }} }}
{more}"
    );
    let told = said(&loaded(&yaml(&text)).warnings);
    let told = told
        .iter()
        .filter(|line| !line.contains("is the only target"));
    told.cloned().collect::<Vec<_>>().join("\n")
}

#[test]
fn what_can_never_come_to_pass_is_warned_of() {
    let budget = "budget: { amount: 5, per: day }";
    let anyone = "allow_anonymous: true\n";
    let rule = |when: &str, to: &str, only: bool| {
        format!(
            "routes: {{ r: {{ targets: [here/free], rules: [{{ name: a, when: {{ {when} }}, targets: [{to}], only: {only} }}] }} }}\n"
        )
    };
    let plain =
        "routes: { r: { targets: [here/free] }, s: { targets: [there/gpt-5-mini, here/x] } }\n";
    let outside = "routes: { r: { targets: [there/gpt-5-mini] }, s: { targets: [here/free] } }\n";
    for (more, told) in [
        (
            format!("{anyone}routes: {{ r: {{ targets: [here/x], {budget} }} }}\n"),
            "routes.r.budget: cannot be held",
        ),
        (
            format!("{anyone}routes: {{ r: {{ targets: [here/x, here/free], {budget} }} }}\n"),
            "",
        ),
        // A rate that begins next month is none.
        (
            format!(
                "{anyone}currency: KZT\nrates: {{ KZT: {{ 2026-12: 480 }} }}\nroutes: {{ r: {{ targets: [there/gpt-5-mini], {budget} }} }}\n"
            ),
            "routes.r.budget: cannot be held",
        ),
        (
            format!(
                "{anyone}currency: KZT\nrates: {{ KZT: {{ 2026-11: 480 }} }}\nroutes: {{ r: {{ targets: [there/gpt-5-mini], {budget} }} }}\n"
            ),
            "",
        ),
        (
            format!("routes: {{ r: {{ targets: [here/x] }} }}\n{}", key(budget)),
            "keys[0].budget: there is a budget, which cannot be held at `r`",
        ),
        (
            format!(
                "routes: {{ r: {{ targets: [here/x] }} }}\nteams: {{ t: {{ {budget} }} }}\n{}",
                key("team: t")
            ),
            "keys[0].team: there is a budget",
        ),
        (format!("{plain}{}", key(budget)), ""),
        (
            format!("{outside}{}", key("residency: kz, routes: [r]")),
            "keys[0].residency: no target of `r` is within `kz`",
        ),
        (format!("{outside}{}", key("residency: kz")), ""),
        (
            format!("{anyone}{}", rule("tools: true", "here/plain", true)),
            "rules[0].targets: has none that takes tools",
        ),
        (
            format!("{anyone}{}", rule("images: true", "here/plain", true)),
            "rules[0].targets: has none that sees images",
        ),
        (
            format!("{anyone}{}", rule("tools: true", "here/plain", false)),
            "",
        ),
        (
            format!(
                "{anyone}{}",
                rule("tools: true", "here/plain, here/x", true)
            ),
            "",
        ),
        (
            format!(
                "{plain}teams: {{ ghost: {{ limits: {{ rpm: 1 }} }} }}\n{}",
                key("team: t")
            ),
            "teams.ghost: no key is in this team",
        ),
        (
            format!(
                "{plain}identity: {{ team: own }}\nteams: {{ own: {{ limits: {{ rpm: 1 }} }} }}\n{}",
                key("team: t")
            ),
            "",
        ),
        (
            format!(
                "{}{}",
                rule("key: [a, nokey]", "here/x", false),
                key("team: t")
            ),
            "rules[0].when.key: no key has the id `nokey`",
        ),
        (
            format!("{}{}", rule("key: a", "here/x", false), key("team: t")),
            "",
        ),
        (
            format!(
                "shared_state: redis://redis\n{plain}{}",
                key("limits: { rpm: 5 }")
            ),
            "shared_state: a process that starts while it is away takes the whole",
        ),
        (
            format!(
                "shared_state: redis://redis\ninstances: 3\n{plain}{}",
                key("limits: { rpm: 5 }")
            ),
            "",
        ),
        (
            format!(
                "shared_state: redis://redis\n{plain}{}",
                key("limits: { rpm: 5, on_loss: closed }, budget: { amount: 1, per: day }")
            ),
            "",
        ),
    ] {
        let warnings = warned(&more);
        assert!(warnings.contains(told), "{more}: {warnings}");
        assert!(
            !told.is_empty() || warnings.is_empty(),
            "{more}: {warnings}"
        );
    }
}

#[test]
fn the_id_of_a_key_is_one_line() {
    for id in ["a\\tb", "a\\nb", " a"] {
        let keys = key("team: t").replace("id: a", &format!("id: \"{id}\""));
        let alone = SMALL.replace("allow_anonymous: true", "");
        let problems = refused(&yaml(&format!("{alone}{keys}"))).join("\n");
        assert!(
            problems.contains("keys[0].id: has white space"),
            "{problems}"
        );
    }
}
