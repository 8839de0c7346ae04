//! Another Redis takes the place of the one that counted.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::fleet::tells;
use super::{ask, priced};
use crate::support::fixture::plain;
use crate::support::redis::is_up;
use crate::support::{Gateway, Redis, Reply, Upstream, soon};

#[tokio::test]
async fn a_redis_that_has_become_a_replica_is_left_for_the_one_that_has_its_name() {
    let (Some(old), Some(new)) = (Redis::start().await, Redis::start().await) else {
        return;
    };
    let upstream = Upstream::always(Reply::json(plain("Hello!"))).await;
    let name = Relay::to(old.port).await;
    let config = priced(&upstream, "budget: { amount: 9, per: day, on_loss: open }")
        .root(&format!("shared_state: redis://127.0.0.1:{}/3", name.port));
    let gateway = Gateway::start(config).await;
    is_up(&gateway, true).await;
    assert_eq!(ask(&gateway).await.status, 200);
    tells(&gateway, "spent", "0.012").await;
    let follows = async |redis: &Redis, of: &Redis| {
        redis
            .ask(&["REPLICAOF", "127.0.0.1", &of.port.to_string()])
            .await;
    };
    follows(&new, &old).await;
    let budget = old.names("pillion:budget::key:chat|*").await.remove(0);
    let spent = ["HGET", &*budget, "spent"];
    soon("the new one has it all", async {
        while new.ask(&spent).await != "12000000" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    new.ask(&["REPLICAOF", "NO", "ONE"]).await;
    // It lacks the last moments.
    new.ask(&["HSET", &budget, "spent", "11000000"]).await;
    follows(&old, &new).await;
    name.leads_to(new.port);
    soon("the new one counts", async {
        loop {
            assert_eq!(ask(&gateway).await.status, 200);
            if new.ask(&spent).await.parse::<u64>().unwrap() >= 24_000_000 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    is_up(&gateway, true).await;
    gateway.says("READONLY").await;
}

/// A name that leads to one Redis, and then to another: connections stay where they are.
struct Relay {
    port: u16,
    far: Arc<AtomicU16>,
    _connections: JoinSet<()>,
}

impl Relay {
    async fn to(port: u16) -> Self {
        let far = Arc::new(AtomicU16::new(port));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut connections = JoinSet::new();
        let leads = Arc::clone(&far);
        connections.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let at = (Ipv4Addr::LOCALHOST, leads.load(Ordering::Relaxed));
                open.spawn(async move {
                    let mut far = TcpStream::connect(at).await.unwrap();
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Self {
            port,
            far,
            _connections: connections,
        }
    }

    fn leads_to(&self, port: u16) {
        self.far.store(port, Ordering::Relaxed);
    }
}
