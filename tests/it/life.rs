//! How the process ends, and how it takes a new configuration, with requests under way.

use crate::support::fixture::{ask, ask_stream, plain, role, streamed, text};
use crate::support::reply::End;
use crate::support::{Config, Gate, Gateway, Reply, Upstream, soon};

#[tokio::test]
async fn told_to_end_it_finishes_what_runs_and_takes_nothing_new() {
    let gate = Gate::new();
    let first = Upstream::always(Reply::sse(streamed(&["Hel", "lo!"])).pause_after(2, &gate)).await;
    let mut gateway = Gateway::start(Config::of(&[&first]).root("drain: 10s")).await;
    let mut stream = gateway.stream(&ask_stream()).await;
    stream.event().await;
    gateway.signal("TERM");
    soon("it is no longer ready", async {
        while gateway.ask_admin("/readyz").await.status != 503 {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    })
    .await;
    gate.open();
    let answer = stream.rest().await;
    assert!(answer.text().ends_with("data: [DONE]\n\n"));
    assert!(gateway.ended().await.success());
    assert!(
        tokio::net::TcpStream::connect(gateway.listen)
            .await
            .is_err()
    );
    assert_eq!(gateway.all_records()[0].outcome(), "ok");
}

#[tokio::test]
async fn at_the_drain_limit_what_is_left_is_told_and_recorded() {
    let first = Upstream::choosing(|seen| {
        if seen.json()["stream"] == true {
            Reply::sse(streamed(&["Hel", "lo!"])).cut_after(2, End::Silence)
        } else {
            Reply::silence()
        }
    })
    .await;
    let mut gateway = Gateway::start(Config::of(&[&first]).root("drain: 100ms")).await;
    let mut stream = gateway.stream(&ask_stream()).await;
    stream.event().await;
    let mut client = gateway.connect().await;
    client
        .post("/v1/chat/completions", &[], ask().as_bytes())
        .await;
    first.request(1).await;
    gateway.signal("TERM");
    let answer = stream.rest().await;
    assert!(
        answer.text().contains("\"stream_broken\""),
        "{}",
        answer.text()
    );
    let answer = client.answer().await.rest().await;
    assert_eq!((answer.status, &*answer.code()), (503, "overloaded"));
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    assert!(gateway.ended().await.success());
    let outcomes: Vec<String> = gateway
        .all_records()
        .iter()
        .map(|record| record.outcome().to_owned())
        .collect();
    assert_eq!(outcomes.len(), 2, "{outcomes:?}");
}

#[tokio::test]
async fn a_caller_that_does_not_read_is_recorded_also_when_the_process_ends() {
    let piece = text(&"x".repeat(32 << 10));
    let first = Upstream::always(Reply::sse(role() + &piece).endless()).await;
    let mut gateway = Gateway::start(Config::of(&[&first]).root("drain: 100ms")).await;
    let mut stream = gateway.stream(&ask_stream()).await;
    stream.event().await;
    soon(
        "nothing more fits between the provider and the caller",
        async {
            let mut last = 0;
            while last != first.request(0).await.written {
                last = first.request(0).await.written;
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
        },
    )
    .await;
    gateway.signal("TERM");
    assert!(gateway.ended().await.success());
    let records = gateway.all_records();
    assert_eq!(records.len(), 1);
    // It had not left, and it was not to blame.
    assert_eq!(records[0].outcome(), "stream_broken", "{}", records[0].0);
    drop(stream);
}

#[tokio::test]
async fn a_provider_that_is_never_silent_does_not_outlast_the_drain_limit() {
    let first = Upstream::always(Reply::sse(role() + &text("x")).endless()).await;
    let mut gateway = Gateway::start(Config::of(&[&first]).root("drain: 100ms")).await;
    let mut stream = gateway.stream(&ask_stream()).await;
    stream.event().await;
    gateway.signal("TERM");
    let answer = stream.rest().await;
    assert!(answer.complete);
    assert!(answer.data().last().unwrap().contains("\"stream_broken\""));
    assert!(gateway.ended().await.success());
    let records = gateway.all_records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].outcome(), "stream_broken", "{}", records[0].0);
}

#[tokio::test]
async fn records_that_nobody_reads_keep_neither_the_callers_nor_the_process() {
    let first = Upstream::always(Reply::json(plain("Hello!"))).await;
    let mut gateway = Gateway::start(Config::of(&[&first]).audit_unread()).await;
    // More than a pipe holds.
    for _ in 0..300 {
        assert_eq!(gateway.chat(&ask()).await.status, 200);
    }
    gateway.signal("TERM");
    assert!(gateway.ended().await.success());
}

#[tokio::test]
async fn a_new_configuration_is_taken_and_a_broken_one_is_not() {
    let first = Upstream::always(Reply::json(plain("Hello!"))).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let file = gateway.folder.file("pillion.yaml");
    let good = std::fs::read_to_string(&file).unwrap();
    let asked = ask().replace("\"chat\"", "\"new\"");
    assert_eq!(gateway.chat(&asked).await.status, 404);
    std::fs::write(&file, good.clone() + "  new: { targets: [first/m] }\n").unwrap();
    soon("the new route is served", async {
        while gateway.chat(&asked).await.status != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    std::fs::write(&file, good + "  broken: { targets: [nobody/m] }\n").unwrap();
    gateway.signal("HUP");
    soon("the broken one is refused", async {
        while !gateway.log().contains("is refused") {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(
        gateway.chat(&asked).await.status,
        200,
        "the last good one stays"
    );
    assert_eq!(gateway.ask_admin("/readyz").await.status, 200);
    let shown = gateway.ask_admin("/api/config").await.json();
    let routes = &shown["config"]["routes"];
    assert_eq!(routes["new"]["targets"][0], "first/m", "{shown}");
    assert!(routes["broken"].is_null(), "what is shown is what is live");
}

#[tokio::test]
async fn what_takes_effect_at_a_restart_is_told() {
    let first = Upstream::always(Reply::json(plain("Hello!"))).await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    let ready = async || gateway.ask_admin("/readyz").await.json()["config"].clone();
    assert!(ready().await.get("restart").is_none());
    let file = gateway.folder.file("pillion.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let more = "traces: { url: http://127.0.0.1:1 }\ndrain: 11s\n";
    std::fs::write(&file, more.to_owned() + &text).unwrap();
    gateway.signal("HUP");
    soon("what it began with is told to stay", async {
        while ready().await["restart"] != serde_json::json!(["drain", "traces"]) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    gateway.says("drain, traces").await;
    std::fs::write(&file, text).unwrap();
    gateway.signal("HUP");
    soon("and told no more when it is as it was", async {
        while ready().await.get("restart").is_some() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
}
