//! How the model is told to think.
//!
//! There are three kinds of Claude: those told by a number of tokens, which must be less than the
//! answer's; those told by an effort, of which the newer think also unasked; and those that do not
//! think. Which one it is, and how it is kept from thinking, [`Facts`] say.
//! `docs/en/build-with-claude/{extended,adaptive}-thinking` at platform.claude.com (read 2026-11).

use super::request::{Display, Thinking};
use crate::chat::{Conversation, Effort, Wish};
use crate::dialect::Dropped;
use crate::dialect::support::drop_field;
use crate::facts::{self, Facts, ThinkingOff};

/// What stands in a request about thinking.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) thinking: Option<Thinking>,
    /// `output_config.effort`.
    pub(super) effort: Option<Effort>,
}

impl Plan {
    /// Whether the request turns thinking on, which leaves the sampling no choice.
    pub(super) fn thinks(&self) -> bool {
        matches!(
            self.thinking,
            Some(Thinking::Enabled { .. } | Thinking::Adaptive { .. })
        )
    }

    /// Whether the model will think, asked or not.
    pub(super) fn may_think(&self, facts: &Facts) -> bool {
        match self.thinking {
            Some(Thinking::Enabled { .. } | Thinking::Adaptive { .. } | Thinking::BetweenTools) => {
                true
            }
            Some(Thinking::Disabled) => false,
            None => facts.thinks_unasked,
        }
    }
}

/// What the rest of the request says about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) max_tokens: u64,
    /// The model cannot think in this request: a tool is forced, or the history lacks what it thought.
    pub(super) impossible: bool,
}

pub(super) fn plan(
    conversation: &Conversation,
    facts: &Facts,
    limits: Limits,
    dropped: &mut Dropped,
) -> Plan {
    let name = conversation.wished_by();
    let wish = match conversation.wish() {
        Wish::On(_) if limits.impossible => {
            drop_field(dropped, name);
            Wish::Off
        }
        Wish::Unsaid if limits.impossible => Wish::Off,
        wish @ (Wish::Unsaid | Wish::Off | Wish::On(_)) => wish,
    };
    let display = conversation.show_reasoning.then_some(Display::Summarized);
    match facts.thinking {
        facts::Thinking::Budget => {
            let Wish::On(amount) = wish else {
                return off(facts, None);
            };
            let wanted = amount.budget(Effort::budget);
            let wanted = wanted.unwrap_or_else(|| Effort::High.budget());
            let Some(budget_tokens) = fitting(wanted, facts, limits.max_tokens) else {
                drop_field(dropped, name);
                return Plan::default();
            };
            if amount.differs(budget_tokens) {
                drop_field(dropped, name);
            }
            Plan {
                thinking: Some(Thinking::Enabled {
                    budget_tokens,
                    display,
                }),
                effort: None,
            }
        }
        facts::Thinking::Adaptive => match wish {
            Wish::Unsaid => Plan {
                thinking: display.filter(|_| facts.thinks_unasked).map(|display| {
                    Thinking::Adaptive {
                        display: Some(display),
                    }
                }),
                effort: None,
            },
            Wish::Off => {
                let effort = conversation.effort;
                off(facts, effort.filter(|effort| *effort != Effort::None))
            }
            Wish::On(amount) => {
                let said = conversation.thinking.is_some() || display.is_some();
                Plan {
                    thinking: (said || !facts.thinks_unasked)
                        .then_some(Thinking::Adaptive { display }),
                    effort: amount.effort().and_then(|effort| facts.effort(effort)),
                }
            }
        },
        facts::Thinking::None | facts::Thinking::Level | facts::Thinking::Effort => {
            if wish.is_on() {
                drop_field(dropped, name);
            }
            Plan::default()
        }
    }
}

/// Not to think, or as little as the model can. An effort may stand beside it: how much is written
/// hangs on it too.
fn off(facts: &Facts, effort: Option<Effort>) -> Plan {
    let effort = effort.and_then(|effort| facts.effort(effort));
    match facts.thinking_off {
        ThinkingOff::Omit => Plan {
            thinking: None,
            effort,
        },
        // More than this is refused without thinking.
        ThinkingOff::Disabled => Plan {
            thinking: Some(Thinking::Disabled),
            effort: effort.map(|effort| effort.min(Effort::High)),
        },
        ThinkingOff::BetweenTools => Plan {
            thinking: Some(Thinking::BetweenTools),
            effort,
        },
        ThinkingOff::Least => Plan {
            thinking: None,
            effort: facts.efforts.first().copied(),
        },
    }
}

/// A budget within the model's bounds and below the answer's; `None` when there is no room for one.
fn fitting(wanted: u64, facts: &Facts, max_tokens: u64) -> Option<u64> {
    let (least, most) = facts.budget.unwrap_or((1024, u64::MAX));
    let most = most.min(max_tokens.saturating_sub(1));
    (least <= most).then(|| wanted.clamp(least, most))
}
