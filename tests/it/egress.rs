//! The way out through a proxy that the environment names.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::support::fixture::{ask, plain, read_plain};
use crate::support::tls::behind_tls;
use crate::support::{Config, Gateway, Reply, Upstream, soon};

/// A proxy that connects to one place whatever name it is asked for, and keeps what it was told.
struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// `port` is where every tunnel ends; a status other than 200 refuses them.
    async fn tunnel(port: u16, status: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&heads);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut tunnels = JoinSet::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let kept = Arc::clone(&kept);
                tunnels.spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = stream.read_u8().await else {
                            return;
                        };
                        head.push(byte);
                    }
                    kept.lock().unwrap().push(String::from_utf8(head).unwrap());
                    let answer = format!("HTTP/1.1 {status} Scripted\r\n\r\n");
                    let _ = stream.write_all(answer.as_bytes()).await;
                    if status == 200
                        && let Ok(mut far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await
                    {
                        let _ = copy_bidirectional(&mut stream, &mut far).await;
                    }
                });
            }
        });
        Self {
            address,
            heads,
            _tasks: tasks,
        }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    fn url(&self, user: &str) -> String {
        format!("http://{user}{}", self.address)
    }
}

#[tokio::test]
async fn a_provider_behind_tls_is_reached_through_a_tunnel() {
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let mut tasks = JoinSet::new();
    let (port, authority) = behind_tls("provider.test", upstream.port(), &mut tasks).await;
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let before = upstream.hits();
        let proxy = Proxy::tunnel(port, 200).await;
        let keys = "ca: $FOLDER/ca.pem, secret: \"env:KEY\"";
        let config = Config::new()
            .file("ca.pem", &authority)
            .provider("first", "https://provider.test:8443/v1", keys)
            .env("KEY", "sk-canary")
            .env(variable, &proxy.url("me:pa%20ss@"));
        let gateway = Gateway::start(config).await;
        for _ in 0..2 {
            let answer = gateway.chat(&ask()).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(read_plain(&answer.json())[0].text, "Hello!");
        }
        let heads = proxy.heads();
        assert_eq!(heads.len(), 1, "the tunnel is kept: {heads:?}");
        assert!(heads[0].starts_with("CONNECT provider.test:8443 HTTP/1.1\r\n"));
        // `me:pa ss`
        let auth = "\r\nProxy-Authorization: Basic bWU6cGEgc3M=\r\n";
        assert!(heads[0].contains(auth), "{}", heads[0]);
        assert!(!heads[0].contains("canary"));
        let seen = upstream.request(before).await;
        assert_eq!(seen.header("authorization"), Some("Bearer sk-canary"));
        assert_eq!(seen.header("proxy-authorization"), None);
    }
}

#[tokio::test]
async fn a_warm_connection_goes_through_the_tunnel_too() {
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let mut tasks = JoinSet::new();
    let (port, authority) = behind_tls("provider.test", upstream.port(), &mut tasks).await;
    let proxy = Proxy::tunnel(port, 200).await;
    let config = Config::new()
        .file("ca.pem", &authority)
        .provider("first", "https://provider.test/v1", "ca: $FOLDER/ca.pem")
        .knob("warm: true")
        .env("HTTPS_PROXY", &proxy.url(""));
    let gateway = Gateway::start(config).await;
    soon("a connection is opened early", upstream.connected(0)).await;
    let answer = gateway.chat(&ask()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let heads = proxy.heads();
    assert!(heads[0].starts_with("CONNECT provider.test:443 HTTP/1.1\r\n"));
    assert_eq!(heads.len(), 1, "{heads:?}");
}

#[tokio::test]
async fn a_provider_in_clear_text_is_asked_for_whole_at_the_proxy() {
    // The proxy answers for it.
    let proxy = Upstream::always(Reply::json(plain("Hello!"))).await;
    let config = Config::new()
        .provider("first", "http://llm.test:8000/v1", "")
        .env(
            "http_proxy",
            &proxy.root_url().replace("://", "://me:secret@"),
        );
    let gateway = Gateway::start(config).await;
    let answer = gateway.chat(&ask()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = proxy.request(0).await;
    let start = "POST http://llm.test:8000/v1/chat/completions HTTP/1.1\r\n";
    assert!(seen.head.starts_with(start), "{}", seen.head);
    let auth = seen.header("proxy-authorization");
    assert_eq!(auth, Some("Basic bWU6c2VjcmV0"));
    assert!(!gateway.log().contains("secret"), "{}", gateway.log());
}

#[tokio::test]
async fn loopback_and_no_proxy_are_reached_directly() {
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let proxy = Proxy::tunnel(1, 502).await;
    let local = format!("http://localhost:{}/v1", upstream.port());
    for (url, exempt) in [
        (upstream.base_url(), ""),
        (local, ""),
        (upstream.base_url(), "127.0.0.0/8"),
    ] {
        let config = Config::new()
            .provider("first", &url, "")
            .env("HTTP_PROXY", &proxy.url(""))
            .env("NO_PROXY", exempt);
        let gateway = Gateway::start(config).await;
        assert_eq!(gateway.chat(&ask()).await.status, 200, "{url}");
    }
    assert_eq!(proxy.heads(), [] as [String; 0]);
}

#[tokio::test]
async fn a_proxy_that_refuses_is_a_provider_that_cannot_be_reached() {
    let backup = Upstream::always(Reply::json(plain("from the backup"))).await;
    for status in [403, 407, 502] {
        let proxy = Proxy::tunnel(1, status).await;
        let config = Config::new()
            .provider("first", "https://provider.test/v1", "")
            .provider("second", &backup.base_url(), "")
            .env("HTTPS_PROXY", &proxy.url("me:secret@"));
        let gateway = Gateway::start(config).await;
        let answer = gateway.chat(&ask()).await;
        assert_eq!(read_plain(&answer.json())[0].text, "from the backup");
        let record = gateway.audit(answer.id()).await;
        assert_eq!(record.classes()[0], "connect");
        assert!(!gateway.log().contains("secret"), "{}", gateway.log());
    }
}
