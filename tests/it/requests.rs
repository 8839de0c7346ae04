//! The newest requests, as the admin port tells of them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::fixture::{ask, plain};
use crate::support::{Answer, Client, Config, Gateway, Reply, Upstream, soon};

const TOKEN: &str = "admin-canary-1";

async fn asked(gateway: &Gateway, path: &str, token: Option<&str>) -> Answer {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("connection", "close")];
    headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
    let mut client = Client::connect(gateway.admin).await;
    client.get(path, &headers).await;
    client.answer().await.rest().await
}

/// The list, once it has so many.
async fn list(gateway: &Gateway, count: usize) -> Vec<Value> {
    soon("the requests are listed", async {
        loop {
            let list = gateway.ask_admin("/api/requests").await.json();
            let list = list.as_array().unwrap().clone();
            if list.len() >= count {
                return list;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

#[tokio::test]
async fn the_newest_requests_are_listed_and_one_is_told_whole() {
    let first = Upstream::script([
        Reply::status(503),
        Reply::json(plain("Hello!")),
        Reply::json(plain("Hello!")),
    ])
    .await;
    let second = Upstream::always(Reply::json(plain("Hello!"))).await;
    let gateway = Gateway::start(Config::of(&[&first, &second])).await;
    let one = gateway.chat(&ask()).await;
    list(&gateway, 1).await;
    let other = gateway.chat(&ask()).await;
    let list = list(&gateway, 2).await;
    let ids: Vec<_> = list.iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [other.id(), one.id()]);
    assert_eq!(
        (&list[1]["attempts"], &list[1]["status"]),
        (&json!(2), &json!(200))
    );
    assert_eq!(list[1]["target"], "second/model-second");
    let whole = gateway
        .ask_admin(&format!("/api/requests/{}", one.id()))
        .await;
    let whole = whole.json();
    assert_eq!(whole["attempts"][0]["class"], "overloaded");
    assert_eq!(
        whole["plan"],
        json!(["first/model-first", "second/model-second"])
    );
    let record = gateway.audit(one.id()).await;
    assert_eq!(whole["usage"], record.0["usage"]);
    assert_eq!(gateway.ask_admin("/api/requests/req_0").await.status, 404);
}

#[tokio::test]
async fn where_there_is_a_token_it_alone_opens_a_request() {
    let first = Upstream::always(Reply::json(plain("Hello!"))).await;
    let config = Config::of(&[&first])
        .root("admin_token: \"file:$FOLDER/admin\"")
        .file("admin", TOKEN)
        .env("PILLION_LOG", "trace");
    let gateway = Gateway::start(config).await;
    let id = gateway.chat(&ask()).await.id().to_owned();
    list(&gateway, 1).await;
    let path = format!("/api/requests/{id}");
    for (token, status) in [(None, 401), (Some("other"), 401), (Some(TOKEN), 200)] {
        assert_eq!(
            asked(&gateway, &path, token).await.status,
            status,
            "{token:?}"
        );
    }
    // Another one holds as soon as it is in its place.
    std::fs::write(gateway.folder.file("admin"), "admin-canary-2").unwrap();
    soon("the new token holds", async {
        while asked(&gateway, &path, Some("admin-canary-2")).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(asked(&gateway, &path, Some(TOKEN)).await.status, 401);
    let mut seen = gateway.log();
    assert!(seen.contains("TRACE"));
    for path in ["/readyz", "/metrics", "/api/config", "/api/requests"] {
        seen += gateway.ask_admin(path).await.text();
    }
    assert!(!seen.contains("canary"), "{seen}");
}
