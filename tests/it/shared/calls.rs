//! Calls that are known by their keys in every process.

use super::{CALLS, Fleet, is_joined, joined, long};
use crate::support::fixture::{ask, ask_stream, plain, streamed};
use crate::support::reply::End;
use crate::support::twice::{CHAT, Held, KEY, both, held, is_free, sent};
use crate::support::{Answer, Config, Gate, Reply, Upstream};

#[tokio::test]
async fn two_with_one_key_are_one_call_of_the_fleet() {
    for streams in [false, true] {
        let Held { body, gate, first } = Held::begun(streams).await;
        let Some(fleet) = Fleet::start(Config::of(&[&first])).await else {
            return;
        };
        let one = sent(&fleet.one, &[KEY], &body).await;
        first.request(0).await;
        let two = sent(&fleet.two, &[KEY], &body).await;
        let three = sent(&fleet.two, &[KEY], &body).await;
        fleet.two.under_way("chat", 2).await;
        gate.open();
        let one = one.answer().await.rest().await;
        for other in [two, three] {
            let other = other.answer().await.rest().await;
            is_joined(&fleet, &one, &other).await;
        }
        joined(&fleet.two, "idempotency_key", 2).await;
        assert_eq!(first.hits(), 1);
        // And whoever comes later, here or there.
        for gateway in [&fleet.one, &fleet.two] {
            let later = gateway.post(CHAT, &[KEY], &body).await;
            is_free(gateway, &later).await;
            assert_eq!(later.text(), one.text());
        }
        assert_eq!(first.hits(), 1);
    }
}

#[tokio::test]
async fn an_answer_is_replayed_by_a_process_that_never_saw_the_call() {
    for streams in [false, true] {
        let Held { body, gate, first } = Held::begun(streams).await;
        gate.open();
        let Some(fleet) = Fleet::start(Config::of(&[&first])).await else {
            return;
        };
        let one = fleet.one.post(CHAT, &[KEY], &body).await;
        fleet.redis.has(CALLS, "a").await;
        let two = fleet.two.post(CHAT, &[KEY], &body).await;
        is_joined(&fleet, &one, &two).await;
        joined(&fleet.two, "replay", 1).await;
        assert_eq!(first.hits(), 1);
        // For as long as a key is good, and nothing of it in clear.
        let [name] = &fleet.redis.names(CALLS).await[..] else {
            panic!("one name");
        };
        let left: u64 = fleet.redis.ask(&["TTL", name]).await.parse().unwrap();
        assert!((500..=600).contains(&left), "{left} s");
        let value = fleet.redis.ask(&["GET", name]).await;
        // None of them is so short that it is in what is sealed by chance.
        for clear in ["order-1", "\"content\"", "choices", "content-type"] {
            assert!(!value.contains(clear) && !name.contains(clear), "{clear}");
        }
    }
}

#[tokio::test]
async fn one_key_for_two_requests_is_a_conflict_in_the_fleet() {
    let Held { body, gate, first } = Held::begun(false).await;
    let Some(fleet) = Fleet::start(Config::of(&[&first])).await else {
        return;
    };
    let one = sent(&fleet.one, &[KEY], &body).await;
    first.request(0).await;
    let other = body.replace("Hi", "Ho");
    let refused = |answer: Answer| {
        assert_eq!(
            (answer.status, &*answer.code()),
            (409, "idempotency_conflict")
        );
        assert_eq!(answer.header("x-should-retry"), Some("false"));
    };
    refused(fleet.two.post(CHAT, &[KEY], &other).await);
    gate.open();
    assert_eq!(one.answer().await.rest().await.status, 200);
    fleet.redis.has(CALLS, "a").await;
    refused(fleet.two.post(CHAT, &[KEY], &other).await);
    let input = body.replace("messages", "input");
    refused(fleet.two.post("/v1/responses", &[KEY], &input).await);
    assert_eq!(first.hits(), 1);
}

#[tokio::test]
async fn a_call_that_failed_or_broke_is_run_by_the_one_who_waits() {
    for breaks in [false, true] {
        let gate = Gate::new();
        let whole = streamed(&["Hel", "lo", "!"]);
        let (body, bad, good) = if breaks {
            let cut = Reply::sse(whole.clone()).pause_after(3, &gate);
            (ask_stream(), cut.cut_after(4, End::Rst), Reply::sse(whole))
        } else {
            let bad = Reply::error(500, "server_error", None, "no").pause_at(1, &gate);
            (ask(), bad, Reply::json(plain("x")))
        };
        let first = Upstream::script([bad, good]).await;
        let Some(fleet) = Fleet::start(Config::of(&[&first])).await else {
            return;
        };
        let one = sent(&fleet.one, &[KEY], &body).await;
        first.request(0).await;
        let two = sent(&fleet.two, &[KEY], &body).await;
        fleet.two.under_way("chat", 1).await;
        gate.open();
        let (one, two) = both(one, two).await;
        assert_ne!(fleet.one.audit(one.id()).await.outcome(), "ok");
        let paid = fleet.two.audit(two.id()).await;
        assert_eq!(
            (two.status, paid.outcome(), paid.classes()),
            (200, "ok", vec!["ok"])
        );
        assert_eq!(two.header("x-pillion-joined"), None);
        assert_eq!(first.hits(), 2);
    }
}

#[tokio::test]
async fn the_call_of_a_process_that_died_is_run_by_the_one_who_waits() {
    let gate = Gate::new();
    let (body, reply) = held(false, &gate);
    let replies = [reply, Reply::json(plain("Hello!"))];
    let first = Upstream::script(replies).await;
    let Some(fleet) = Fleet::start(long(Config::of(&[&first]))).await else {
        return;
    };
    let one = sent(&fleet.one, &[KEY], &body).await;
    first.request(0).await;
    let two = sent(&fleet.two, &[KEY], &body).await;
    fleet.two.under_way("chat", 1).await;
    fleet.one.signal("KILL");
    drop(one);
    let two = two.answer().await.rest().await;
    assert_eq!((two.status, two.complete, first.hits()), (200, true, 2));
    assert_eq!(two.header("x-pillion-joined"), None);
    let paid = fleet.two.audit(two.id()).await;
    assert_eq!(paid.classes(), ["ok"]);
}

#[tokio::test]
async fn an_answer_too_long_for_the_fleet_goes_out_and_is_not_kept() {
    let long = "x".repeat(3 << 20);
    let first = Upstream::always(Reply::json(plain(&long))).await;
    let Some(fleet) = Fleet::start(Config::of(&[&first])).await else {
        return;
    };
    for (gateway, hits) in [(&fleet.one, 1), (&fleet.two, 2)] {
        let answer = gateway.post(CHAT, &[KEY], &ask()).await;
        assert!(answer.complete && answer.text().contains(&long));
        assert_eq!(answer.header("x-pillion-joined"), None);
        assert_eq!(first.hits(), hits);
    }
}
