//! Cache points: at most four of them, for models that have them.

use super::wire::CachePoint;
use crate::chat::{Conversation, Lifetime, Part};
use crate::facts::{Extras, Facts};

/// The most points of one request.
const MOST: usize = 4;

/// The points of one request, in its order: tools, instructions, messages.
#[derive(Debug)]
pub(super) struct Points {
    /// How many are left out: the first, as the prefix of each later one holds theirs.
    skip: usize,
    allowed: bool,
    /// Whether a lifetime can be named.
    lifetimes: bool,
    /// Some were asked for and are not sent, or not for as long.
    pub(super) lost: bool,
}

impl Points {
    pub(super) fn of(conversation: &Conversation, facts: &Facts) -> Self {
        let system = conversation.system.iter();
        let turns = conversation.turns.iter().flat_map(|turn| &turn.parts);
        let parts = system.chain(turns);
        let points = parts
            .filter(|part| matches!(part, Part::CachePoint(_)))
            .count();
        let tools = conversation.tools.iter();
        let count = points + tools.filter(|tool| tool.cache.is_some()).count();
        Self {
            skip: count.saturating_sub(MOST),
            allowed: facts.cache_points,
            lifetimes: facts.extras == Extras::Claude,
            lost: count > if facts.cache_points { MOST } else { 0 },
        }
    }

    /// The next point, if it is one of those that are sent.
    pub(super) fn next<'a>(&mut self, lifetime: &'a Lifetime) -> Option<CachePoint<'a>> {
        if !self.allowed {
            return None;
        }
        if let Some(left) = self.skip.checked_sub(1) {
            self.skip = left;
            return None;
        }
        let asked = lifetime.as_deref();
        let ttl = asked.filter(|ttl| self.lifetimes && matches!(*ttl, "5m" | "1h"));
        // Five minutes is what it is anyway.
        self.lost |= asked != ttl && asked != Some("5m");
        Some(CachePoint::new(ttl))
    }
}
