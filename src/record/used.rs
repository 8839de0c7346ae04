//! What a request took of its limits, told from its record. Pure.

use super::facts::Facts;
use crate::limit::Used;

/// Nothing without an answer. Of one whose tokens or cost nobody knows, all that was reserved.
pub(super) fn used(facts: &Facts) -> Used {
    if facts.answering().is_none() {
        return Used::NOTHING;
    }
    let spent = facts.spent();
    let usage = spent.usage.unwrap_or_default();
    // Some count reasoning beside it.
    let completion = usage.completion.max(usage.reasoning);
    Used {
        tokens: (usage.prompt).map(|prompt| prompt.saturating_add(completion.unwrap_or_default())),
        completion,
        cost: spent.cost,
    }
}
