//! A source that is gone, and what was kept of it.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Instant;

use super::*;

#[tokio::test]
async fn without_source_and_copy_it_is_not_ready_and_says_why_until_there_is_one() {
    let first = saying("one").await;
    let centre = Centre::empty().await;
    let config = following(&centre, "");
    let gateway = Gateway::begin(&config, Folder::new()).await;
    let told = until(&gateway, "it says why", |_, told| {
        !told["config"]["source"]["away"].is_null()
    })
    .await;
    let away = &told["config"]["source"]["away"];
    assert!(says(away, "has no document there"), "{told}");
    assert_eq!(told["config"]["version"], Value::Null);
    assert_eq!(gateway.ask_admin("/readyz").await.status, 503);
    assert_eq!(gateway.ask_admin("/livez").await.status, 200);
    centre.says("routes: {");
    until(&gateway, "it says what is wrong", |status, told| {
        status == 503 && says(&told["config"]["refused"], "pillion.yaml:")
    })
    .await;
    centre.says(document(&first, ""));
    let gateway = gateway.serving().await;
    until(&gateway, "it is ready", |status, _| status == 200).await;
    assert_eq!(gateway.chat(&ask()).await.status, 200);
}

#[tokio::test]
async fn told_to_end_before_there_is_a_configuration_it_ends_at_once() {
    let centre = Centre::empty().await;
    centre.goes(Away::Silent);
    let config = following(&centre, "");
    for signal in ["TERM", "INT"] {
        let mut gateway = Gateway::begin(&config, Folder::new()).await;
        let told = Instant::now();
        gateway.signal(signal);
        assert!(gateway.ended().await.success(), "{signal}");
        assert!(told.elapsed() < Duration::from_secs(2));
    }
}

#[tokio::test]
async fn two_with_one_folder_keep_whole_documents() {
    let first = saying("one").await;
    let centre = Centre::with(document(&first, "version: 1")).await;
    let config = following(&centre, "");
    let one = Gateway::begin(&config, Folder::new()).await.serving().await;
    let cache = one.folder.file("cache");
    let same = Folder::new();
    symlink(&cache, same.file("cache")).unwrap();
    let two = Gateway::begin(&config, same).await.serving().await;
    let kept = |name: &str| fs::read_to_string(cache.join(name));
    for version in 2..12 {
        let text = document(&first, &format!("version: {version}"));
        centre.says(text.clone());
        for gateway in [&one, &two] {
            until(gateway, "it is live", |_, told| {
                told["config"]["source"]["version"] == version
            })
            .await;
        }
        soon("it is kept, and the one before", async {
            let before = document(&first, &format!("version: {}", version - 1));
            while !kept("central.copy").is_ok_and(|kept| kept.ends_with(&text))
                || !kept("central.copy.previous").is_ok_and(|kept| kept.ends_with(&before))
            {
                sleep(LOOK).await;
            }
        })
        .await;
    }
    for name in ["central.copy", "central.copy.previous"] {
        let mode = fs::metadata(cache.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let failures = "pillion_config_copy_failures_total 0\n";
    for gateway in [&one, &two] {
        let metrics = gateway.ask_admin("/metrics").await;
        assert!(metrics.text().contains(failures), "{}", metrics.text());
    }
}
