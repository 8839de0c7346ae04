//! What a request used and cost: what the providers counted, and where they did not, our own estimate.
//!
//! Pure. Unknown stays unknown: a request that nobody counted and nothing can be said of has no usage, and
//! one at a target without a price no cost.

use std::sync::Arc;

use super::facts::{AttemptLog, Facts};
use crate::chat::Usage;
use crate::outcome::Class;
use crate::price::{Money, Month};
use crate::snapshot::Target;

/// What all answers of a request came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Spent {
    pub usage: Option<Usage>,
    /// Whether some of it is ours instead of the provider's.
    pub estimated: bool,
    pub cost: Option<Money>,
    /// Of the cost.
    pub currency: Option<Arc<str>>,
}

/// One stream of an answer, at the target that it was of.
#[derive(Debug)]
pub(super) struct Part {
    target: Arc<Target>,
    usage: Option<Usage>,
    said: u64,
}

impl Facts {
    /// What was used until now was `target`'s, whose stream broke off.
    pub(super) fn go_on(&mut self, target: &Arc<Target>) {
        self.broken.push(Part {
            target: Arc::clone(target),
            usage: self.usage.take(),
            said: std::mem::take(&mut self.said),
        });
    }

    /// What it comes to by now.
    pub(super) fn spent(&self) -> Spent {
        let Some(last) = self.last() else {
            return Spent {
                usage: self.usage,
                ..Spent::default()
            };
        };
        let whole = self.is_whole();
        let parts = (self.broken.iter().map(|part| (part, false))).chain([(&last, whole)]);
        let month = Month::of(self.arrival.time);
        let mut spent = Spent::default();
        let mut priced = true;
        for (part, whole) in parts {
            let (usage, estimated) = settle(part.usage, self.asked, part.said, whole);
            let Some(usage) = usage else { continue };
            spent.estimated |= estimated;
            spent.usage = Some(spent.usage.map_or(usage, |before| before.plus(usage)));
            let price = part.target.price.as_ref();
            match price.and_then(|price| Some((price.cost(&usage, month)?, &price.currency))) {
                Some((cost, currency)) if spent.is_in(currency) => {
                    spent.cost = Some(spent.cost.unwrap_or_default() + cost);
                    spent.currency = Some(Arc::clone(currency));
                }
                Some(_) | None => priced = false,
            }
        }
        if !priced {
            // A part of a cost would be taken for the whole.
            (spent.cost, spent.currency) = (None, None);
        }
        spent
    }

    /// What each of the answers that the caller got came to, in their order; and whether some of it is ours.
    pub(super) fn answers(&self) -> Vec<(Option<Usage>, bool)> {
        let Some(last) = self.last() else {
            return Vec::new();
        };
        let whole = self.is_whole();
        let parts = (self.broken.iter().map(|part| (part, false))).chain([(&last, whole)]);
        let settled = parts.map(|(part, whole)| settle(part.usage, self.asked, part.said, whole));
        settled.collect()
    }

    /// The stream, or the answer, that came last.
    fn last(&self) -> Option<Part> {
        let (target, _) = self.answering()?;
        Some(Part {
            target,
            usage: self.usage,
            said: self.said,
        })
    }

    /// Whether it came whole.
    fn is_whole(&self) -> bool {
        let mut attempts = self.attempts.iter().rev().map(AttemptLog::lock);
        attempts
            .find(|attempt| attempt.answered)
            .is_some_and(|attempt| attempt.class == Class::Ok)
    }
}

impl Spent {
    fn is_in(&self, currency: &Arc<str>) -> bool {
        self.currency.as_ref().is_none_or(|known| known == currency)
    }
}

/// What was counted, with our own count where that says nothing; and whether it was needed.
///
/// Of an answer that did not come whole the provider's count may be that of its beginning: it stands
/// where it is at least half of what was said, as no estimate is nearer than that.
fn settle(
    counted: Option<Usage>,
    asked: Option<u64>,
    said: u64,
    whole: bool,
) -> (Option<Usage>, bool) {
    let mut usage = counted.unwrap_or_default();
    let mut estimated = false;
    let too_few = |completion: u64| !whole && completion < said / 2;
    if said > 0 && usage.completion.is_none_or(too_few) {
        usage.completion = Some(said);
        estimated = true;
    }
    let answered = usage.completion.is_some() || whole;
    if usage.prompt.is_none()
        && answered
        && let Some(asked) = asked
    {
        usage.prompt = Some(asked);
        estimated = true;
    }
    (usage.is_known().then_some(usage), estimated)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Instant;

    use http::StatusCode;
    use jiff::Timestamp;

    use crate::price::{Price, Tariff};
    use crate::record::facts::{Arrival, End};
    use crate::record::id::RequestId;
    use crate::record::tests::target;

    /// A target with a price for a token of prompt and of completion, in picos.
    fn priced(provider: &str, price: Option<(u64, u64)>) -> Arc<Target> {
        let mut target = Arc::try_unwrap(target(provider, "m")).unwrap();
        target.price = price.map(|(input, output)| Price::new("USD", Tariff::flat(input, output)));
        Arc::new(target)
    }

    #[test]
    fn each_part_of_an_answer_costs_what_its_own_target_asks() {
        for (second, cost) in [
            (Some((7, 11)), Some(100 * 2 + 20 * 3 + 130 * 7 + 30 * 11)),
            (None, None),
        ] {
            let arrival = Arrival {
                time: Timestamp::UNIX_EPOCH,
                instant: Instant::now(),
            };
            let mut facts = Facts::new(RequestId::at(arrival.time), arrival);
            let (first, second) = (priced("a", Some((2, 3))), priced("b", second));
            facts
                .attempt(&first, arrival.instant)
                .answered(StatusCode::OK);
            facts.usage = Some(usage(Some(100), Some(20)));
            facts.go_on(&first);
            facts
                .attempt(&second, arrival.instant)
                .answered(StatusCode::OK);
            facts.usage = Some(usage(Some(130), Some(30)));
            facts.end(End::Answered(StatusCode::OK), arrival.instant);
            let spent = facts.spent();
            assert_eq!(spent.usage, Some(usage(Some(230), Some(50))));
            assert_eq!(spent.cost, cost.map(Money::from_picos));
            assert_eq!(spent.currency.is_some(), cost.is_some());
        }
    }

    fn usage(prompt: Option<u64>, completion: Option<u64>) -> Usage {
        Usage {
            prompt,
            completion,
            ..Usage::default()
        }
    }

    #[test]
    fn the_provider_is_believed_and_what_it_leaves_out_is_estimated() {
        for (counted, asked, said, whole, expected) in [
            // Counted.
            (
                (Some(10), Some(5)),
                Some(12),
                40,
                true,
                ((Some(10), Some(5)), false),
            ),
            // Not counted at all, or in part.
            (
                (None, None),
                Some(12),
                40,
                true,
                ((Some(12), Some(40)), true),
            ),
            (
                (Some(10), None),
                Some(12),
                40,
                true,
                ((Some(10), Some(40)), true),
            ),
            (
                (None, Some(5)),
                Some(12),
                40,
                true,
                ((Some(12), Some(5)), true),
            ),
            // Vectors have no completion.
            (
                (Some(10), None),
                Some(12),
                0,
                true,
                ((Some(10), None), false),
            ),
            // A cut stream's count is that of its beginning, unless it goes on.
            (
                (Some(10), Some(1)),
                Some(12),
                40,
                false,
                ((Some(10), Some(40)), true),
            ),
            (
                (Some(10), Some(38)),
                Some(12),
                40,
                false,
                ((Some(10), Some(38)), false),
            ),
            (
                (None, None),
                Some(12),
                40,
                false,
                ((Some(12), Some(40)), true),
            ),
            // Nothing is known of what passes through.
            ((None, None), None, 0, true, ((None, None), false)),
            // Nothing was said, and nobody says what was charged.
            ((None, None), Some(12), 0, false, ((None, None), false)),
        ] {
            let counted = usage(counted.0, counted.1);
            let known = counted.is_known().then_some(counted);
            let ((prompt, completion), estimated) = expected;
            let expected = usage(prompt, completion);
            let expected = expected.is_known().then_some(expected);
            let settled = settle(known, asked, said, whole);
            assert_eq!(settled, (expected, estimated), "{counted:?} {said} {whole}");
        }
    }
}
