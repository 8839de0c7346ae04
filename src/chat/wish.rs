//! What a caller wants of thinking, in whichever words it was asked for.
//!
//! There are two: `thinking` says whether, and sometimes how many tokens; an effort says how hard, and
//! with `none` that it should not. Where both are there, `thinking` says whether, and each target is
//! told how much in its own unit: the one that was given, else the other in its place.

use super::conversation::{Conversation, Effort, Thinking};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Nothing is said: as the model likes.
    Unsaid,
    /// Also where thinking between calls alone was asked for: it is what one model has for it.
    Off,
    /// It is to think: so much, or as it sees fit.
    On(Amount),
}

/// How much is to be thought; of nothing given, as the model sees fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    effort: Option<Effort>,
    /// In tokens.
    budget: Option<u64>,
}

impl Wish {
    pub fn is_on(self) -> bool {
        match self {
            Self::Unsaid | Self::Off => false,
            Self::On(_) => true,
        }
    }
}

impl Amount {
    /// For a model that is told by an effort.
    pub fn effort(self) -> Option<Effort> {
        self.effort.or_else(|| self.budget.map(Effort::of_budget))
    }

    /// For a model that is told by tokens: those that were asked for, else what `tokens` has for the
    /// effort.
    pub fn budget(self, tokens: impl Fn(Effort) -> u64) -> Option<u64> {
        self.budget.or_else(|| self.effort.map(tokens))
    }

    /// Whether `tokens` are others than the caller asked for.
    pub fn differs(self, tokens: u64) -> bool {
        self.budget.is_some_and(|budget| budget != tokens)
    }
}

impl Conversation {
    pub fn wish(&self) -> Wish {
        let effort = self.effort.filter(|effort| *effort != Effort::None);
        let on = |budget| Wish::On(Amount { effort, budget });
        match (self.thinking, self.effort) {
            (Some(Thinking::Disabled | Thinking::BetweenTools), _) | (None, Some(Effort::None)) => {
                Wish::Off
            }
            (Some(Thinking::Budget(tokens)), _) => on(Some(tokens)),
            (Some(Thinking::Adaptive), _) | (None, Some(_)) => on(None),
            (None, None) => Wish::Unsaid,
        }
    }

    /// The field that says it, for who must be told that it is dropped.
    pub fn wished_by(&self) -> &'static str {
        if self.thinking.is_some() {
            "thinking"
        } else {
            "reasoning_effort"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinking_says_whether_and_each_says_how_much() {
        use Effort::{High, Low, Medium};
        let on = |effort, budget| Wish::On(Amount { effort, budget });
        for (thinking, effort, expected, as_effort, as_tokens) in [
            (None, None, Wish::Unsaid, None, None),
            (None, Some(Effort::None), Wish::Off, None, None),
            (None, Some(Low), on(Some(Low), None), Some(Low), Some(2048)),
            (Some(Thinking::Disabled), Some(High), Wish::Off, None, None),
            (Some(Thinking::BetweenTools), None, Wish::Off, None, None),
            (Some(Thinking::Adaptive), None, on(None, None), None, None),
            (
                Some(Thinking::Adaptive),
                Some(Effort::None),
                on(None, None),
                None,
                None,
            ),
            (
                Some(Thinking::Adaptive),
                Some(High),
                on(Some(High), None),
                Some(High),
                Some(16_384),
            ),
            (
                Some(Thinking::Budget(10_000)),
                None,
                on(None, Some(10_000)),
                Some(Medium),
                Some(10_000),
            ),
            (
                Some(Thinking::Budget(10_000)),
                Some(Low),
                on(Some(Low), Some(10_000)),
                Some(Low),
                Some(10_000),
            ),
            (
                Some(Thinking::Budget(9)),
                Some(Effort::None),
                on(None, Some(9)),
                Some(Low),
                Some(9),
            ),
        ] {
            let conversation = Conversation {
                effort,
                thinking,
                ..Conversation::default()
            };
            let wish = conversation.wish();
            assert_eq!(wish, expected, "{thinking:?} {effort:?}");
            let amount = match wish {
                Wish::On(amount) => amount,
                Wish::Unsaid | Wish::Off => Amount::default(),
            };
            let told = (amount.effort(), amount.budget(Effort::budget));
            assert_eq!(told, (as_effort, as_tokens), "{thinking:?} {effort:?}");
            let by = if thinking.is_some() {
                "thinking"
            } else {
                "reasoning_effort"
            };
            assert_eq!(conversation.wished_by(), by);
        }
    }
}
