//! The claim that a process has on its call, for as long as that runs; and those who wait for it.

use std::time::{Duration, Instant};

use super::{CALLS, Fleet, is_joined, long, more_scripts, scripts};
use crate::support::redis::is_up;
use crate::support::twice::{CHAT, Held, KEY, both, held, is_free, sent};
use crate::support::{Config, Gate, Gateway, Redis, Upstream, soon};

#[tokio::test]
async fn no_more_wait_for_other_processes_than_are_served_at_once() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let gate = Gate::new();
    let (body, reply) = held(false, &gate);
    let first = Upstream::always(reply).await;
    let shared = format!("shared_state: {}", redis.url());
    let config = long(Config::of(&[&first])).root(&shared);
    let one = Gateway::start(config.clone()).await;
    let two = Gateway::start(config.root("concurrency: 2")).await;
    is_up(&one, true).await;
    is_up(&two, true).await;
    let keys = ["order-1", "order-2", "order-3"];
    let mut calls = Vec::new();
    for key in keys {
        calls.push(sent(&one, &[("idempotency-key", key)], &body).await);
    }
    first.request(2).await;
    for key in &keys[..2] {
        calls.push(sent(&two, &[("idempotency-key", key)], &body).await);
    }
    two.under_way("chat", 2).await;
    more_scripts(&redis, 20).await;
    let third = ("idempotency-key", keys[2]);
    let refused = two.post(CHAT, &[third], &body).await;
    assert_eq!((refused.status, &*refused.code()), (503, "overloaded"));
    assert!(refused.header("retry-after").is_some());
    // Who waits takes nobody's seat.
    let others = sent(&two, &[], &body).await;
    first.request(3).await;
    gate.open();
    calls.push(others);
    for call in calls {
        assert_eq!(call.answer().await.rest().await.status, 200);
    }
    assert_eq!(first.hits(), 4);
    // And there is room again.
    is_free(&two, &two.post(CHAT, &[third], &body).await).await;
}

#[tokio::test]
async fn those_of_one_process_who_wait_for_one_call_look_together() {
    const CROWD: usize = 50;
    let gate = Gate::new();
    let (body, reply) = held(false, &gate);
    let first = Upstream::always(reply).await;
    let Some(fleet) = Fleet::start(long(Config::of(&[&first]))).await else {
        return;
    };
    let one = sent(&fleet.one, &[KEY], &body).await;
    first.request(0).await;
    let mut crowd = vec![sent(&fleet.two, &[KEY], &body).await];
    fleet.two.under_way("chat", 1).await;
    more_scripts(&fleet.redis, 20).await;
    for _ in 1..CROWD {
        crowd.push(sent(&fleet.two, &[KEY], &body).await);
    }
    fleet.two.under_way("chat", CROWD).await;
    let (before, start) = (scripts(&fleet.redis).await, Instant::now());
    soon("some looks", async {
        while start.elapsed() < Duration::from_secs(2) || scripts(&fleet.redis).await == before {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    // Four looks a second, and each process its hints and renewals.
    let (looks, seconds) = (scripts(&fleet.redis).await - before, start.elapsed());
    assert!(
        looks < seconds.as_secs() * 10 + 20,
        "{looks} in {seconds:?}"
    );
    gate.open();
    let one = one.answer().await.rest().await;
    for two in crowd {
        let two = two.answer().await.rest().await;
        is_joined(&fleet, &one, &two).await;
    }
    assert_eq!(first.hits(), 1);
}

#[tokio::test]
async fn calls_by_the_hundred_are_each_one_for_longer_than_their_claims_live() {
    const HUNDREDS: usize = 600;
    let gate = Gate::new();
    let (body, reply) = held(false, &gate);
    let first = Upstream::always(reply).await;
    let Some(fleet) = Fleet::start(long(Config::of(&[&first]))).await else {
        return;
    };
    let mut ones = Vec::new();
    for number in 0..HUNDREDS {
        let key = ("idempotency-key", &*format!("order-{number}"));
        ones.push(sent(&fleet.one, &[key], &body).await);
        // One by one: of a crowd that comes at once some would find Redis slow.
        first.request(number).await;
    }
    let count = async |test: &str| -> usize {
        let script = format!(
            "local n = 0 for _, key in ipairs(redis.call('KEYS', ARGV[1])) do \
             if {test} then n = n + 1 end end return n"
        );
        let counted = fleet.redis.ask(&["EVAL", &script, "0", CALLS]).await;
        counted.parse().unwrap()
    };
    // Cut down as one is that was not renewed for long, and each of them seen to grow again.
    soon("every call has its claim", async {
        while count("redis.call('PEXPIRE', key, 9000) == 1").await < HUNDREDS {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    soon("every claim is renewed", async {
        while count("redis.call('PTTL', key) > 9000").await < HUNDREDS {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let mut twos = Vec::new();
    for number in [0, HUNDREDS / 2, HUNDREDS - 1] {
        let key = ("idempotency-key", &*format!("order-{number}"));
        twos.push((number, sent(&fleet.two, &[key], &body).await));
    }
    fleet.two.under_way("chat", twos.len()).await;
    gate.open();
    let mut answers = Vec::new();
    for one in ones {
        answers.push(one.answer().await.rest().await);
    }
    for (number, two) in twos {
        let two = two.answer().await.rest().await;
        is_joined(&fleet, &answers[number], &two).await;
    }
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(first.hits(), HUNDREDS);
}

#[tokio::test]
async fn a_call_is_one_for_longer_than_its_claim_lives() {
    let Held { body, gate, first } = Held::begun(false).await;
    let Some(fleet) = Fleet::start(long(Config::of(&[&first]))).await else {
        return;
    };
    let one = sent(&fleet.one, &[KEY], &body).await;
    first.request(0).await;
    let [name] = &fleet.redis.names(CALLS).await[..] else {
        panic!("one name");
    };
    // Cut down to what is left of one that was not renewed for long, and seen to grow again.
    fleet.redis.ask(&["PEXPIRE", name, "9000"]).await;
    soon("the claim is renewed", async {
        loop {
            let left: i64 = fleet.redis.ask(&["PTTL", name]).await.parse().unwrap();
            if left > 9000 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let two = sent(&fleet.two, &[KEY], &body).await;
    fleet.two.under_way("chat", 1).await;
    gate.open();
    let (one, two) = both(one, two).await;
    is_joined(&fleet, &one, &two).await;
    assert_eq!(first.hits(), 1);
}
