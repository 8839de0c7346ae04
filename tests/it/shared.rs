//! What two processes know of each other through a Redis: a request that comes twice is one call also
//! when the second meets the other process, and what one has found out of a target the other leaves.
//! And that losing the Redis loses nothing else.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::support::fixture::{ask, ask_stream, plain, streamed};
use crate::support::reply::End;
use crate::support::tls::behind_tls;
use crate::support::twice::{CHAT, FIRST_TRY, Held, KEY, RETRY, both, held, is_free, sent};
use crate::support::{Answer, Config, Gate, Gateway, Redis, Refusing, Reply, Upstream, soon};

/// The caller's own patience.
const PATIENCE: (&str, &str) = ("x-stainless-read-timeout", "1");
/// The calls that are known in the fleet; and those whose window is open.
const CALLS: &str = "pillion:once:*";
const WINDOWS: &str = "pillion:once:*:window";

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

async fn is_up(gateway: &Gateway, up: bool) {
    let line = format!("pillion_shared_state_up {}", u8::from(up));
    gateway.until_metric(&line, |told| told == line).await;
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
        for clear in ["order-1", "Hel", "data", "choices", "content-type"] {
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

/// What a provider is to do something for: more than to answer.
fn hosted(body: &str) -> String {
    body.replacen('{', "{\"web_search_options\":{},", 1)
}

#[tokio::test]
async fn what_a_provider_may_have_done_is_not_asked_for_again_by_the_one_who_waits() {
    for breaks in [false, true] {
        let gate = Gate::new();
        let whole = streamed(&["Hel", "lo", "!"]);
        let (body, bad, good) = if breaks {
            let cut = Reply::sse(whole.clone()).pause_after(3, &gate);
            let good = Reply::sse(whole);
            (hosted(&ask_stream()), cut.cut_after(4, End::Rst), good)
        } else {
            let bad = Reply::error(500, "server_error", None, "no").pause_at(1, &gate);
            (hosted(&ask()), bad, Reply::json(plain("x")))
        };
        let first = Upstream::script([bad, good]).await;
        let Some(fleet) = Fleet::start(Config::of(&[&first])).await else {
            return;
        };
        let one = sent(&fleet.one, &[KEY], &body).await;
        first.request(0).await;
        let two = sent(&fleet.two, &[KEY], &body).await;
        fleet.two.under_way("chat", 1).await;
        more_scripts(&fleet.redis, 3).await;
        gate.open();
        let one = one.answer().await.rest().await;
        let two = two.answer().await.rest().await;
        assert_ne!(fleet.one.audit(one.id()).await.outcome(), "ok");
        assert_eq!((two.status, &*two.code()), (502, "upstream_failed"));
        assert_eq!(two.header("x-pillion-joined"), Some("true"));
        assert_ne!(one.id(), two.id());
        if !breaks {
            assert_eq!((one.status, one.text()), (two.status, two.text()));
        }
        let free = fleet.two.audit(two.id()).await;
        assert_eq!((free.outcome(), free.classes().len()), ("error", 0));
        assert_eq!(first.hits(), 1);
        // Nothing of it can be read, and it is for nobody who comes when it is over.
        let [name] = &fleet.redis.names(CALLS).await[..] else {
            panic!("one name");
        };
        let value = fleet.redis.ask(&["GET", name]).await;
        assert!(
            value.starts_with('f') && !value.contains("class"),
            "{value}"
        );
        let again = fleet.two.post(CHAT, &[KEY], &body).await;
        assert_eq!((again.status, first.hits()), (200, 2));
        assert_eq!(again.header("x-pillion-joined"), None);
    }
}

#[tokio::test]
async fn what_a_provider_has_done_is_not_asked_for_again_when_it_is_too_long_for_the_fleet() {
    let gate = Gate::new();
    let long = "x".repeat(3 << 20);
    let reply = Reply::json(plain(&long)).pause_at(5, &gate);
    let first = Upstream::always(reply).await;
    let Some(fleet) = Fleet::start(Config::of(&[&first])).await else {
        return;
    };
    let body = hosted(&ask());
    let one = sent(&fleet.one, &[KEY], &body).await;
    first.request(0).await;
    let two = sent(&fleet.two, &[KEY], &body).await;
    fleet.two.under_way("chat", 1).await;
    more_scripts(&fleet.redis, 3).await;
    gate.open();
    let one = one.answer().await.rest().await;
    assert!(one.complete && one.text().contains(&long));
    let two = two.answer().await.rest().await;
    assert_eq!((two.status, &*two.code()), (502, "upstream_failed"));
    assert_eq!(first.hits(), 1);
}

#[tokio::test]
async fn what_a_provider_refused_to_begin_is_run_by_the_one_who_waits() {
    let gate = Gate::new();
    let bad = Reply::error(503, "server_error", None, "no").pause_at(1, &gate);
    let first = Upstream::script([bad, Reply::json(plain("x"))]).await;
    let Some(fleet) = Fleet::start(Config::of(&[&first])).await else {
        return;
    };
    let body = hosted(&ask());
    let one = sent(&fleet.one, &[KEY], &body).await;
    first.request(0).await;
    let two = sent(&fleet.two, &[KEY], &body).await;
    fleet.two.under_way("chat", 1).await;
    more_scripts(&fleet.redis, 3).await;
    gate.open();
    assert_eq!(one.answer().await.rest().await.status, 502);
    let two = two.answer().await.rest().await;
    assert_eq!((two.status, first.hits()), (200, 2));
    assert_eq!(two.header("x-pillion-joined"), None);
}

#[tokio::test]
async fn what_a_process_cuts_as_it_ends_is_not_asked_for_again() {
    let gate = Gate::new();
    let (body, reply) = held(false, &gate);
    let body = hosted(&body);
    let first = Upstream::always(reply).await;
    let Some(mut fleet) = Fleet::start(long(Config::of(&[&first]))).await else {
        return;
    };
    let one = sent(&fleet.one, &[KEY], &body).await;
    first.request(0).await;
    let two = sent(&fleet.two, &[KEY], &body).await;
    fleet.two.under_way("chat", 1).await;
    more_scripts(&fleet.redis, 3).await;
    fleet.one.signal("TERM");
    fleet.one.signal("INT");
    fleet.one.ended().await;
    drop(one);
    let two = two.answer().await.rest().await;
    assert_eq!((two.status, &*two.code()), (502, "upstream_failed"));
    assert_eq!(first.hits(), 1);
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

#[tokio::test]
async fn a_redis_with_a_password_wants_it() {
    let Some(redis) = Redis::start_with(Some("canary-4711")).await else {
        return;
    };
    let first = Upstream::always(Reply::json(plain("x"))).await;
    let with = |url: &str| Config::of(&[&first]).root(&format!("shared_state: {url}"));
    let knows = Gateway::start(with(&redis.url())).await;
    is_up(&knows, true).await;
    let wrong = redis.url().replace("4711", "0815");
    let guesses = Gateway::start(with(&wrong)).await;
    soon("it is refused", async {
        while !guesses.log().contains("WRONGPASS") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    is_up(&guesses, false).await;
    let answer = guesses.post(CHAT, &[KEY], &ask()).await;
    assert_eq!(answer.status, 200);
    for gateway in [&knows, &guesses] {
        assert!(!gateway.log().contains("canary"), "{}", gateway.log());
    }
}

#[tokio::test]
async fn a_redis_behind_tls_is_reached_by_those_who_trust_it() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let first = Upstream::always(Reply::json(plain("x"))).await;
    let mut tasks = JoinSet::new();
    let (port, authority) = behind_tls("localhost", redis.port, &mut tasks).await;
    let config = Config::of(&[&first]).root(&format!("shared_state: rediss://localhost:{port}/3"));
    let trusting = config
        .clone()
        .file("ca.pem", &authority)
        .env("SSL_CERT_FILE", "$FOLDER/ca.pem");
    let trusting = Gateway::start(trusting).await;
    is_up(&trusting, true).await;
    trusting.post(CHAT, &[KEY], &ask()).await;
    redis.has(CALLS, "a").await;
    let other = Gateway::start(config).await;
    soon("it is not trusted", async {
        while !other.log().contains("the shared state is away") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(other.post(CHAT, &[KEY], &ask()).await.status, 200);
    assert_eq!(first.hits(), 2);
}

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
