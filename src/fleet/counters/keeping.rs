//! What is told to Redis beside the requests: that this process is there, what its requests came
//! to, and what they still hold.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};

use super::item::{self, Item};
use super::scripts::{HELLO, JOIN, RENEW, SWEEP};
use super::settlement::Settlement;
use super::{Counters, LIFE, replies};
use crate::fleet::lock;
use crate::fleet::redis::Away;
use crate::price::Money;
use crate::redis::Reply;

/// A lease is renewed when it is so old.
const RENEWED: Duration = Duration::from_secs(20);
/// So many in one command.
const TOGETHER: usize = 64;
/// How often the process says that it is there; after so long without, it is gone.
const HELLO_EACH: Duration = Duration::from_secs(1);
const GONE: Duration = Duration::from_secs(15);
/// How often it looks for leases that have lapsed, in such ticks.
const SWEEP_EACH: u64 = 10;
/// How long a process that ends waits at least until its settlements are told, and how often it looks whether
/// they are.
const LAST: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(20);

impl Counters {
    /// Keeps Redis told, for as long as the process lives.
    pub(in crate::fleet) async fn keep_up(self) {
        let mut ticks = interval(HELLO_EACH);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut count: u64 = 0;
        let mut seen = None;
        loop {
            tokio::select! {
                () = self.inner.wake.notified() => {
                    if self.inner.redis.is_up() {
                        self.flush().await;
                    }
                }
                _ = ticks.tick() => {
                    let redis = &self.inner.redis;
                    let now = redis.is_up().then(|| redis.connection());
                    let back = std::mem::replace(&mut seen, now) != now;
                    if back && now.is_some() && self.seed().await.is_ok() {
                        // It may have come back as it was some time ago.
                        self.inner.reclaim.store(true, Ordering::Relaxed);
                    }
                    if self.inner.redis.is_up() && self.hello().await.is_ok() {
                        self.flush().await;
                        if count.is_multiple_of(SWEEP_EACH) {
                            self.sweep().await;
                        }
                        count += 1;
                    }
                }
            }
            if self.inner.redis.is_up() {
                self.renew().await;
                let is_told = lock(&self.inner.untold).is_empty();
                if is_told && self.inner.joins.swap(false, Ordering::Relaxed) {
                    self.join().await;
                }
            }
        }
    }

    /// Returns once Redis has all that it is to be told, or then. One that is away is waited for if money
    /// is owed.
    pub(in crate::fleet) async fn finish(&self, until: Instant) {
        let telling = async {
            while self.is_worth_waiting() {
                self.flush().await;
                if self.is_worth_waiting() {
                    sleep(LOOK).await;
                }
            }
        };
        let until = until.max(Instant::now() + LAST);
        if timeout_at(until, telling).await.is_err() && self.owes() {
            tracing::warn!("the shared state could not be told all that was spent");
        }
        let instances = self.key("instances", "");
        let token = self.inner.token.as_bytes();
        (self.inner.redis).tell(&[b"ZREM", instances.as_bytes(), token]);
    }

    fn is_worth_waiting(&self) -> bool {
        if self.inner.redis.is_up() {
            !lock(&self.inner.untold).is_empty()
        } else {
            self.owes()
        }
    }

    fn owes(&self) -> bool {
        self.owed().iter().any(|owed| owed.spent > Money::ZERO)
    }

    /// Says that it is there, and asks how the budgets stand that it knows.
    async fn hello(&self) -> Result<(), Away> {
        let accounts: Vec<_> = self.all(Timestamp::now());
        let mut keys = vec![self.key("epoch", ""), self.key("instances", "")];
        keys.extend(accounts.iter().map(|(account, ..)| self.budget(account)));
        let args = [self.inner.token.clone(), GONE.as_millis().to_string()];
        let reply = self.run(&HELLO, &keys, &args).await?;
        let [Reply::Text(epoch), Reply::Number(instances), budgets @ ..] = replies(&reply) else {
            return Err(Away);
        };
        let ours = self.epoch();
        if ours
            .as_ref()
            .is_some_and(|ours| ours.as_bytes() == &epoch[..])
        {
            self.count(u32::try_from(*instances).unwrap_or(1));
            let mut known = lock(&self.inner.accounts);
            for ((account, ..), said) in accounts.iter().zip(budgets.chunks_exact(2)) {
                if let (Some(spent), Some(held)) = (item::number(&said[0]), item::number(&said[1]))
                {
                    known.stands(account, spent, held);
                }
            }
        } else if ours.is_some() || !accounts.is_empty() {
            self.seed().await?;
        }
        Ok(())
    }

    /// So many processes are there. Fewer are believed only after a while: in a Redis that has been
    /// emptied they come one by one.
    pub(super) fn count(&self, instances: u32) {
        let now = Instant::now();
        let mut known = lock(&self.inner.instances);
        if instances >= known.count || known.at.is_none_or(|at| now - at >= GONE) {
            known.count = instances;
            known.at = Some(now);
        }
    }

    /// What this process has let out is told: nothing is kept for it any more.
    async fn join(&self) {
        let Some(epoch) = self.epoch() else { return };
        let accounts = self.all(Timestamp::now());
        let mut keys = vec![self.key("epoch", "")];
        keys.extend(accounts.iter().map(|(account, ..)| self.budget(account)));
        if self.run(&JOIN, &keys, &[epoch]).await.is_err() {
            // What is kept lapses by itself: twice would be worse.
            tracing::debug!("what was let out could not be told to be all");
        }
    }

    /// Tells what requests came to, many at a time.
    async fn flush(&self) {
        loop {
            let Some(epoch) = self.epoch() else {
                if lock(&self.inner.untold).is_empty() || self.seed().await.is_err() {
                    return;
                }
                continue;
            };
            let runs = lock(&self.inner.accounts).lent();
            let some = lock(&self.inner.untold).next(TOGETHER, &runs, || self.id());
            if some.is_empty() {
                return;
            }
            let mut again = Vec::new();
            // All are on their way before the first reply is waited for.
            let asking: Vec<_> = some
                .iter()
                .map(|settlement| settlement.tell(self, &epoch))
                .collect();
            for (settlement, asking) in some.iter().zip(asking) {
                match asking.await {
                    Ok(reply) => match replies(&reply) {
                        [Reply::Number(-1), ..] => {
                            self.forget(&epoch);
                            again.push(settlement.clone());
                            continue;
                        }
                        [Reply::Number(_), budgets @ ..] => self.told(settlement, budgets),
                        _ => {}
                    },
                    Err(Away) => {
                        if let Some(settlement) = settlement.again() {
                            again.push(settlement);
                            continue;
                        }
                    }
                }
                lock(&self.inner.untold).acknowledged(settlement);
            }
            let is_away = !again.is_empty() && self.epoch().is_some();
            lock(&self.inner.untold).again(again);
            if is_away {
                return;
            }
        }
    }

    /// Redis has it.
    fn told(&self, settlement: &Settlement, budgets: &[Reply]) {
        let mut accounts = lock(&self.inner.accounts);
        for (place, (purse, cost)) in settlement.costs().enumerate() {
            if settlement.lent {
                accounts.acknowledged(purse, cost);
            }
            let Some([spent, held, first]) = budgets.chunks_exact(3).nth(place) else {
                continue;
            };
            if let (Some(spent), Some(held)) = (item::number(spent), item::number(held)) {
                accounts.hear(purse, spent, held);
            }
            if *first == Reply::Number(1) {
                tracing::warn!(budget = %purse.account, "four fifths of a budget are spent");
            }
        }
    }

    async fn renew(&self) {
        let Some(epoch) = self.epoch() else { return };
        let all = self.inner.reclaim.swap(false, Ordering::Relaxed);
        let now = Instant::now();
        let ids: Vec<String> = {
            let held = lock(&self.inner.held);
            let due = held.iter().filter(|(_, it)| all || now - it.at >= RENEWED);
            due.map(|(id, _)| id.clone()).collect()
        };
        for ids in ids.chunks(TOGETHER) {
            let renewing = {
                // Under the lock: none is renewed behind its end.
                let held = lock(&self.inner.held);
                let mut args = vec![epoch.clone(), LIFE.as_millis().to_string()];
                for id in ids {
                    if let Some(it) = held.get(id) {
                        args.extend(self.renewal(id, &it.items));
                    }
                }
                let keys = [self.key("epoch", ""), self.key("leases", "")];
                self.begin(&RENEW, &keys, &args)
            };
            match renewing.await {
                Ok(Reply::Number(1)) => {}
                Ok(_) => return self.forget(&epoch),
                // They stay due.
                Err(Away) => {
                    self.inner.reclaim.fetch_or(all, Ordering::Relaxed);
                    return;
                }
            }
            let mut held = lock(&self.inner.held);
            for id in ids {
                if let Some(it) = held.get_mut(id) {
                    it.at = now;
                }
            }
        }
    }

    fn renewal(&self, id: &str, items: &[Item]) -> Vec<String> {
        let now = Timestamp::now();
        let held: Vec<&Item> = items.iter().filter(|item| item.is_held()).collect();
        let mut args = vec![
            id.to_owned(),
            self.lease(id),
            self.mark(id),
            held.len().to_string(),
        ];
        for item in held {
            let [kind, _, amount, life] = item.taking(now);
            args.extend([kind, item.key().to_owned(), amount, life]);
        }
        args
    }

    async fn sweep(&self) {
        let (keys, args) = ([self.key("leases", "")], [self.lease("")]);
        if let Ok(Reply::Number(lapsed @ 1..)) = self.run(&SWEEP, &keys, &args).await {
            tracing::warn!(
                lapsed,
                "requests of a process that is gone are charged as what they might have cost"
            );
        }
    }
}
