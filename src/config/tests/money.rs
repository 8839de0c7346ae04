//! What is said about money: the currency, its rates, and prices of many parts.

use super::*;
use crate::price::{Long, Rates};

#[test]
fn the_currency_has_its_rates_by_month() {
    let exchange = loaded(&small_with("")).snapshot.exchange;
    assert_eq!((&*exchange.currency, exchange.rates.len()), ("USD", 0));
    let more =
        "currency: KZT\nrates: { KZT: { 2026-10: 470.5, 2026-11: 480 }, EUR: { 2026-11: 0.9 } }\n";
    let snapshot = loaded(&small_with(more)).snapshot;
    let rate = |currency, month: &str| snapshot.exchange.rate(currency, month.parse().unwrap());
    assert_eq!(rate("KZT", "2026-10"), Some(470_500_000));
    assert_eq!(rate("EUR", "2026-11"), Some(900_000));
    assert_eq!(rate("EUR", "2026-10"), None);
    // A list price is in dollars, and told in the operator's currency.
    let listed = snapshot.routes["fast"].targets().next().unwrap();
    assert_eq!(&*listed.price.as_ref().unwrap().currency, "KZT");
    let without = loaded(&small_with("currency: KZT\n")).snapshot;
    assert_eq!(without.routes["fast"].targets().next().unwrap().price, None);
}

#[test]
fn wrong_money_is_told_at_its_place() {
    for (more, said) in [
        (
            "currency: tenge",
            "currency: `tenge` is not a currency's three letters",
        ),
        (
            "rates: { kzt: { 2026-11: 480 } }",
            "rates.kzt: `kzt` is not a currency's three letters",
        ),
        (
            "rates: { USD: { 2026-11: 1 } }",
            "rates.USD: a dollar is always one dollar",
        ),
        (
            "rates: { KZT: { 2026-13: 480 } }",
            "`2026-13` is not a month such as `2026-11`",
        ),
        ("rates: { KZT: { 2026-11: 0 } }", "is not above zero"),
        ("rates: { KZT: { 2026-11: much } }", "is text, not a number"),
        (
            "models: { inside/qwen3: { price: { input: 1, output: 2, long: { over: 0, input: 2, output: 3 } } } }",
            "price.long.over: is not a whole number from 1",
        ),
    ] {
        let problems = refused(&small_with(&format!("{more}\n"))).join("\n");
        assert!(problems.contains(said), "{more}: {problems}");
    }
}

#[test]
fn a_price_may_have_many_parts() {
    let more = "models: { inside/qwen3: { price: { input: 1, output: 4, cached: 0.1, cache_write: 1.25, reasoning: 3, audio_input: 32, long: { over: 200000, input: 2, output: 6 } } } }\n";
    let snapshot = loaded(&small_with(more)).snapshot;
    let last = snapshot.routes["fast"].targets().last().unwrap();
    let tariff = last.price.as_ref().unwrap().tariff;
    let rates = Rates {
        input: 1_000_000,
        output: 4_000_000,
        cached: Some(100_000),
        cache_write: Some(1_250_000),
        reasoning: Some(3_000_000),
        audio_input: Some(32_000_000),
        audio_output: None,
    };
    let long = Long {
        above: 200_000,
        rates: Rates {
            input: 2_000_000,
            output: 6_000_000,
            ..Rates::default()
        },
    };
    assert_eq!((tariff.rates, tariff.long), (rates, Some(long)));
}
