//! What the instances of a fleet say of themselves.

use super::*;
use crate::support::Redis;

#[tokio::test]
async fn who_has_nothing_else_takes_what_is_for_others_first_and_says_so() {
    let first = saying("one").await;
    let text = document(&first, "version: 3\nrollout: { percent: 0% }");
    let centre = Centre::with(text).await;
    let reports = centre.reports_url();
    let config = following(&centre, &format!(", report: \"{reports}\""));
    let gateway = Gateway::begin(&config, Folder::new()).await.serving().await;
    until_answered(&gateway, "one").await;
    let early = "version 3 is for 0% of the instances as yet";
    let told = until_from(&gateway, "source").await;
    assert!(says(&told["config"]["source"]["early"], early), "{told}");
    until_logged(&gateway, early).await;
    soon("it is reported", async {
        while !centre.reports().iter().any(|told| told.contains(early)) {
            sleep(LOOK).await;
        }
    })
    .await;
    let (code, listed) = pillion(&["fleet", "--from", &reports]).await;
    assert_eq!(code, 0, "{listed}");
    assert!(listed.contains(early), "{listed}");
}

/// Two sidecars of one centre, one of which cannot take what is newest; they report to `url`.
async fn fleet_that_reports_to(url: &str) {
    let first = saying("one").await;
    let centre = Centre::with(document(&first, "version: 1")).await;
    let report = if url.is_empty() {
        centre.reports_url()
    } else {
        url.to_owned()
    };
    let config = |instance: &str, more: &str| {
        following(&centre, &format!(", report: \"{report}\"{more}")).root(&format!(
            "identity: {{ instance: {instance}, service: chat }}"
        ))
    };
    let good = Gateway::begin(&config("pod-a", ""), Folder::new()).await;
    let good = good.serving().await;
    let list = || async { pillion(&["fleet", "--from", &report]).await };
    let until_listed = async |what: &str| {
        soon(what, async {
            loop {
                let (code, said) = list().await;
                if said.contains(what) {
                    return (code, said);
                }
                sleep(Duration::from_millis(100)).await;
            }
        })
        .await
    };
    let (code, said) = until_listed("current").await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("current") && said.ends_with("1 instances, 0 lag\n"),
        "{said}"
    );
    // One that trusts nobody who has signed it has nothing to run.
    let key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let verify = format!(", verify: {{ key_id: k1, public_key: \"{key}\" }}");
    let bad = Gateway::begin(&config("pod-b", &verify), Folder::new()).await;
    let (code, said) = until_listed("no signature").await;
    assert_eq!(code, 1, "{said}");
    let line = said.lines().find(|line| line.starts_with("pod-b")).unwrap();
    assert!(line.contains("unready"), "{said}");
    let (code, said) = pillion(&["fleet", "--from", &report, "--json"]).await;
    assert_eq!(code, 1, "{said}");
    let list: Value = serde_json::from_str(&said).unwrap();
    let (_, told) = detail(&good).await;
    let document = told["config"]["source"]["document"].as_str().unwrap();
    assert_eq!(list[0]["instance"], "pod-a");
    assert_eq!(list[0]["service"], "chat");
    assert_eq!(list[0]["version"], 1);
    assert_eq!(list[0]["document"], document);
    assert!(
        told["config"]["version"]
            .as_str()
            .unwrap()
            .starts_with(document)
    );
    assert_eq!(list[0]["lags"], false);
    assert_eq!(list[1]["state"], "unready");
    drop(bad);
}

#[tokio::test]
async fn what_each_runs_and_refused_is_reported_by_http_and_listed() {
    fleet_that_reports_to("").await;
}

#[tokio::test]
async fn what_each_runs_and_refused_is_reported_to_redis_and_listed() {
    if let Some(redis) = Redis::start_with(Some("hunter2")).await {
        fleet_that_reports_to(&format!("{}/pillion:fleet", redis.url())).await;
    }
}
