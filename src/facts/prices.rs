//! The price lists that come with Pillion.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::LazyLock;

use figment::Figment;
use figment::providers::{Format as _, Toml};
use serde::Deserialize;

use crate::price::{Long, Money, Rates, Tariff};

const BUILT_IN: &str = include_str!("prices.toml");

/// What models cost, by where they are asked and by their name there.
#[derive(Debug, Default)]
pub struct Prices {
    places: HashMap<String, HashMap<String, Tariff>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    list: Vec<List>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    at: Vec<String>,
    #[expect(dead_code, reason = "for people, and for the test that asks for it")]
    page: String,
    #[expect(dead_code, reason = "for people, and for the test that asks for it")]
    read: String,
    prices: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    models: Vec<String>,
    input: String,
    output: String,
    cached: Option<String>,
    cache_write: Option<String>,
    reasoning: Option<String>,
    audio_input: Option<String>,
    audio_output: Option<String>,
    long: Option<LongRow>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LongRow {
    above: u64,
    input: String,
    output: String,
    cached: Option<String>,
    cache_write: Option<String>,
}

static DEFAULT: LazyLock<Prices> = LazyLock::new(|| {
    // The built-in file is read by a test; no prices at all stand for the impossible.
    Prices::read(BUILT_IN).unwrap_or_default()
});

impl Prices {
    pub fn built_in() -> &'static Self {
        &DEFAULT
    }

    /// The list price of `model` at the first of `places` that has one.
    pub fn of<'a>(
        &self,
        places: impl IntoIterator<Item = &'a str>,
        model: &str,
    ) -> Option<&Tariff> {
        let model = model.to_ascii_lowercase();
        let mut places = places.into_iter();
        places.find_map(|place| self.places.get(place)?.get(&model))
    }

    fn read(text: &str) -> Result<Self, String> {
        let file: File = Figment::from(Toml::string(text))
            .extract()
            .map_err(|error| error.to_string())?;
        let mut prices = Self::default();
        for list in file.list {
            for row in list.prices {
                let tariff = row.tariff()?;
                for place in &list.at {
                    let at = prices.places.entry(place.clone()).or_default();
                    for model in &row.models {
                        if at.insert(model.clone(), tariff).is_some() {
                            return Err(format!("{model} is twice at {place}"));
                        }
                    }
                }
            }
        }
        Ok(prices)
    }
}

impl Row {
    fn tariff(&self) -> Result<Tariff, String> {
        let rates = Rates {
            input: each(&self.input)?,
            output: each(&self.output)?,
            cached: perhaps(self.cached.as_ref())?,
            cache_write: perhaps(self.cache_write.as_ref())?,
            reasoning: perhaps(self.reasoning.as_ref())?,
            audio_input: perhaps(self.audio_input.as_ref())?,
            audio_output: perhaps(self.audio_output.as_ref())?,
        };
        let long = match &self.long {
            None => None,
            Some(long) => Some(Long {
                above: long.above,
                rates: Rates {
                    input: each(&long.input)?,
                    output: each(&long.output)?,
                    cached: perhaps(long.cached.as_ref())?,
                    cache_write: perhaps(long.cache_write.as_ref())?,
                    ..Rates::default()
                },
            }),
        };
        Ok(Tariff { rates, long })
    }
}

/// Of a price for a million tokens, that for one.
fn each(million: &str) -> Result<u64, String> {
    let no_price = |why: &dyn Display| format!("`{million}` is no price: {why}");
    let picos = Money::parse(million).ok_or_else(|| no_price(&"not a decimal"))?;
    let picos = picos.picos();
    if !picos.is_multiple_of(1_000_000) {
        return Err(no_price(&"more than six decimals"));
    }
    u64::try_from(picos / 1_000_000).map_err(|error| no_price(&error))
}

fn perhaps(million: Option<&String>) -> Result<Option<u64>, String> {
    million.map(|million| each(million)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_lists_are_whole_and_have_the_models_of_the_day() {
        let prices = Prices::read(BUILT_IN).unwrap_or_else(|problem| panic!("{problem}"));
        for (place, model, input, output, cached) in [
            ("openai", "gpt-5-mini", 250_000, 2_000_000, Some(25_000)),
            ("azure", "GPT-4o", 2_500_000, 10_000_000, Some(1_250_000)),
            ("openai", "gpt-5.4", 2_500_000, 15_000_000, Some(250_000)),
            ("openai", "text-embedding-3-small", 20_000, 0, None),
            (
                "anthropic",
                "claude-haiku-4-5",
                1_000_000,
                5_000_000,
                Some(100_000),
            ),
            (
                "anthropic",
                "claude-sonnet-5",
                2_000_000,
                10_000_000,
                Some(200_000),
            ),
            (
                "gemini",
                "gemini-2.5-pro",
                1_250_000,
                10_000_000,
                Some(125_000),
            ),
            (
                "vertex",
                "gemini-3-flash-preview",
                500_000,
                3_000_000,
                Some(50_000),
            ),
            (
                "vertex:global",
                "claude-haiku-4-5@20251001",
                1_000_000,
                5_000_000,
                Some(100_000),
            ),
            (
                "bedrock",
                "eu.anthropic.claude-haiku-4-5-20251001-v1:0",
                1_100_000,
                5_500_000,
                Some(110_000),
            ),
            (
                "bedrock",
                "amazon.nova-micro-v1:0",
                35_000,
                140_000,
                Some(8750),
            ),
            (
                "api.deepseek.com",
                "deepseek-chat",
                280_000,
                420_000,
                Some(28_000),
            ),
        ] {
            let tariff = prices.of([place], model);
            let tariff = tariff.unwrap_or_else(|| panic!("{model} has no price at {place}"));
            let rates = (tariff.rates.input, tariff.rates.output, tariff.rates.cached);
            assert_eq!(rates, (input, output, cached), "{model}");
        }
        for (place, model, heard, spoken) in [
            ("openai", "gpt-audio", Some(32_000_000), Some(64_000_000)),
            ("gemini", "gemini-2.5-flash", Some(1_000_000), None),
            ("vertex", "gemini-3-flash-preview", Some(1_000_000), None),
            ("openai", "gpt-4o", None, None),
        ] {
            let rates = prices.of([place], model).unwrap().rates;
            assert_eq!(
                (rates.audio_input, rates.audio_output),
                (heard, spoken),
                "{model}"
            );
        }
        let long = prices
            .of(["gemini"], "gemini-2.5-pro")
            .unwrap()
            .long
            .unwrap();
        assert_eq!((long.above, long.rates.input), (200_000, 2_500_000));
    }

    #[test]
    fn a_price_holds_where_its_list_does() {
        let prices = Prices::built_in();
        for (places, model) in [
            (["vertex"], "claude-haiku-4-5"),
            (["openai"], "claude-haiku-4-5"),
            (["openai"], "gpt-5-mini-of-mine"),
            (["llm.internal"], "gpt-5-mini"),
        ] {
            assert_eq!(prices.of(places, model), None, "{model}");
        }
        assert!(
            prices
                .of(["vertex:global", "vertex"], "gemini-2.5-pro")
                .is_some()
        );
    }

    #[test]
    fn a_list_with_a_mistake_is_none() {
        let row = |price: &str| {
            format!(
                "[[list]]\nat = ['a']\npage = 'p'\nread = 'r'\nprices = [{{ models = ['m'], input = '1', output = '{price}' }}]"
            )
        };
        assert!(Prices::read(&row("0.000001")).is_ok());
        for wrong in ["", "-1", "0.0000001", "1e3", "99999999999999999999999"] {
            assert!(Prices::read(&row(wrong)).is_err(), "{wrong}");
        }
        assert!(Prices::read(&format!("{0}\n{0}", row("1"))).is_err());
    }
}
