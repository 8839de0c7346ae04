//! Which Redis it is that counts: one that remembers what it was told is of one *epoch*, a name that it
//! bears and that is gone when it was emptied.
//!
//! Who has a new connection says what it knows to be spent before it takes anything: what is at its end may
//! be a replica that has been promoted and lacks the last moments, or have come back as it was some time ago.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;

use super::scripts::SEED;
use super::{Counters, item};
use crate::fleet::lock;
use crate::fleet::redis::Away;
use crate::redis::Reply;

/// For so long what processes may have let out while Redis was away is kept for them. All are back by then.
const KEPT: Duration = Duration::from_secs(10);

/// The name of what Redis remembers.
#[derive(Default)]
pub(super) struct Epoch {
    /// Absent until it is known to remember us; and the connection over which it said so.
    current: Option<(u64, String)>,
    /// The last one that we were in: what is known is from there.
    joined: String,
}

impl Counters {
    /// The epoch that all that is known is from.
    pub(crate) fn joined(&self) -> String {
        lock(&self.inner.epoch).joined.clone()
    }

    /// What follows is known from this epoch.
    pub(crate) fn was_in(&self, epoch: &str) {
        epoch.clone_into(&mut lock(&self.inner.epoch).joined);
    }

    /// `None` until the Redis at the end of this connection is known to remember us.
    pub(super) fn epoch(&self) -> Option<String> {
        let connection = self.inner.redis.connection();
        let ours = lock(&self.inner.epoch);
        let current = ours.current.as_ref().filter(|(its, _)| *its == connection);
        current.map(|(_, epoch)| epoch.clone())
    }

    /// Redis does not know this epoch.
    pub(super) fn forget(&self, epoch: &str) {
        let mut ours = lock(&self.inner.epoch);
        ours.current.take_if(|(_, current)| current == epoch);
    }

    /// Says what is known to be spent, and learns the epoch. What is held is taken again afterwards.
    pub(super) async fn seed(&self) -> Result<String, Away> {
        // Before it is asked: another one may come back meanwhile.
        let connection = self.inner.redis.connection();
        let now = Timestamp::now();
        let mut keys = vec![self.key("epoch", "")];
        let mut args = vec![self.id(), self.joined(), KEPT.as_millis().to_string()];
        let instances = self.instances().unwrap_or(1);
        for (account, known) in lock(&self.inner.accounts).current(now) {
            keys.push(self.budget(account));
            let share = known.share(instances);
            args.push(known.spent.to_string());
            args.push(item::life(known.ends, now).to_string());
            args.push(share.to_string());
            args.push((share * u64::from(instances)).to_string());
        }
        let Reply::Text(epoch) = self.run(&SEED, &keys, &args).await? else {
            return Err(Away);
        };
        let epoch = String::from_utf8_lossy(&epoch).into_owned();
        let before = {
            let mut ours = lock(&self.inner.epoch);
            ours.current = Some((connection, epoch.clone()));
            std::mem::replace(&mut ours.joined, epoch.clone())
        };
        if before != epoch {
            tracing::debug!(epoch, "the shared counters begin, or began anew");
            self.inner.reclaim.store(true, Ordering::Relaxed);
            (self.inner.joins).fetch_or(!before.is_empty(), Ordering::Relaxed);
            self.inner.wake.notify_one();
        }
        Ok(epoch)
    }
}
