//! A Redis that dies or is slow: each process is for itself then, and nothing else is lost.

use std::time::{Duration, Instant};

use super::{CALLS, Fleet, is_joined, long};
use crate::support::fixture::{ask, plain};
use crate::support::redis::is_up;
use crate::support::twice::{CHAT, Held, KEY, both, held, is_free, sent};
use crate::support::{Config, Gate, Reply, Upstream, soon};

#[tokio::test]
async fn a_redis_that_dies_loses_nothing_else_and_is_found_again() {
    let first = Upstream::always(Reply::json(plain("x"))).await;
    let Some(mut fleet) = Fleet::start(Config::of(&[&first])).await else {
        return;
    };
    fleet.redis.kill();
    for gateway in [&fleet.one, &fleet.two] {
        is_up(gateway, false).await;
    }
    // Each process for itself.
    for (gateway, joins, hits) in [
        (&fleet.one, None, 1),
        (&fleet.two, None, 2),
        (&fleet.two, Some("true"), 2),
    ] {
        let answer = gateway.post(CHAT, &[KEY], &ask()).await;
        assert_eq!((answer.status, first.hits()), (200, hits));
        assert_eq!(answer.header("x-pillion-joined"), joins);
    }
    fleet.redis.again().await;
    for gateway in [&fleet.one, &fleet.two] {
        is_up(gateway, true).await;
    }
    let other = ("idempotency-key", "order-2");
    fleet.one.post(CHAT, &[other], &ask()).await;
    fleet.redis.has(CALLS, "a").await;
    let two = fleet.two.post(CHAT, &[other], &ask()).await;
    is_free(&fleet.two, &two).await;
    assert_eq!(first.hits(), 3);
    let said = fleet.one.log().matches("the shared state is away").count();
    assert_eq!(said, 1, "once, however often it was tried");
}

#[tokio::test]
async fn a_call_that_ran_when_redis_died_is_known_again_when_it_is_back() {
    let Held { body, gate, first } = Held::begun(false).await;
    let Some(mut fleet) = Fleet::start(long(Config::of(&[&first]))).await else {
        return;
    };
    let one = sent(&fleet.one, &[KEY], &body).await;
    first.request(0).await;
    fleet.redis.kill();
    is_up(&fleet.two, false).await;
    fleet.redis.again().await;
    is_up(&fleet.two, true).await;
    fleet.redis.has(CALLS, "c").await;
    let two = sent(&fleet.two, &[KEY], &body).await;
    fleet.two.under_way("chat", 1).await;
    gate.open();
    let (one, two) = both(one, two).await;
    is_joined(&fleet, &one, &two).await;
    assert_eq!(first.hits(), 1);
}

#[tokio::test]
async fn a_redis_that_is_slow_costs_the_first_few_and_nobody_else() {
    let first = Upstream::always(Reply::json(plain("x"))).await;
    let Some(fleet) = Fleet::start(Config::of(&[&first])).await else {
        return;
    };
    fleet.redis.stop();
    let mut number = 0;
    // The quickest of some: what each of them waits for, that one waits for, too.
    let mut quickest = async |count: usize| {
        let mut quickest = Duration::MAX;
        for _ in 0..count {
            number += 1;
            let key = ("idempotency-key", &*format!("slow-{number}"));
            let start = Instant::now();
            let answer = fleet.one.post(CHAT, &[key], &ask()).await;
            quickest = quickest.min(start.elapsed());
            assert_eq!(answer.status, 200);
        }
        quickest
    };
    quickest(5).await;
    is_up(&fleet.one, false).await;
    let free = quickest(20).await;
    assert!(free < Duration::from_millis(45), "{free:?}: 50 ms each");
    let log = fleet.one.log();
    assert_eq!(log.matches("the shared state is away").count(), 1);
    fleet.redis.go_on();
    is_up(&fleet.one, true).await;
    let answer = fleet.two.post(CHAT, &[KEY], &ask()).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn what_a_call_came_to_while_redis_was_slow_is_there_when_it_goes_on() {
    let gate = Gate::new();
    let (body, reply) = held(false, &gate);
    let others = std::iter::repeat_n(Reply::json(plain("x")), 5);
    let first = Upstream::script(std::iter::once(reply).chain(others)).await;
    let Some(fleet) = Fleet::start(long(Config::of(&[&first]))).await else {
        return;
    };
    let one = sent(&fleet.one, &[KEY], &body).await;
    first.request(0).await;
    let [name] = &fleet.redis.names(CALLS).await[..] else {
        panic!("one name");
    };
    fleet.redis.stop();
    for number in 0..5 {
        let key = ("idempotency-key", &*format!("slow-{number}"));
        assert_eq!(fleet.one.post(CHAT, &[key], &body).await.status, 200);
    }
    is_up(&fleet.one, false).await;
    gate.open();
    let one = one.answer().await.rest().await;
    fleet.redis.go_on();
    soon("the answer is there", async {
        while !fleet.redis.ask(&["GET", name]).await.starts_with('a') {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    is_up(&fleet.two, true).await;
    let two = fleet.two.post(CHAT, &[KEY], &body).await;
    is_joined(&fleet, &one, &two).await;
    assert_eq!(first.hits(), 6);
}
