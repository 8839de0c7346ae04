//! What is said about the health of targets, hedging and overload.

use super::*;
use crate::health::{BreakerPolicy, Capacity, Policy};
use crate::snapshot::{Hedge, OnBreak, Percent, Route};

/// The route of a text in which it stands with these knobs, under these profiles.
fn route(profiles: &str, knobs: &str) -> std::sync::Arc<Route> {
    let text = SMALL.replace("inside/qwen3]", &format!("inside/qwen3], {knobs}"));
    let text = format!("{text}profiles: {{ {profiles} }}\n");
    loaded(&yaml(&text)).snapshot.routes["fast"].clone()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn spend(hundredths: u8) -> Hedge {
    let spend = Percent::try_new(hundredths).unwrap();
    Hedge { spend }
}

#[test]
fn the_built_in_profiles_have_the_defaults_of_the_policy() {
    for profile in ["interactive", "batch"] {
        let route = route("", &format!("profile: {profile}"));
        assert_eq!(route.health, Policy::DEFAULT, "{profile}");
        assert_eq!((route.hedge, route.dedupe), (None, None), "{profile}");
        assert_eq!(route.on_break, OnBreak::Error, "{profile}");
    }
    let Loaded {
        snapshot, process, ..
    } = loaded(&small_with(""));
    assert_eq!(process.concurrency, 1024);
    assert_eq!(process.queue, 1024);
    assert_eq!(process.connections, 16384);
    assert_eq!(process.shared_state, None);
    assert_eq!(snapshot.providers["openai"].capacity, Capacity::default());
    // The one is on a vendor's list, the other nobody's but the operator's.
    let priced = snapshot.routes["fast"].targets().map(|t| t.price.is_some());
    assert_eq!(priced.collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_breaker_is_merged_by_entry() {
    let default = Policy::DEFAULT.breaker;
    for (profiles, knobs, breaker) in [
        (
            "",
            "breaker: { failures: 5 }",
            BreakerPolicy {
                failures: 5,
                ..default
            },
        ),
        (
            "",
            "breaker: { window: 10s, cooldown: 500ms..8s }",
            BreakerPolicy {
                failures: 2,
                window: seconds(10),
                cooldown: Duration::from_millis(500),
                longest: seconds(8),
            },
        ),
        (
            "",
            "breaker: { cooldown: 3s }",
            BreakerPolicy {
                cooldown: seconds(3),
                longest: seconds(3),
                ..default
            },
        ),
        (
            "mine: { breaker: { failures: 9, window: 7s } }",
            "profile: mine, breaker: { failures: 1 }",
            BreakerPolicy {
                failures: 1,
                window: seconds(7),
                ..default
            },
        ),
        // Every profile has from `interactive` what it does not set.
        (
            "interactive: { breaker: { cooldown: 1s..2s } }, mine: { breaker: { failures: 3 } }",
            "profile: mine",
            BreakerPolicy {
                failures: 3,
                cooldown: seconds(1),
                longest: seconds(2),
                ..default
            },
        ),
        ("", "breaker: {}", default),
    ] {
        let route = route(profiles, knobs);
        assert_eq!(route.health.breaker, breaker, "{profiles} {knobs}");
    }
}

#[test]
fn slowness_is_a_factor_and_a_floor() {
    for (profiles, knobs, factor, floor) in [
        ("", "slow_factor: 2.5", 2.5, 500),
        ("", "slow_factor: 1", 1.0, 500),
        ("", "slow_factor: 1000, slow_floor: 2s", 1000.0, 2000),
        (
            "interactive: { slow_factor: 4.25 }",
            "slow_floor: 1ms",
            4.25,
            1,
        ),
    ] {
        let health = route(profiles, knobs).health;
        assert_eq!(
            health.slow_factor.to_string(),
            f32::to_string(&factor),
            "{knobs}"
        );
        assert_eq!(health.slow_floor, Duration::from_millis(floor), "{knobs}");
    }
}

#[test]
fn what_a_profile_switches_on_a_route_may_switch_off() {
    for (profiles, knobs, hedge, dedupe) in [
        ("", "hedge: on", Some(spend(5)), None),
        (
            "interactive: { hedge: { spend: 9% }, dedupe: 3s }",
            "",
            Some(spend(9)),
            Some(3),
        ),
        ("", "hedge: {}", Some(spend(5)), None),
        (
            "",
            "hedge: { spend: 20% }, dedupe: 2s",
            Some(spend(20)),
            Some(2),
        ),
        (
            "mine: { hedge: { spend: 7% }, dedupe: 1m }",
            "profile: mine",
            Some(spend(7)),
            Some(60),
        ),
        (
            "mine: { hedge: on, dedupe: 1m }",
            "profile: mine, hedge: off",
            None,
            Some(60),
        ),
        (
            "mine: { hedge: on, dedupe: 1m }",
            "profile: mine, dedupe: off",
            Some(spend(5)),
            None,
        ),
        (
            "mine: { hedge: { spend: 7% } }",
            "profile: mine, hedge: on",
            Some(spend(5)),
            None,
        ),
    ] {
        let route = route(profiles, knobs);
        assert_eq!(route.hedge, hedge, "{profiles} {knobs}");
        assert_eq!(route.dedupe, dedupe.map(seconds), "{profiles} {knobs}");
    }
    assert_eq!(route("", "on_break: continue").on_break, OnBreak::Continue);
}

#[test]
fn limits_of_the_process_come_from_any_layer() {
    let sources = Sources {
        env: vec![
            ("PILLION_CONCURRENCY".into(), "64".into()),
            (
                "PILLION_SHARED_STATE".into(),
                "rediss://:env@b:6380/1".into(),
            ),
        ],
        ..small_with("concurrency: 8\nqueue: 1\nconnections: 100\nshared_state: redis://:file@a\n")
    };
    let Loaded {
        process, warnings, ..
    } = loaded(&sources);
    assert_eq!(process.concurrency, 64);
    assert_eq!(process.queue, 1);
    assert_eq!(process.connections, 100);
    let expected = SharedState::try_new("rediss://:env@b:6380/1").unwrap();
    assert_eq!(process.shared_state, Some(expected));
    assert_eq!(warnings, []);
}
