//! Every second request fails, everywhere: that must not become a storm of tries.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::crowd::crowd;
use crate::support::fixture::{plain, streamed};
use crate::support::reply::End;
use crate::support::{Config, Gateway, Record, Reply, Upstream};

const MAX_ATTEMPTS: usize = 4;
const REQUESTS: usize = 2000;
const RATE: u32 = 150;

/// Half of what it gets fails: by an error, by a reset, or by a timeout. The last two may be tried
/// again at the same target.
async fn half_down(seed: u64) -> Upstream {
    let mut dice = fastrand::Rng::with_seed(seed);
    Upstream::choosing(move |seen| match dice.u32(..12) {
        0 => Reply::silence(),
        1..5 => Reply::nothing(End::Rst),
        5 => Reply::error(500, "server_error", None, "oops"),
        6.. if seen.json()["stream"] == true => Reply::sse(streamed(&["Hello!"])),
        6.. => Reply::json(plain("Hello!")),
    })
    .await
}

fn body(request: usize) -> String {
    let messages = json!([{ "role": "user", "content": request.to_string() }]);
    let streamed = request.is_multiple_of(2);
    json!({ "model": "chat", "stream": streamed, "messages": messages }).to_string()
}

/// How often a target was gone to, and how often a second time in one request.
fn tries(records: &[Record]) -> BTreeMap<String, (usize, usize)> {
    let mut tries = BTreeMap::<String, (usize, usize)>::new();
    for record in records {
        let targets = record.targets();
        for (at, target) in targets.iter().enumerate() {
            let (firsts, seconds) = tries.entry((*target).to_owned()).or_default();
            if targets[..at].contains(target) {
                *seconds += 1;
            } else {
                *firsts += 1;
            }
        }
    }
    tries
}

async fn storm(breaker: &str) {
    let names = ["first", "second", "third"];
    let upstreams = [half_down(1).await, half_down(2).await, half_down(3).await];
    let config = Config::of(&upstreams.each_ref())
        .limits("10s", "500ms", "500ms")
        .knob(&format!("max_attempts: {MAX_ATTEMPTS}"))
        .knob(breaker);
    let gateway = Gateway::start(config).await;
    let came = crowd(&gateway, REQUESTS, RATE, body).await;
    let answered = came.iter().filter(|one| one.answer.status == 200).count();
    for one in &came {
        let text = one.answer.text();
        assert_eq!(one.tries, 1, "all has been tried already: {text}");
    }
    let records = gateway.records(|_| true, REQUESTS).await;
    assert_eq!(records.len(), REQUESTS);
    for record in &records {
        assert!(record.classes().len() <= MAX_ATTEMPTS, "{}", record.0);
    }
    let tries = tries(&records);
    let mut by_request = BTreeMap::<String, usize>::new();
    for (name, upstream) in names.iter().zip(&upstreams) {
        let (firsts, seconds) = tries[&format!("{name}/model-{name}")];
        eprintln!("{breaker}: {name} got {firsts} first tries, {seconds} second ones");
        assert!(firsts > REQUESTS / 20, "{firsts}");
        assert!(seconds > 0, "there is something to keep within bounds");
        let seen = upstream.requests();
        // Nothing went out that no record tells of. What met a connection that was just being reset did
        // not arrive.
        assert!(seen.len() <= firsts + seconds, "{name}: {}", seen.len());
        assert!(seen.len() * 5 <= firsts * 6, "{name}: {}", seen.len());
        assert!(seconds * 5 <= firsts, "{name}: {seconds} beside {firsts}");
        for one in seen {
            let content = one.json()["messages"][0]["content"].to_string();
            *by_request.entry(content).or_default() += 1;
        }
    }
    let most = by_request.values().copied().max();
    assert!(most <= Some(MAX_ATTEMPTS), "{most:?}");
    eprintln!("{breaker}: {answered} of {REQUESTS} were answered");
    assert!(answered * 10 > REQUESTS * 6, "{answered} of {REQUESTS}");
}

#[tokio::test]
async fn a_brown_out_does_not_become_a_storm() {
    storm("breaker: { failures: 2 }").await;
}

#[tokio::test]
async fn the_retry_budget_alone_keeps_a_brown_out_from_becoming_a_storm() {
    storm("breaker: { failures: 100000 }").await;
}
