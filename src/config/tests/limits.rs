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
