//! `kill -9` under load.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::*;
use crate::support::fixture::ask_stream;

/// A record is in the file a tenth of a second behind its answer at the latest, and on a machine that is busy
/// with all of this a little later.
const LATE: Duration = Duration::from_millis(400);

/// One request: the id of its record, if its answer came whole.
async fn asked(address: SocketAddr, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let length = body.len();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    // What came before a reset is looked at too.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    let header = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned()).next()
    };
    let whole = match header("content-length") {
        Some(length) => length.parse() == Ok(body.len()),
        None => body.ends_with("\r\n0\r\n\r\n"),
    };
    whole.then(|| header("x-request-id")).flatten()
}

/// The ids of what was answered whole before the gateway was killed, which it is not before `least`, with how
/// long before that was; and its files.
async fn killed(gateway: Gateway, least: Duration) -> (BTreeMap<String, Duration>, Folder) {
    let start = Instant::now();
    let done = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for caller in 0..8 {
        let (address, done) = (gateway.listen, Arc::clone(&done));
        callers.spawn(async move {
            let body = if caller % 2 == 0 { ask() } else { ask_stream() };
            let mut ids = Vec::new();
            while let Some(id) = asked(address, &body).await {
                ids.push((id, Instant::now()));
                done.fetch_add(1, Ordering::Relaxed);
            }
            ids
        });
    }
    soon("many are answered", async {
        while done.load(Ordering::Relaxed) < 100 || start.elapsed() < least {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let end = Instant::now();
    let folder = gateway.crash();
    let mut ids = BTreeMap::new();
    while let Some(more) = callers.join_next().await {
        let more = more.unwrap().into_iter();
        ids.extend(more.map(|(id, at)| (id, end.saturating_duration_since(at))));
    }
    (ids, folder)
}

fn ids(file: &Path) -> BTreeSet<String> {
    let text = read(file);
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    twin(&text[..whole])
        .iter()
        .map(|record| record["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn what_a_caller_has_seen_the_end_of_is_in_the_file() {
    let first = provider().await;
    let config = || Config::of(&[&first]).audit("fsync: always");
    let (answered, folder) = killed(Gateway::start(config()).await, Duration::ZERO).await;
    assert!(answered.len() >= 100);
    let file = folder.file("audit.jsonl");
    let recorded = ids(&file);
    let missing: Vec<_> = answered
        .keys()
        .filter(|id| !recorded.contains(*id))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    // Whatever was torn, the next start goes on.
    let mut text = read(&file);
    text.push_str("{\"kind\":\"pil");
    fs::write(&file, text).unwrap();
    let (code, said) = verify(std::slice::from_ref(&file), &[]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("the last line is torn"), "{said}");
    let gateway = Gateway::start_in(config(), folder).await;
    ask_often(&gateway, 1).await;
    gateway.signal("TERM");
    let folder = gateway.left().await;
    assert_eq!(ids(&file).len(), recorded.len() + 1);
    let heads = folder.file("audit.jsonl.heads");
    let heads = heads.to_str().unwrap();
    let (code, report) = verified(&files(&folder), &["--heads", heads]).await;
    assert_eq!(code, 0, "{report:#}");
    assert!(read(Path::new(heads)).contains("pillion.audit.torn"));
}

#[tokio::test]
async fn without_a_wait_the_file_is_whole_as_far_as_it_goes() {
    let first = provider().await;
    for fsync in ["interval", "never"] {
        let config = || Config::of(&[&first]).audit(&format!("fsync: {fsync}"));
        let (answered, folder) = killed(Gateway::start(config()).await, 4 * LATE).await;
        let file = folder.file("audit.jsonl");
        let recorded = ids(&file);
        assert!(answered.len() >= 100 && !recorded.is_empty());
        let mut missing = answered.iter().filter(|(id, _)| !recorded.contains(*id));
        let early = missing.find(|(_, before)| **before > LATE);
        assert_eq!(early, None, "{fsync}");
        let recorded = recorded.len();
        let gateway = Gateway::start_in(config(), folder).await;
        ask_often(&gateway, 1).await;
        gateway.signal("TERM");
        let folder = gateway.left().await;
        assert_eq!(ids(&file).len(), recorded + 1);
        let heads = folder.file("audit.jsonl.heads");
        let against = ["--heads", heads.to_str().unwrap()];
        let (code, report) = verified(&files(&folder), &against).await;
        assert_eq!(code, 0, "{fsync}: {report:#}");
    }
}

#[tokio::test]
async fn an_answers_last_byte_waits_for_its_record() {
    let first = provider().await;
    let gateway = Gateway::start(Config::of(&[&first]).audit("fsync: always")).await;
    for body in [ask(), ask_stream(), "no JSON".to_owned()] {
        let answer = gateway.chat(&body).await;
        assert!(answer.complete);
        // It is there already: nothing is waited for.
        let records = gateway.all_records();
        assert!(
            records.iter().any(|it| it.text("id") == answer.id()),
            "{body}"
        );
    }
    let answer = gateway.get("/v1/models").await;
    let records = gateway.all_records();
    assert!(records.iter().any(|it| it.text("id") == answer.id()));
}
