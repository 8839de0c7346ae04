//! A sidecar that follows a central document: what is taken of it, and what goes on without it.

mod fleet;
mod outage;
mod signed;

use std::fs;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{interval, sleep};

use crate::support::centre::Away;
use crate::support::crowd::crowd;
use crate::support::fixture::{ask, plain};
use crate::support::{
    Centre, Config, Folder, Gateway, Reply, Upstream, is_named, pillion, seconds, soon,
};

const LOOK: Duration = Duration::from_millis(5);

/// Of a source that is asked often, with more keys of it.
pub(crate) fn following(centre: &Centre, more: &str) -> Config {
    Config::following(&format!("url: \"{}\", refresh: 100ms{more}", centre.url()))
}

pub(crate) async fn saying(text: &str) -> Upstream {
    Upstream::always(Reply::json(plain(text))).await
}

/// The document that has this provider alone, with more lines.
pub(crate) fn document(provider: &Upstream, more: &str) -> String {
    Config::of(&[provider]).central(more)
}

async fn detail(gateway: &Gateway) -> (u16, Value) {
    let answer = gateway.ask_admin("/readyz").await;
    (answer.status, answer.json())
}

/// Waits until what `/readyz` says suits.
pub(crate) async fn until(
    gateway: &Gateway,
    what: &str,
    suits: impl Fn(u16, &Value) -> bool,
) -> Value {
    soon(what, async {
        loop {
            let (status, detail) = detail(gateway).await;
            if suits(status, &detail) {
                return detail;
            }
            sleep(LOOK).await;
        }
    })
    .await
}

pub(crate) async fn until_answered(gateway: &Gateway, text: &str) {
    soon(&format!("{text} answers"), async {
        while !gateway.chat(&ask()).await.text().contains(text) {
            sleep(LOOK).await;
        }
    })
    .await;
}

/// Waits until the live document is known to have come from there.
pub(crate) async fn until_from(gateway: &Gateway, origin: &str) -> Value {
    until(
        gateway,
        &format!("it is from the {origin}"),
        |status, told| status == 200 && told["config"]["source"]["from"] == origin,
    )
    .await
}

/// Waits until the document of this `version` is live; returns what requests then name as their
/// configuration's.
pub(crate) async fn until_live(gateway: &Gateway, version: u64) -> String {
    let told = until(gateway, "it is live", |status, told| {
        status == 200 && told["config"]["source"]["version"] == version
    })
    .await;
    told["config"]["version"].as_str().unwrap().to_owned()
}

pub(crate) async fn until_kept(gateway: &Gateway, text: &str) {
    let copy = gateway.folder.file("cache/central.copy");
    soon(&format!("{text} is kept"), async {
        while !fs::read_to_string(&copy).is_ok_and(|kept| kept.ends_with(text)) {
            sleep(LOOK).await;
        }
    })
    .await;
}

pub(crate) async fn until_logged(gateway: &Gateway, text: &str) {
    soon(&format!("{text} is logged"), async {
        while !gateway.log().contains(text) {
            sleep(LOOK).await;
        }
    })
    .await;
}

/// Whether the newest document is refused for this.
fn says_so(told: &Value, why: &str) -> bool {
    says(&told["config"]["refused"], why)
}

pub(crate) fn says(value: &Value, text: &str) -> bool {
    value.as_str().is_some_and(|said| said.contains(text))
}

#[tokio::test]
async fn a_step_back_is_refused_unless_it_is_allowed() {
    let (first, second) = (saying("one").await, saying("two").await);
    let centre = Centre::with(document(&second, "version: 2")).await;
    let config = following(&centre, "");
    let gateway = Gateway::begin(&config, Folder::new()).await.serving().await;
    until_answered(&gateway, "two").await;
    centre.says(document(&first, "version: 1"));
    let told = until(&gateway, "the step back is told", |_, told| {
        says(&told["config"]["refused"], "version 1 is behind 2")
    })
    .await;
    assert!(says(&told["config"]["refused"], &centre.url()), "{told}");
    let answer = gateway.chat(&ask()).await;
    assert!(answer.text().contains("two"), "{}", answer.text());
    centre.says(document(&first, "version: 1\nallow_rollback: true"));
    until_answered(&gateway, "one").await;
    until(&gateway, "nothing is refused", |_, told| {
        told["config"]["stale"] == false
    })
    .await;
}

#[tokio::test]
async fn what_its_own_file_says_is_read_with_the_document_that_is_live() {
    let first = saying("one").await;
    let centre = Centre::with(document(&first, "local_overrides: [routes.*.expose_model]")).await;
    let config = following(&centre, "");
    let gateway = Gateway::begin(&config, Folder::new()).await.serving().await;
    until_answered(&gateway, "one").await;
    let model = |answer: &crate::support::Answer| answer.json()["model"].clone();
    assert_eq!(model(&gateway.chat(&ask()).await), "chat");
    let file = gateway.folder.file("pillion.yaml");
    let own = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        own.clone() + "routes: { chat: { expose_model: true } }\n",
    )
    .unwrap();
    soon("its own file is taken", async {
        while model(&gateway.chat(&ask()).await) == "chat" {
            sleep(LOOK).await;
        }
    })
    .await;
    fs::write(&file, own + "routes: { chat: { timeout: soon } }\n").unwrap();
    until(
        &gateway,
        "what is wrong with it is refused",
        |status, told| status == 200 && says(&told["config"]["refused"], "timeout"),
    )
    .await;
    // The document that stood in for a change of the file is there no more: the centre is not asked
    // to confirm it.
    assert_ne!(model(&gateway.chat(&ask()).await), "chat");
}

/// `PILLION_TEST_BINARY=target/release/pillion PILLION_TEST_SECONDS=30` asks it of a release, for half a
/// minute.
#[tokio::test]
async fn under_load_and_a_hundred_reloads_a_second_each_request_sees_one_configuration() {
    const RATE: u32 = 200;
    let seconds = seconds(6);
    let (first, second) = (saying("one").await, saying("two").await);
    // Whatever were kept of each configuration would be seen in the memory.
    let remark = "x".repeat(64 << 10);
    let named = |name: &str, upstream: &Upstream, number: usize| {
        // Each with a key of its own, which the other does not name.
        let secret = format!("secret: \"env:KEY_{name}\"");
        let config = Config::new().provider(name, &upstream.base_url(), &secret);
        config.central(&format!(
            "version: {number}\nallow_rollback: true\n# {remark}"
        ))
    };
    let centre = Centre::with(named("first", &first, 0)).await;
    // It is another one more often than each ten milliseconds, and asked so often.
    let keys = format!("url: \"{}\", refresh: 3ms", centre.url());
    let config = Config::following(&keys)
        .env("KEY_first", "sk-first")
        .env("KEY_second", "sk-second");
    let gateway = Gateway::begin(&config, Folder::new()).await.serving().await;
    until_answered(&gateway, "one").await;
    let lives = || gateway.log().matches("the configuration is live").count();
    let requests = seconds * RATE as usize;
    let changes = async {
        let mut number = 1;
        let mut next = interval(Duration::from_millis(3));
        loop {
            next.tick().await;
            let (name, upstream) = if number % 2 == 0 {
                ("first", &first)
            } else {
                ("second", &second)
            };
            centre.says(named(name, upstream, number));
            number += 1;
        }
    };
    let load = async {
        // What the first requests and reloads need, is needed once.
        crowd(&gateway, RATE as usize * 2, RATE, |_| ask()).await;
        let (warm, before) = (gateway.resident_kib(), lives());
        let came = crowd(&gateway, requests, RATE, |_| ask()).await;
        (came, warm, lives() - before)
    };
    let (came, warm, reloads) = tokio::select! {
        loaded = load => loaded,
        () = changes => unreachable!("changes have no end"),
    };
    let after = gateway.resident_kib();
    let took = came.iter().map(|one| one.took).max().unwrap();
    println!(
        "{requests} requests, {reloads} reloads in {seconds} s, slowest {took:?}, {warm} KiB → {after} KiB"
    );
    for one in &came {
        assert_eq!(
            (one.answer.status, one.tries),
            (200, 1),
            "{}",
            one.answer.text()
        );
        let target = one.answer.header("x-pillion-target").unwrap();
        let expected = if one.answer.text().contains("one") {
            "first/model-first"
        } else {
            "second/model-second"
        };
        assert_eq!(target, expected);
    }
    let records = gateway.records(|_| true, requests).await;
    let mut seen: std::collections::BTreeMap<&str, &str> = std::collections::BTreeMap::new();
    for record in &records {
        assert_eq!(record.outcome(), "ok", "{}", record.0);
        // One version has one target.
        let target = record.targets()[0];
        let version = record.text("config_version");
        assert_eq!(*seen.entry(version).or_insert(target), target);
    }
    // A build for tests on a busy machine does a part of what a release does.
    let least = if is_named() { 100 } else { 1 };
    assert!(reloads >= seconds * least, "{reloads} reloads");
    assert!(seen.len() > seconds / 2, "{} versions were met", seen.len());
    assert!(after < warm + 12 * 1024, "{warm} KiB → {after} KiB");
    assert!(centre.hits() > reloads);
}

#[tokio::test]
async fn with_resolve_the_document_is_fetched_and_checked_as_a_start_would() {
    let first = saying("one").await;
    let centre = Centre::with(document(&first, "version: 1")).await;
    let folder = Folder::new();
    let file = following(&centre, "").write(&folder);
    let validate = ["validate", "--resolve", file.to_str().unwrap()];
    let (code, said) = pillion(&validate).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("  chat: first/model-first\n"), "{said}");
    centre.says(document(&first, "").replace("first/model-first", "nobody/m"));
    let (code, said) = pillion(&validate).await;
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("no provider is named `nobody`"), "{said}");
    centre.goes(Away::Broken);
    let (code, said) = pillion(&validate).await;
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("source.url: http://127.0.0.1:"), "{said}");
    assert!(said.contains("cannot be reached"), "{said}");
}

#[tokio::test]
async fn an_audit_file_that_cannot_be_opened_does_not_keep_a_sidecar_down() {
    let first = saying("one").await;
    let audit = "audit: { to: [file], file: /nowhere/audit.jsonl }";
    let centre = Centre::with(document(&first, audit)).await;
    let config = following(&centre, "");
    let gateway = Gateway::begin(&config, Folder::new()).await.serving().await;
    let answer = gateway.chat(&ask()).await;
    assert!(answer.text().contains("one"), "{}", answer.text());
    until_logged(&gateway, "records go to stdout").await;
}
