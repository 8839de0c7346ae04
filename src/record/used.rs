//! What a request took of its limits, told from its record. Pure.

use super::facts::Facts;
use crate::limit::{Used, price_of};

/// Nothing without an answer. Of one whose tokens or price nobody knows, all that was reserved.
pub(super) fn used(facts: &Facts) -> Used {
    let Some((target, _)) = facts.answering() else {
        return Used::NOTHING;
    };
    let usage = facts.usage.unwrap_or_default();
    let completion = usage.completion.map(|completion| {
        // Some count reasoning beside it.
        completion.max(usage.reasoning.unwrap_or_default())
    });
    Used {
        tokens: (usage.prompt).map(|prompt| prompt.saturating_add(completion.unwrap_or_default())),
        completion,
        cost: (usage.prompt)
            .and_then(|prompt| price_of(&target, prompt, completion.unwrap_or_default())),
    }
}
