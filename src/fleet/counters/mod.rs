//! Limits and budgets that a fleet shares: counted in Redis, by scripts that take all of a request's
//! parts or none, in one round trip.
//!
//! What a request holds until it ends is a *lease*, renewed while it runs: of a process that dies
//! the others charge what it held. What a request came to is told beside the requests, and kept until Redis
//! has it. A Redis that was emptied is noticed by its *epoch*, a name that is gone then: each
//! process says what it knows to be spent, and what it holds, before it takes anything again.
//! Not on a Redis Cluster: one script touches keys of many names.
//!
//! Never here: what a limit is, or what is done when there is no answer.

mod epoch;
mod item;
mod keeping;
mod known;
mod report;
mod scripts;
mod settlement;
mod taking;
mod untold;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use self::epoch::Epoch;
use self::known::Accounts;
use self::scripts::Script;
use self::settlement::Settlement;
use self::untold::Untold;
use super::lock;
use super::redis::{Away, Redis};
use crate::limit::{OnLoss, Rate};
use crate::price::Money;
use crate::redis::Reply;

pub(crate) use self::item::{Item, Lack, Purse, Said};
pub use self::report::{Spent, spent};
pub(crate) use self::untold::Owed;

/// A lease that is not renewed for so long has lapsed.
const LIFE: Duration = Duration::from_mins(1);

/// The fleet's counters. Clones are one.
#[derive(Clone)]
pub struct Counters {
    inner: Arc<Inner>,
}

struct Inner {
    redis: Redis,
    /// What the names of keys have in common: those of one environment.
    realm: String,
    /// This process, among those who share.
    token: String,
    next: AtomicU64,
    epoch: Mutex<Epoch>,
    accounts: Mutex<Accounts>,
    /// Leases of requests that run.
    held: Mutex<HashMap<String, Held>>,
    untold: Mutex<Untold>,
    wake: Notify,
    /// Whether leases are to be taken again at once.
    reclaim: AtomicBool,
    /// How many processes there were when Redis was last asked.
    instances: Mutex<Instances>,
    /// Whether it is still to be told that all is told which went out while Redis was away.
    joins: AtomicBool,
}

/// How many share, and since when.
#[derive(Default)]
struct Instances {
    count: u32,
    at: Option<Instant>,
}

struct Held {
    items: Arc<[Item]>,
    at: Instant,
}

/// What a request holds in the fleet.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    id: String,
    items: Arc<[Item]>,
    by: By,
}

/// Who let its money out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Redis,
    /// This process, while Redis was away.
    Us,
    /// This process, of which nobody knows whether Redis did so, too.
    Both,
}

impl Counters {
    pub(super) fn new(redis: Redis, environment: &str, token: u128) -> Self {
        Self {
            inner: Arc::new(Inner {
                redis,
                realm: environment.to_owned(),
                token: format!("{token:032x}"),
                next: AtomicU64::new(0),
                epoch: Mutex::default(),
                accounts: Mutex::default(),
                held: Mutex::default(),
                untold: Mutex::default(),
                wake: Notify::new(),
                reclaim: AtomicBool::new(false),
                instances: Mutex::default(),
                joins: AtomicBool::new(false),
            }),
        }
    }

    /// A part of a rate; `settles` says that it is put right at the end.
    pub(crate) fn rate(&self, limit: &str, rate: Rate, count: u64, settles: bool) -> Item {
        Item::Rate {
            key: self.key("rate", limit),
            rate,
            count,
            settles,
        }
    }

    pub(crate) fn running(&self, limit: &str, most: u64) -> Item {
        Item::Running {
            key: self.key("running", limit),
            most,
        }
    }

    pub(crate) fn money(
        &self,
        account: &Arc<str>,
        ends: Timestamp,
        limit: Money,
        amount: Money,
        on_loss: OnLoss,
    ) -> Item {
        Item::Money(Purse {
            account: Arc::clone(account),
            key: self.budget(account),
            limit: item::nanos(limit),
            amount: item::nanos(amount),
            ends,
            on_loss,
        })
    }

    /// What a request came to; what is not known stays as it was reserved. Told to Redis beside the
    /// requests.
    pub(crate) fn settle(&self, lease: Lease, tokens: Option<u64>, cost: Option<Money>) {
        // No renewal is on its way behind this.
        lock(&self.inner.held).remove(&lease.id);
        let by = lease.by;
        let settlement = Settlement::of(lease, tokens, cost);
        if by != By::Redis {
            let mut accounts = lock(&self.inner.accounts);
            for (purse, cost) in settlement.costs() {
                accounts.settled(purse, cost);
            }
        }
        if by == By::Us {
            let mut untold = lock(&self.inner.untold);
            for (purse, cost) in settlement.costs() {
                untold.add(purse, cost, || self.id());
            }
            drop(untold);
            self.inner.wake.notify_one();
        } else if settlement.says_something() {
            self.push(settlement);
        }
    }

    /// What is known of an account: spent and held, by the fleet as Redis said last, and by this process since.
    pub(crate) fn known(&self, account: &str) -> Option<(Money, Money)> {
        let accounts = lock(&self.inner.accounts);
        let known = accounts.get(account)?;
        let spent = known.spent.saturating_add(known.owed);
        let held = known.held.saturating_add(known.lent);
        Some((item::money(spent), item::money(held)))
    }

    /// What Redis is known to have been told of what is not over.
    pub(crate) fn all(&self, now: Timestamp) -> Vec<(Arc<str>, Money, Timestamp)> {
        let mut accounts = lock(&self.inner.accounts);
        let all = accounts.current(now);
        let row = |(account, known): (&Arc<str>, &known::Known)| {
            (Arc::clone(account), item::money(known.spent), known.ends)
        };
        all.map(row).collect()
    }

    /// So much is known to be spent, from an earlier life of this process.
    pub(crate) fn remember(&self, account: &Arc<str>, spent: Money, ends: Timestamp) {
        lock(&self.inner.accounts).remember(account, item::nanos(spent), ends);
    }

    /// What this process has spent that Redis has not acknowledged; with it what runs without Redis.
    pub(crate) fn owed(&self) -> Vec<Owed> {
        let runs = lock(&self.inner.accounts).lent();
        lock(&self.inner.untold).owed(&runs)
    }

    /// So much was not acknowledged when an earlier life of this process ended: it is this one's to tell, and
    /// goes off what it may let out by itself.
    pub(crate) fn owe(&self, owed: Vec<Owed>) {
        let mut all: BTreeMap<String, Vec<Purse>> = BTreeMap::new();
        for Owed {
            id,
            account,
            spent,
            ends,
        } in owed
        {
            let purse = Purse {
                key: self.budget(&account),
                account,
                limit: 0,
                amount: item::nanos(spent),
                ends,
                on_loss: OnLoss::Closed,
            };
            lock(&self.inner.accounts).owe(&purse, purse.amount);
            all.entry(id).or_default().push(purse);
        }
        for (id, purses) in all {
            self.push(Settlement::lent(id, purses));
        }
    }

    /// How many processes share, as far as is known.
    pub(crate) fn instances(&self) -> Option<u32> {
        Some(lock(&self.inner.instances).count).filter(|count| *count > 0)
    }

    /// So many were seen by an earlier life of this process.
    pub(crate) fn were(&self, instances: u32) {
        self.count(instances);
    }

    fn push(&self, settlement: Settlement) {
        lock(&self.inner.untold).push(settlement);
        self.inner.wake.notify_one();
    }

    fn hold(&self, lease: &Lease) {
        if lease.items.iter().any(Item::is_held) {
            let held = Held {
                items: Arc::clone(&lease.items),
                at: Instant::now(),
            };
            lock(&self.inner.held).insert(lease.id.clone(), held);
        }
    }

    fn hear(&self, items: &[Item], said: &[Reply]) -> Option<Vec<Said>> {
        let said = items.iter().zip(said.chunks_exact(3));
        let said: Option<Vec<Said>> = said.map(|(item, said)| item.said(said)).collect();
        let said = said.filter(|said| said.len() == items.len())?;
        let mut accounts = lock(&self.inner.accounts);
        for (item, said) in items.iter().zip(&said) {
            if let (Item::Money(purse), Said::Money { spent, held, .. }) = (item, said) {
                accounts.hear(purse, *spent, *held);
            }
        }
        Some(said)
    }

    async fn run(&self, script: &Script, keys: &[String], args: &[String]) -> Result<Reply, Away> {
        self.begin(script, keys, args).await
    }

    /// Once this has returned the script is on its way. Redis is told its text when it does not know it.
    fn begin(
        &self,
        script: &Script,
        keys: &[String],
        args: &[String],
    ) -> impl Future<Output = Result<Reply, Away>> + Send + use<> {
        let count = keys.len().to_string();
        let rest = std::iter::once(&count).chain(keys).chain(args);
        let rest: Vec<&[u8]> = rest.map(String::as_bytes).collect();
        let with = |command: &'static [u8], script: &[u8]| {
            let mut words: Vec<&[u8]> = vec![command, script];
            words.extend(&rest);
            crate::redis::encode(&words)
        };
        let asked = self
            .inner
            .redis
            .ask_encoded(with(b"EVALSHA", script.name.as_bytes()));
        // It is needed once in the life of a Redis.
        let again = with(b"EVAL", script.text.as_bytes());
        let redis = self.inner.redis.clone();
        async move {
            match asked.await? {
                Reply::Error(_) => redis.ask_encoded(again).await,
                reply => Ok(reply),
            }
        }
    }

    /// One that nobody else has.
    fn id(&self) -> String {
        let number = self.inner.next.fetch_add(1, Ordering::Relaxed);
        format!("{}{number:x}", self.inner.token)
    }

    fn key(&self, kind: &str, rest: &str) -> String {
        format!("pillion:limit:{}:{kind}:{rest}", self.inner.realm)
    }

    fn budget(&self, account: &str) -> String {
        report::key(&self.inner.realm, account)
    }

    fn lease(&self, id: &str) -> String {
        self.key("lease", id)
    }

    fn mark(&self, id: &str) -> String {
        self.key("done", id)
    }
}

fn replies(reply: &Reply) -> &[Reply] {
    match reply {
        Reply::List(replies) => replies,
        reply => std::slice::from_ref(reply),
    }
}
