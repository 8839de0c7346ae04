//! Stores of secrets of a test's own: real ones, on ports of loopback.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::peer::Ports;
use super::{Client, Folder, Peer, Program, soon};

const LOOK: Duration = Duration::from_millis(20);

/// The token that may everything.
pub(crate) const ROOT: &str = "root-canary-4711";

const BAO: Program = Program {
    variable: "PILLION_TEST_BAO",
    names: &["bao"],
    version: "version",
};
const MOTO: Program = Program {
    variable: "PILLION_TEST_MOTO",
    names: &["moto_server"],
    version: "--help",
};

async fn post(server: &Peer, path: &str, headers: &[(&str, &str)], body: &Value) -> (u16, Value) {
    let mut client = Client::connect(server.address()).await;
    client
        .post(path, headers, body.to_string().as_bytes())
        .await;
    let answer = client.answer().await.rest().await;
    let value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    (answer.status, value)
}

/// An OpenBao in its development mode: in memory, unsealed, with a key-value engine at `secret`.
pub(crate) struct Bao(Peer);

impl Bao {
    pub(crate) async fn start() -> Option<Self> {
        let arguments = |ports: &Ports, _: &Folder| {
            let token = format!("-dev-root-token-id={ROOT}");
            let address = format!("-dev-listen-address=127.0.0.1:{}", ports[0]);
            let development = ["server", "-dev", "-dev-no-store-token"].map(str::to_owned);
            [&development[..], &[token, address]].concat()
        };
        let bao = Self(Peer::start(BAO.find()?, arguments).await);
        bao.is_there().await;
        Some(bao)
    }

    /// It answers, and its engine is there.
    async fn is_there(&self) {
        soon("the store is unsealed", async {
            while self
                .try_write("secret/data/there", &json!({ "data": {} }))
                .await
                .0
                != 200
            {
                sleep(LOOK).await;
            }
        })
        .await;
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.address())
    }

    /// Writes to a path of its interface, which must do it; returns what it answers.
    pub(crate) async fn write(&self, path: &str, body: &Value) -> Value {
        self.write_in(None, path, body).await
    }

    /// The same in a namespace.
    pub(crate) async fn write_in(
        &self,
        namespace: Option<&str>,
        path: &str,
        body: &Value,
    ) -> Value {
        let mut headers = vec![("x-vault-token", ROOT)];
        headers.extend(namespace.map(|name| ("x-vault-namespace", name)));
        let (status, answer) = post(&self.0, &format!("/v1/{path}"), &headers, body).await;
        assert!(status < 300, "{path}: {status} {answer}");
        answer
    }

    async fn try_write(&self, path: &str, body: &Value) -> (u16, Value) {
        let headers = [("x-vault-token", ROOT)];
        post(&self.0, &format!("/v1/{path}"), &headers, body).await
    }

    /// A new version of the secret at `path`.
    pub(crate) async fn put(&self, path: &str, fields: &Value) {
        let body = json!({ "data": fields });
        self.write(&format!("secret/data/{path}"), &body).await;
    }

    /// Lets whoever has the policy `llm` read what lies below these, and nothing else.
    pub(crate) async fn allow(&self, folders: &[&str]) {
        let rule = |folder: &&str| {
            format!("path \"secret/data/{folder}/*\" {{ capabilities = [\"read\"] }}\n")
        };
        let rules: String = folders.iter().map(rule).collect();
        let body = json!({ "policy": rules });
        self.write("sys/policies/acl/llm", &body).await;
    }

    /// The id of a role, and a secret id for it, whose tokens have these settings.
    pub(crate) async fn role(&self, settings: &Value) -> (String, String) {
        self.allow(&["llm"]).await;
        let (status, _) = self
            .try_write("sys/auth/approle", &json!({ "type": "approle" }))
            .await;
        assert!(matches!(status, 204 | 400), "{status}");
        self.write("auth/approle/role/chat", settings).await;
        let id = self.read("auth/approle/role/chat/role-id").await["data"]["role_id"].clone();
        let made = self
            .write("auth/approle/role/chat/secret-id", &json!({}))
            .await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&id), text(&made["data"]["secret_id"]))
    }

    pub(crate) async fn read(&self, path: &str) -> Value {
        let mut client = Client::connect(self.0.address()).await;
        let headers = [("x-vault-token", ROOT)];
        client.get(&format!("/v1/{path}"), &headers).await;
        client.answer().await.rest().await.json()
    }

    /// What the tokens that there are go by, the one that may everything among them.
    pub(crate) async fn accessors(&self) -> BTreeSet<String> {
        let found = self.read("auth/token/accessors?list=true").await;
        let found = found["data"]["keys"].as_array().unwrap().iter();
        found.map(|it| it.as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn tokens(&self) -> usize {
        self.accessors().await.len()
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.address().port()
    }

    /// From here on nothing is answered, and nothing refused.
    pub(crate) fn stop(&self) {
        self.0.signal("STOP");
    }

    pub(crate) fn go_on(&self) {
        self.0.signal("CONT");
    }

    pub(crate) fn kill(&mut self) {
        self.0.kill();
    }

    /// Comes back where it was, empty.
    pub(crate) async fn again(&mut self) {
        self.0.again().await;
        self.is_there().await;
    }
}

/// AWS as moto plays it.
pub(crate) struct Moto(Peer);

impl Moto {
    pub(crate) async fn start() -> Option<Self> {
        let arguments = |ports: &Ports, _: &Folder| {
            ["-H", "127.0.0.1", "-p", &ports[0].to_string()]
                .map(str::to_owned)
                .to_vec()
        };
        Some(Self(Peer::start(MOTO.find()?, arguments).await))
    }

    /// From here on nothing is answered, and nothing refused.
    pub(crate) fn stop(&self) {
        self.0.signal("STOP");
    }

    pub(crate) fn kill(&mut self) {
        self.0.kill();
    }

    /// Comes back where it was, empty.
    pub(crate) async fn again(&mut self) {
        self.0.again().await;
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.address())
    }

    /// Asks `service` to do something: `target` is the name of that in AWS's protocol.
    pub(crate) async fn ask(&self, service: &str, target: &str, body: &Value) -> Value {
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=AKIA/20261126/eu-central-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        );
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target),
            ("authorization", &*scope),
        ];
        let (status, answer) = post(&self.0, "/", &headers, body).await;
        assert_eq!(status, 200, "{target}: {answer}");
        answer
    }
}
