//! How much a model is to think, in its family's own fields.
//!
//! Claude's rules: `anthropic` extended and adaptive thinking pages; Nova's: extended thinking in
//! the Nova 2 guide (both read 2026-11).

use super::wire::{ClaudeOutput, Extras, ReasoningConfig, Thinking};
use crate::chat::turns::OrderedTurn;
use crate::chat::{Conversation, Effort, Part, Role, Wish};
use crate::dialect::support::drop_field;
use crate::dialect::{Dropped, Receiver};
use crate::facts::{self, Facts, ThinkingOff};

/// Below this a budget and the answer have no room beside each other.
const NO_ROOM: u64 = 1024;

/// What the model is told, and what follows from it for the rest of the request.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) extras: Extras,
    /// The model thinks before it answers.
    pub(super) thinks: bool,
    /// Neither sampling nor a limit may be set beside it (Nova at its highest effort).
    pub(super) alone: bool,
}

impl Plan {
    /// Whether the model will think, asked or not. One that will not refuses to be shown what it
    /// thought before.
    pub(super) fn may_think(&self, facts: &Facts) -> bool {
        match self.extras.thinking {
            Some(Thinking::Disabled) => false,
            Some(Thinking::BetweenTools | Thinking::Adaptive { .. } | Thinking::Enabled { .. }) => {
                true
            }
            None => self.thinks || facts.thinks_unasked,
        }
    }
}

/// Settles how `conversation` is thought about. `forced`: a tool is forced, which some models take
/// only while they do not think.
pub(super) fn plan(
    conversation: &Conversation,
    turns: &[OrderedTurn<'_>],
    to: Receiver<'_>,
    forced: bool,
    dropped: &mut Dropped,
) -> Plan {
    let facts = to.facts;
    let mut asked = conversation.wish();
    // What the answer must be goes before how it is thought about.
    let can_be_kept = matches!(
        facts.thinking_off,
        ThinkingOff::Omit | ThinkingOff::Disabled
    );
    if forced && !facts.forced_tools_thinking && can_be_kept {
        match asked {
            Wish::Unsaid if !facts.thinks_unasked => {}
            Wish::Unsaid | Wish::Off => asked = Wish::Off,
            Wish::On(_) => {
                drop_field(dropped, conversation.wished_by());
                asked = Wish::Off;
            }
        }
    }
    match facts.thinking {
        facts::Thinking::Adaptive => adaptive(asked, conversation, facts),
        facts::Thinking::Budget => {
            let Wish::On(amount) = asked else {
                return Plan::default();
            };
            let tokens = amount.budget(Effort::budget);
            let tokens = tokens.unwrap_or_else(|| Effort::High.budget());
            let (least, most) = facts.budget.unwrap_or((NO_ROOM, u64::MAX));
            let limit = conversation.max_tokens.or(facts.max_output);
            let room = limit.map_or(most, |limit| most.min(limit.saturating_sub(1)));
            let unsigned = facts.thinking_before_calls && !loop_begins_with_thoughts(turns, to.id);
            // What it is to go on with it has not thought about either.
            let prefilled = turns
                .last()
                .is_some_and(|turn| turn.role == Role::Assistant);
            if room < least || unsigned || prefilled {
                drop_field(dropped, conversation.wished_by());
                return Plan::default();
            }
            let budget_tokens = tokens.clamp(least, room);
            if amount.differs(budget_tokens) {
                drop_field(dropped, conversation.wished_by());
            }
            Plan {
                extras: Extras {
                    thinking: Some(Thinking::Enabled { budget_tokens }),
                    ..Extras::default()
                },
                thinks: true,
                alone: false,
            }
        }
        facts::Thinking::Effort => effort(asked, conversation, facts, dropped),
        facts::Thinking::None | facts::Thinking::Level => {
            if asked.is_on() {
                drop_field(dropped, conversation.wished_by());
            }
            Plan::default()
        }
    }
}

fn adaptive(asked: Wish, conversation: &Conversation, facts: &Facts) -> Plan {
    let effort = match asked {
        Wish::On(amount) => amount.effort(),
        // Effort is a word about the whole answer: it holds also without thinking.
        Wish::Off => conversation.effort.filter(|effort| *effort != Effort::None),
        Wish::Unsaid => None,
    };
    let on = Some(Thinking::Adaptive {
        display: conversation.show_reasoning.then_some("summarized"),
    });
    let mut effort = effort.and_then(|effort| facts.effort(effort));
    let thinking = match asked {
        Wish::Unsaid if conversation.show_reasoning && facts.thinks_unasked => on,
        Wish::Unsaid => None,
        Wish::Off => off(facts, &mut effort),
        Wish::On(_) => on,
    };
    let thinks = match thinking {
        Some(Thinking::Disabled | Thinking::BetweenTools) => false,
        Some(Thinking::Adaptive { .. } | Thinking::Enabled { .. }) => true,
        None => facts.thinks_unasked,
    };
    Plan {
        extras: Extras {
            thinking,
            output_config: effort.map(|effort| ClaudeOutput {
                effort: effort.name(),
            }),
            ..Extras::default()
        },
        thinks,
        alone: false,
    }
}

fn off(facts: &Facts, effort: &mut Option<Effort>) -> Option<Thinking> {
    match facts.thinking_off {
        ThinkingOff::Omit => None,
        ThinkingOff::Disabled => {
            // More than this is refused without thinking.
            *effort = effort.map(|effort| effort.min(Effort::High));
            Some(Thinking::Disabled)
        }
        ThinkingOff::BetweenTools => Some(Thinking::BetweenTools),
        ThinkingOff::Least => {
            *effort = facts.efforts.first().copied();
            None
        }
    }
}

/// Nova 2, and models with open weights.
fn effort(asked: Wish, conversation: &Conversation, facts: &Facts, dropped: &mut Dropped) -> Plan {
    let wanted = match asked {
        Wish::Unsaid => None,
        Wish::Off => match facts.thinking_off {
            ThinkingOff::Least => facts.efforts.first().copied(),
            ThinkingOff::Omit | ThinkingOff::Disabled | ThinkingOff::BetweenTools => None,
        },
        Wish::On(amount) => Some(amount.effort().unwrap_or(Effort::Medium)),
    };
    let Some(effort) = wanted.and_then(|effort| facts.effort(effort)) else {
        return Plan::default();
    };
    match facts.extras {
        facts::Extras::Nova => {
            // Its highest effort takes no limit: one that was asked for is kept.
            let effort = match (effort, conversation.max_tokens) {
                (Effort::High, Some(_)) => {
                    drop_field(dropped, conversation.wished_by());
                    Effort::Medium
                }
                (effort, _) => effort,
            };
            Plan {
                extras: Extras {
                    reasoning_config: Some(ReasoningConfig {
                        kind: "enabled",
                        max_reasoning_effort: effort.name(),
                    }),
                    ..Extras::default()
                },
                thinks: true,
                alone: effort == Effort::High,
            }
        }
        facts::Extras::None | facts::Extras::Claude | facts::Extras::OpenAi => Plan {
            extras: Extras {
                reasoning_effort: Some(effort.name()),
                ..Extras::default()
            },
            thinks: true,
            alone: false,
        },
    }
}

/// Whether every turn with calls since the user last spoke begins with a thought of this target's:
/// such a model refuses to think in the middle of calls that it did not think about.
fn loop_begins_with_thoughts(turns: &[OrderedTurn<'_>], id: &str) -> bool {
    let answers = |turn: &&OrderedTurn<'_>| {
        turn.role == Role::Assistant
            || matches!(turn.parts.first().map(|p| &**p), Some(Part::Result(_)))
    };
    let calls = |turn: &&OrderedTurn<'_>| {
        turn.parts
            .iter()
            .any(|part| matches!(**part, Part::Call(_)))
    };
    let mut turns = turns.iter().rev().take_while(answers).filter(calls);
    turns.all(|turn| match turn.parts.first().map(|part| &**part) {
        Some(Part::Thought(thought)) => super::blocks::replay(thought, id).is_some(),
        _ => false,
    })
}
