//! Which targets may serve a request, in which order, and what is tried when one fails.
//!
//! Pure: no I/O and no clock of its own; `now` and the random numbers are arguments, so that every
//! policy is a table test.

mod deadline;
mod pick;
mod schedule;

use std::sync::Arc;

use crate::error::GatewayError;
use crate::snapshot::{Route, Target};

pub use deadline::{Deadline, patience};
pub use schedule::{Schedule, Step};

/// The ordered targets left for one request: at least one.
#[derive(Debug)]
pub struct Plan {
    targets: Vec<Arc<Target>>,
}

impl Plan {
    /// The targets of `route` that `usable` lets through, in fallback order; within a place by weight.
    ///
    /// # Errors
    /// [`GatewayError::NoEligibleTarget`], with what `usable` said of the first target.
    pub fn make(
        route: &Route,
        usable: impl Fn(&Target) -> Result<(), String>,
        rng: &mut fastrand::Rng,
    ) -> Result<Self, GatewayError> {
        let mut why = None;
        let mut targets = Vec::with_capacity(route.places.len());
        for place in &route.places {
            for target in pick::order(place, rng) {
                match usable(target) {
                    Ok(()) => targets.push(Arc::clone(target)),
                    Err(reason) => drop(why.get_or_insert(reason)),
                }
            }
        }
        if targets.is_empty() {
            return Err(GatewayError::NoEligibleTarget {
                why: why.unwrap_or_else(|| "the route is empty".into()),
            });
        }
        Ok(Self { targets })
    }

    pub fn targets(&self) -> &[Arc<Target>] {
        &self.targets
    }
}
