//! Routes, their profiles and their targets.

use super::*;

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
