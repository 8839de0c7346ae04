use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::secret::VaultAuth;
use crate::upstream::{Clients, Egress, Trust};

#[test]
fn a_version_is_known_by_its_number_and_its_time() {
    let answer = br#"{"request_id":"x","lease_id":"","renewable":false,"lease_duration":0,"data":{"data":{"key":"sk-1"},"metadata":{"created_time":"2026-11-26T10:00:00.1Z","custom_metadata":null,"deletion_time":"","destroyed":false,"version":3}},"auth":null}"#;
    let found = read(&Wiped::new(Bytes::from_static(answer)));
    let found = found.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(&*found.version, "3@2026-11-26T10:00:00.1Z");
    let deleted = br#"{"data":{"data":null,"metadata":{"created_time":"t","deletion_time":"t","version":3}}}"#;
    let error = read(&Wiped::new(Bytes::from_static(deleted))).err();
    assert_eq!(error, Some(SecretError::Missing));
    for broken in ["", "{}", r#"{"data":{"key":"sk-1"}}"#] {
        let error = read(&Wiped::new(Bytes::from_static(broken.as_bytes()))).err();
        assert!(matches!(error, Some(SecretError::Away(_))), "{broken}");
    }
}

#[test]
fn a_path_cannot_become_another() {
    for (path, url) in [
        ("llm/openai", "llm/openai"),
        ("/llm/openai/", "llm/openai"),
        ("a?b=c#d%2e", "a%3Fb%3Dc%23d%252e"),
    ] {
        assert_eq!(escaped(path), url);
    }
}

/// A Vault that does what it is told: it issues `t-1`, `t-2` and so on.
#[derive(Default)]
struct Script {
    issued: u64,
    /// Tokens that are good, and paths that are open to them.
    good: BTreeSet<String>,
    open: BTreeSet<&'static str>,
    /// What the next logins are answered instead of with a token.
    failures: VecDeque<u16>,
    /// How many were tried.
    logins: u64,
    given_back: Vec<String>,
}

type Shared = Arc<Mutex<Script>>;

impl Script {
    fn answer(&mut self, path: &str, token: &str) -> (u16, String) {
        let is_good = self.good.contains(token);
        match path.trim_start_matches("/v1/") {
            "auth/approle/login" => {
                self.logins += 1;
                if let Some(status) = self.failures.pop_front() {
                    return (status, "{}".into());
                }
                self.issued += 1;
                let token = format!("t-{}", self.issued);
                let auth = format!(
                    r#"{{"auth":{{"client_token":"{token}","lease_duration":3600,"renewable":true}}}}"#
                );
                self.good.insert(token);
                (200, auth)
            }
            "auth/token/lookup-self" if is_good => {
                self.logins += 1;
                (200, r#"{"data":{"ttl":3600,"renewable":true}}"#.into())
            }
            "auth/token/revoke-self" if is_good => {
                self.good.remove(token);
                self.given_back.push(token.into());
                (204, String::new())
            }
            path if is_good => match path.strip_prefix("kv/data/") {
                Some(path) if self.open.contains(path) => (
                    200,
                    r#"{"data":{"data":{"key":"sk-1"},"metadata":{"created_time":"t","version":1}}}"#
                        .into(),
                ),
                _ => (403, "{}".into()),
            },
            _ => (403, "{}".into()),
        }
    }
}

/// One request, and its answer.
async fn serve(stream: TcpStream, script: Shared) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let (mut path, mut token, mut length) = (String::new(), String::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let line = line.trim_end();
        if path.is_empty() {
            path = line.split(' ').nth(1)?.to_owned();
        } else if let Some((name, value)) = line.split_once(": ") {
            match name {
                "x-vault-token" => value.clone_into(&mut token),
                "content-length" => length = value.parse().ok()?,
                _ => {}
            }
        } else {
            break;
        }
    }
    stream.read_exact(&mut vec![0; length]).await.ok()?;
    let (status, body) = script.lock().unwrap().answer(&path, &token);
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all((head + &body).as_bytes()).await.ok()
}

/// A file, gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn holding(content: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pillion-vault-{:016x}", fastrand::u64(..)));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

struct Scene {
    script: Shared,
    vault: Vault,
    _file: Scratch,
}

impl Scene {
    /// A Vault where `open` may be read, and who asks it.
    async fn with(open: &[&'static str], auth: impl FnOnce(PathBuf) -> VaultAuth) -> Self {
        let script: Shared = Arc::default();
        script.lock().unwrap().open.extend(open);
        script.lock().unwrap().good.insert("t-file".into());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tasks = Tasks::default();
        let (own, served) = (tasks.clone(), Arc::clone(&script));
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let script = Arc::clone(&served);
                own.spawn(async move {
                    let _ = serve(stream, script).await;
                });
            }
        });
        let file = Scratch::holding("t-file\n");
        let place = VaultPlace {
            address: format!("http://{address}").into(),
            mount: "kv".into(),
            namespace: None,
            auth: auth(file.0.clone()),
            auth_mount: "approle".into(),
        };
        let clients = Clients::new(tasks.clone(), Egress::default());
        let channel = Channel::new(Trust::default(), &clients, false);
        Self {
            vault: Vault::new(place, channel, &tasks),
            script,
            _file: file,
        }
    }

    async fn by_role(open: &[&'static str]) -> Self {
        let auth = |secret_id_file| VaultAuth::AppRole {
            role_id: "r".into(),
            secret_id_file,
        };
        Self::with(open, auth).await
    }

    async fn by_file(open: &[&'static str]) -> Self {
        Self::with(open, |file| VaultAuth::Token { file }).await
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    async fn reads(&self, path: &str) -> bool {
        self.vault.found(path).await.is_ok()
    }

    async fn is_given_back(&self, tokens: &[&str]) {
        let told = async {
            while self.script().given_back != tokens {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let told = tokio::time::timeout(Duration::from_secs(10), told).await;
        assert!(told.is_ok(), "{:?}", self.script().given_back);
    }
}

#[tokio::test]
async fn a_denied_path_has_one_login_more_however_often_it_is_read() {
    let scene = Scene::by_role(&["a"]).await;
    for _ in 0..5 {
        for denied in ["b", "c"] {
            assert!(scene.reads("a").await && !scene.reads(denied).await);
        }
    }
    // The first, and one each for those that it did not open.
    assert_eq!(scene.script().logins, 3);
    scene.script().open.insert("b");
    assert!(
        scene.reads("b").await,
        "what a policy says, each token sees"
    );
    assert_eq!(scene.script().logins, 3);
}

#[tokio::test]
async fn a_token_stays_until_there_is_another() {
    let scene = Scene::by_role(&["a", "b"]).await;
    assert!(scene.reads("a").await && scene.reads("b").await);
    scene.script().open.remove("b");
    scene.script().failures.extend([503, 400]);
    for _ in 0..2 {
        assert!(!scene.reads("b").await, "the login fails");
        assert!(scene.reads("a").await);
    }
    {
        let script = scene.script();
        assert_eq!((script.logins, script.issued), (3, 1));
        assert!(script.given_back.is_empty());
    }
    // A token that is good no more is replaced as soon as there is another.
    scene.script().good.clear();
    scene.script().failures.push_back(503);
    assert!(!scene.reads("a").await);
    assert!(scene.reads("a").await);
}

#[tokio::test]
async fn what_was_replaced_is_given_back() {
    let scene = Scene::by_role(&["a"]).await;
    assert!(scene.reads("a").await && !scene.reads("b").await);
    scene.is_given_back(&["t-1"]).await;
    assert!(scene.reads("a").await && !scene.reads("c").await);
    scene.is_given_back(&["t-1", "t-2"]).await;
    let Scene {
        script,
        vault,
        _file,
    } = scene;
    drop(vault);
    while !script.lock().unwrap().good.iter().eq(["t-file"]) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn who_is_late_with_a_token_that_was_given_back_takes_the_next() {
    let scene = Scene::by_role(&["a"]).await;
    let late = scene.vault.session.token().await.unwrap();
    assert!(scene.reads("a").await && !scene.reads("b").await);
    scene.is_given_back(&["t-1"]).await;
    assert!(scene.vault.calls_for_another("a", &late));
    let next = scene.vault.session.another(late.number).await.unwrap();
    assert_eq!((next.number, scene.script().logins), (2, 2));
}

#[tokio::test]
async fn a_token_from_a_file_is_never_given_back() {
    let scene = Scene::by_file(&["a"]).await;
    assert!(scene.reads("a").await && !scene.reads("b").await);
    assert_eq!(scene.script().logins, 2, "the file is read again");
    let Scene {
        script,
        vault,
        _file,
    } = scene;
    drop(vault);
    // Whoever would give it back does so before another one begins.
    tokio::task::yield_now().await;
    assert!(script.lock().unwrap().given_back.is_empty());
    assert!(script.lock().unwrap().good.contains("t-file"));
}
