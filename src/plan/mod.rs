//! Which targets may serve a request, in which order, and what is tried when one fails.
//!
//! Pure: no I/O and no clock of its own; `now` and the random numbers are arguments, so that every
//! policy is a table test.

mod deadline;
mod explain;
mod pick;
mod rules;
mod schedule;
mod selection;
mod sieve;
mod told;
mod verdict;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::error::GatewayError;
use crate::snapshot::{Place, Route, Rule, Target};

pub use deadline::{Deadline, announced, patience};
pub use explain::{Explanation, RuleTold, Unmet};
pub use rules::{Circumstances, Found, beside, choose, unmet};
pub use schedule::{Next, Schedule, Step};
pub use selection::Selection;
pub use sieve::{Filter, Removed, Sieve};
pub use told::{Choice, Told, choose_told};

/// The ordered targets left for one request: at least one.
#[derive(Debug)]
pub struct Plan {
    targets: Vec<Arc<Target>>,
}

impl Plan {
    /// The targets of `rule` and `route` that `sieve` lets through, in fallback order; within a place as
    /// it says; those that are full or slow behind others that serve better.
    ///
    /// # Errors
    /// [`GatewayError::NoEligibleTarget`], with the filter that removed the last of them, and
    /// [`GatewayError::Overloaded`] for a batch request that finds no room.
    pub fn make(
        route: &Route,
        rule: Option<&Rule>,
        sieve: &Sieve<'_>,
        by: &Selection<'_>,
        rng: &mut fastrand::Rng,
    ) -> Result<Self, GatewayError> {
        let mut targets = candidates(route, rule, by, rng);
        let removed = sieve.sift(&mut targets);
        if targets.is_empty() {
            return Err(GatewayError::NoEligibleTarget {
                why: sieve::emptied(&removed),
                wait: None,
            });
        }
        by.spill(&mut targets);
        if targets.is_empty() {
            return Err(GatewayError::Overloaded);
        }
        by.leave_slow(&mut targets);
        Ok(Self { targets })
    }

    /// Of these targets, in this order.
    pub fn of(targets: Vec<Arc<Target>>) -> Self {
        Self { targets }
    }

    pub fn targets(&self) -> &[Arc<Target>] {
        &self.targets
    }
}

/// All that the operator has named for such a request, in fallback order: those of its rule, then those
/// of its route, each of them once.
fn candidates(
    route: &Route,
    rule: Option<&Rule>,
    by: &Selection<'_>,
    rng: &mut fastrand::Rng,
) -> Vec<Arc<Target>> {
    let (first, only) = rule.map_or((&[][..], false), |rule| (&rule.places, rule.only));
    let own: &[Place] = if only { &[] } else { &route.places };
    let mut targets: Vec<Arc<Target>> = Vec::with_capacity(first.len() + own.len());
    for place in first.iter().chain(own) {
        for target in pick::order(place, by, rng) {
            if rule.is_none() || !targets.iter().any(|known| known.id == target.id) {
                targets.push(Arc::clone(target));
            }
        }
    }
    targets
}
