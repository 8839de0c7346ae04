//! etcd, version 3, as it is installed.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use pillion::config::Format;
use pillion::source::{Fetched, SourceError};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::followed::Keeper;
use super::{
    LONG, ask, error, found, is_away, is_signed, keeps_up, new, open, place, same, signed, told,
    try_ask,
};
use crate::support::reply::End;
use crate::support::{Peer, Program, Reply, Upstream, soon};

const PROGRAM: Program = Program {
    variable: "PILLION_TEST_ETCD",
    names: &["etcd"],
    version: "--version",
};

pub(super) struct Etcd(Peer);

impl Etcd {
    pub(super) async fn start() -> Option<Self> {
        let program = PROGRAM.find()?;
        let peer = Peer::start(program, |ports, folder| {
            let clients = format!("http://127.0.0.1:{}", ports[0]);
            let peers = format!("http://127.0.0.1:{}", ports[1]);
            let data = folder.file("data").display().to_string();
            [
                ["--data-dir", &data],
                ["--listen-client-urls", &clients],
                ["--advertise-client-urls", &clients],
                ["--listen-peer-urls", &peers],
                ["--initial-advertise-peer-urls", &peers],
                ["--initial-cluster", &format!("default={peers}")],
                ["--max-request-bytes", "16777216"],
            ]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect()
        })
        .await;
        let etcd = Self(peer);
        etcd.is_well().await;
        Some(etcd)
    }

    async fn is_well(&self) {
        let url = format!("{}/health", self.base());
        soon("etcd is well", async {
            while !try_ask(Method::GET, &url, &[], "").await.1.contains("true") {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.ports[0])
    }

    fn url(&self, user: &str, key: &str) -> String {
        format!("etcd://{user}127.0.0.1:{}/{key}", self.0.ports[0])
    }

    async fn call(&self, path: &str, body: Value) -> Value {
        self.call_as("", path, body).await
    }

    async fn call_as(&self, token: &str, path: &str, body: Value) -> Value {
        let url = format!("{}/v3/{path}", self.base());
        let token = [("authorization", token)];
        let known = token.iter().filter(|(_, token)| !token.is_empty());
        let known: Vec<_> = known.copied().collect();
        let text = ask(Method::POST, &url, &known, &body.to_string()).await;
        serde_json::from_str(&text).unwrap()
    }

    async fn put(&self, key: &str, value: &str) {
        let body = json!({"key": text(key), "value": text(value)});
        self.call("kv/put", body).await;
    }

    async fn remove(&self, key: &str) {
        self.call("kv/deleterange", json!({"key": text(key)})).await;
    }
}

impl Keeper for Etcd {
    const WATCHES: bool = true;

    fn keys(&self) -> String {
        format!("url: \"{}\"", self.url("", "pillion/prod.yaml"))
    }

    async fn put(&mut self, text: &str) {
        Self::put(self, "pillion/prod.yaml", text).await;
    }

    fn stop(&mut self) {
        self.0.signal("STOP");
    }

    fn kill(&mut self) {
        self.0.kill();
    }

    async fn again(&mut self) {
        self.0.again().await;
        self.is_well().await;
    }
}

fn text(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

#[tokio::test]
async fn a_key_is_watched_through_compactions_and_outages() {
    let Some(mut etcd) = Etcd::start().await else {
        return;
    };
    let mut source = open(&place(&etcd.url("", "pillion/prod.json")));
    keeps_up(&mut *source, async |text| match text {
        Some(text) => etcd.put("pillion/prod.json", text).await,
        None => etcd.remove("pillion/prod.json").await,
    })
    .await;

    // What it would go on from is gone when it asks again.
    etcd.put("other", "1").await;
    etcd.put("pillion/prod.json", "{\"a\": 3}").await;
    etcd.put("other", "2").await;
    let now = etcd.call("kv/range", json!({"key": text("other")})).await;
    let revision = now["header"]["revision"].clone();
    etcd.call("kv/compaction", json!({"revision": revision}))
        .await;
    let document = found(&mut *source).await;
    assert_eq!(document.text, "{\"a\": 3}");
    assert_eq!(document.format, Format::Json);

    etcd.put("pillion/prod.json", &super::too_large()).await;
    let refused = error(&mut *source).await;
    assert!(matches!(refused, SourceError::Unusable(_)), "{refused:?}");
    etcd.put("pillion/prod.json", "{\"a\": 4}").await;
    assert_eq!(new(&mut *source).await.text, "{\"a\": 4}");

    // While somebody waits, and while it is away.
    let (fetched, ()) = tokio::join!(source.fetch(LONG), async {
        let _ = timeout(super::AT_ONCE / 2, std::future::pending::<()>()).await;
        etcd.0.kill();
    });
    assert!(is_away(&fetched.unwrap_err()));
    assert!(is_away(&error(&mut *source).await));
    etcd.0.again().await;
    etcd.is_well().await;
    same(&mut *source).await;
    let put = etcd.put("pillion/prod.json", "{\"a\": 5}");
    assert_eq!(told(&mut *source, put).await.text, "{\"a\": 5}");
}

#[tokio::test]
async fn a_store_that_was_put_back_in_time_is_read_anew() {
    let Some(mut etcd) = Etcd::start().await else {
        return;
    };
    for number in 0..20 {
        etcd.put("prod", &format!("a: {number}\n")).await;
    }
    let mut source = open(&place(&etcd.url("", "prod")));
    assert_eq!(new(&mut *source).await.text, "a: 19\n");
    etcd.0.kill();
    std::fs::remove_dir_all(etcd.0.folder.file("data")).unwrap();
    etcd.0.again().await;
    etcd.is_well().await;
    etcd.put("prod", "restored: true\n").await;
    // The source goes on from a revision that is yet to come.
    assert_eq!(found(&mut *source).await.text, "restored: true\n");
}

#[tokio::test]
async fn a_signature_has_a_key_of_its_own() {
    let Some(etcd) = Etcd::start().await else {
        return;
    };
    let mut source = open(&signed(place(&etcd.url("", "prod.yaml"))));
    is_signed(&mut *source, async |end, text| {
        etcd.put(&format!("prod.yaml{end}"), text).await;
    })
    .await;
}

#[tokio::test]
async fn a_user_gets_a_token_and_another_one_when_it_is_refused() {
    let Some(etcd) = Etcd::start().await else {
        return;
    };
    etcd.put("prod", "a: 1\n").await;
    for (name, password) in [("root", "root-canary"), ("reader", "p@ss/canary")] {
        etcd.call("auth/user/add", json!({"name": name, "password": password}))
            .await;
    }
    etcd.call("auth/role/add", json!({"name": "root"})).await;
    etcd.call("auth/role/add", json!({"name": "reads"})).await;
    let permission = json!({"permType": "READ", "key": text("prod")});
    etcd.call(
        "auth/role/grant",
        json!({"name": "reads", "perm": permission}),
    )
    .await;
    for (user, role) in [("root", "root"), ("reader", "reads")] {
        etcd.call("auth/user/grant", json!({"user": user, "role": role}))
            .await;
    }
    etcd.call("auth/enable", json!({})).await;

    let mut reader = open(&place(&etcd.url("reader:p%40ss%2Fcanary@", "prod")));
    assert_eq!(new(&mut *reader).await.text, "a: 1\n");
    for (user, key) in [
        ("", "prod"),
        ("reader:wrong@", "prod"),
        ("reader:p%40ss%2Fcanary@", "secret"),
    ] {
        let place = place(&etcd.url(user, key));
        let refused = error(&mut *open(&place)).await;
        assert!(
            matches!(refused, SourceError::Refused(_)),
            "{user} {refused:?}"
        );
        assert!(!format!("{refused} {place:?}").contains("canary"));
    }

    let root = json!({"name": "root", "password": "root-canary"});
    let token = etcd.call("auth/authenticate", root).await["token"].clone();
    let root = token.as_str().unwrap();
    let put = async |value: &str| {
        let body = json!({"key": text("prod"), "value": text(value)});
        etcd.call_as(root, "kv/put", body).await;
    };
    assert_eq!(told(&mut *reader, put("a: 2\n")).await.text, "a: 2\n");

    // With another password, its token is worth nothing: it asks for one anew, and is refused.
    let changed = json!({"name": "reader", "password": "another"});
    etcd.call_as(root, "auth/user/changepw", changed).await;
    let refused = error(&mut *reader).await;
    assert!(matches!(refused, SourceError::Refused(_)), "{refused:?}");
    let back = json!({"name": "reader", "password": "p@ss/canary"});
    etcd.call_as(root, "auth/user/changepw", back).await;
    same(&mut *reader).await;

    // A token in a file is sent as it is.
    let file = etcd.0.folder.file("token");
    std::fs::write(&file, format!("{root}\n")).unwrap();
    let with_token = super::with_token(place(&etcd.url("", "prod")), file);
    assert_eq!(new(&mut *open(&with_token)).await.text, "a: 2\n");
}

#[tokio::test]
async fn a_change_that_was_not_told_yet_is_told_by_the_next_watch() {
    let header = json!({ "header": { "revision": "9" }, "created": true });
    let begun = format!("{}\n", json!({ "result": header }));
    let read = json!({
        "header": { "revision": "5" },
        "responses": [{ "response_range": { "kvs": [{ "value": text("a: 1\n") }] } }],
    });
    let server = Upstream::choosing(move |seen| {
        if seen.head.starts_with("POST /v3/kv/txn") {
            return Reply::json(read.to_string());
        }
        // The event of revision 7 is late.
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        Reply::raw(format!("{head}{:x}\r\n{begun}\r\n", begun.len())).ends(End::Silence)
    })
    .await;
    let base = server.root_url().replace("http://", "etcd://");
    let mut source = open(&place(&format!("{base}/k")));
    assert_eq!(new(&mut *source).await.text, "a: 1\n");
    for _ in 0..2 {
        let fetched = source.fetch(Duration::from_secs(1)).await;
        assert!(matches!(fetched, Ok(Fetched::Same)), "{fetched:?}");
        let last = server.requests().pop().unwrap();
        assert_eq!(last.json()["create_request"]["start_revision"], "6");
    }
}
