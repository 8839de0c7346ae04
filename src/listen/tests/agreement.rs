//! The scanner and hyper on the same made-up bytes: they must agree where each request begins.

use std::sync::atomic::{AtomicU64, Ordering};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use super::*;

/// How many requests hyper makes of these bytes, and whether it takes them all.
async fn hyper_sees(bytes: &[u8]) -> (u64, bool) {
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    theirs.write_all(bytes).await.unwrap();
    theirs.shutdown().await.unwrap();
    let requests = AtomicU64::new(0);
    let service = service_fn(async |request: Request<Incoming>| {
        requests.fetch_add(1, Ordering::Relaxed);
        let mut body = request.into_body();
        while let Some(frame) = body.frame().await {
            frame?;
        }
        Ok::<_, hyper::Error>(Response::new(full("")))
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .half_close(true)
        .serve_connection(TokioIo::new(ours), service)
        .await;
    (requests.into_inner(), served.is_ok())
}

/// Up to four requests that are more or less well-formed.
fn some_requests(rng: &mut fastrand::Rng) -> String {
    const LINES: &[&str] = &[
        "GET / HTTP/1.1\r\n",
        "POST / HTTP/1.1\n",
        "\r\nPUT / HTTP/1.1\r\n",
    ];
    const FIELDS: &[&str] = &[
        "",
        "Host: localhost\r\n",
        "Content-Length: 3\r\n",
        "content-length:\t17 \n",
        "Content-Length: 03\r\n",
        "Content-Length: 0\r\n",
        "X-Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Expect: 100-continue\r\n",
        "Upgrade: h2c\r\n",
        "X:\r\n",
    ];
    const BODIES: &[&str] = &[
        "",
        "",
        "abc",
        "Host: localhost\r\n",
        "3\r\nabc\r\n0\r\n\r\n",
    ];
    const NOISE: &[&str] = &["\r", "\n", " ", ":", "\r\n\r\n", "Content-Length:\r\n"];
    let mut text = String::new();
    for _ in 0..rng.usize(1..=4) {
        text += rng.choice(LINES).unwrap();
        for _ in 0..rng.usize(0..3) {
            text += rng.choice(FIELDS).unwrap();
        }
        text += rng.choice(&["\r\n", "\n"]).unwrap();
        text += rng.choice(BODIES).unwrap();
        if rng.u8(..8) == 0 {
            text += rng.choice(NOISE).unwrap();
        }
    }
    text
}

#[tokio::test]
async fn the_scanner_finds_the_heads_that_hyper_finds() {
    let mut rng = fastrand::Rng::with_seed(9112);
    let mut several = 0;
    for _ in 0..5_000 {
        let text = some_requests(&mut rng);
        let (requests, took_all) = hyper_sees(text.as_bytes()).await;
        let mut scanner = scan::Scanner::new();
        let (least, most) = match scanner.feed(text.as_bytes()) {
            None => (scanner.heads(), scanner.heads()),
            Some(ending) => (ending.head, u64::MAX),
        };
        assert!(requests <= most, "{text:?}: {requests} and {scanner:?}");
        if took_all {
            assert!(
                scanner.is_between_requests() || most > least,
                "{text:?}: {scanner:?}"
            );
            assert!(requests >= least, "{text:?}: {requests} and {scanner:?}");
            several += u32::from(least == most && least > 1);
        }
    }
    assert!(several > 100, "only {several} cases said anything");
}
