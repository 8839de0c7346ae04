//! What the processes of a fleet tell each other, through a Redis that `shared_state` names: which
//! calls run and what they came to, so that a request that comes twice is one call also when the
//! second meets another process; and which targets are better left.
//!
//! All of it is a help and none of it a need. A command has 50 ms; after five in a row that were slow
//! or failed nobody asks any more, until a look every few seconds finds Redis well again; while it is
//! not connected nobody asks at all. Then a request is one call within its process, as without it.
//!
//! One connection carries it all, over our own [client](crate::redis).
//! Never here: a request's or an answer's text in clear, or a decision where a request goes.

mod claim;
mod gate;
mod hints;
mod keeping;
mod link;
mod name;
mod redis;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use prometheus_client::metrics::gauge::Gauge;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::time::{Instant, MissedTickBehavior, interval};

use self::hints::Hints;
use self::keeping::Room;
use self::name::Name;
use self::redis::Redis;
use crate::health::Health;
use crate::live::Live;
use crate::once::{Asked, Identity};
use crate::redis::Place;
use crate::snapshot::{self, Snapshot};
use crate::tasks::Tasks;

pub use self::claim::{Claim, Lease, Taken};
pub use self::name::Answer;

/// How often hints are exchanged.
const EXCHANGE: Duration = Duration::from_secs(1);

/// What this process has in common with its fleet. Clones are one.
#[derive(Clone)]
pub struct Fleet {
    inner: Arc<Inner>,
}

struct Inner {
    redis: Redis,
    /// Whose callers are the same callers: an instance's service and environment.
    realm: String,
    random: SystemRandom,
    /// The claims of the calls that run here.
    held: Mutex<HashMap<u64, (String, Bytes)>>,
    next: AtomicU64,
    room: Room,
}

impl Fleet {
    /// Connects, as one of `tasks`; `up` says whether it is.
    pub fn start(place: Place, identity: &snapshot::Identity, tasks: &Tasks, up: Gauge) -> Self {
        let fact = |fact: &Option<Arc<str>>| fact.as_deref().unwrap_or_default().to_owned();
        Self {
            inner: Arc::new(Inner {
                redis: Redis::start(place, tasks, up),
                realm: format!(
                    "{}\n{}",
                    fact(&identity.service),
                    fact(&identity.environment)
                ),
                random: SystemRandom::new(),
                held: Mutex::default(),
                next: AtomicU64::new(0),
                room: Room::default(),
            }),
        }
    }

    /// What a request has to do before its call is run here; `None` for one that cannot come twice.
    pub fn claim(&self, asked: &Asked, identity: &Identity, now: Instant) -> Option<Claim> {
        Claim::new(Arc::clone(&self.inner), asked, identity, now)
    }

    /// Renews what is held, and exchanges hints, for as long as the process lives.
    pub async fn keep_up(self, live: Live<Snapshot>, health: Health) {
        let mut ticks = interval(EXCHANGE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hints = Hints::new(self.inner.token());
        let mut renewed = Instant::now();
        loop {
            ticks.tick().await;
            self.inner.redis.look().await;
            if !self.inner.redis.is_up() {
                continue;
            }
            if renewed.elapsed() >= claim::RENEWED {
                renewed = Instant::now();
                self.inner.renew();
            }
            hints.exchange(&self.inner, &live.current(), &health).await;
        }
    }
}

impl Inner {
    /// One that nobody else draws. Without chance it is at least no other's of this process.
    fn token(&self) -> u128 {
        let mut bytes = [0; 16];
        if self.random.fill(&mut bytes).is_err() {
            return u128::from(self.next.fetch_add(1, Ordering::Relaxed));
        }
        u128::from_be_bytes(bytes)
    }

    fn nonce<const N: usize>(&self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes).ok().map(|()| bytes)
    }

    /// Renews this claim from now on; the number is that of its end.
    fn hold(&self, name: &Name, value: &Bytes) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.held).insert(number, (name.key.clone(), value.clone()));
        number
    }

    fn renew(&self) {
        // Under the lock: none is renewed behind its end.
        for (key, value) in lock(&self.held).values() {
            claim::renew(&self.redis, key, value);
        }
    }
}

/// A panic while one of these is held leaves nothing half done that matters.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
