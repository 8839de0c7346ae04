//! Many processes race for one budget, with a Redis that stays and with one that is killed midway and comes
//! back empty: what is spent is the budget, within a hundredth.
//!
//! `PILLION_TEST_RACE=20x10000` sets processes and requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::fleet::fleet;
use super::{CHAT, KEY, OTHER, PRICED, bounded, keys};
use crate::support::fixture::plain;
use crate::support::{Answer, Client, Config, Redis, Reply, Upstream};

/// At once in each process.
const CALLERS: usize = 4;

fn size() -> (usize, usize) {
    let size = std::env::var_os("PILLION_TEST_RACE");
    let size = size.map_or_else(|| "6x1200".into(), |size| size.into_string().unwrap());
    let (processes, requests) = size.split_once('x').unwrap();
    (processes.parse().unwrap(), requests.parse().unwrap())
}

/// What came of all of them.
#[derive(Debug, Default)]
struct Came {
    passed: AtomicUsize,
    refused: AtomicUsize,
    /// Told to come again, as nobody knew what was left, or what runs held it.
    again: AtomicUsize,
}

async fn call(
    client: &mut Option<Client>,
    at: std::net::SocketAddr,
    key: &[(&str, &str)],
) -> Answer {
    let mut mine = match client.take() {
        Some(client) => client,
        None => Client::connect(at).await,
    };
    mine.post(CHAT, key, bounded().as_bytes()).await;
    let (answer, mine) = mine.answer().await.rest_and_client().await;
    *client = Some(mine);
    answer
}

/// Half of the requests are what the budget is for.
async fn race(loses_redis: bool) {
    let (processes, requests) = size();
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let fit = requests / 2;
    let amount = format!("{}.{:03}", fit * 12 / 1000, fit * 12 % 1000);
    let budget = format!("budget: {{ amount: {amount}, per: month }}");
    // The other key has a limit that is open.
    let keys = keys(&budget).replace("428\" }", "428\", limits: { rpm: 1000000 } }");
    assert!(keys.contains("rpm"));
    let config = Config::of(&[&upstream]).root(PRICED).root(&keys);
    let gateways = fleet(&config, &redis, processes).await;
    let (next, came) = (Arc::new(AtomicUsize::new(0)), Arc::new(Came::default()));
    let mut callers = JoinSet::new();
    for gateway in &gateways {
        for _ in 0..CALLERS {
            let (next, came, at) = (Arc::clone(&next), Arc::clone(&came), gateway.listen);
            callers.spawn(async move {
                let mut client = None;
                while next.fetch_add(1, Ordering::Relaxed) < requests {
                    for tries in 0.. {
                        assert!(tries < 120, "nobody knows for two minutes");
                        let answer = call(&mut client, at, &KEY).await;
                        match (answer.status, &*answer.code()) {
                            (200, _) => came.passed.fetch_add(1, Ordering::Relaxed),
                            (402, "insufficient_quota")
                                if answer.header("retry-after").is_none() =>
                            {
                                came.refused.fetch_add(1, Ordering::Relaxed)
                            }
                            (402, "insufficient_quota") | (503, "budget_unavailable") => {
                                came.again.fetch_add(1, Ordering::Relaxed);
                                let wait = answer.header("retry-after-ms").unwrap();
                                let wait = Duration::from_millis(wait.parse().unwrap());
                                tokio::time::sleep(wait).await;
                                continue;
                            }
                            _ => panic!("{}: {}", answer.status, answer.text()),
                        };
                        break;
                    }
                }
            });
        }
    }
    if loses_redis {
        while came.passed.load(Ordering::Relaxed) < fit * 2 / 5 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        redis.kill();
        // What is open goes on.
        for gateway in gateways.iter().cycle().take(gateways.len() * 5) {
            assert_eq!(call(&mut None, gateway.listen, &OTHER).await.status, 200);
        }
        redis.again().await;
    }
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    let passed = came.passed.load(Ordering::Relaxed);
    eprintln!("{processes} processes, {requests} requests for {fit}: {came:?}");
    assert!(passed * 100 <= fit * 101, "{passed} of {fit}");
    // What a process told when Redis was lost, and was not acknowledged, counts twice.
    let twice = if loses_redis { gateways.len() } else { 0 };
    assert!((passed + twice) * 100 >= fit * 99, "{passed} of {fit}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_race_for_one_budget_spend_it_and_no_more() {
    race(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_lost_midway_loses_neither_the_budget_nor_a_request() {
    race(true).await;
}
