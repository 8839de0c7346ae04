//! Answers that are kept when their calls have ended: for a while, and within bounds.

use std::sync::Arc;
use std::time::Duration;

use moka::Expiry;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use ring::digest::{Context, SHA256};
use tokio::time::Instant;

use super::asked::Identity;
use super::reader::Shared;
use super::table::Ticket;
use crate::chat::Surface;

/// How long an answer is kept for the requests that bear its key.
const LIFE: Duration = Duration::from_mins(10);
/// What is kept together, in bytes. Beyond it goes what was not asked for the longest.
const TOGETHER: u64 = 64 << 20;

/// What an answer is found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Name {
    /// The caller, and its `Idempotency-Key`.
    Key(Arc<str>, Arc<str>),
    /// The caller, and the digest of what it asked for.
    Same(Arc<str>, Digest),
}

type Digest = [u8; 32];

impl Name {
    /// `None` for a request whose answer is not kept. Without a key the body is hashed.
    pub(super) fn of(identity: &Identity) -> Option<Self> {
        let caller = Arc::clone(&identity.caller);
        match (&identity.key, identity.dedupe) {
            (Some(key), _) => Some(Self::Key(caller, Arc::clone(key))),
            (None, Some(_)) => Some(Self::Same(caller, digest(identity))),
            (None, None) => None,
        }
    }
}

/// An answer that is kept.
#[derive(Clone)]
pub(super) struct Kept {
    digest: Digest,
    shared: Shared,
    until: Instant,
    life: Duration,
}

impl Kept {
    /// Whether it is the answer to this request.
    pub(super) fn is_of(&self, identity: &Identity) -> bool {
        self.digest == digest(identity)
    }

    pub(super) fn shared(self) -> Shared {
        self.shared
    }
}

pub(super) struct Store(Cache<Name, Kept>);

/// Each for as long as it was kept for.
struct Lives;

impl Expiry<Name, Kept> for Lives {
    fn expire_after_create(
        &self,
        _: &Name,
        kept: &Kept,
        _: std::time::Instant,
    ) -> Option<Duration> {
        Some(kept.life)
    }

    fn expire_after_update(
        &self,
        _: &Name,
        kept: &Kept,
        _: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(kept.life)
    }
}

impl Store {
    pub(super) fn new() -> Self {
        let weight = |_: &Name, kept: &Kept| u32::try_from(kept.shared.size()).unwrap_or(u32::MAX);
        let cache = Cache::builder()
            .max_capacity(TOGETHER)
            .weigher(weight)
            // By default a newcomer has to earn its place; here it is the one that is asked for next.
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(Lives);
        Self(cache.build())
    }

    /// Keeps the answer of a call that has ended.
    pub(super) fn keep(&self, ticket: &Ticket, shared: Shared, now: Instant) {
        let identity = &ticket.identity;
        let Some(name) = Name::of(identity) else {
            return;
        };
        let (digest, until) = match (&name, identity.dedupe) {
            (Name::Same(_, digest), Some(span)) => (*digest, ticket.arrived + span),
            (Name::Key(..) | Name::Same(..), _) => (digest(identity), now + LIFE),
        };
        let life = until.saturating_duration_since(now);
        if !life.is_zero() {
            let kept = Kept {
                digest,
                shared,
                until,
                life,
            };
            self.0.insert(name, kept);
        }
    }

    /// What is kept under this name: under a key, whatever it was asked with.
    pub(super) fn find(&self, name: &Name, now: Instant) -> Option<Kept> {
        self.0.get(name).filter(|kept| now < kept.until)
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (u64, u64) {
        self.0.run_pending_tasks();
        (self.0.entry_count(), self.0.weighted_size())
    }
}

/// Of the endpoint, the rules and the body.
fn digest(identity: &Identity) -> Digest {
    let mut context = Context::new(&SHA256);
    context.update(Surface::name(identity.surface).as_bytes());
    context.update(b"\n");
    // Names of rules hold no NUL.
    context.update(identity.rules.as_bytes());
    context.update(b"\0");
    context.update(&identity.body);
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}
