//! Limits and budgets that processes share through a Redis, and what holds while it is away.

use std::time::Duration;

use super::{ask, is_refused, number, priced, spend};
use crate::support::fixture::plain;
use crate::support::redis::is_up;
use crate::support::{Config, Gateway, Redis, Reply, Upstream, pillion, soon};

/// So many processes that share; each has said that it is there.
pub(super) async fn fleet(config: &Config, redis: &Redis, count: usize) -> Vec<Gateway> {
    let config = config
        .clone()
        .root(&format!("shared_state: {}", redis.url()));
    let mut gateways = Vec::new();
    for _ in 0..count {
        gateways.push(Gateway::start(config.clone()).await);
    }
    for gateway in &gateways {
        is_up(gateway, true).await;
    }
    // And has heard of the others since.
    let there = "return #redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], '+inf')";
    let now = "local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000)";
    for _ in 0..2 {
        let since = redis.ask(&["EVAL", now, "0"]).await;
        soon("all are there", async {
            let ask = ["EVAL", there, "1", "pillion:limit::instances:", &*since];
            while redis.ask(&ask).await != count.to_string() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
    }
    gateways
}

/// Waits until a process tells this of its budget.
pub(super) async fn tells(gateway: &Gateway, field: &str, value: &str) {
    soon(&format!("{field} is {value}"), async {
        while spend(gateway, "key:chat").await[field] != value {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_limit_and_a_budget_are_the_fleets() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let config = priced(
        &upstream,
        "limits: { rpm: 5, tpm: 100000 }, budget: { amount: 9, per: day }",
    );
    let gateways = fleet(&config, &redis, 2).await;
    let mut left = Vec::new();
    for gateway in gateways.iter().cycle().take(5) {
        let answer = ask(gateway).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        left.push(number(&answer, "x-ratelimit-remaining-requests"));
        assert!(number(&answer, "x-ratelimit-remaining-tokens") > 99_000);
    }
    assert_eq!(left, [4, 3, 2, 1, 0]);
    for gateway in &gateways {
        let refused = ask(gateway).await;
        is_refused(&refused, 429, "rate_limit_exceeded");
        assert!((1..=12_000).contains(&number(&refused, "retry-after-ms")));
    }
    // What was refused has taken nothing of the budget.
    tells(&gateways[1], "spent", "0.06").await;
    tells(&gateways[1], "reserved", "0.00").await;
    let key = redis.names("pillion:budget::key:chat|*").await;
    let spent = redis.ask(&["HGET", &key[0], "spent"]).await;
    assert_eq!(spent, "60000000");
    assert_eq!(spend(&gateways[1], "key:chat").await["shared"], true);
    // One that comes later knows it, too.
    let late = config.root(&format!("shared_state: {}", redis.url()));
    tells(&Gateway::start(late).await, "spent", "0.06").await;
    // Who reports reads it there.
    let place = pillion::redis::Place::of(&redis.url()).unwrap();
    let all = pillion::fleet::spent(&place).await.unwrap();
    let all: Vec<_> = all
        .iter()
        .map(|it| (&*it.scope, it.spent.to_string()))
        .collect();
    assert_eq!(all, [("key:chat", "0.06".to_owned())]);
    let (code, said) = pillion(&["report", "--redis", &redis.url(), "--json"]).await;
    assert_eq!(code, 0, "{said}");
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(told["budgets"][0]["scope"], "key:chat");
    assert_eq!(told["budgets"][0]["spent"], "0.06");
    let other = [
        "report",
        "--redis",
        &redis.url(),
        "--month",
        "1999-01",
        "--csv",
    ];
    let (_, said) = pillion(&other).await;
    assert_eq!(said, "environment,scope,window,spent,reserved\n");
}

#[tokio::test]
async fn while_redis_is_away_an_open_limit_is_a_share_and_a_closed_one_is_closed() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    for (on_loss, passed) in [("open", 5), ("closed", 0)] {
        let limits = format!("limits: {{ rpm: 10, on_loss: {on_loss} }}");
        let gateways = fleet(&priced(&upstream, &limits), &redis, 2).await;
        // Two processes are known.
        assert_eq!(ask(&gateways[0]).await.status, 200);
        redis.kill();
        is_up(&gateways[0], false).await;
        let mut answers = Vec::new();
        for _ in 0..8 {
            answers.push(ask(&gateways[0]).await);
        }
        let (fine, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 200);
        assert_eq!(fine.len(), passed, "{on_loss}");
        for answer in &fine {
            assert_eq!(answer.header("x-ratelimit-remaining-requests"), None);
        }
        for answer in refused {
            assert_eq!(answer.header("x-ratelimit-remaining-requests"), None);
            if on_loss == "open" {
                is_refused(answer, 429, "rate_limit_exceeded");
            } else {
                is_refused(answer, 503, "limit_unavailable");
            }
        }
        redis.again().await;
    }
}

#[tokio::test]
async fn while_redis_is_away_little_money_goes_out_and_is_told_when_it_is_back() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let config = priced(&upstream, "budget: { amount: 10, per: month }");
    let gateways = fleet(&config, &redis, 2).await;
    for gateway in &gateways {
        assert_eq!(ask(gateway).await.status, 200);
        tells(gateway, "reserved", "0.00").await;
    }
    tells(&gateways[1], "spent", "0.024").await;
    redis.kill();
    is_up(&gateways[0], false).await;
    // Of a hundredth of what was left a half is 0.0499. What runs may cost 0.022.
    let mut passed = 0;
    let refused = loop {
        let answer = ask(&gateways[0]).await;
        if answer.status != 200 {
            break answer;
        }
        passed += 1;
    };
    is_refused(&refused, 503, "budget_unavailable");
    assert_eq!(passed, 3);
    // It comes back empty, and is told all that they know, and what went out meanwhile.
    redis.again().await;
    is_up(&gateways[0], true).await;
    is_up(&gateways[1], true).await;
    tells(&gateways[0], "spent", "0.06").await;
    assert_eq!(ask(&gateways[1]).await.status, 200);
    tells(&gateways[1], "spent", "0.072").await;
}

#[tokio::test]
async fn a_redis_that_is_emptied_is_filled_from_what_each_knows() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let config = priced(&upstream, "budget: { amount: 0.045, per: month }");
    let gateways = fleet(&config, &redis, 2).await;
    for _ in 0..2 {
        assert_eq!(ask(&gateways[0]).await.status, 200);
        tells(&gateways[0], "reserved", "0.00").await;
    }
    redis.ask(&["FLUSHALL"]).await;
    is_refused(&ask(&gateways[0]).await, 402, "insufficient_quota");
    let key = redis.names("pillion:budget::key:chat|*").await;
    assert_eq!(redis.ask(&["HGET", &key[0], "spent"]).await, "24000000");
}

#[tokio::test]
async fn what_a_process_held_that_is_gone_is_charged() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let silent = Upstream::always(Reply::silence()).await;
    let config = priced(&silent, "budget: { amount: 0.04, per: month }");
    let mut gateways = fleet(&config, &redis, 2).await;
    let _gone = crate::support::twice::sent(&gateways[0], &super::KEY, &super::bounded()).await;
    silent.request(0).await;
    let refused = ask(&gateways[1]).await;
    assert_eq!(
        refused.header("retry-after"),
        Some("1"),
        "it is held, not spent"
    );
    drop(gateways.remove(0));
    // Its lease lapses.
    let lapse = "for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZADD', KEYS[1], 1, id) end return 1";
    redis
        .ask(&["EVAL", lapse, "1", "pillion:limit::leases:"])
        .await;
    soon("it is charged", async {
        while redis.ask(&["ZCARD", "pillion:limit::leases:"]).await != "0" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let refused = ask(&gateways[0]).await;
    is_refused(&refused, 402, "insufficient_quota");
    assert_eq!(refused.header("retry-after"), None);
    gateways[0]
        .says("are charged as what they might have cost")
        .await;
}

#[tokio::test]
async fn who_leaves_before_redis_has_answered_holds_nothing_there() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let limits = "limits: { concurrency: 9 }, budget: { amount: 1, per: day }";
    let gateways = fleet(&priced(&upstream, limits), &redis, 1).await;
    let gateway = &gateways[0];
    assert_eq!(ask(gateway).await.status, 200);
    tells(gateway, "reserved", "0.00").await;
    // What it is asked now, it does when it goes on.
    redis.stop();
    soon("three have asked and left", async {
        // Of who has left before it was heard there is no record.
        while gateway.all_records().len() < 4 {
            let client = crate::support::twice::sent(gateway, &super::KEY, &super::bounded()).await;
            client.leave().await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    gateway.under_way("chat", 0).await;
    redis.go_on();
    tells(gateway, "reserved", "0.00").await;
    soon("nothing is held", async {
        let left =
            "return #redis.call('KEYS', 'pillion:limit::lease:*') + redis.call('ZCARD', KEYS[1])";
        let ask = ["EVAL", left, "1", "pillion:limit::running:key:chat"];
        while redis.ask(&ask).await != "0" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(spend(gateway, "key:chat").await["spent"], "0.012");
    assert_eq!(upstream.hits(), 1);
}

#[tokio::test]
async fn a_budget_of_each_process_is_no_business_of_redis() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let kept = crate::support::Folder::new();
    let alone = "budget: { amount: 1, per: day, scope: pod }";
    let config =
        priced(&upstream, alone).root(&format!("cache_dir: {}", kept.file("cache").display()));
    let mut gateway = fleet(&config, &redis, 1).await.remove(0);
    assert_eq!(ask(&gateway).await.status, 200);
    gateway.signal("TERM");
    assert!(gateway.ended().await.success());
    let gateway = fleet(&config, &redis, 1).await.remove(0);
    assert_eq!(spend(&gateway, "key:chat").await["spent"], "0.012");
    assert_eq!(redis.names("pillion:budget:*").await, [""; 0]);
}

#[tokio::test]
async fn what_the_fleet_has_spent_is_spent_in_equal_parts_when_it_counts_no_more() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let kept = crate::support::Folder::new();
    let config = priced(&upstream, "budget: { amount: 1, per: day }")
        .root(&format!("cache_dir: {}", kept.file("cache").display()));
    let mut gateway = fleet(&config, &redis, 1).await.remove(0);
    assert_eq!(ask(&gateway).await.status, 200);
    tells(&gateway, "spent", "0.012").await;
    gateway.signal("TERM");
    assert!(gateway.ended().await.success());
    let alone = Gateway::start(config.root("instances: 2")).await;
    let row = spend(&alone, "key:chat").await;
    assert_eq!(
        (&row["limit"], &row["spent"]),
        (&"0.50".into(), &"0.006".into())
    );
}

#[tokio::test]
async fn a_stream_keeps_its_place_in_the_fleet_to_its_last_byte() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let gate = crate::support::Gate::new();
    let held = Reply::sse(crate::support::fixture::streamed(&["Hel", "lo!"])).pause_after(2, &gate);
    let upstream = Upstream::script([held, Reply::json(plain("Hello!"))]).await;
    let gateways = fleet(&priced(&upstream, "limits: { concurrency: 1 }"), &redis, 2).await;
    let body = super::bounded().replace("\"max_tokens\":3", "\"stream\":true");
    let mut stream = gateways[0].open(super::CHAT, &super::KEY, &body).await;
    assert!(stream.event().await.is_some());
    is_refused(&ask(&gateways[1]).await, 429, "rate_limit_exceeded");
    gate.open();
    assert!(stream.rest().await.complete);
    soon("its place is free", async {
        while ask(&gateways[1]).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}
