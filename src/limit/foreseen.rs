//! What a request is thought to take before it is sent: tokens, and the most that it is likely to cost.
//!
//! Pure. The prompt is what [`chat`](crate::chat) has counted, and a tenth more. The completion is what
//! the caller bounds it by, and no more than nineteen of twenty of the route's last answers were long,
//! for tokens; for money, the bound itself, or four times such an answer where there is none.

use std::collections::VecDeque;

use crate::price::{Money, Month};
use crate::snapshot::Target;

/// So many answers are remembered.
const REMEMBERED: usize = 40;
/// An answer is thought to be so long where few are known, at least.
const LEAST: u64 = 256;
/// The most that an answer without a bound is thought to come to, for money, at least.
const WORST: u64 = 4096;
/// No provider gives more answers to one request; who asks for more is refused there, and must not hold what
/// others have meanwhile.
const MOST_ANSWERS: u64 = 128;

/// How long the last answers of a route were, in tokens.
#[derive(Debug, Default)]
pub(super) struct Lengths(VecDeque<u64>);

impl Lengths {
    pub(super) fn add(&mut self, completion: u64) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(completion);
    }

    /// What nineteen of twenty are not longer than.
    pub(super) fn usual(&self) -> u64 {
        let mut lengths: Vec<u64> = self.0.iter().copied().collect();
        lengths.sort_unstable();
        let place = (lengths.len() * 19).div_ceil(20).saturating_sub(1);
        lengths.get(place).copied().unwrap_or_default().max(LEAST)
    }
}

/// Of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// About the prompt's tokens.
    pub prompt: u64,
    /// The caller's own bound on an answer.
    pub most: Option<u64>,
    /// So many answers are asked for; none of vectors.
    pub answers: u64,
}

impl Asked {
    fn prompt(self) -> u64 {
        self.prompt.saturating_add(self.prompt / 10)
    }

    fn completion(self, each: u64) -> u64 {
        each.saturating_mul(self.answers.min(MOST_ANSWERS))
    }

    /// The tokens that are reserved.
    pub(super) fn tokens(self, usual: u64) -> u64 {
        let each = self.most.map_or(usual, |most| most.min(usual));
        self.prompt().saturating_add(self.completion(each))
    }

    /// The most that it is likely to cost at `target` in `month`. One whose price is not known costs nothing
    /// here: it is left out where that matters.
    pub(super) fn price(self, usual: u64, target: &Target, month: Month) -> Money {
        let each = self
            .most
            .unwrap_or_else(|| WORST.max(usual.saturating_mul(4)));
        let price = target.price.as_ref();
        let at_most =
            price.and_then(|price| price.at_most(self.prompt(), self.completion(each), month));
        at_most.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_thought_to_be_as_long_as_usual_or_as_its_caller_says() {
        let mut lengths = Lengths::default();
        assert_eq!(lengths.usual(), LEAST);
        (0..100).for_each(|_| lengths.add(1000));
        lengths.add(9000);
        lengths.add(9000);
        assert_eq!(lengths.usual(), 1000);
        let asked = |most, answers| Asked {
            prompt: 100,
            most,
            answers,
        };
        assert_eq!(asked(None, 1).tokens(1000), 1110);
        assert_eq!(asked(Some(50), 1).tokens(1000), 160);
        assert_eq!(asked(Some(50_000), 2).tokens(1000), 2110);
        assert_eq!(asked(None, 0).tokens(1000), 110);
        assert_eq!(asked(Some(1), u64::MAX).tokens(1000), 238);
    }
}
