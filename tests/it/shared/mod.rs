//! What two processes know of each other through a Redis: a request that comes twice is one call also
//! when the second meets the other process, and what one has found out of a target the other leaves.
//! And that losing the Redis loses nothing else.

mod away;
mod calls;
mod claims;
mod health;
mod hosted;
mod reaching;
mod unkeyed;

use std::time::Duration;

use crate::support::redis::is_up;
use crate::support::twice::is_free;
use crate::support::{Answer, Config, Gateway, Redis, soon};

/// The calls that are known in the fleet.
const CALLS: &str = "pillion:once:*";

/// Two processes of one configuration.
struct Fleet {
    redis: Redis,
    one: Gateway,
    two: Gateway,
}

impl Fleet {
    /// `None` where there is no Redis.
    async fn start(config: Config) -> Option<Self> {
        let redis = Redis::start().await?;
        let config = config.root(&format!("shared_state: {}", redis.url()));
        let one = Gateway::start(config.clone()).await;
        let two = Gateway::start(config).await;
        is_up(&one, true).await;
        is_up(&two, true).await;
        Some(Self { redis, one, two })
    }
}

/// Waits until so many have joined: in this way, or, if they looked when it had just ended, by replay.
async fn joined(gateway: &Gateway, kind: &str, count: u64) {
    let mut kinds = vec![kind, "replay"];
    kinds.dedup();
    let lines: Vec<String> = kinds
        .iter()
        .map(|kind| format!("pillion_joins_total{{kind=\"{kind}\"}} "))
        .collect();
    soon(&format!("{count} join by {kind}"), async {
        loop {
            let metrics = gateway.ask_admin("/metrics").await;
            let text = metrics.text();
            let values = text
                .lines()
                .filter_map(|line| lines.iter().find_map(|name| line.strip_prefix(&**name)));
            if values
                .map(|value| value.parse::<u64>().unwrap())
                .sum::<u64>()
                == count
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

fn long(config: Config) -> Config {
    config.limits("60s", "60s", "60s")
}

/// What the one at the second process is, beside the one at the first.
async fn is_joined(fleet: &Fleet, first: &Answer, second: &Answer) {
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(first.header("x-pillion-joined"), None);
    is_free(&fleet.two, second).await;
    assert_eq!(first.text(), second.text());
    assert!(first.complete && second.complete);
    for name in ["content-type", "x-pillion-target"] {
        assert_eq!(first.header(name), second.header(name), "{name}");
    }
    assert_ne!(first.id(), second.id());
    let paid = fleet.one.audit(first.id()).await;
    assert_eq!((paid.outcome(), paid.classes()), ("ok", vec!["ok"]));
}

/// How many scripts it has run.
async fn scripts(redis: &Redis) -> u64 {
    let told = redis.ask(&["INFO", "commandstats"]).await;
    let count = told.lines().find_map(|line| {
        let rest = line.strip_prefix("cmdstat_eval:calls=")?;
        rest.split_once(',').map(|(count, _)| count)
    });
    count.map_or(0, |count| count.parse().unwrap())
}

/// Waits until whoever waits for another process has looked, and looks again.
async fn more_scripts(redis: &Redis, count: u64) {
    let before = scripts(redis).await;
    soon("they look again", async {
        while scripts(redis).await < before + count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
