//! Requests without a key that are one call in the fleet: identical ones within their window, and an
//! SDK's retries.

use std::time::Duration;

use super::{CALLS, Fleet, is_joined, joined, long, more_scripts};
use crate::support::twice::{CHAT, FIRST_TRY, Held, PATIENCE, RETRY, held, is_free, sent};
use crate::support::{Config, Gate, Upstream, soon};

/// The calls whose window is open.
const WINDOWS: &str = "pillion:once:*:window";

#[tokio::test]
async fn a_user_that_clicks_again_asks_once_whichever_process_is_met() {
    for streams in [false, true] {
        let Held { body, gate, first } = Held::begun(streams).await;
        let config = Config::of(&[&first]).knob("dedupe: 1h");
        let Some(fleet) = Fleet::start(config).await else {
            return;
        };
        // The page that asked is gone when it is asked again.
        let one = sent(&fleet.one, &[], &body).await;
        first.request(0).await;
        one.leave().await;
        let two = sent(&fleet.two, &[], &body).await;
        fleet.two.under_way("chat", 1).await;
        gate.open();
        let two = two.answer().await.rest().await;
        assert_eq!((two.status, two.complete), (200, true));
        is_free(&fleet.two, &two).await;
        joined(&fleet.two, "dedupe", 1).await;
        assert_eq!(first.hits(), 1);
        let other = fleet.two.post(CHAT, &[], &body.replace("Hi", "Ho")).await;
        assert_eq!((other.status, first.hits()), (200, 2));
    }
}

#[tokio::test]
async fn beyond_its_window_an_identical_request_is_another() {
    let Held { body, gate, first } = Held::begun(false).await;
    let config = Config::of(&[&first]).knob("dedupe: 300ms");
    let Some(fleet) = Fleet::start(config).await else {
        return;
    };
    let one = sent(&fleet.one, &[], &body).await;
    first.request(0).await;
    soon("the window is over", async {
        while !fleet.redis.names(WINDOWS).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    assert_eq!(
        fleet.redis.names(CALLS).await.len(),
        1,
        "the call still runs"
    );
    let two = sent(&fleet.two, &[], &body).await;
    first.request(1).await;
    gate.open();
    for answer in [one, two] {
        let answer = answer.answer().await.rest().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-pillion-joined"), None);
    }
}

#[tokio::test]
async fn who_clicked_within_the_window_gets_what_comes_behind_its_end() {
    let gate = Gate::new();
    let (body, reply) = held(false, &gate);
    let first = Upstream::always(reply).await;
    let config = Config::of(&[&first]).knob("dedupe: 1s");
    let Some(fleet) = Fleet::start(config).await else {
        return;
    };
    let one = sent(&fleet.one, &[], &body).await;
    first.request(0).await;
    let two = sent(&fleet.two, &[], &body).await;
    fleet.two.under_way("chat", 1).await;
    more_scripts(&fleet.redis, 3).await;
    soon("the window is over", async {
        while !fleet.redis.names(WINDOWS).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    gate.open();
    let one = one.answer().await.rest().await;
    let two = two.answer().await.rest().await;
    is_joined(&fleet, &one, &two).await;
    assert_eq!(first.hits(), 1);
    // One that comes now has not clicked within it.
    let three = fleet.two.post(CHAT, &[], &body).await;
    assert_eq!((three.status, first.hits()), (200, 2));
}

#[tokio::test]
async fn an_sdk_that_timed_out_finds_its_call_in_the_other_process() {
    for streams in [false, true] {
        let Held { body, gate, first } = Held::silent(streams).await;
        let Some(fleet) = Fleet::start(long(Config::of(&[&first]))).await else {
            return;
        };
        let one = fleet.one.post(CHAT, &[FIRST_TRY, PATIENCE], &body).await;
        assert_eq!((one.status, &*one.code()), (504, "deadline_exceeded"));
        assert_eq!(one.header("x-should-retry"), Some("true"));
        let two = fleet.two.post(CHAT, &[RETRY, PATIENCE], &body).await;
        assert_eq!((two.status, &*two.code()), (504, "deadline_exceeded"));
        assert_eq!(two.header("x-should-retry"), Some("true"));
        let third = [("x-stainless-retry-count", "2")];
        let three = sent(&fleet.two, &third, &body).await;
        fleet.two.under_way("chat", 2).await;
        gate.open();
        let three = three.answer().await.rest().await;
        assert_eq!((three.status, three.complete), (200, true));
        is_free(&fleet.two, &three).await;
        assert_eq!(first.hits(), 1);
    }
}

#[tokio::test]
async fn first_tries_are_calls_of_their_own_and_none_waits() {
    let Held { body, gate, first } = Held::begun(false).await;
    let Some(fleet) = Fleet::start(Config::of(&[&first])).await else {
        return;
    };
    let one = sent(&fleet.one, &[FIRST_TRY], &body).await;
    first.request(0).await;
    fleet.redis.has(CALLS, "c").await;
    let two = sent(&fleet.two, &[FIRST_TRY], &body).await;
    first.request(1).await;
    gate.open();
    for answer in [one, two] {
        let answer = answer.answer().await.rest().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-pillion-joined"), None);
    }
    // What the last of them came to is there for a retry, and for half a minute.
    fleet.redis.has(CALLS, "a").await;
    let [name] = &fleet.redis.names(CALLS).await[..] else {
        panic!("one name");
    };
    let left: u64 = fleet.redis.ask(&["PTTL", name]).await.parse().unwrap();
    assert!((1..=30_000).contains(&left), "{left} ms");
    let retry = fleet.one.post(CHAT, &[RETRY], &body).await;
    is_free(&fleet.one, &retry).await;
    assert_eq!(first.hits(), 2);
}
