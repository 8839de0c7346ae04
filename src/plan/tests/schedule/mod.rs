//! What the schedule says next, one promise at a time.

mod bounds;
mod breakers;
mod limits;
mod remedies;

use super::*;

fn open(health: &Health, target: &Arc<Target>, now: Instant) {
    for _ in 0..2 {
        let permit = health.admit(ASK, target, now).unwrap();
        permit.failed(&failure(Class::ServerError, None), now);
    }
}

fn limit(health: &Health, target: &Arc<Target>, seconds: f64, now: Instant) {
    let permit = health.admit(ASK, target, now).unwrap();
    permit.failed(&failure(Class::RateLimited, Some(seconds)), now);
}
