//! Records that go to a collector elsewhere: none is lost, whoever goes away.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::Peer;
use crate::support::reply::End;

use super::*;

/// A web server that stores the lines that are posted to it, unless it is told otherwise.
pub(super) struct Collector {
    server: Upstream,
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    stored: String,
    /// What is answered, and nothing stored.
    instead: Option<Reply>,
    /// Whether what is answered otherwise is stored all the same.
    stores: bool,
}

impl Collector {
    pub(super) async fn new() -> Self {
        let held = Arc::new(Mutex::new(Held::default()));
        let holds = Arc::clone(&held);
        let server = Upstream::choosing(move |seen| {
            let mut held = holds.lock().unwrap();
            let instead = held.instead.clone();
            if instead.is_none() || held.stores {
                held.stored += seen.text();
            }
            instead.unwrap_or_else(|| Reply::status(204))
        })
        .await;
        Self { server, held }
    }

    fn answers(&self, instead: Reply) {
        self.held.lock().unwrap().instead = Some(instead);
    }

    fn answers_and_stores(&self, instead: Reply) {
        self.answers(instead);
        self.held.lock().unwrap().stores = true;
    }

    fn is_back(&self) {
        *self.held.lock().unwrap() = Held {
            stored: self.stored(),
            ..Held::default()
        };
    }

    pub(super) fn stored(&self) -> String {
        self.held.lock().unwrap().stored.clone()
    }

    /// The numbers of the records that are stored, each once.
    fn numbers(&self) -> BTreeSet<u64> {
        let stored = self.stored();
        let lines = stored
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        lines
            .filter_map(|line: Value| line["seq"].as_u64())
            .collect()
    }

    pub(super) async fn has(&self, count: u64) {
        soon("the records are stored", async {
            while self.numbers().len() as u64 != count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    /// The keys of `audit` for it, `every` so long.
    pub(super) fn keys(&self, every: &str) -> String {
        let url = self.server.root_url();
        format!("https: {{ url: \"{url}/records\", every: {every} }}")
    }

    /// What `audit verify` says of what is stored.
    pub(super) async fn verified(&self, more: &[&str]) -> (i32, Value) {
        let folder = Folder::new();
        let file = folder.file("stored");
        fs::write(&file, self.stored()).unwrap();
        verified(&[file], &[more, &["--collected"]].concat()).await
    }
}

fn all(count: u64) -> BTreeSet<u64> {
    (1..=count).collect()
}

/// Beside the file, which is what waits.
fn beside(first: &Upstream, collector: &Collector) -> Config {
    let keys = format!("to: [file, https], {}", collector.keys("20ms"));
    let config = Config::of(&[first]).audit(&keys);
    config.root("identity: { instance: pod-1 }")
}

/// Without a file.
fn alone(first: &Upstream, keys: &str) -> Config {
    let config = Config::of(&[first]).audit(&format!("file: /nowhere, to: [https], {keys}"));
    config.root("identity: { instance: pod-1 }")
}

#[tokio::test]
async fn a_collector_stores_the_lines_of_the_file() {
    let (first, collector) = (provider().await, Collector::new().await);
    let gateway = Gateway::start(beside(&first, &collector)).await;
    ask_often(&gateway, 3).await;
    collector.has(3).await;
    let seen = collector.server.request(0).await;
    assert!(seen.head.starts_with("POST /records "), "{}", seen.head);
    assert_eq!(seen.header("content-type"), Some("application/x-ndjson"));
    let sent = |told: &str| told == "pillion_audit_sent_total{sink=\"https\"} 3";
    gateway.until_metric("they are counted", sent).await;
    gateway.signal("TERM");
    let folder = gateway.left().await;
    assert_eq!(collector.stored(), read(&folder.file("audit.jsonl")));
    let heads = folder.file("audit.jsonl.heads");
    let against = ["--heads", heads.to_str().unwrap()];
    let (code, report) = collector.verified(&against).await;
    assert_eq!(code, 0, "{report:#}");
    // The cursor beside the file is none of the records.
    assert!(folder.file("audit.jsonl.sent").exists());
    assert_eq!(verify(&files(&folder), &[]).await.0, 0);
}

#[tokio::test]
async fn an_outage_is_told_and_nothing_of_it_is_lost() {
    let (first, collector) = (provider().await, Collector::new().await);
    let config = || {
        beside(&first, &collector).audit(&format!(
            "to: [file, https], rotate: 3kB, {}",
            collector.keys("20ms")
        ))
    };
    let gateway = Gateway::start(config()).await;
    ask_often(&gateway, 2).await;
    collector.has(2).await;
    collector.answers(Reply::nothing(End::Rst));
    ask_often(&gateway, 8).await;
    let down = |told: &str| told == "pillion_audit_sink_up{sink=\"https\"} 0";
    gateway.until_metric("the outage is told", down).await;
    let ready = gateway.ask_admin("/readyz").await;
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json()["audit"][0]["sink"], "https");
    // The next one goes on with what this one could not send.
    let folder = gateway.crash();
    let gateway = Gateway::start_in(config(), folder).await;
    ask_often(&gateway, 2).await;
    collector.is_back();
    soon("all are there", async {
        while collector.numbers().last() < Some(&11) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let up = |told: &str| told == "pillion_audit_sink_up{sink=\"https\"} 1";
    gateway.until_metric("the return is told", up).await;
    let ready = gateway.ask_admin("/readyz").await;
    assert_eq!(ready.json()["audit"], serde_json::json!([]));
    gateway.signal("TERM");
    let folder = gateway.left().await;
    let last = collector.numbers().last().copied().unwrap();
    assert_eq!(collector.numbers(), all(last));
    assert!(files(&folder).len() > 2);
    let (code, report) = collector.verified(&[]).await;
    assert_eq!((code, &report["records"]), (0, &last.into()), "{report:#}");
}

#[tokio::test]
async fn what_is_killed_before_its_acknowledgement_is_sent_again() {
    let (first, collector) = (provider().await, Collector::new().await);
    collector.answers_and_stores(Reply::silence());
    let gateway = Gateway::start(beside(&first, &collector)).await;
    // A second one would come no further: it is not in the batch that waits for an answer.
    ask_often(&gateway, 1).await;
    collector.has(1).await;
    let folder = gateway.crash();
    collector.is_back();
    let gateway = Gateway::start_in(beside(&first, &collector), folder).await;
    ask_often(&gateway, 1).await;
    collector.has(2).await;
    gateway.signal("TERM");
    drop(gateway.left().await);
    assert_eq!(collector.stored().lines().count(), 3);
    let (code, report) = collector.verified(&[]).await;
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["records"], 2);
    assert!(report["notes"].to_string().contains("1 lines came twice"));
}

#[tokio::test]
async fn a_collector_that_is_too_busy_is_left_for_as_long_as_it_asks() {
    let (first, collector) = (provider().await, Collector::new().await);
    collector.answers(Reply::status(429).header("retry-after", "1"));
    let gateway = Gateway::start(beside(&first, &collector)).await;
    ask_often(&gateway, 1).await;
    let refused = collector.server.request(0).await.at;
    collector.is_back();
    let taken = collector.server.request(1).await.at;
    assert!(taken - refused >= Duration::from_secs(1));
    collector.has(1).await;
}

#[tokio::test]
async fn without_a_file_records_wait_in_memory_and_leave_with_the_process() {
    let (first, collector) = (provider().await, Collector::new().await);
    // Nothing would be sent before the end.
    let mut gateway = Gateway::start(alone(&first, &collector.keys("1h"))).await;
    ask_often(&gateway, 3).await;
    assert_eq!(collector.server.hits(), 0);
    collector.answers(Reply::status(503));
    gateway.signal("TERM");
    collector.server.request(0).await;
    assert!(gateway.is_alive());
    collector.is_back();
    assert!(gateway.ended().await.success());
    assert_eq!(collector.numbers(), all(3));
    let records = twin(&collector.stored());
    assert_eq!(records[0]["instance"], "pod-1");
    assert_eq!(collector.verified(&[]).await.0, 0);
}

#[tokio::test]
async fn an_end_does_not_wait_for_a_collector_longer_than_for_a_request() {
    let (first, collector) = (provider().await, Collector::new().await);
    collector.answers(Reply::silence());
    let config = alone(&first, &collector.keys("10ms")).root("drain: 1s");
    let mut gateway = Gateway::start(config).await;
    ask_often(&gateway, 1).await;
    collector.server.request(0).await;
    let told = Instant::now();
    gateway.signal("TERM");
    assert!(gateway.ended().await.success());
    assert!(told.elapsed() < crate::support::LIMIT);
    assert!(gateway.log().contains("could not be sent before the end"));
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_sent_in_parts() {
    let first = provider().await;
    let stored = Arc::new(Mutex::new(String::new()));
    let shelf = Arc::clone(&stored);
    let server = Upstream::choosing(move |seen| {
        if seen.text().lines().count() > 1 {
            return Reply::status(413);
        }
        *shelf.lock().unwrap() += seen.text();
        Reply::status(200)
    })
    .await;
    let keys = format!("https: {{ url: \"{}\", every: 1h }}", server.root_url());
    let gateway = Gateway::start(alone(&first, &keys)).await;
    ask_often(&gateway, 5).await;
    gateway.signal("TERM");
    drop(gateway.left().await);
    assert_eq!(twin(&stored.lock().unwrap()).len(), 5);
}

#[tokio::test]
async fn who_we_are_is_shown_and_is_seen_nowhere() {
    const TOKEN: &str = "collector-canary-1";
    let (first, collector) = (provider().await, Collector::new().await);
    let url = collector.server.root_url();
    let auth = "auth: { token_file: \"$FOLDER/token\"";
    let keys = format!(
        "to: [file, https, otlp], file: $FOLDER/audit.jsonl,
         https: {{ url: \"{url}/a?key=query-canary-1\", gzip: true, every: 10ms, {auth}, header: x-collector }} }},
         otlp: {{ url: \"{url}\", every: 10ms, headers: {{ x-tenant: header-canary-1 }}, {auth} }} }}"
    )
    .replace('\n', "");
    collector.answers(Reply::status(401));
    let config = Config::of(&[&first])
        .audit(&keys)
        .file("token", TOKEN)
        .env("PILLION_LOG", "trace");
    let gateway = Gateway::start(config).await;
    ask_often(&gateway, 2).await;
    soon("both were tried", async {
        let is_tried = |path: &str| {
            let seen = collector.server.requests();
            seen.into_iter().find(|it| it.head.contains(path))
        };
        loop {
            if let (Some(lines), Some(otlp)) = (is_tried("POST /a?key="), is_tried("/v1/logs ")) {
                assert_eq!(lines.header("x-collector"), Some(TOKEN));
                assert_eq!(lines.header("content-encoding"), Some("gzip"));
                assert_eq!(lines.header("authorization"), None);
                let bearer = format!("Bearer {TOKEN}");
                assert_eq!(otlp.header("authorization"), Some(&*bearer));
                assert_eq!(otlp.header("x-tenant"), Some("header-canary-1"));
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    // What is sent to them holds nothing of it either, nor of the caller's token.
    let bodies = collector.server.requests();
    let bodies = bodies
        .iter()
        .map(|seen| match seen.header("content-encoding") {
            Some("gzip") => {
                let mut text = String::new();
                let mut plain = flate2::read::GzDecoder::new(&*seen.body);
                plain.read_to_string(&mut text).unwrap();
                text
            }
            _ => String::from_utf8(seen.body.clone()).unwrap(),
        });
    let mut seen: String = bodies.collect();
    for told in [
        "{\"kind\":\"pillion.audit\"",
        "\\\"kind\\\":\\\"pillion.audit\\\"",
    ] {
        assert!(seen.contains(told), "{seen}");
    }
    for path in ["/metrics", "/readyz", "/api/requests", "/api/config"] {
        seen += gateway.ask_admin(path).await.text();
    }
    seen += &read(&gateway.folder.file("audit.jsonl"));
    // Nothing may have been noted by now.
    let notes = fs::read_to_string(gateway.folder.file("audit.jsonl.heads"));
    seen += &notes.unwrap_or_default();
    gateway.says("TRACE").await;
    gateway.says("refuses us: it answers 401").await;
    seen += &gateway.log();
    assert!(!seen.contains("canary"), "{seen}");
}

#[tokio::test]
async fn a_real_collector_takes_the_logs() {
    let Some(peer) = Peer::collector(["blackhole"]).await else {
        return;
    };
    let first = provider().await;
    for gzip in [false, true] {
        let url = peer.address();
        let keys = format!(
            "file: /nowhere, to: [otlp], otlp: {{ url: \"http://{url}\", every: 10ms, gzip: {gzip} }}"
        );
        let gateway = Gateway::start(Config::of(&[&first]).audit(&keys)).await;
        ask_often(&gateway, 3).await;
        let sent = |told: &str| told == "pillion_audit_sent_total{sink=\"otlp\"} 3";
        gateway.until_metric("they are taken", sent).await;
        assert!(!gateway.log().contains("refused records"));
    }
}
