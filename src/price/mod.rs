//! What tokens cost: prices, amounts, currencies.
//!
//! Pure and exact: amounts are whole numbers of a millionth of a millionth ([`Money`]), never floats.
//! What is not known stays unknown; it is never zero. The prices that come with Pillion are data, in
//! `facts/prices.toml`; the operator's own go before them.
//! Never here: I/O, a clock, or who pays.

mod exchange;
mod money;

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::chat::Usage;

pub use exchange::{DOLLAR, Exchange, Lists, Month, Months, NoMonth};
pub use money::Money;

/// What each token costs, in millionths of a millionth of the currency: 0.0375 for a million of them
/// is 37,500.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    pub input: u64,
    pub output: u64,
    /// Of a prompt, what was read from the provider's cache; else as `input`.
    pub cached: Option<u64>,
    /// Of a prompt, what was written to the cache; else as `input`.
    pub cache_write: Option<u64>,
    /// Tokens of reasoning; else as `output`.
    pub reasoning: Option<u64>,
    /// Of a prompt, what is sound; else as `input`.
    pub audio_input: Option<u64>,
    /// Of an answer, what is sound; else as `output`.
    pub audio_output: Option<u64>,
}

impl Rates {
    /// What `usage` comes to; `None` where the prompt is not known. An answer without completion is
    /// one of vectors.
    fn cost(&self, usage: &Usage) -> Option<Money> {
        let prompt = usage.prompt?;
        let cached = usage.cached.unwrap_or_default().min(prompt);
        let written = usage.cache_write.unwrap_or_default().min(prompt - cached);
        let read = prompt - cached - written;
        let tokens_of = |tokens: Option<NonZeroU32>| tokens.map_or(0, |it| u64::from(it.get()));
        let heard = tokens_of(usage.audio_input).min(read);
        let completion = usage.completion.unwrap_or_default();
        let reasoning = usage.reasoning.unwrap_or_default();
        // Most count reasoning within the completion, some beside it: then it may be more.
        let said = completion.checked_sub(reasoning).unwrap_or(completion);
        let spoken = tokens_of(usage.audio_output).min(said);
        let parts = [
            (read - heard, self.input),
            (heard, self.audio_input.unwrap_or(self.input)),
            (cached, self.cached.unwrap_or(self.input)),
            (written, self.cache_write.unwrap_or(self.input)),
            (said - spoken, self.output),
            (spoken, self.audio_output.unwrap_or(self.output)),
            (reasoning, self.reasoning.unwrap_or(self.output)),
        ];
        let picos = parts.map(|(tokens, each)| u128::from(tokens) * u128::from(each));
        Some(picos.into_iter().map(Money::from_picos).sum())
    }
}

/// What all tokens of a request cost whose prompt is longer than `above`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Long {
    pub above: u64,
    pub rates: Rates,
}

/// A list's own words: short prompts, and long ones where those cost more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tariff {
    pub rates: Rates,
    pub long: Option<Long>,
}

impl Tariff {
    /// Of two prices alone.
    pub fn flat(input: u64, output: u64) -> Self {
        Self {
            rates: Rates {
                input,
                output,
                ..Rates::default()
            },
            long: None,
        }
    }

    fn rates(&self, prompt: u64) -> &Rates {
        match &self.long {
            Some(long) if prompt > long.above => &long.rates,
            _ => &self.rates,
        }
    }
}

/// What a target's tokens cost, and in which currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// In which costs are told.
    pub currency: Arc<str>,
    pub tariff: Tariff,
    /// Where the tariff is in dollars and the currency is another.
    pub dollars: Option<Arc<Months>>,
}

impl Price {
    /// Of a tariff that is in `currency` itself.
    pub fn new(currency: impl Into<Arc<str>>, tariff: Tariff) -> Self {
        Self {
            currency: currency.into(),
            tariff,
            dollars: None,
        }
    }

    /// Of a vendor's list, which is in dollars; `None` without a rate into the operator's currency.
    pub fn listed(tariff: Tariff, exchange: &Exchange) -> Option<Self> {
        let dollars = match exchange.of_lists() {
            Lists::Same => None,
            Lists::By(months) => Some(months),
            Lists::Unknown => return None,
        };
        Some(Self {
            currency: Arc::clone(&exchange.currency),
            tariff,
            dollars,
        })
    }

    /// What `usage` cost in `month`; `None` where the tokens or the rate are not known.
    pub fn cost(&self, usage: &Usage, month: Month) -> Option<Money> {
        let rates = self.tariff.rates(usage.prompt?);
        let cost = rates.cost(usage)?;
        match &self.dollars {
            None => Some(cost),
            Some(months) => Some(exchange::at(cost, exchange::in_force(months, month)?)),
        }
    }

    /// Whether it is known in `month` what a token costs then: a rate may begin later.
    pub fn is_known(&self, month: Month) -> bool {
        (self.dollars.as_ref()).is_none_or(|months| exchange::in_force(months, month).is_some())
    }

    /// What so many tokens would cost, by the last rate that is known: to compare prices.
    pub fn foreseen(&self, prompt: u64, completion: u64) -> Money {
        let rates = self.tariff.rates(prompt);
        let cost = listed(prompt, rates.input, completion, rates.output);
        let months = self.dollars.as_ref();
        let rate = months.and_then(|months| months.values().next_back());
        rate.map_or(cost, |rate| exchange::at(cost, *rate))
    }

    /// What they cost in `month` at most: where each is of the dearest kind, a prompt of sound, or one that goes
    /// into the cache; an answer of sound, or of reasoning. `None` where that is not known.
    pub fn at_most(&self, prompt: u64, completion: u64, month: Month) -> Option<Money> {
        let rates = self.tariff.rates(prompt);
        let dearest = |plain: u64, others: [Option<u64>; 2]| {
            let others = others.into_iter().flatten();
            others.fold(plain, u64::max)
        };
        let input = dearest(rates.input, [rates.cache_write, rates.audio_input]);
        let output = dearest(rates.output, [rates.reasoning, rates.audio_output]);
        let cost = listed(prompt, input, completion, output);
        match &self.dollars {
            None => Some(cost),
            Some(months) => Some(exchange::at(cost, exchange::in_force(months, month)?)),
        }
    }
}

/// In a list's own currency.
fn listed(prompt: u64, input: u64, completion: u64, output: u64) -> Money {
    let of = |tokens: u64, each: u64| Money::from_picos(u128::from(tokens) * u128::from(each));
    of(prompt, input) + of(completion, output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(prompt: u64, cached: u64, cache_write: u64, completion: u64, reasoning: u64) -> Usage {
        Usage {
            prompt: Some(prompt),
            cached: Some(cached),
            cache_write: Some(cache_write),
            completion: Some(completion),
            reasoning: Some(reasoning),
            ..Usage::default()
        }
    }

    const RATES: Rates = Rates {
        input: 100,
        output: 1000,
        cached: Some(10),
        cache_write: Some(125),
        reasoning: None,
        audio_input: None,
        audio_output: None,
    };

    fn month() -> Month {
        "2026-11".parse().unwrap()
    }

    #[test]
    fn every_kind_of_token_has_its_price() {
        let plain = Rates {
            cached: None,
            cache_write: None,
            ..RATES
        };
        let thinks = Rates {
            reasoning: Some(3000),
            ..RATES
        };
        for (rates, usage, picos) in [
            (RATES, usage(10, 0, 0, 2, 0), 1000 + 2000),
            (RATES, usage(10, 4, 3, 2, 0), 300 + 40 + 375 + 2000),
            (plain, usage(10, 4, 3, 2, 0), 1000 + 2000),
            // Within the completion, or beside it.
            (RATES, usage(10, 0, 0, 7, 5), 1000 + 7000),
            (thinks, usage(10, 0, 0, 7, 5), 1000 + 2000 + 15_000),
            (RATES, usage(10, 0, 0, 5, 7), 1000 + 5000 + 7000),
            // A provider that says more of a part than of the whole.
            (RATES, usage(10, 40, 3, 0, 0), 100),
        ] {
            let tariff = Tariff { rates, long: None };
            let cost = Price::new("USD", tariff).cost(&usage, month());
            assert_eq!(cost, Some(Money::from_picos(picos)), "{usage:?}");
        }
    }

    #[test]
    fn sound_has_its_price_where_it_is_told_apart() {
        let heard = |heard: u64, spoken: u64| Usage {
            audio_input: Usage::sound(heard),
            audio_output: Usage::sound(spoken),
            ..usage(10, 4, 0, 7, 2)
        };
        let apart = Rates {
            audio_input: Some(3200),
            audio_output: Some(64_000),
            ..RATES
        };
        for (rates, usage, picos) in [
            (apart, heard(0, 0), 600 + 40 + 7000),
            (apart, heard(5, 3), 100 + 5 * 3200 + 40 + 4000 + 3 * 64_000),
            (RATES, heard(5, 3), 600 + 40 + 7000),
            // More than there is beside the cache and the reasoning.
            (apart, heard(50, 50), 6 * 3200 + 40 + 2000 + 5 * 64_000),
        ] {
            let cost = Price::new("USD", Tariff { rates, long: None }).cost(&usage, month());
            assert_eq!(cost, Some(Money::from_picos(picos)), "{usage:?}");
        }
    }

    #[test]
    fn what_is_not_known_costs_not_nothing() {
        let price = Price::new(
            "USD",
            Tariff {
                rates: RATES,
                long: None,
            },
        );
        let unknown = Usage {
            completion: Some(5),
            ..Usage::default()
        };
        assert_eq!(price.cost(&unknown, month()), None);
        let vectors = Usage {
            prompt: Some(5),
            ..Usage::default()
        };
        assert_eq!(price.cost(&vectors, month()), Some(Money::from_picos(500)));
    }

    #[test]
    fn a_long_prompt_costs_more_as_a_whole() {
        let long = Long {
            above: 200_000,
            rates: Rates {
                input: 200,
                output: 1500,
                ..Rates::default()
            },
        };
        let price = Price::new(
            "USD",
            Tariff {
                rates: RATES,
                long: Some(long),
            },
        );
        let cost = |prompt| {
            price
                .cost(&usage(prompt, 0, 0, 1, 0), month())
                .unwrap()
                .picos()
        };
        assert_eq!(cost(200_000), 200_000 * 100 + 1000);
        assert_eq!(cost(200_001), 200_001 * 200 + 1500);
    }

    #[test]
    fn a_list_in_dollars_is_told_in_the_operators_currency() {
        let tariff = Tariff {
            rates: RATES,
            long: None,
        };
        let mut exchange = Exchange {
            currency: "KZT".into(),
            ..Exchange::default()
        };
        assert_eq!(Price::listed(tariff, &exchange), None);
        let months: Months = [("2026-10".parse().unwrap(), 480_500_000)].into();
        exchange.rates.insert("KZT".into(), Arc::new(months));
        let price = Price::listed(tariff, &exchange).unwrap();
        assert_eq!(&*price.currency, "KZT");
        let cost = price.cost(&usage(10, 0, 0, 2, 0), month());
        assert_eq!(cost, Some(Money::from_picos(3000 * 4805 / 10)));
        let before = "2026-09".parse().unwrap();
        assert_eq!(price.cost(&usage(10, 0, 0, 2, 0), before), None);
        let dollars = Price::listed(tariff, &Exchange::default()).unwrap();
        assert_eq!((&*dollars.currency, dollars.dollars), ("USD", None));
    }

    #[test]
    fn what_a_request_costs_at_most_is_what_its_dearest_tokens_cost() {
        let thinks = Rates {
            reasoning: Some(3000),
            ..RATES
        };
        let sounds = Rates {
            audio_input: Some(700),
            audio_output: Some(9000),
            ..thinks
        };
        for (rates, foreseen, most) in [
            (RATES, 1000 + 2000, 1250 + 2000),
            (thinks, 1000 + 2000, 1250 + 6000),
            (sounds, 1000 + 2000, 7000 + 18_000),
        ] {
            let price = Price::new("USD", Tariff { rates, long: None });
            assert_eq!(price.foreseen(10, 2), Money::from_picos(foreseen));
            let at_most = price.at_most(10, 2, month());
            assert_eq!(at_most, Some(Money::from_picos(most)));
            let dearest = usage(10, 0, 10, 2, 2);
            assert!(price.cost(&dearest, month()) <= at_most);
        }
    }

    #[test]
    fn the_largest_request_at_the_highest_price_is_exact() {
        let rates = Rates {
            input: u64::MAX,
            output: u64::MAX,
            ..Rates::default()
        };
        let price = Price::new("USD", Tariff { rates, long: None });
        let cost = price
            .cost(&usage(1 << 40, 0, 0, 1 << 40, 0), month())
            .unwrap();
        assert_eq!(cost.picos(), 2 * (1_u128 << 40) * u128::from(u64::MAX));
    }
}
