//! Many callers at once, whose requests come at a steady rate whatever becomes of those before. They
//! try again as the official SDKs do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::{Answer, Client, Gateway};

/// More than are ever on their way at a time, so that nobody waits for a connection.
const CALLERS: usize = 100;

/// So often do the official SDKs send a request again, if they may.
const RETRIES: u32 = 2;

/// What came of one request.
pub(crate) struct Came {
    pub(crate) number: usize,
    /// To the last try.
    pub(crate) answer: Answer,
    /// How often it was sent.
    pub(crate) tries: u32,
    pub(crate) took: Duration,
}

/// So many requests, so many a second, each with the body that `body` gives its number.
pub(crate) async fn crowd(
    gateway: &Gateway,
    requests: usize,
    rate: u32,
    body: impl Fn(usize) -> String + Send + Sync + 'static,
) -> Vec<Came> {
    let (next, body) = (Arc::new(AtomicUsize::new(0)), Arc::new(body));
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS.min(requests) {
        let (next, body, address) = (Arc::clone(&next), Arc::clone(&body), gateway.listen);
        callers.spawn(async move {
            let mut came = Vec::new();
            let mut client = None;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= requests {
                    return came;
                }
                let after = u32::try_from(number).unwrap();
                sleep_until(start + Duration::from_secs(1) * after / rate).await;
                came.push(call(&mut client, address, number, &body(number)).await);
            }
        });
    }
    let mut came = Vec::with_capacity(requests);
    while let Some(each) = callers.join_next().await {
        came.extend(each.unwrap());
    }
    assert_eq!(came.len(), requests);
    came
}

async fn call(kept: &mut Option<Client>, address: SocketAddr, number: usize, body: &str) -> Came {
    let start = Instant::now();
    let mut tries = 0;
    loop {
        let mut client = match kept.take() {
            Some(client) => client,
            None => Client::connect(address).await,
        };
        let count = tries.to_string();
        let headers = [("x-stainless-retry-count", &*count)];
        client
            .post("/v1/chat/completions", &headers, body.as_bytes())
            .await;
        let (answer, client) = client.answer().await.rest_and_client().await;
        if answer.complete && answer.header("connection") != Some("close") {
            *kept = Some(client);
        }
        tries += 1;
        if tries > RETRIES || !is_tried_again(&answer) {
            return Came {
                number,
                answer,
                tries,
                took: start.elapsed(),
            };
        }
    }
}

/// The rule of the official SDKs, as `_should_retry` of openai-python 3.54.0 has it; they wait
/// before, which would spare us.
fn is_tried_again(answer: &Answer) -> bool {
    match answer.header("x-should-retry") {
        Some("true") => true,
        Some("false") => false,
        Some(_) | None => matches!(answer.status, 408 | 409 | 429 | 500..),
    }
}
