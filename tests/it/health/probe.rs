//! The probe behind an open breaker: who is one, what the others are told meanwhile, and what closes it.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{PAUSE, classes, failure, hello, told, well};
use crate::support::fixture::{ask, ask_stream, streamed};
use crate::support::{Config, Gate, Gateway, Reply, Upstream, soon};

#[tokio::test]
async fn one_request_finds_out_whether_a_target_is_back() {
    let gate = Gate::new();
    let held = hello().pause_at(1, &gate);
    let first = Upstream::script([failure(), failure(), held, hello()]).await;
    let second = well().await;
    let config = Config::of(&[&first, &second]).knob("breaker: { cooldown: 1s..2s }");
    let gateway = Gateway::start(config).await;
    for _ in 0..2 {
        assert_eq!(classes(&gateway, &ask()).await, ["server_error", "ok"]);
    }
    // Requests go on, and one of them hangs there.
    let mut probe = None;
    soon("the first target is asked again", async {
        while first.hits() < 3 {
            let mut client = gateway.connect().await;
            let before = second.hits();
            client
                .post("/v1/chat/completions", &[], ask().as_bytes())
                .await;
            while second.hits() == before && first.hits() < 3 {
                sleep(PAUSE).await;
            }
            probe = Some(client);
        }
    })
    .await;
    let seen = first.requests();
    let alone = seen[2].at - seen[1].at;
    assert!(
        alone >= Duration::from_millis(790),
        "a second, less a fifth: {alone:?}"
    );
    for _ in 0..10 {
        assert_eq!(classes(&gateway, &ask()).await, ["ok"]);
    }
    assert_eq!(first.hits(), 3, "one probe");
    gate.open();
    let answer = probe.unwrap().answer().await.rest().await;
    let target = answer.header("x-pillion-target");
    assert_eq!((answer.status, target), (200, Some("first/model-first")));
    assert_eq!(classes(&gateway, &ask()).await, ["ok"]);
    assert_eq!(first.hits(), 4, "it is back");
}

#[tokio::test]
async fn with_every_breaker_open_one_request_probes_each_and_the_rest_are_told_at_once() {
    let gate = Gate::new();
    let held = hello().pause_at(1, &gate);
    let script = || [failure(), failure(), held.clone(), hello()];
    let (first, second) = (
        Upstream::script(script()).await,
        Upstream::script(script()).await,
    );
    // Long enough for the probes to be the last resort, on a busy machine too.
    let config = Config::of(&[&first, &second]).knob("breaker: { cooldown: 30s..60s }");
    let gateway = Gateway::start(config).await;
    for _ in 0..2 {
        assert_eq!(classes(&gateway, &ask()).await, ["server_error"; 2]);
    }
    let mut probes = Vec::new();
    for upstream in [&first, &second] {
        let mut client = gateway.connect().await;
        client
            .post("/v1/chat/completions", &[], ask().as_bytes())
            .await;
        upstream.request(2).await;
        probes.push(client);
    }
    let mut least = Duration::MAX;
    for body in [ask(), ask_stream(), ask(), ask_stream()] {
        let start = Instant::now();
        let answer = gateway.chat(&body).await;
        least = least.min(start.elapsed());
        told(&answer, 503, "no_eligible_target");
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=30).contains(&wait), "{wait}");
        let record = gateway.audit(answer.id()).await;
        assert!(record.classes().is_empty(), "{}", record.0);
    }
    // Within 50 ms, and what a busy machine takes.
    assert!(least < Duration::from_millis(300), "{least:?}");
    assert_eq!((first.hits(), second.hits()), (3, 3));
    gate.open();
    for probe in probes {
        assert_eq!(probe.answer().await.rest().await.status, 200);
    }
    assert_eq!(classes(&gateway, &ask()).await, ["ok"]);
    assert_eq!((first.hits(), second.hits()), (4, 3));
}

#[tokio::test]
async fn a_probe_that_keeps_silent_gives_its_place_to_the_next_request() {
    let gate = Gate::new();
    let held = hello().pause_at(1, &gate);
    // A history, an outage, a probe that hangs.
    let mut script = vec![hello(); 15];
    script.extend([failure(), failure(), held, hello(), hello()]);
    let first = Upstream::script(script).await;
    let config = Config::of(&[&first])
        .knob("breaker: { cooldown: 30s..60s }")
        .knob("slow_floor: 1s");
    let gateway = Gateway::start(config).await;
    for _ in 0..17 {
        gateway.chat(&ask()).await;
    }
    let mut probe = gateway.connect().await;
    probe
        .post("/v1/chat/completions", &[], ask().as_bytes())
        .await;
    let since = first.request(17).await.at;
    let mut told = 0;
    let answer = soon("the next one goes", async {
        loop {
            let answer = gateway.chat(&ask()).await;
            if answer.status == 200 {
                return answer;
            }
            assert_eq!(answer.code(), "no_eligible_target");
            told += 1;
        }
    })
    .await;
    assert_eq!(gateway.audit(answer.id()).await.classes(), ["ok"]);
    let next = first.request(18).await.at - since;
    // Measured at the other end, a little after the gateway's clock ran.
    assert!(next >= Duration::from_millis(900), "{next:?}");
    assert!(told > 3, "the others were told: {told}");
    assert_eq!(classes(&gateway, &ask()).await, ["ok"], "it is back");
    gate.open();
    assert_eq!(probe.answer().await.rest().await.status, 200);
}

#[tokio::test]
async fn an_error_in_the_body_of_a_success_lets_nobody_in() {
    let error = r#"{"error":{"message":"oops","type":"server_error","code":null}}"#;
    let first = Upstream::always(Reply::json(error)).await;
    let second = Upstream::always(Reply::sse(streamed(&["Hello!"]))).await;
    let config = Config::of(&[&first, &second]).knob("breaker: { cooldown: 1s..60s }");
    let gateway = Gateway::start(config).await;
    soon("a probe goes", async {
        while first.hits() < 3 {
            assert_eq!(gateway.chat(&ask_stream()).await.status, 200);
            sleep(PAUSE).await;
        }
    })
    .await;
    for _ in 0..5 {
        assert_eq!(gateway.chat(&ask_stream()).await.status, 200);
    }
    assert_eq!(first.hits(), 3, "the probe has failed");
    assert!(!gateway.log().contains("a circuit breaker closed"));
}
