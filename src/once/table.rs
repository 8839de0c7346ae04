//! The calls that run: who joins whom.
//!
//! Pure: calls are known by their tickets and told apart by what they are for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use smallvec::SmallVec;
use tokio::time::Instant;

use super::asked::Identity;
use super::call::Call;

/// Why a request is taken for one that came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Key,
    Retry,
    Dedupe,
}

impl Kind {
    /// The metric's label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "idempotency_key",
            Self::Retry => "sdk_retry",
            Self::Dedupe => "dedupe",
        }
    }
}

/// What a call is for, and whether it may still be joined.
#[derive(Debug)]
pub struct Ticket {
    pub(super) identity: Identity,
    pub(super) arrived: Instant,
    /// False once its beginning is no longer there to be had.
    open: AtomicBool,
}

impl Ticket {
    pub(super) fn new(identity: Identity, arrived: Instant) -> Self {
        Self {
            identity,
            arrived,
            open: AtomicBool::new(true),
        }
    }

    /// Nobody joins the call any more, and nothing is kept of it. Those who have joined stay.
    pub fn close(&self) {
        self.open.store(false, Ordering::Release);
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }
}

/// What there is for a request.
pub(super) enum Found {
    Call(Arc<Call>, Kind),
    /// Its key is another request's.
    Conflict,
    Nothing,
}

#[derive(Clone)]
struct Entry {
    ticket: Arc<Ticket>,
    call: Weak<Call>,
}

/// Calls with a key by that, the others by the length of their bodies, which costs nothing to know.
#[derive(Default)]
pub(super) struct Table {
    keyed: HashMap<(Arc<str>, Arc<str>), Entry>,
    others: HashMap<usize, SmallVec<[Entry; 1]>>,
}

impl Table {
    /// The call that a request of `identity` is. No call is held in here that is not handed out: the
    /// last to hold one drops it, which comes back to this table.
    pub(super) fn find(&self, identity: &Identity, retry: bool, now: Instant) -> Found {
        if let Some(key) = &identity.key {
            let name = (Arc::clone(&identity.caller), Arc::clone(key));
            let open = |entry: &&Entry| entry.ticket.is_open() && entry.call.strong_count() > 0;
            let Some(entry) = self.keyed.get(&name).filter(open) else {
                return Found::Nothing;
            };
            if !entry.ticket.identity.is_same(identity) {
                return Found::Conflict;
            }
            // It may have been left by everybody this instant.
            let call = entry.call.upgrade();
            return call.map_or(Found::Nothing, |call| Found::Call(call, Kind::Key));
        }
        if !retry && identity.dedupe.is_none() {
            return Found::Nothing;
        }
        let Some(entries) = self.others.get(&identity.body.len()) else {
            return Found::Nothing;
        };
        let window = |ticket: &Ticket| {
            identity
                .dedupe
                .is_some_and(|span| now.saturating_duration_since(ticket.arrived) <= span)
        };
        let kind = |ticket: &Ticket| match (window(ticket), retry) {
            (_, true) => Some(Kind::Retry),
            (true, false) => Some(Kind::Dedupe),
            (false, false) => None,
        };
        let same = entries.iter().rev().find_map(|entry| {
            let ticket = &*entry.ticket;
            let kind = kind(ticket)?;
            let same = ticket.is_open()
                && ticket.identity.caller == identity.caller
                && ticket.identity.is_same(identity);
            same.then_some(())?;
            Some((entry.call.upgrade()?, kind))
        });
        same.map_or(Found::Nothing, |(call, kind)| Found::Call(call, kind))
    }

    /// A call begins. One of the same key that can no longer be joined gives way.
    pub(super) fn insert(&mut self, ticket: Arc<Ticket>, call: &Arc<Call>) {
        let identity = &ticket.identity;
        let name = identity
            .key
            .as_ref()
            .map(|key| (Arc::clone(&identity.caller), Arc::clone(key)));
        let length = identity.body.len();
        let call = Arc::downgrade(call);
        let entry = Entry { ticket, call };
        match name {
            Some(name) => drop(self.keyed.insert(name, entry)),
            None => self.others.entry(length).or_default().push(entry),
        }
    }

    pub(super) fn remove(&mut self, ticket: &Arc<Ticket>) {
        let identity = &ticket.identity;
        if let Some(key) = &identity.key {
            let name = (Arc::clone(&identity.caller), Arc::clone(key));
            if self
                .keyed
                .get(&name)
                .is_some_and(|entry| Arc::ptr_eq(&entry.ticket, ticket))
            {
                self.keyed.remove(&name);
            }
            return;
        }
        let length = identity.body.len();
        if let Some(entries) = self.others.get_mut(&length) {
            entries.retain(|entry| !Arc::ptr_eq(&entry.ticket, ticket));
            if entries.is_empty() {
                self.others.remove(&length);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.keyed.len() + self.others.values().map(SmallVec::len).sum::<usize>()
    }
}
