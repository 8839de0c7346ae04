//! What the filters remove, and that nothing is ever planned that is not where it must stay.

use std::collections::BTreeMap;

use super::*;
use crate::chat::{Request, Surface};
use crate::plan::{Filter, Removed};
use crate::price::{Price, Tariff};
use crate::snapshot::{Abilities, Key, Member, Place, Route, Rule, Select};

fn request(surface: Surface, body: &str) -> Request {
    Request::read(surface, body.to_owned().into()).unwrap()
}

fn able(id: &str, can: Abilities, context: Option<u64>) -> Arc<Target> {
    let mut target = target(id, context);
    Arc::get_mut(&mut target).unwrap().can = can;
    target
}

fn left(targets: &[Arc<Target>], request: &Request) -> (Vec<String>, Vec<Removed>) {
    let sieve = Sieve {
        look: &Look::at(request),
        residency: &Residency::default(),
        budget: None,
        usable: &|_| Ok(()),
    };
    let mut targets = targets.to_vec();
    let removed = sieve.sift(&mut targets);
    (
        targets.iter().map(|it| it.id.to_string()).collect(),
        removed,
    )
}

const NO: Option<bool> = Some(false);

#[test]
fn a_target_that_cannot_is_removed_with_a_word_why() {
    let any = Abilities::default();
    let no_tools = Abilities { tools: NO, ..any };
    let no_images = Abilities { images: NO, ..any };
    let no_schema = Abilities {
        json_schema: NO,
        ..any
    };
    let all = [
        able("a/no-tools", no_tools, None),
        able("a/no-images", no_images, None),
        able("a/no-schema", no_schema, None),
        able("a/short", any, Some(1000)),
        able("a/any", any, None),
    ];
    let ask = |content: &str, more: &str| {
        let body =
            format!(r#"{{"model":"m","messages":[{{"role":"user","content":{content}}}]{more}}}"#);
        request(Surface::Chat, &body)
    };
    let long = format!("\"{}\"", "a b ".repeat(2000));
    for (request, gone, why) in [
        (ask("\"a\"", ""), None, ""),
        (
            ask(
                "\"a\"",
                r#","tools":[{"type":"function","function":{"name":"f"}}]"#,
            ),
            Some("a/no-tools"),
            "takes no tools",
        ),
        (
            ask(
                r#"[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]"#,
                "",
            ),
            Some("a/no-images"),
            "sees no images",
        ),
        (
            ask(
                "\"a\"",
                r#","response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{}}}"#,
            ),
            Some("a/no-schema"),
            "cannot be held to a JSON schema",
        ),
        (
            ask(&long, ""),
            Some("a/short"),
            "has a context of 1000 tokens, and the prompt is about ",
        ),
    ] {
        let (left, removed) = left(&all, &request);
        let expected = all.iter().filter(|it| Some(&*it.id) != gone);
        let expected: Vec<_> = expected.map(|it| it.id.to_string()).collect();
        assert_eq!(left, expected, "{why}");
        assert_eq!(removed.len(), usize::from(gone.is_some()));
        for removed in removed {
            assert_eq!(removed.filter, Filter::Capability);
            assert!(removed.why.starts_with(why), "{}", removed.why);
        }
    }
}

#[test]
fn an_estimate_that_may_be_too_high_removes_nothing() {
    // About 1250 tokens by their bytes.
    let body = format!(r#"{{"model":"m","prompt":"{}"}}"#, "a b ".repeat(1250));
    let asked = request(Surface::Completions, &body);
    let (all, _) = left(&[able("a/m", Abilities::default(), Some(1000))], &asked);
    assert_eq!(all.len(), 1);
    // Embeddings are many prompts.
    let body = format!(r#"{{"model":"m","input":"{}"}}"#, "a b ".repeat(9000));
    let asked = request(Surface::Embeddings, &body);
    let (all, _) = left(&[able("a/m", Abilities::default(), Some(1000))], &asked);
    assert_eq!(all.len(), 1);
}

#[test]
fn what_is_built_in_removes_a_target_only_where_another_is_left() {
    let tools =
        r#"{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"f"}}]}"#;
    let asked = request(Surface::Chat, tools);
    let titan = || target("a/amazon.titan-text-express-v1", None);
    let (left_of_two, removed) = left(&[titan(), target("a/m", None)], &asked);
    assert_eq!(left_of_two, ["a/m"]);
    assert_eq!(removed.len(), 1);
    assert_eq!(left(&[titan()], &asked).0.len(), 1);
    // The operator knows better.
    let can = Abilities {
        tools: Some(true),
        ..Abilities::default()
    };
    let known = able("a/amazon.titan-text-express-v1", can, None);
    assert_eq!(left(&[known, target("a/m", None)], &asked).0.len(), 2);
}

#[test]
fn an_empty_plan_says_which_filter_emptied_it() {
    let no_tools = Abilities {
        tools: NO,
        ..Abilities::default()
    };
    let tools =
        r#"{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"f"}}]}"#;
    let asked = request(Surface::Chat, tools);
    let residency: Residency = [Some(&"kz".into())].into_iter().collect();
    let (health, now) = (health(), Instant::now());
    let by = selection(&health, now);
    let route = route(&[able("a/x", no_tools, None), target("b/y", None)]);
    let sieve = Sieve {
        look: &Look::at(&asked),
        residency: &residency,
        budget: None,
        usable: &|_| Ok(()),
    };
    let mut rng = fastrand::Rng::with_seed(1);
    let error = Plan::make(&route, None, &sieve, &by, &mut rng).unwrap_err();
    assert_eq!(
        error.to_string(),
        "No target may serve this request: none of those left passes the filter `residency`: `b/y` is not within `kz`."
    );
    let sieve = Sieve {
        residency: &Residency::default(),
        budget: None,
        usable: &|_| Err("has no key".into()),
        ..sieve
    };
    let error = Plan::make(&route, None, &sieve, &by, &mut rng).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the filter `health`: `b/y` has no key"),
        "{error}"
    );
}

/// A provider's words for where it is, drawn.
fn drawn_places(rng: &mut fastrand::Rng) -> Vec<Arc<str>> {
    ["kz", "eu", "de"]
        .into_iter()
        .filter(|_| rng.bool())
        .map(Arc::from)
        .collect()
}

fn drawn_demand(rng: &mut fastrand::Rng) -> Option<Arc<str>> {
    [None, Some("kz"), Some("eu")][rng.usize(..3)].map(Arc::from)
}

fn drawn_list(all: &[Arc<Target>], rng: &mut fastrand::Rng) -> Vec<Place> {
    let selects = [Select::Weighted, Select::Fastest, Select::Cheapest];
    let place = |rng: &mut fastrand::Rng| Place {
        members: (0..rng.usize(1..4))
            .map(|_| Member {
                target: Arc::clone(&all[rng.usize(..all.len())]),
                weight: rng.u32(1..5),
            })
            .collect(),
        select: selects[rng.usize(..3)],
    };
    (0..rng.usize(1..4)).map(|_| place(rng)).collect()
}

#[test]
fn no_plan_ever_holds_a_target_outside() {
    let mut rng = fastrand::Rng::with_seed(7);
    let (health, now) = (health(), Instant::now());
    let asked = request(Surface::Chat, r#"{"model":"m","messages":[]}"#);
    let (mut planned, mut empty) = (0, 0);
    for _ in 0..5000 {
        let all: Vec<Arc<Target>> = (0..6)
            .map(|number| {
                let mut one = target(&format!("p{number}/m"), None);
                let inner = Arc::get_mut(&mut one).unwrap();
                Arc::get_mut(&mut inner.provider).unwrap().residency = drawn_places(&mut rng);
                one
            })
            .collect();
        let rule = Rule {
            name: "r".into(),
            when: Vec::new(),
            places: drawn_list(&all, &mut rng),
            only: rng.bool(),
            residency: drawn_demand(&mut rng),
        };
        let route = Route {
            places: drawn_list(&all, &mut rng),
            residency: drawn_demand(&mut rng),
            ..Route::to(Arc::clone(&all[0]))
        };
        let key = Key {
            residency: drawn_demand(&mut rng),
            ..Key::named("k")
        };
        let rule = Some(&rule).filter(|_| rng.bool());
        let residency = Residency::of(&key, Some(&route), rule);
        let sieve = Sieve {
            look: &Look::at(&asked),
            residency: &residency,
            budget: None,
            usable: &|_| Ok(()),
        };
        let by = Selection {
            affinity: rng.bool().then(|| rng.u64(..)),
            ..selection(&health, now)
        };
        let demanded: Vec<Arc<str>> = [key.residency.clone(), route.residency.clone()]
            .into_iter()
            .chain([rule.and_then(|rule| rule.residency.clone())])
            .flatten()
            .collect();
        match Plan::make(&route, rule, &sieve, &by, &mut rng) {
            Ok(plan) => {
                planned += 1;
                for target in plan.targets() {
                    let is_in = |place| target.provider.residency.contains(place);
                    assert!(demanded.iter().all(is_in), "{demanded:?} {target:?}");
                }
                if rule.is_some() {
                    let mut ids: Vec<&str> = plan.targets().iter().map(|it| &*it.id).collect();
                    let count = ids.len();
                    ids.sort_unstable();
                    ids.dedup();
                    assert_eq!(ids.len(), count, "each target once");
                }
            }
            Err(error) => {
                empty += 1;
                assert!(!demanded.is_empty(), "{error}");
                assert!(error.to_string().contains("`residency`"), "{error}");
            }
        }
    }
    assert!(planned > 500 && empty > 500, "{planned} {empty}");
}

#[test]
fn the_targets_of_a_rule_come_first_and_each_target_once() {
    let places = |ids: &[&str]| -> Vec<Place> {
        let place = |id: &&str| Place {
            members: vec![Member {
                target: target(id, None),
                weight: 1,
            }],
            select: Select::Weighted,
        };
        ids.iter().map(place).collect()
    };
    let (health, now) = (health(), Instant::now());
    let planned = |only: bool| -> Vec<String> {
        let rule = Rule {
            name: "r".into(),
            when: Vec::new(),
            places: places(&["c/m", "b/m"]),
            only,
            residency: None,
        };
        let route = Route {
            places: places(&["a/m", "b/m"]),
            ..Route::to(target("a/m", None))
        };
        let sieve = Sieve {
            look: &Look::unread(b""),
            residency: &Residency::default(),
            budget: None,
            usable: &|_| Ok(()),
        };
        let mut rng = fastrand::Rng::with_seed(1);
        let plan = Plan::make(
            &route,
            Some(&rule),
            &sieve,
            &selection(&health, now),
            &mut rng,
        );
        let plan = plan.unwrap();
        plan.targets().iter().map(|it| it.id.to_string()).collect()
    };
    assert_eq!(planned(false), ["c/m", "b/m", "a/m"]);
    assert_eq!(planned(true), ["c/m", "b/m"]);
}

#[test]
fn a_schedule_whose_target_is_kept_in_says_so() {
    let (health, now) = (health(), Instant::now());
    let plan = Plan::of(targets(&["a/m"]));
    let mut schedule = Schedule::new(&plan, ASK, deadline(now), 1, false);
    assert!(matches!(schedule.next(now, &health), Next::Try(_)));
    schedule.keep_in();
    assert!(matches!(schedule.next(now, &health), Next::Over));
    let told = schedule.verdict(now).to_string();
    assert_eq!(
        told,
        "No target may serve this request: none is where it must stay."
    );
}

#[test]
fn a_budget_is_held_only_where_the_price_is_known_in_that_month() {
    let asked = request(Surface::Chat, r#"{"model":"m","messages":[]}"#);
    let rates = BTreeMap::from([("2026-12".parse().unwrap(), 480_000_000)]);
    let priced = |id: &str, dollars| {
        let mut target = target(id, None);
        Arc::get_mut(&mut target).unwrap().price = Some(Price {
            dollars,
            ..Price::new("KZT", Tariff::flat(1, 1))
        });
        target
    };
    for (month, left) in [("2026-11", 1), ("2026-12", 2), ("2027-01", 2)] {
        let sieve = Sieve {
            look: &Look::at(&asked),
            residency: &Residency::default(),
            budget: Some(month.parse().unwrap()),
            usable: &|_| Ok(()),
        };
        let mut targets = vec![
            priced("a/x", None),
            priced("a/y", Some(Arc::new(rates.clone()))),
            target("a/z", None),
        ];
        sieve.sift(&mut targets);
        assert_eq!(targets.len(), left, "{month}");
    }
}
