//! What becomes of what is spent while Redis is away: it is shown, outlives the process, and is told once.

use std::time::Duration;

use super::fleet::{fleet, tells};
use super::{ask, is_refused, priced, spend};
use crate::support::fixture::plain;
use crate::support::redis::is_up;
use crate::support::{Folder, Gateway, Redis, Reply, Upstream, soon};

/// Waits until what was written down has this in it.
async fn is_written(kept: &Folder, part: &str) -> String {
    let file = kept.file("cache/spent.txt");
    soon(&format!("`{part}` is written down"), async {
        loop {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            if text.contains(part) {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

/// What Redis knows to be spent, in billionths; nothing until it was told of the budget.
async fn told(redis: &Redis) -> String {
    let key = redis.names("pillion:budget::key:chat|*").await;
    match key.first() {
        Some(key) => redis.ask(&["HGET", key, "spent"]).await,
        None => String::new(),
    }
}

#[tokio::test]
async fn what_is_spent_while_redis_is_away_outlives_a_kill_and_is_told_once() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let kept = Folder::new();
    let config = priced(
        &upstream,
        "budget: { amount: 0.1, per: month, on_loss: open }",
    )
    .root(&format!("cache_dir: {}", kept.file("cache").display()));
    let gateway = fleet(&config, &redis, 1).await.remove(0);
    let config = config.root(&format!("shared_state: {}", redis.url()));
    assert_eq!(ask(&gateway).await.status, 200);
    tells(&gateway, "reserved", "0.00").await;
    redis.kill();
    is_up(&gateway, false).await;
    for _ in 0..2 {
        assert_eq!(ask(&gateway).await.status, 200);
    }
    tells(&gateway, "spent", "0.036").await;
    assert_eq!(spend(&gateway, "key:chat").await["remaining"], "0.064");
    let left = "pillion_budget_remaining{scope=\"key:chat\"}";
    assert!(gateway.metric(left).await.unwrap().starts_with("0.064"));
    is_written(&kept, "\t0.024\t").await;
    gateway.crash();

    // The next life goes on where that one ended: of 0.088 that were left, 0.064 are.
    let gateway = Gateway::start(config.clone()).await;
    assert_eq!(spend(&gateway, "key:chat").await["spent"], "0.036");
    for _ in 0..4 {
        assert_eq!(ask(&gateway).await.status, 200);
    }
    is_refused(&ask(&gateway).await, 503, "budget_unavailable");
    is_written(&kept, "\t0.048\t").await;
    gateway.crash();

    // It comes back empty, and is told what it knew and what was spent meanwhile, by two lives.
    let before = is_written(&kept, "\t0.048\t").await;
    redis.again().await;
    let gateway = Gateway::start(config.clone()).await;
    tells(&gateway, "spent", "0.084").await;
    soon("Redis has it", async {
        while told(&redis).await != "84000000" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    gateway.crash();

    // One that was killed before it could write that down tells it again, and nothing comes of it.
    std::fs::write(kept.file("cache/spent.txt"), before).unwrap();
    let mut gateway = Gateway::start(config).await;
    is_up(&gateway, true).await;
    gateway.signal("TERM");
    assert!(gateway.ended().await.success());
    assert_eq!(told(&redis).await, "84000000");
    assert!(!is_written(&kept, "fleet\t").await.contains("untold"));
}

#[tokio::test]
async fn who_ends_while_redis_is_away_tells_it_what_was_spent_when_it_comes() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let config = priced(&upstream, "budget: { amount: 10, per: month }");
    let mut gateway = fleet(&config, &redis, 1).await.remove(0);
    redis.kill();
    is_up(&gateway, false).await;
    assert_eq!(ask(&gateway).await.status, 200);
    tells(&gateway, "spent", "0.012").await;
    gateway.signal("TERM");
    redis.again().await;
    assert!(gateway.ended().await.success());
    assert_eq!(told(&redis).await, "12000000");
}

#[tokio::test]
async fn who_starts_while_redis_is_away_has_the_share_of_as_many_as_there_were() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let config = priced(&upstream, "limits: { rpm: 10 }");
    let _other = fleet(&config, &redis, 1).await;
    let kept = Folder::new();
    let config = config
        .root(&format!("cache_dir: {}", kept.file("cache").display()))
        .root(&format!("shared_state: {}", redis.url()));
    let gateway = Gateway::start(config.clone()).await;
    is_written(&kept, "instances\t2\n").await;
    redis.kill();
    gateway.crash();
    let gateway = Gateway::start(config).await;
    for place in 0..8 {
        let status = ask(&gateway).await.status;
        assert_eq!(status, if place < 5 { 200 } else { 429 }, "{place}");
    }
}
