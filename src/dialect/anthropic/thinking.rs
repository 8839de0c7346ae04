//! How the model is told to think.
//!
//! There are three kinds of Claude: those told by a number of tokens, which must be less than the
//! answer's; those told by an effort, of which the newer think also unasked; and those that do not
//! think. Which one it is, and how it is kept from thinking, [`Facts`] say.
//! `docs/en/build-with-claude/{extended,adaptive}-thinking` at platform.claude.com (read 2026-11).

use super::request::{Display, Thinking};
use crate::chat::{self, Conversation, Effort};
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

/// What the caller asked for.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Unsaid,
    /// Also where thinking between calls alone was asked for: it is what one model has for it.
    Off,
    On {
        budget: Option<u64>,
    },
}

pub(super) fn plan(
    conversation: &Conversation,
    facts: &Facts,
    limits: Limits,
    dropped: &mut Dropped,
) -> Plan {
    let effort = conversation.effort.filter(|effort| *effort != Effort::None);
    let (asked, name) = match (conversation.thinking, conversation.effort) {
        (Some(chat::Thinking::Disabled | chat::Thinking::BetweenTools), _) => {
            (Wish::Off, "thinking")
        }
        (Some(chat::Thinking::Adaptive), _) => (Wish::On { budget: None }, "thinking"),
        (Some(chat::Thinking::Budget(budget)), _) => (
            Wish::On {
                budget: Some(budget),
            },
            "thinking",
        ),
        (None, Some(Effort::None)) => (Wish::Off, "reasoning_effort"),
        (None, Some(_)) => (Wish::On { budget: None }, "reasoning_effort"),
        (None, None) => (Wish::Unsaid, "reasoning_effort"),
    };
    let wish = match asked {
        Wish::On { .. } if limits.impossible => {
            drop_field(dropped, name);
            Wish::Off
        }
        Wish::Unsaid if limits.impossible => Wish::Off,
        Wish::Unsaid | Wish::Off | Wish::On { .. } => asked,
    };
    let display = conversation.show_reasoning.then_some(Display::Summarized);
    match facts.thinking {
        facts::Thinking::Budget => {
            let Wish::On { budget } = wish else {
                return off(facts, None);
            };
            let wanted = budget.unwrap_or_else(|| Effort::budget(effort.unwrap_or(Effort::High)));
            let Some(budget_tokens) = fitting(wanted, facts, limits.max_tokens) else {
                drop_field(dropped, name);
                return Plan::default();
            };
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
            Wish::Off => off(facts, effort),
            Wish::On { budget } => {
                let effort = effort.or_else(|| budget.map(Effort::of_budget));
                let said = conversation.thinking.is_some() || display.is_some();
                Plan {
                    thinking: (said || !facts.thinks_unasked)
                        .then_some(Thinking::Adaptive { display }),
                    effort: effort.and_then(|effort| facts.effort(effort)),
                }
            }
        },
        facts::Thinking::None | facts::Thinking::Level | facts::Thinking::Effort => {
            if let Wish::On { .. } = wish {
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
