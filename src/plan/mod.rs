//! Which targets may serve a request, in which order, and what is tried when one fails.
//!
//! Pure: no I/O and no clock of its own; `now` and the random numbers are arguments, so that every
//! policy is a table test.

mod deadline;
mod pick;
mod schedule;
mod selection;
mod verdict;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::error::GatewayError;
use crate::snapshot::{Route, Target};

pub use deadline::{Deadline, announced, patience};
pub use schedule::{Next, Schedule, Step};
pub use selection::Selection;

/// The ordered targets left for one request: at least one.
#[derive(Debug)]
pub struct Plan {
    targets: Vec<Arc<Target>>,
}

impl Plan {
    /// The targets of `route` that `usable` lets through, in fallback order; within a place as it says;
    /// those that are full or slow behind others that serve better.
    ///
    /// # Errors
    /// [`GatewayError::NoEligibleTarget`], with what `usable` said of the first target, and
    /// [`GatewayError::Overloaded`] for a batch request that finds no room.
    pub fn make(
        route: &Route,
        usable: impl Fn(&Target) -> Result<(), String>,
        by: &Selection<'_>,
        rng: &mut fastrand::Rng,
    ) -> Result<Self, GatewayError> {
        let mut why = None;
        let mut targets = Vec::with_capacity(route.places.len());
        for place in &route.places {
            for target in pick::order(place, by, rng) {
                match usable(target) {
                    Ok(()) => targets.push(Arc::clone(target)),
                    Err(reason) => drop(why.get_or_insert(reason)),
                }
            }
        }
        if targets.is_empty() {
            return Err(GatewayError::NoEligibleTarget {
                why: why.unwrap_or_else(|| "the route is empty".into()),
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
