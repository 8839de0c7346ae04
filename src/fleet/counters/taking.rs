//! What a request takes, and what becomes of it where nobody knows whether Redis gave it.

use std::sync::Arc;

use jiff::Timestamp;

use super::item::{Item, Said};
use super::scripts::TAKE;
use super::settlement::Settlement;
use super::{By, Counters, LIFE, Lease, replies};
use crate::fleet::lock;
use crate::fleet::redis::Away;
use crate::price::Money;
use crate::redis::Reply;

/// Redis did not answer. It may have taken what it was asked for.
pub(crate) struct Lost(Option<Lease>);

/// A lease that is asked for. Whoever asks may leave before it is known whether it was given: then it is
/// given back.
struct Pending<'a> {
    counters: &'a Counters,
    lease: Option<Lease>,
}

impl Pending<'_> {
    fn into_lease(mut self) -> Option<Lease> {
        self.lease.take()
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            self.counters.give_back(lease);
        }
    }
}

impl Counters {
    /// Takes all items, or none: what Redis says of each. With a lease where all were taken.
    pub(crate) async fn take(
        &self,
        items: &Arc<[Item]>,
    ) -> Result<(Option<Lease>, Vec<Said>), Lost> {
        // Once for each epoch that ends meanwhile.
        for _ in 0..3 {
            let epoch = self.epoch();
            let epoch = match epoch {
                Some(epoch) => epoch,
                None => self.seed().await.map_err(|Away| Lost(None))?,
            };
            let lease = Lease {
                id: self.id(),
                items: Arc::clone(items),
                by: By::Redis,
            };
            let now = Timestamp::now();
            let mut args = vec![
                epoch.clone(),
                lease.id.clone(),
                LIFE.as_millis().to_string(),
            ];
            args.extend(items.iter().flat_map(|item| item.taking(now)));
            let mut keys = vec![self.key("epoch", ""), self.key("leases", "")];
            keys.push(self.lease(&lease.id));
            keys.extend(items.iter().map(|item| item.key().to_owned()));
            if !self.inner.redis.is_up() {
                return Err(Lost(None));
            }
            let pending = Pending {
                counters: self,
                lease: Some(lease),
            };
            let reply = self.run(&TAKE, &keys, &args).await;
            let lease = pending.into_lease();
            let Ok(reply) = reply else {
                return Err(Lost(lease));
            };
            match &replies(&reply) {
                [Reply::Number(-1), ..] => self.forget(&epoch),
                [Reply::Number(taken), said @ ..] => {
                    let said = self.hear(items, said).ok_or(Lost(None))?;
                    let lease = lease.filter(|_| *taken == 1);
                    if let Some(lease) = &lease {
                        self.hold(lease);
                    }
                    return Ok((lease, said));
                }
                _ => return Err(Lost(None)),
            }
        }
        Err(Lost(None))
    }

    /// Redis does not answer. What may have been taken there is given back; what money goes out all
    /// the same is remembered: else the first item whose budget is closed.
    pub(crate) fn lend(
        &self,
        lost: Lost,
        items: &Arc<[Item]>,
        instances: u32,
    ) -> Result<Lease, usize> {
        let lent = lock(&self.inner.accounts).lend(items, instances);
        match (lent, lost.0) {
            (Ok(()), Some(lease)) => Ok(Lease {
                by: By::Both,
                ..lease
            }),
            (Ok(()), None) => {
                let mut untold = lock(&self.inner.untold);
                for item in items.iter() {
                    if let Item::Money(purse) = item {
                        // It has a name from now on.
                        untold.add(purse, 0, || self.id());
                    }
                }
                Ok(Lease {
                    id: self.id(),
                    items: Arc::clone(items),
                    by: By::Us,
                })
            }
            (Err(closed), lease) => {
                if let Some(lease) = lease {
                    self.give_back(lease);
                }
                Err(closed)
            }
        }
    }

    /// Nothing was sent by a lease of which nobody knows whether it was given. What it may have taken of a
    /// rate stays taken: if it was not, giving it back would let more pass than may.
    fn give_back(&self, lease: Lease) {
        let settlement = Settlement::of(lease, None, Some(Money::ZERO));
        if settlement.says_something() {
            self.push(settlement);
        }
    }
}
