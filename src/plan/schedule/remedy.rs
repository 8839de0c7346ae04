//! What a failure leads to: the same target again, the next one, or the end.

use std::sync::Arc;

use tokio::time::Instant;

use super::Schedule;
use crate::health::Health;
use crate::outcome::{Class, Failure};
use crate::snapshot::Target;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    RetryHere,
    /// The same target, when it takes requests again, unless another one does before.
    NotBefore(Instant),
    /// The same, where it has not said when.
    Later,
    NextTarget,
    /// The next target of another account of the same kind.
    NextAccount,
    GiveUp,
}

impl Schedule {
    pub(super) fn remedy(
        &self,
        failure: &Failure,
        target: &Arc<Target>,
        new_secret: bool,
        now: Instant,
        health: &Health,
    ) -> Remedy {
        let is_in = |list: &[Arc<Target>]| list.iter().any(|one| Arc::ptr_eq(one, target));
        let retried = is_in(&self.retried);
        let once = |allowed: bool| {
            if allowed && !retried {
                Remedy::RetryHere
            } else {
                Remedy::NextTarget
            }
        };
        if self.once && !failure.class.never_began(failure.status) {
            return Remedy::GiveUp;
        }
        let has_backup = || self.backup(now, health).is_some();
        match failure.class {
            Class::Connect | Class::Reset => once(true),
            Class::Timeout => once(self.deadline.fits_two(has_backup())),
            // Elsewhere is cheaper than waiting; with nowhere to go, waiting is all there is.
            Class::RateLimited if has_backup() => Remedy::NextTarget,
            Class::RateLimited => {
                let wait = failure.wait.map(|wait| now + wait);
                wait.map_or(Remedy::Later, Remedy::NotBefore)
            }
            Class::QuotaExhausted
            | Class::Overloaded
            | Class::ServerError
            | Class::Broken
            | Class::TargetMissing
            | Class::ContextLength => Remedy::NextTarget,
            // A refused key never sends the request to somebody else's account.
            Class::Auth if new_secret && !retried => Remedy::RetryHere,
            // It was to find out whether the key is still refused: another account of the kind serves.
            Class::Auth if is_in(&self.doubtful) => Remedy::NextAccount,
            Class::Auth | Class::InvalidRequest | Class::Policy | Class::Cancelled | Class::Ok => {
                Remedy::GiveUp
            }
        }
    }
}

/// Whether `next` may do better than `failed`, which ended so.
pub(super) fn suits(next: &Target, class: Class, failed: &Target) -> bool {
    match class {
        // A context that nobody declared is not known to be larger, nor known to be exceeded.
        Class::ContextLength => {
            matches!((next.context, failed.context), (Some(next), Some(failed)) if next > failed)
        }
        // The account is empty, whatever the model.
        Class::QuotaExhausted => !Arc::ptr_eq(&next.provider, &failed.provider),
        Class::Ok
        | Class::Connect
        | Class::Timeout
        | Class::Reset
        | Class::RateLimited
        | Class::Overloaded
        | Class::ServerError
        | Class::Broken
        | Class::Auth
        | Class::InvalidRequest
        | Class::TargetMissing
        | Class::Policy
        | Class::Cancelled => true,
    }
}
