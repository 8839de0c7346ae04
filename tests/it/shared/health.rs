//! What one process has found out of a target, and the others leave or find out themselves.

use super::Fleet;
use crate::support::fixture::{ask, plain};
use crate::support::{Config, Gateway, Refusing, Reply, Upstream};

/// Waits until the breaker of this target is in this state.
async fn breaker_is(gateway: &Gateway, target: &str, state: u8) {
    let line = format!("pillion_breaker_state{{target=\"{target}\"}} {state}");
    gateway.until_metric(&line, |told| told == line).await;
}

/// Waits until the breaker of this target is open.
async fn leaves(gateway: &Gateway, target: &str) {
    breaker_is(gateway, target, 2).await;
}

#[tokio::test]
async fn a_dead_target_is_left_by_a_process_that_never_met_it() {
    let dead = Refusing::new();
    let well = Upstream::always(Reply::json(plain("x"))).await;
    let config = Config::new()
        .refusing("first", &dead)
        .provider("second", &well.base_url(), "")
        .knob("breaker: { cooldown: 40s }");
    let Some(fleet) = Fleet::start(config).await else {
        return;
    };
    for _ in 0..2 {
        assert_eq!(fleet.one.chat(&ask()).await.status, 200);
    }
    leaves(&fleet.one, "first/model-first").await;
    leaves(&fleet.two, "first/model-first").await;
    let answer = fleet.two.chat(&ask()).await;
    let record = fleet.two.audit(answer.id()).await;
    assert_eq!(record.targets(), ["second/model-second"]);
    assert_eq!(record.classes(), ["ok"]);
}

#[tokio::test]
async fn a_hint_never_takes_the_last_target_of_a_route() {
    let dead = Refusing::new();
    let well = Upstream::always(Reply::json(plain("x"))).await;
    let config = Config::new()
        .refusing("first", &dead)
        .provider("second", &well.base_url(), "")
        .provider_alone("other", &dead.base_url(), "")
        .route(
            "alone",
            "{ targets: [first/model-first], breaker: { cooldown: 40s } }",
        )
        .route(
            "spare",
            "{ targets: [other/m, second/model-second], breaker: { cooldown: 40s } }",
        )
        .knob("breaker: { cooldown: 40s }");
    let Some(fleet) = Fleet::start(config).await else {
        return;
    };
    for route in ["chat", "spare"] {
        for _ in 0..2 {
            let body = ask().replace("\"chat\"", &format!("\"{route}\""));
            assert_eq!(fleet.one.chat(&body).await.status, 200);
        }
    }
    // Of both the hints were there when the second was taken.
    leaves(&fleet.two, "other/m").await;
    breaker_is(&fleet.two, "first/model-first", 0).await;
    let answer = fleet.two.chat(&ask()).await;
    let record = fleet.two.audit(answer.id()).await;
    assert_eq!(
        record.targets()[0],
        "first/model-first",
        "it finds out itself"
    );
}

#[tokio::test]
async fn a_wait_that_a_provider_named_and_an_empty_account_are_known_to_all() {
    let empty = "insufficient_quota";
    let limited = Reply::error(429, "rate_limit_error", None, "slow").header("retry-after", 40);
    for (reply, reason) in [
        (limited, "rate_limited"),
        (
            Reply::error(429, empty, Some(empty), "pay"),
            "quota_exhausted",
        ),
    ] {
        let first = Upstream::script([reply, Reply::json(plain("x"))]).await;
        let second = Upstream::always(Reply::json(plain("x"))).await;
        let Some(fleet) = Fleet::start(Config::of(&[&first, &second])).await else {
            return;
        };
        assert_eq!(fleet.one.chat(&ask()).await.status, 200);
        assert_eq!((first.hits(), second.hits()), (1, 1));
        let out = |line: &str| {
            line.starts_with("pillion_target_out_seconds")
                && line.contains("first/model-first")
                && line.contains(reason)
        };
        fleet
            .two
            .until_metric("the other leaves it, too", out)
            .await;
        assert_eq!(fleet.two.chat(&ask()).await.status, 200);
        assert_eq!((first.hits(), second.hits()), (1, 2));
    }
}

#[tokio::test]
async fn a_key_that_is_refused_is_each_processs_own_to_find_out() {
    let refused = Reply::error(401, "invalid_request_error", Some("invalid_api_key"), "no");
    let first = Upstream::script([refused, Reply::json(plain("x"))]).await;
    let dead = Refusing::new();
    let second = Upstream::always(Reply::json(plain("x"))).await;
    let config = Config::of(&[&first, &second])
        .provider_alone("dead", &dead.base_url(), "")
        .route(
            "other",
            "{ targets: [dead/m, second/model-second], breaker: { cooldown: 40s } }",
        );
    let Some(fleet) = Fleet::start(config).await else {
        return;
    };
    assert_eq!(fleet.one.chat(&ask()).await.status, 502);
    let other = ask().replace("\"chat\"", "\"other\"");
    for _ in 0..2 {
        assert_eq!(fleet.one.chat(&other).await.status, 200);
    }
    // What the first process found out later has come across by now.
    leaves(&fleet.two, "dead/m").await;
    let answer = fleet.two.chat(&ask()).await;
    assert_eq!(answer.header("x-pillion-target"), Some("first/model-first"));
}
