//! What the processes of a fleet tell each other, through a Redis that `shared_state` names: which
//! calls run and what they came to, so that a request that comes twice is one call also when the
//! second meets another process; and which targets are better left.
//!
//! All of it is a help and none of it a need. A command has 50 ms; after five in a row that were slow
//! or failed nobody asks any more, until a look every few seconds finds Redis well again; what nobody
//! waits for, it is told also then. While it is not connected nobody asks or tells at all. Then a request is one call within its process, as without it.
//!
//! One connection carries it all, over our own [client](crate::redis).
//! Never here: a request's or an answer's text in clear, or a decision where a request goes.

mod claim;
pub(crate) mod counters;
mod failure;
mod gate;
mod held;
mod hints;
mod keeping;
mod lease;
mod link;
mod name;
mod redis;
mod words;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::time::{Instant, MissedTickBehavior, interval};

use self::held::Held;
use self::hints::Hints;
use self::redis::Redis;
use crate::health::Health;
use crate::limit::{Room, Seats};
use crate::live::Live;
use crate::redis::Place;
use crate::snapshot::{self, Snapshot};
use crate::tasks::Tasks;

pub use self::claim::{Arriving, Claim, Taken};
pub use self::counters::{Counters, Spent, spent};
pub use self::lease::Lease;
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
    counters: Counters,
    /// Whose callers are the same callers: an instance's service and environment.
    realm: String,
    random: SystemRandom,
    /// The claims of the calls that run here.
    held: Held,
    next: AtomicU64,
    /// For the answers that go out and are written down.
    room: Room,
    /// The places of those who wait for what other processes run. Without a free one nobody waits.
    waiters: Seats,
}

impl Fleet {
    /// Connects, as one of `tasks`; `up` says whether it is. So many wait at most for what other
    /// processes run.
    pub fn start(
        place: Place,
        identity: &snapshot::Identity,
        waiters: usize,
        tasks: &Tasks,
        up: Gauge,
    ) -> Self {
        let fact = |fact: &Option<Arc<str>>| fact.as_deref().unwrap_or_default().to_owned();
        let redis = Redis::start(place, tasks, up);
        let random = SystemRandom::new();
        let mut token = [0; 16];
        if random.fill(&mut token).is_err() {
            token = fastrand::u128(..).to_be_bytes();
        }
        let environment = fact(&identity.environment);
        let counters = Counters::new(redis.clone(), &environment, u128::from_be_bytes(token));
        tasks.spawn(counters.clone().keep_up());
        Self {
            inner: Arc::new(Inner {
                redis,
                counters,
                realm: format!(
                    "{}\n{}",
                    fact(&identity.service),
                    fact(&identity.environment)
                ),
                random,
                held: Held::default(),
                next: AtomicU64::new(0),
                room: Room::new(keeping::TOGETHER),
                waiters: Seats::new(waiters, 0, Gauge::default()),
            }),
        }
    }

    /// What a request has to do before its call is run here; `None` for one that cannot come twice.
    pub fn claim(&self, arriving: Arriving<'_>) -> Option<Claim> {
        Claim::new(Arc::clone(&self.inner), arriving)
    }

    /// The limits and budgets that are shared.
    pub fn counters(&self) -> Counters {
        self.inner.counters.clone()
    }

    /// Returns once Redis has what it was told, or then, for as long as there is hope of that: a process that
    /// ends leaves word of its calls.
    pub async fn settle(&self, until: Instant) {
        self.inner.counters.finish(until).await;
        self.inner.redis.settle().await;
    }

    /// Renews what is held, and exchanges hints, for as long as the process lives.
    pub async fn keep_up(self, live: Live<Snapshot>, health: Health) {
        let mut ticks = interval(EXCHANGE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hints = Hints::new(self.inner.token());
        let mut was_up = false;
        loop {
            ticks.tick().await;
            self.inner.redis.look().await;
            let back = !std::mem::replace(&mut was_up, self.inner.redis.is_up());
            if !was_up {
                continue;
            }
            self.inner.held.renew(&self.inner.redis, back).await;
            hints.exchange(&self.inner, &live.current(), &health).await;
        }
    }
}

impl Inner {
    /// One that nobody else draws. Without chance it is at least no other's of this process.
    fn token(&self) -> u128 {
        let mut bytes = [0; 16];
        if self.random.fill(&mut bytes).is_err() {
            return u128::from(self.number());
        }
        u128::from_be_bytes(bytes)
    }

    fn nonce<const N: usize>(&self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes).ok().map(|()| bytes)
    }

    /// One that nothing else here has.
    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

/// A panic while one of these is held leaves nothing half done that matters.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
