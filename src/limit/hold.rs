//! What a request has taken of its limits, from before it is sent until it is over.

use std::fmt;
use std::sync::Arc;

use super::book::Taken;
use super::quotas::Quotas;
use crate::fleet::counters::Lease;
use crate::price::Money;

/// What a request has taken. Dropped without a word, it is given back: nothing was sent.
#[must_use = "dropped at once, it is given back at once"]
pub struct Hold {
    pub(super) quotas: Quotas,
    pub(super) taken: Option<Taken>,
    pub(super) lease: Option<Lease>,
    pub(super) route: Arc<str>,
}

/// What a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// Prompt and completion; what is not known stays as it was reserved.
    pub tokens: Option<u64>,
    pub completion: Option<u64>,
    pub cost: Option<Money>,
}

impl Used {
    /// Nobody has answered, so nobody charges.
    pub const NOTHING: Self = Self {
        tokens: Some(0),
        completion: None,
        cost: Some(Money::ZERO),
    };
}

impl Hold {
    /// The request is over, and came to this.
    pub fn settle(mut self, used: Used) {
        if let Some(taken) = self.taken.take() {
            let lease = self.lease.take();
            self.quotas.settle(&taken, lease, used, &self.route);
        }
    }

    pub(super) fn into_taken(mut self) -> Option<Taken> {
        self.taken.take()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(taken) = self.taken.take() {
            let lease = self.lease.take();
            self.quotas
                .settle(&taken, lease, Used::NOTHING, &self.route);
        }
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold")
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}
