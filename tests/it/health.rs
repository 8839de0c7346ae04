//! When a target is left alone, and what brings it back.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::support::fixture::{ask, ask_stream, plain, streamed};
use crate::support::reply::{End, Pieces};
use crate::support::{Answer, Config, Gate, Gateway, Kind, Reply, Upstream, soon};

/// Between two requests that ask whether a target is back.
const PAUSE: Duration = Duration::from_millis(20);

async fn well() -> Upstream {
    Upstream::always(Reply::json(plain("Hello!"))).await
}

fn failure() -> Reply {
    Reply::error(500, "server_error", None, "oops")
}

fn hello() -> Reply {
    Reply::json(plain("Hello!"))
}

/// Fails like this first, and is well from then on.
async fn once(reply: Reply) -> Upstream {
    let mut first = Some(reply);
    Upstream::choosing(move |_| first.take().unwrap_or_else(hello)).await
}

fn ask_route(route: &str) -> String {
    ask().replace("\"chat\"", &format!("\"{route}\""))
}

/// Sends a request, and tells the class of each of its attempts.
async fn classes(gateway: &Gateway, body: &str) -> Vec<String> {
    let answer = gateway.chat(body).await;
    let record = gateway.audit(answer.id()).await;
    record.classes().into_iter().map(str::to_owned).collect()
}

/// Sends requests to the route until its first target has answered one. Meanwhile the second one does.
async fn until_it_is_back(gateway: &Gateway, body: &str) {
    soon("the first target answers", async {
        loop {
            let answer = gateway.chat(body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            if answer.header("x-pillion-target") == Some("first/model-first") {
                assert_eq!(answer.header("x-pillion-attempts"), Some("1"));
                return;
            }
            sleep(PAUSE).await;
        }
    })
    .await;
}

/// Adds a route that nobody asks for, and waits until it is live.
async fn change_something_else(gateway: &Gateway) {
    let file = gateway.folder.file("pillion.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text + "  another: { targets: [second/m] }\n").unwrap();
    gateway.signal("HUP");
    soon("the new configuration is live", async {
        while gateway.get("/v1/models/another").await.status != 200 {
            sleep(PAUSE).await;
        }
    })
    .await;
}

fn told(answer: &Answer, status: u16, code: &str) {
    let text = answer.text();
    assert_eq!((answer.status, &*answer.code()), (status, code), "{text}");
    assert_eq!(answer.header("x-should-retry"), Some("false"), "{text}");
}

#[tokio::test]
async fn after_two_failures_in_a_row_a_target_is_left_alone() {
    let first = Upstream::always(failure()).await;
    let second = Upstream::choosing(|seen| {
        if seen.json()["stream"] == true {
            Reply::sse(streamed(&["Hello!"]))
        } else {
            hello()
        }
    })
    .await;
    let config = Config::of(&[&first, &second]).knob("breaker: { cooldown: 60s..60s }");
    let gateway = Gateway::start(config).await;
    for body in [ask(), ask_stream()] {
        assert_eq!(classes(&gateway, &body).await, ["server_error", "ok"]);
    }
    for body in [ask(), ask_stream(), ask()] {
        let answer = gateway.chat(&body).await;
        let target = answer.header("x-pillion-target");
        assert_eq!(target, Some("second/model-second"));
        assert_eq!(gateway.audit(answer.id()).await.classes(), ["ok"]);
    }
    assert_eq!((first.hits(), second.hits()), (2, 5));
    assert!(gateway.log().contains("a circuit breaker opened"));
}

#[tokio::test]
async fn failures_with_an_answer_between_them_are_not_in_a_row() {
    let mut number = 0;
    let first = Upstream::choosing(move |_| {
        number += 1;
        if number % 2 == 1 { failure() } else { hello() }
    })
    .await;
    let second = well().await;
    let gateway = Gateway::start(Config::of(&[&first, &second])).await;
    for _ in 0..4 {
        assert_eq!(classes(&gateway, &ask()).await, ["server_error", "ok"]);
        assert_eq!(classes(&gateway, &ask()).await, ["ok"]);
    }
    assert_eq!((first.hits(), second.hits()), (8, 4));
}

#[tokio::test]
async fn a_target_that_breaks_its_answers_off_is_left_alone_too() {
    let cut = Reply::sse(streamed(&["Hel", "lo!"])).cut_after(2, End::Rst);
    let first = Upstream::always(cut).await;
    let second = Upstream::always(Reply::sse(streamed(&["Hello!"]))).await;
    let config = Config::of(&[&first, &second]).knob("breaker: { cooldown: 60s..60s }");
    let gateway = Gateway::start(config).await;
    for outcome in ["stream_broken", "stream_broken", "ok"] {
        let answer = gateway.chat(&ask_stream()).await;
        assert_eq!(gateway.audit(answer.id()).await.outcome(), outcome);
    }
    assert_eq!((first.hits(), second.hits()), (2, 1));
}

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
async fn a_target_at_its_rate_limit_is_asked_again_when_its_time_has_come() {
    let limited = Reply::error(429, "requests", Some("rate_limit_exceeded"), "slow down");
    let first = once(limited.header("retry-after", 3)).await;
    let second = well().await;
    let config =
        Config::of(&[&first, &second]).route("larger", "{ targets: [first/larger, second/m] }");
    let gateway = Gateway::start(config).await;
    assert_eq!(classes(&gateway, &ask()).await, ["rate_limited", "ok"]);
    assert_eq!(classes(&gateway, &ask()).await, ["ok"]);
    assert_eq!(first.hits(), 1, "not again");
    assert_eq!(classes(&gateway, &ask_route("larger")).await, ["ok"]);
    assert_eq!(first.hits(), 2, "the limit is of one model");
    until_it_is_back(&gateway, &ask()).await;
    let seen = first.requests();
    let waited = seen[2].at - seen[0].at;
    assert!(waited >= Duration::from_secs(3), "{waited:?}");
}

#[tokio::test]
async fn an_empty_account_is_not_asked_for_any_of_its_models() {
    let code = "insufficient_quota";
    let first = once(Reply::error(429, code, Some(code), "no credit")).await;
    let second = well().await;
    let config = Config::of(&[&first, &second]).route("larger", "{ targets: [first/larger] }");
    let gateway = Gateway::start(config).await;
    assert_eq!(classes(&gateway, &ask()).await, ["quota_exhausted", "ok"]);
    assert_eq!(classes(&gateway, &ask()).await, ["ok"]);
    let answer = gateway.chat(&ask_route("larger")).await;
    told(&answer, 503, "upstream_quota_exhausted");
    assert_eq!((first.hits(), second.hits()), (1, 2));
    assert!(gateway.log().contains("an account is exhausted"));
}

/// A provider that takes one key only.
async fn lets_in(key: &'static str) -> Upstream {
    let bearer = format!("Bearer {key}");
    Upstream::choosing(move |seen| {
        if seen.header("authorization") == Some(&*bearer) {
            hello()
        } else {
            Reply::error(401, "x", Some("invalid_api_key"), "no")
        }
    })
    .await
}

#[tokio::test]
async fn a_refused_account_is_replaced_by_another_of_its_kind_alone_until_its_key_changes() {
    let first = lets_in("sk-new").await;
    let (twin, stranger) = (well().await, well().await);
    let secret = "secret: \"file:$FOLDER/key\"";
    let config = Config::new()
        .file("key", "sk-old")
        .provider("first", &first.base_url(), secret)
        .kind("stranger", Kind::Anthropic, &stranger)
        .provider_alone("twin", &twin.base_url(), "")
        // Another account, whose key is in the same file.
        .provider_alone("sibling", &first.base_url(), secret)
        .route("sibling", "{ targets: [sibling/m] }")
        .route(
            "twins",
            "{ targets: [first/m, stranger/claude-haiku-4-5, twin/m] }",
        );
    let gateway = Gateway::start(config).await;
    let refused = "upstream_authentication_error";
    let marked = Instant::now();
    for route in ["twins", "sibling"] {
        told(&gateway.chat(&ask_route(route)).await, 502, refused);
    }
    assert_eq!((first.hits(), twin.hits(), stranger.hits()), (2, 0, 0));
    let answer = gateway.chat(&ask_route("twins")).await;
    assert_eq!(answer.header("x-pillion-target"), Some("twin/m"));
    let record = gateway.audit(answer.id()).await;
    assert_eq!(record.classes(), ["ok"], "it is not asked on the way");
    for route in ["chat", "sibling"] {
        let answer = gateway.chat(&ask_route(route)).await;
        told(&answer, 502, refused);
        let record = gateway.audit(answer.id()).await;
        assert!(record.classes().is_empty(), "{}", record.0);
    }
    assert_eq!((first.hits(), twin.hits(), stranger.hits()), (2, 1, 0));

    std::fs::write(gateway.folder.file("key"), "sk-new").unwrap();
    for route in ["chat", "sibling"] {
        soon("the new key is used", async {
            while gateway.chat(&ask_route(route)).await.status != 200 {
                sleep(PAUSE).await;
            }
        })
        .await;
    }
    let took = marked.elapsed();
    assert!(took < Duration::from_secs(9), "before any probe: {took:?}");
    assert_eq!((first.hits(), stranger.hits()), (4, 0));
}

#[tokio::test]
async fn a_refused_account_is_back_when_the_configuration_names_another_key() {
    let first = lets_in("sk-new").await;
    let config = Config::new()
        .file("old", "sk-old")
        .file("new", "sk-new")
        .provider("first", &first.base_url(), "secret: \"file:$FOLDER/old\"")
        // It is held from the start, so that it is no news in itself.
        .provider_alone("second", &first.base_url(), "secret: \"file:$FOLDER/new\"");
    let gateway = Gateway::start(config).await;
    let marked = Instant::now();
    for _ in 0..2 {
        let answer = gateway.chat(&ask()).await;
        told(&answer, 502, "upstream_authentication_error");
    }
    assert_eq!(first.hits(), 1);
    change_something_else(&gateway).await;
    let answer = gateway.chat(&ask()).await;
    told(&answer, 502, "upstream_authentication_error");
    assert_eq!(first.hits(), 1, "its key has not changed");
    let file = gateway.folder.file("pillion.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("/old\"", "/new\"")).unwrap();
    soon("the other key is used", async {
        while gateway.chat(&ask()).await.status != 200 {
            sleep(PAUSE).await;
        }
    })
    .await;
    let took = marked.elapsed();
    assert!(took < Duration::from_secs(9), "before any probe: {took:?}");
}

#[tokio::test]
async fn an_unknown_model_is_out_until_the_configuration_changes() {
    let first = once(Reply::error(404, "x", Some("model_not_found"), "no such")).await;
    let second = well().await;
    let gateway = Gateway::start(Config::of(&[&first, &second])).await;
    assert_eq!(classes(&gateway, &ask()).await, ["target_missing", "ok"]);
    assert_eq!(classes(&gateway, &ask()).await, ["ok"]);
    assert_eq!((first.hits(), second.hits()), (1, 2));
    change_something_else(&gateway).await;
    until_it_is_back(&gateway, &ask()).await;
    assert_eq!((first.hits(), second.hits()), (2, 2));
}

#[tokio::test]
async fn a_reload_changes_nothing_of_what_is_known() {
    let failing = Upstream::always(failure()).await;
    let limited = Reply::error(429, "requests", Some("rate_limit_exceeded"), "slow down");
    let limited = Upstream::always(limited.header("retry-after", 3600)).await;
    let third = well().await;
    let config = Config::of(&[&failing, &limited, &third]).knob("breaker: { cooldown: 60s..60s }");
    let gateway = Gateway::start(config).await;
    let all = ["server_error", "rate_limited", "ok"];
    assert_eq!(classes(&gateway, &ask()).await, all);
    assert_eq!(classes(&gateway, &ask()).await, ["server_error", "ok"]);
    change_something_else(&gateway).await;
    assert_eq!(classes(&gateway, &ask()).await, ["ok"]);
    let hits = [&failing, &limited, &third].map(Upstream::hits);
    assert_eq!(hits, [2, 1, 3]);
}

#[tokio::test]
async fn a_target_that_drags_from_token_to_token_is_left_for_its_backup() {
    let talk = |pace| {
        let text =
            streamed(&["word "; 20]).replace("\"completion_tokens\":3", "\"completion_tokens\":20");
        Reply::sse(text)
            .pieces(Pieces::Bytes(200))
            .pace(Duration::from_millis(pace))
    };
    let mut script = vec![talk(0); 15];
    script.extend(vec![talk(15); 5]);
    let first = Upstream::script(script).await;
    let second = Upstream::always(talk(0)).await;
    let config = Config::of(&[&first, &second]).knob("slow_floor: 300ms");
    let gateway = Gateway::start(config).await;
    for number in 0..20 {
        let answer = gateway.chat(&ask_stream()).await;
        let target = answer.header("x-pillion-target");
        assert_eq!(target, Some("first/model-first"), "{number}");
    }
    // The first one goes there all the same, to measure it; there is no script left for it.
    gateway.chat(&ask_stream()).await;
    let answer = gateway.chat(&ask_stream()).await;
    assert_eq!(
        answer.header("x-pillion-target"),
        Some("second/model-second")
    );
    assert_eq!(answer.header("x-pillion-attempts"), Some("1"));
    let targets = gateway.ask_admin("/api/targets").await.json();
    let slow = |kind: &str| targets["targets"][0][kind]["slow"].clone();
    assert_eq!(
        (slow("pace_ms"), slow("first_token_ms")),
        (true.into(), false.into())
    );
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

#[tokio::test]
async fn who_waits_for_less_than_a_pause_blames_nobody_for_it() {
    let gate = Gate::new();
    let pausing = Reply::sse(streamed(&["Hello, ", "world!"])).pause_after(2, &gate);
    let first = Upstream::always(pausing).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let headers = [("x-stainless-read-timeout", "0.6")];
    for _ in 0..3 {
        let stream = gateway
            .open("/v1/chat/completions", &headers, &ask_stream())
            .await;
        let answer = stream.rest().await;
        assert!(answer.text().contains("stream_broken"), "{}", answer.text());
    }
    gate.open();
    assert_eq!(gateway.chat(&ask_stream()).await.status, 200);
    assert_eq!(first.hits(), 4);
}
