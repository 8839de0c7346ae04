//! A collector that is away, slow or of another mind: spans are lost then, and nothing else.

use std::time::Instant;

use crate::support::LIMIT;

use super::*;

/// A gateway whose provider answers.
async fn telling(keys: &str) -> (Gateway, Upstream) {
    let first = Upstream::always(Reply::json(plain("Hello!"))).await;
    let config = Config::of(&[&first]).root(keys);
    (Gateway::start(config).await, first)
}

async fn ask_often(gateway: &Gateway, times: usize) {
    for _ in 0..times {
        let answer = gateway.chat(&ask()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

#[tokio::test]
async fn a_collector_that_never_answers_is_waited_for_by_nobody() {
    let collector = Collector::new().await;
    collector.answers(Reply::silence());
    let (mut gateway, _first) = telling(&collector.keys("10ms")).await;
    ask_often(&gateway, 1).await;
    collector.server.request(0).await;
    // It has been asked, and is silent: the next ones do not know.
    ask_often(&gateway, 5).await;
    assert_eq!(collector.server.hits(), 1);
    let told = Instant::now();
    gateway.signal("TERM");
    assert!(gateway.ended().await.success());
    assert!(told.elapsed() < LIMIT);
    assert!(
        gateway
            .log()
            .contains("some spans could not be sent before the end")
    );
    // Each has its record all the same.
    assert_eq!(gateway.all_records().len(), 6);
}

#[tokio::test]
async fn what_waits_is_sent_when_the_collector_is_back() {
    let collector = Collector::new().await;
    collector.answers(Reply::nothing(End::Rst));
    let (gateway, _first) = telling(&collector.keys("10ms")).await;
    ask_often(&gateway, 2).await;
    collector.server.request(0).await;
    ask_often(&gateway, 1).await;
    collector.is_back();
    collector.has(6).await;
    let sent = |told: &str| told == "pillion_spans_sent_total 6";
    gateway.until_metric("they are counted", sent).await;
    gateway.says("spans are sent again").await;
    let log = gateway.log();
    assert_eq!(log.matches("spans cannot be sent").count(), 1, "{log}");
}

#[tokio::test]
async fn a_collector_that_is_too_busy_is_left_for_as_long_as_it_asks() {
    let collector = Collector::new().await;
    collector.answers(Reply::status(429).header("retry-after", "1"));
    let (gateway, _first) = telling(&collector.keys("10ms")).await;
    ask_often(&gateway, 1).await;
    let refused = collector.server.request(0).await.at;
    collector.is_back();
    let taken = collector.server.request(1).await.at;
    assert!(taken - refused >= Duration::from_secs(1));
    collector.has(2).await;
}

#[tokio::test]
async fn what_a_collector_refuses_is_lost_and_counted() {
    let collector = Collector::new().await;
    let (gateway, _first) = telling(&collector.keys("10ms")).await;
    let dropped = "pillion_spans_dropped_total{reason=\"refused\"}";
    for (number, (reply, lost)) in [
        (Reply::status(401), 2),
        (Reply::status(400), 4),
        (
            Reply::json(r#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"odd"}}"#),
            5,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        collector.answers(reply);
        ask_often(&gateway, 1).await;
        let line = format!("{dropped} {lost}");
        gateway.until_metric(&line, |told| told == line).await;
        // Nothing of it is sent again.
        assert_eq!(collector.server.hits(), number + 1);
    }
    assert_eq!(
        gateway.metric("pillion_spans_sent_total").await.as_deref(),
        Some("1")
    );
    gateway.says("refuses us: it answers 401").await;
    collector.is_back();
    ask_often(&gateway, 1).await;
    collector.has(2).await;
}

#[tokio::test]
async fn however_much_a_collector_says_its_status_holds() {
    let collector = Collector::new().await;
    let (gateway, _first) = telling(&collector.keys("10ms")).await;
    let much = "x".repeat(100_000);
    for (number, (status, metric)) in [
        (200, "pillion_spans_sent_total"),
        (404, "pillion_spans_dropped_total{reason=\"refused\"}"),
    ]
    .into_iter()
    .enumerate()
    {
        collector.answers(Reply::error(status, &much, None, &much));
        ask_often(&gateway, 1).await;
        let line = format!("{metric} 2");
        gateway.until_metric(&line, |told| told == line).await;
        assert_eq!(collector.server.hits(), number + 1);
    }
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_sent_in_parts() {
    let kept: Arc<Mutex<usize>> = Arc::default();
    let keeps = Arc::clone(&kept);
    let server = Upstream::choosing(move |seen| {
        let count = spans(&seen.json()).len();
        if count > 2 {
            return Reply::status(413);
        }
        *keeps.lock().unwrap() += count;
        Reply::json("{}")
    })
    .await;
    let (gateway, _first) = telling(&format!(
        "traces: {{ url: \"{}\", every: 1h }}",
        server.root_url()
    ))
    .await;
    ask_often(&gateway, 5).await;
    gateway.signal("TERM");
    drop(gateway.left().await);
    assert_eq!(*kept.lock().unwrap(), 10);
}

#[tokio::test]
async fn the_last_spans_leave_with_the_process() {
    let collector = Collector::new().await;
    // Nothing would be sent before the end.
    let (gateway, _first) = telling(&collector.keys("1h")).await;
    ask_often(&gateway, 3).await;
    assert_eq!(collector.server.hits(), 0);
    gateway.signal("TERM");
    drop(gateway.left().await);
    assert_eq!(collector.spans().len(), 6);
}

#[tokio::test]
async fn an_end_does_not_wait_for_a_collector_that_is_gone() {
    let collector = Collector::new().await;
    collector.answers(Reply::status(503).header("retry-after", "300"));
    let (mut gateway, _first) = telling(&collector.keys("10ms")).await;
    ask_often(&gateway, 1).await;
    collector.server.request(0).await;
    ask_often(&gateway, 2).await;
    gateway.signal("TERM");
    assert!(gateway.ended().await.success());
    // Once more, and no more often than that.
    assert_eq!(collector.server.hits(), 2);
    let lost = "\"lost\":6";
    assert!(gateway.log().contains(lost), "{}", gateway.log());
}
