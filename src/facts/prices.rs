//! The price lists that come with Pillion.

use std::fmt::Display;

use serde::Deserialize;

use super::{quoted, read};
use crate::price::{Long, Money, Rates, Tariff};

const TEXT: &str = include_str!("prices.toml");

/// What each list in it begins with.
const HEADER: &str = "[[list]]\n";

/// What each row begins with.
const ROW: &str = "  { models = ";

/// The list price of `model` at the first of `places` that has one.
///
/// The file is searched as text, and of its rows only the one that is asked for is read: a process
/// knows a few models, and reading all of them would take a good part of its start.
pub fn list_price<'a>(places: impl IntoIterator<Item = &'a str>, model: &str) -> Option<Tariff> {
    let model = model.to_ascii_lowercase();
    let mut places = places.into_iter();
    let row = places.find_map(|place| row(place, &model))?;
    // Every row is read by a test; no price stands for the impossible.
    Row::read(row).and_then(|row| row.tariff()).ok()
}

/// Every model that has a list price at `place`, with that, in the order of the list. Reads all of it: for a
/// command, not for each request.
pub fn list_prices(place: &str) -> impl Iterator<Item = (&'static str, Tariff)> {
    let rows = rows(place).filter_map(|row| Some((row, Row::read(row).ok()?.tariff().ok()?)));
    rows.flat_map(|(row, tariff)| quoted(row).map(move |model| (model, tariff)))
}

/// The line of `model` in the lists that hold at `place`. A list has a line for `at` and one for each row.
fn row(place: &str, model: &str) -> Option<&'static str> {
    rows(place).find(|row| quoted(row).any(|name| name == model))
}

fn rows(place: &str) -> impl Iterator<Item = &'static str> {
    let lists = TEXT.split(HEADER).skip(1);
    lists
        .filter(move |list| quoted(list).any(|at| at == place))
        .flat_map(|list| list.lines().filter(|line| line.starts_with(ROW)))
}

/// What a row says of its models.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
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

impl Row {
    /// Reads what stands behind the names in a line of a list.
    fn read(line: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct File {
            row: Row,
        }
        let (_, prices) = line.split_once("], ").ok_or("has no prices")?;
        let text = format!("row = {{ {}", prices.trim_end_matches(','));
        read(&text).map(|file: File| file.row)
    }

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
    use std::collections::HashSet;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        list: Vec<List>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct List {
        at: Vec<String>,
        page: String,
        read: String,
        prices: Vec<Models>,
    }

    #[derive(Deserialize)]
    struct Models {
        models: Vec<String>,
        #[serde(flatten)]
        row: Row,
    }

    #[test]
    fn a_row_is_found_and_read_as_the_whole_file_is() {
        let file: File = read(TEXT).unwrap();
        let mut seen = HashSet::new();
        for list in &file.list {
            assert!(list.page.starts_with("https://"), "{}", list.page);
            assert_eq!(list.read.len(), "2026-11-26".len(), "{}", list.read);
            for Models { models, row } in &list.prices {
                let tariff = row.tariff().unwrap();
                let at = |model| list.at.iter().map(move |place| (model, place));
                for (model, place) in models.iter().flat_map(at) {
                    assert!(seen.insert((place, model)), "{model} is twice at {place}");
                    let price = list_price([&**place], model);
                    assert_eq!(price, Some(tariff), "{model} at {place}");
                    let mut all = list_prices(place);
                    assert!(all.any(|it| it == (model, tariff)), "{model} at {place}");
                }
            }
        }
    }

    #[test]
    fn the_built_in_lists_have_the_models_of_the_day() {
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
            let tariff = list_price([place], model);
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
            let rates = list_price([place], model).unwrap().rates;
            assert_eq!(
                (rates.audio_input, rates.audio_output),
                (heard, spoken),
                "{model}"
            );
        }
        let long = list_price(["gemini"], "gemini-2.5-pro").unwrap().long;
        let long = long.unwrap();
        assert_eq!((long.above, long.rates.input), (200_000, 2_500_000));
    }

    #[test]
    fn a_price_holds_where_its_list_does() {
        for (places, model) in [
            (["vertex"], "claude-haiku-4-5"),
            (["openai"], "claude-haiku-4-5"),
            (["openai"], "gpt-5-mini-of-mine"),
            (["llm.internal"], "gpt-5-mini"),
        ] {
            assert_eq!(list_price(places, model), None, "{model}");
        }
        assert!(list_price(["vertex:global", "vertex"], "gemini-2.5-pro").is_some());
    }

    #[test]
    fn a_row_with_a_mistake_is_none() {
        let tariff = |price: &str| {
            let line = format!("  {{ models = ['m'], input = '1', output = '{price}' }},");
            Row::read(&line).and_then(|row| row.tariff())
        };
        assert!(tariff("0.000001").is_ok());
        for wrong in ["", "-1", "0.0000001", "1e3", "99999999999999999999999"] {
            assert!(tariff(wrong).is_err(), "{wrong}");
        }
        assert!(Row::read("  { models = ['m'], inptu = '1', output = '1' },").is_err());
    }
}
