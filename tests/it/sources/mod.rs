//! Where a central document can be fetched from, each asked as the gateway asks it, against the real
//! server where one is installed: first load, no change, a change, an end, an outage.

mod consul;
mod etcd;
mod file;
mod followed;
mod objects;
mod redis;
mod waiting;
mod web;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, Method};
use pillion::secret::Ambient;
use pillion::source::{
    Auth, Document, Fetched, LARGEST, Place, PublicKey, Source, SourceError, SourceUrl,
};
use pillion::tasks::Tasks;
use pillion::upstream::{Clients, Egress, Errand};
use tokio::time::timeout;

use crate::support::soon;

/// Longer than any test waits for a change.
const LONG: Duration = Duration::from_secs(15);
/// What is told of a change in less is told at once.
const AT_ONCE: Duration = Duration::from_secs(1);

fn clients() -> Clients {
    Clients::new(Tasks::default(), Egress::default())
}

fn place(url: &str) -> Place {
    Place {
        url: SourceUrl::try_new(url).unwrap(),
        refresh: Duration::from_secs(15),
        auth: Auth::None,
        ca: None,
        verify: Vec::new(),
    }
}

/// The same, whose document is signed.
fn signed(place: Place) -> Place {
    let key = PublicKey {
        id: "k1".into(),
        key: [7; 32],
    };
    Place {
        verify: vec![key],
        ..place
    }
}

fn with_token(place: Place, file: PathBuf) -> Place {
    Place {
        auth: Auth::Token { file },
        ..place
    }
}

fn open(place: &Place) -> Box<dyn Source> {
    open_with(place, &Ambient::default())
}

fn open_with(place: &Place, ambient: &Ambient) -> Box<dyn Source> {
    pillion::source::open(place, &clients(), ambient).unwrap()
}

/// What is there, by a source that need not wait for it.
async fn fetch(source: &mut dyn Source) -> Result<Fetched, SourceError> {
    soon("the source answers", source.fetch(Duration::ZERO)).await
}

async fn new(source: &mut dyn Source) -> Document {
    match fetch(source).await {
        Ok(Fetched::New(document)) => document,
        other => panic!("nothing new: {other:?}"),
    }
}

/// What a source that watches finds at once, although it would wait.
async fn found(source: &mut dyn Source) -> Document {
    assert!(source.watches());
    let asked = Instant::now();
    let fetched = soon("the change is told", source.fetch(LONG)).await;
    assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
    match fetched {
        Ok(Fetched::New(document)) => document,
        other => panic!("nothing new: {other:?}"),
    }
}

async fn same(source: &mut dyn Source) {
    let fetched = fetch(source).await;
    assert!(matches!(fetched, Ok(Fetched::Same)), "{fetched:?}");
}

async fn error(source: &mut dyn Source) -> SourceError {
    fetch(source).await.unwrap_err()
}

fn is_away(error: &SourceError) -> bool {
    matches!(error, SourceError::Away { .. })
}

/// Begins to wait for a change, makes it, and returns what is told of it, at once.
async fn told(source: &mut dyn Source, change: impl Future<Output = ()>) -> Document {
    assert!(source.watches());
    let mut waiting = source.fetch(LONG);
    let early = timeout(Duration::from_millis(300), &mut waiting).await;
    assert!(early.is_err(), "it does not wait: {early:?}");
    change.await;
    let changed = Instant::now();
    let fetched = soon("the change is told", waiting).await;
    assert!(changed.elapsed() < AT_ONCE, "{:?}", changed.elapsed());
    match fetched {
        Ok(Fetched::New(document)) => document,
        other => panic!("nothing new: {other:?}"),
    }
}

/// From nothing there to the first document, another one, and nothing again. `put` writes the
/// document, and removes it without a text.
async fn keeps_up(source: &mut dyn Source, put: impl AsyncFn(Option<&str>)) {
    assert_eq!(error(source).await, SourceError::Missing);
    put(Some("routes: {}\n")).await;
    assert_eq!(new(source).await.text, "routes: {}\n");
    same(source).await;
    // Dropped while it asks or waits.
    let _ = timeout(Duration::from_millis(20), source.fetch(LONG)).await;
    same(source).await;
    if source.watches() {
        for text in ["a: 1\n", "a: 2\n"] {
            assert_eq!(told(source, put(Some(text))).await.text, text);
        }
        let patience = Duration::from_millis(600);
        let asked = Instant::now();
        let fetched = soon("its patience ends", source.fetch(patience)).await;
        assert!(matches!(fetched, Ok(Fetched::Same)), "{fetched:?}");
        assert!(asked.elapsed() >= patience, "{:?}", asked.elapsed());
    } else {
        for text in ["a: 1\n", "a: 2\n"] {
            put(Some(text)).await;
            assert_eq!(new(source).await.text, text);
            same(source).await;
        }
    }
    put(None).await;
    assert_eq!(error(source).await, SourceError::Missing);
    put(Some("a: 2\n")).await;
    // As it was when it was last there.
    same(source).await;
}

/// A document and its signature, written one after the other.
async fn is_signed(source: &mut dyn Source, put: impl AsyncFn(&str, &str)) {
    put("", "a: 1\n").await;
    assert_eq!(new(source).await.signature, None);
    for (text, signature) in [("a: 1\n", "k1 one"), ("a: 2\n", "k1 two")] {
        if text != "a: 1\n" {
            put("", text).await;
            assert_eq!(new(source).await.text, text);
        }
        // It comes behind its document, and by itself.
        let document = if source.watches() {
            told(source, put(".sig", signature)).await
        } else {
            put(".sig", signature).await;
            new(source).await
        };
        assert_eq!(document.text, text);
        assert_eq!(document.signature.unwrap(), signature);
        same(source).await;
    }
}

fn too_large() -> String {
    format!("# {}\n", "x".repeat(LARGEST))
}

/// Asks a store something by itself, past what is tested.
async fn ask(method: Method, url: &str, headers: &[(&'static str, &str)], body: &str) -> String {
    let (status, text) = try_ask(method, url, headers, body).await;
    assert!((200..300).contains(&status), "{url} {status} {text}");
    text
}

async fn try_ask(
    method: Method,
    url: &str,
    headers: &[(&'static str, &str)],
    body: &str,
) -> (u16, String) {
    let mut errand = Errand {
        method,
        body: Bytes::copy_from_slice(body.as_bytes()),
        ..Errand::get(url, 64 << 20, LONG)
    };
    for (name, value) in headers {
        errand = errand.header(HeaderName::from_static(name), value);
    }
    match errand.run(&clients().beside()).await {
        Ok(reply) => {
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            (reply.status.as_u16(), text)
        }
        Err(undone) => (0, undone.to_string()),
    }
}
