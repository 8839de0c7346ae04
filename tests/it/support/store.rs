//! Stores of secrets of a test's own: real ones, on ports of loopback.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{Client, soon};

const LOOK: Duration = Duration::from_millis(20);

/// The token that may everything.
pub(crate) const ROOT: &str = "root-canary-4711";

/// A server that is killed with its owner.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// `None` where `program` is not installed, which is said on stderr. `variable` names another.
    async fn start(
        variable: &str,
        program: &str,
        run: fn(&mut Command, SocketAddr),
    ) -> Option<Self> {
        let named = std::env::var_os(variable);
        let program = named.clone().unwrap_or_else(|| program.into());
        for _ in 0..5 {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let address = free.local_addr().unwrap();
            drop(free);
            let mut command = Command::new(&program);
            run(&mut command, address);
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let child = match command.spawn() {
                Ok(child) => child,
                Err(_) if named.is_none() => {
                    // Past the capture of a test that passes: it must be seen.
                    let test = std::thread::current();
                    let test = test.name().unwrap_or_default();
                    let line = format!("SKIPPED {test}: {} is not installed\n", program.display());
                    io::stderr().write_all(line.as_bytes()).unwrap();
                    return None;
                }
                Err(error) => panic!("{}: {error}", program.display()),
            };
            let mut server = Self { child, address };
            if server.listens().await {
                return Some(server);
            }
        }
        panic!("{} does not start", program.display());
    }

    /// Waits until it does; false when it has ended.
    async fn listens(&mut self) -> bool {
        soon("the store listens", async {
            loop {
                if self.child.try_wait().unwrap().is_some() {
                    return false;
                }
                if TcpStream::connect(self.address).await.is_ok() {
                    return true;
                }
                sleep(LOOK).await;
            }
        })
        .await
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> (u16, Value) {
        let mut client = Client::connect(self.address).await;
        client
            .post(path, headers, body.to_string().as_bytes())
            .await;
        let answer = client.answer().await.rest().await;
        let value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        (answer.status, value)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An OpenBao in its development mode: in memory, unsealed, with a key-value engine at `secret`.
pub(crate) struct Bao(Server);

impl Bao {
    pub(crate) async fn start() -> Option<Self> {
        let server = Server::start("PILLION_TEST_BAO", "bao", run_bao).await?;
        let bao = Self(server);
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
        format!("http://{}", self.0.address)
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
        let (status, answer) = self.0.post(&format!("/v1/{path}"), &headers, body).await;
        assert!(status < 300, "{path}: {status} {answer}");
        answer
    }

    async fn try_write(&self, path: &str, body: &Value) -> (u16, Value) {
        let headers = [("x-vault-token", ROOT)];
        self.0.post(&format!("/v1/{path}"), &headers, body).await
    }

    /// A new version of the secret at `path`.
    pub(crate) async fn put(&self, path: &str, fields: &Value) {
        let body = json!({ "data": fields });
        self.write(&format!("secret/data/{path}"), &body).await;
    }

    /// Lets whoever has this policy read what lies below `llm`.
    pub(crate) async fn allow(&self, policy: &str) {
        let rules = "path \"secret/data/llm/*\" { capabilities = [\"read\"] }";
        let body = json!({ "policy": rules });
        self.write(&format!("sys/policies/acl/{policy}"), &body)
            .await;
    }

    /// The id of a role, and a secret id for it, whose tokens have these settings.
    pub(crate) async fn role(&self, settings: &Value) -> (String, String) {
        self.allow("llm").await;
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
        let mut client = Client::connect(self.0.address).await;
        let headers = [("x-vault-token", ROOT)];
        client.get(&format!("/v1/{path}"), &headers).await;
        client.answer().await.rest().await.json()
    }

    /// How many tokens there are, the one that may everything among them.
    pub(crate) async fn tokens(&self) -> usize {
        let found = self.read("auth/token/accessors?list=true").await;
        found["data"]["keys"].as_array().unwrap().len()
    }

    /// From here on nothing is answered, and nothing refused.
    pub(crate) fn stop(&self) {
        self.0.signal("STOP");
    }

    pub(crate) fn go_on(&self) {
        self.0.signal("CONT");
    }

    pub(crate) fn kill(&mut self) {
        self.0.child.kill().unwrap();
        self.0.child.wait().unwrap();
    }

    /// Comes back where it was, empty.
    pub(crate) async fn again(&mut self) {
        let program = std::env::var_os("PILLION_TEST_BAO").unwrap_or_else(|| "bao".into());
        let mut command = Command::new(program);
        run_bao(&mut command, self.0.address);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.0.child = command.spawn().unwrap();
        assert!(self.0.listens().await, "it does not come back");
        self.is_there().await;
    }
}

fn run_bao(command: &mut Command, address: SocketAddr) {
    command.args(["server", "-dev", "-dev-no-store-token"]);
    command.arg(format!("-dev-root-token-id={ROOT}"));
    command.arg(format!("-dev-listen-address={address}"));
}

/// AWS as moto plays it.
pub(crate) struct Moto(Server);

impl Moto {
    pub(crate) async fn start() -> Option<Self> {
        let run: fn(&mut Command, SocketAddr) = |command, address| {
            let (host, port) = (address.ip().to_string(), address.port().to_string());
            command.args(["-H", &host, "-p", &port]);
        };
        Some(Self(
            Server::start("PILLION_TEST_MOTO", "moto_server", run).await?,
        ))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.address)
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
        let (status, answer) = self.0.post("/", &headers, body).await;
        assert_eq!(status, 200, "{target}: {answer}");
        answer
    }
}
