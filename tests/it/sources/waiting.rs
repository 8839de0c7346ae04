//! A web server that waits for a change when it is asked to.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::followed::Keeper;
use super::{LONG, new, open, place, same, signed, told};
use crate::support::centre::Away;
use crate::support::{Reply, Upstream, soon};

/// Keeps a document, and its number as its `ETag`.
pub(super) struct Waiting {
    address: SocketAddr,
    document: watch::Sender<(u64, String)>,
    away: watch::Sender<Option<Away>>,
    _tasks: JoinSet<()>,
}

impl Waiting {
    /// Says that it waits where `tells`.
    pub(super) async fn start(tells: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let document = watch::Sender::new((1, "a: 1\n".to_owned()));
        let (kept, away) = (document.subscribe(), watch::Sender::new(None));
        let gone = away.subscribe();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (kept, mut broken) = (kept.clone(), gone.clone());
                let silent = gone.clone();
                connections.spawn(async move {
                    let is_broken = |away: &Option<Away>| matches!(away, Some(Away::Broken));
                    tokio::select! {
                        () = serve(stream, kept, silent, tells) => {}
                        _ = broken.wait_for(is_broken) => {}
                    }
                });
            }
        });
        Self {
            address,
            document,
            away,
            _tasks: tasks,
        }
    }

    fn put(&self, text: &str) {
        self.document.send_modify(|(number, kept)| {
            *number += 1;
            text.clone_into(kept);
        });
    }
}

impl Keeper for Waiting {
    const WATCHES: bool = true;

    fn keys(&self) -> String {
        format!("url: \"http://{}/prod.yaml\"", self.address)
    }

    async fn put(&mut self, text: &str) {
        Self::put(self, text);
    }

    fn stop(&mut self) {
        self.away.send_replace(Some(Away::Silent));
    }

    fn kill(&mut self) {
        self.away.send_replace(Some(Away::Broken));
    }

    async fn again(&mut self) {
        self.away.send_replace(None);
    }
}

async fn serve(
    mut stream: TcpStream,
    mut document: watch::Receiver<(u64, String)>,
    mut away: watch::Receiver<Option<Away>>,
    tells: bool,
) {
    let mut head = Vec::new();
    while stream.read_buf(&mut head).await.is_ok_and(|read| read > 0) {
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let asked = String::from_utf8(std::mem::take(&mut head)).unwrap();
        let header = |name: &str| {
            let line = asked.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim().to_owned())
        };
        let known = header("if-none-match:");
        let is_known = |number: u64| known == Some(format!("\"{number}\""));
        if let Some(wait) = header("prefer: wait=") {
            let wait = Duration::from_secs(wait.parse().unwrap());
            let _ = timeout(wait, document.wait_for(|(number, _)| !is_known(*number))).await;
        }
        let _ = away.wait_for(Option::is_none).await;
        let (number, text) = document.borrow_and_update().clone();
        let (status, text) = if is_known(number) {
            (304, String::new())
        } else {
            (200, text)
        };
        let told = if tells {
            "preference-applied: wait\r\n"
        } else {
            ""
        };
        let length = text.len();
        let answer = format!(
            "HTTP/1.1 {status} x\r\netag: \"{number}\"\r\n{told}content-length: {length}\r\n\r\n{text}"
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_server_that_says_that_it_waits_is_watched() {
    let server = Waiting::start(true).await;
    let mut source = open(&place(&format!("http://{}/prod.yaml", server.address)));
    assert!(!source.watches());
    assert_eq!(new(&mut *source).await.text, "a: 1\n");
    for text in ["a: 2\n", "a: 3\n"] {
        let document = told(&mut *source, async { server.put(text) }).await;
        assert_eq!(document.text, text);
    }
    // Without time to wait it answers at once, which is no reason to give up watching.
    same(&mut *source).await;
    assert!(source.watches());
}

#[tokio::test]
async fn a_server_that_waits_without_a_word_is_found_out() {
    let server = Waiting::start(false).await;
    let mut source = open(&place(&format!("http://{}/prod.yaml", server.address)));
    new(&mut *source).await;
    assert!(!source.watches());
    let fetched = soon("it waits", source.fetch(Duration::from_secs(1))).await;
    assert!(matches!(fetched, Ok(pillion::source::Fetched::Same)));
    let document = told(&mut *source, async { server.put("a: 2\n") }).await;
    assert_eq!(document.text, "a: 2\n");
}

#[tokio::test]
async fn a_server_that_only_says_so_is_polled() {
    let mut first = true;
    let server = Upstream::choosing(move |_| {
        let reply = if std::mem::take(&mut first) {
            Reply::json("{}").header("etag", "\"1\"")
        } else {
            Reply::status(304)
        };
        reply.header("preference-applied", "wait")
    })
    .await;
    let mut source = open(&place(&server.root_url()));
    new(&mut *source).await;
    assert!(source.watches());
    let fetched = soon("it answers", source.fetch(LONG)).await;
    assert!(matches!(fetched, Ok(pillion::source::Fetched::Same)));
    assert!(!source.watches());
    assert_eq!(server.request(1).await.header("prefer"), Some("wait=15"));
}

#[tokio::test]
async fn a_server_that_failed_is_not_asked_to_wait() {
    let replies = [
        Reply::json("{}").header("etag", "\"1\""),
        Reply::status(500),
        Reply::status(304),
        Reply::status(304),
    ];
    let server = Upstream::script(replies).await;
    let mut source = open(&place(&server.root_url()));
    new(&mut *source).await;
    for (number, tag, wait) in [(1, true, true), (2, true, false), (3, true, true)] {
        let _ = soon("it answers", source.fetch(LONG)).await;
        let asked = server.request(number).await;
        assert_eq!(asked.header("if-none-match").is_some(), tag, "{number}");
        assert_eq!(asked.header("prefer").is_some(), wait, "{number}");
    }
}

#[tokio::test]
async fn a_signature_in_the_head_wins() {
    let server = Upstream::choosing(|seen| {
        assert!(!seen.head.contains(".sig"), "{}", seen.head);
        Reply::json("{}").header("x-pillion-signature", "k1 AAAA")
    })
    .await;
    let mut source = open(&signed(place(&server.root_url())));
    assert_eq!(new(&mut *source).await.signature.unwrap(), "k1 AAAA");
    let mut unsigned = open(&place(&server.root_url()));
    assert_eq!(new(&mut *unsigned).await.signature, None);
}
