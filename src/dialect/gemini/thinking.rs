//! How hard a model is to think, as a level or as a budget: whichever its family takes.
//!
//! <https://ai.google.dev/gemini-api/docs/thinking> (read 2026-11). Both at once are a 400, and so is
//! either at a model that does not think.

use super::wire::ThinkingConfig;
use crate::chat::{Conversation, Effort, Wish};
use crate::dialect::Dropped;
use crate::dialect::support::drop_field;
use crate::facts::{self, Facts, ThinkingOff};

/// The `thinkingConfig` of `conversation`; `None` leaves the model to its own default.
pub(super) fn config(
    conversation: &Conversation,
    facts: &Facts,
    dropped: &mut Dropped,
) -> Option<ThinkingConfig> {
    let wish = conversation.wish();
    match facts.thinking {
        facts::Thinking::Level => level(wish, conversation.show_reasoning, facts),
        facts::Thinking::Budget => {
            let config = budget(wish, conversation.show_reasoning, facts);
            let told = config.as_ref().and_then(|config| config.thinking_budget);
            if let (Wish::On(amount), Some(told)) = (wish, told)
                && amount.differs(told)
            {
                drop_field(dropped, conversation.wished_by());
            }
            config
        }
        facts::Thinking::None | facts::Thinking::Adaptive | facts::Thinking::Effort => {
            // Without thinking there is nothing to turn off.
            if wish.is_on() {
                drop_field(dropped, conversation.wished_by());
            }
            None
        }
    }
}

fn level(wish: Wish, show: bool, facts: &Facts) -> Option<ThinkingConfig> {
    let effort = match wish {
        Wish::Unsaid => None,
        Wish::Off => match facts.thinking_off {
            ThinkingOff::Omit => None,
            ThinkingOff::Disabled | ThinkingOff::BetweenTools | ThinkingOff::Least => {
                facts.effort(Effort::None)
            }
        },
        Wish::On(amount) => amount.effort().and_then(|effort| known(effort, facts)),
    };
    some(ThinkingConfig {
        thinking_level: effort.and_then(word),
        thinking_budget: None,
        include_thoughts: show || wish.is_on(),
    })
}

/// What a model has in the place of `effort`. A level between two is the higher one, as at Google's
/// own endpoint for callers of OpenAI's: a model with no more than two is not made to think little.
fn known(effort: Effort, facts: &Facts) -> Option<Effort> {
    if effort == Effort::Medium && !facts.efforts.contains(&effort) {
        return facts.effort(Effort::High);
    }
    facts.effort(effort)
}

fn budget(wish: Wish, show: bool, facts: &Facts) -> Option<ThinkingConfig> {
    let (least, most) = facts.budget.unwrap_or((0, 24_576));
    let tokens = match wish {
        Wish::Unsaid => None,
        Wish::Off => match facts.thinking_off {
            ThinkingOff::Omit => None,
            ThinkingOff::Disabled => Some(0),
            ThinkingOff::BetweenTools | ThinkingOff::Least => Some(least),
        },
        Wish::On(amount) => amount.budget(|effort| tokens_of(effort, most)),
    };
    // A shown thought costs nothing where there is none.
    let off = wish == Wish::Off;
    some(ThinkingConfig {
        thinking_level: None,
        thinking_budget: tokens.map(|tokens| tokens.clamp(least, most)),
        include_thoughts: !off && (show || wish.is_on()),
    })
}

fn some(config: ThinkingConfig) -> Option<ThinkingConfig> {
    (config != ThinkingConfig::default()).then_some(config)
}

/// The level of an effort; `max` is none of Gemini's.
fn word(effort: Effort) -> Option<&'static str> {
    match effort {
        Effort::None => None,
        Effort::Minimal => Some("MINIMAL"),
        Effort::Low => Some("LOW"),
        Effort::Medium => Some("MEDIUM"),
        Effort::High => Some("HIGH"),
        Effort::Xhigh | Effort::Max => Some("XHIGH"),
    }
}

/// Budgets that stand for efforts: ours, between those that Google's own pages use.
fn tokens_of(effort: Effort, most: u64) -> u64 {
    match effort {
        Effort::None | Effort::Minimal => 1024,
        Effort::Low => 2048,
        Effort::Medium => 8192,
        Effort::High => 16384,
        Effort::Xhigh | Effort::Max => most,
    }
}
