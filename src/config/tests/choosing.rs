//! What is said about which target or caller comes first: weights, prices, capacities, priorities.

use super::*;
use crate::health::{Capacity, Priority};
use crate::price::{Price, Tariff};
use crate::snapshot::{Callers, Select};

/// A group of two that is `select`ed so, with their weights; both have a price.
fn group(select: &str, weights: [&str; 2]) -> Sources {
    let [first, second] = weights;
    let any = format!("{{ to: openai/a{first} }}, {{ to: inside/b{second} }}");
    let group = format!("[{{ any: [{any}], select: {select} }}, openai/c]");
    let price = "price: { input: 1, output: 2 }";
    let text = SMALL.replace("[openai/gpt-5-mini, inside/qwen3]", &group);
    yaml(&format!(
        "{text}models: {{ openai/a: {{ {price} }}, inside/b: {{ {price} }} }}\n"
    ))
}

#[test]
fn weights_are_for_a_weighted_group() {
    for (select, meant, weights, effective, warned) in [
        (
            "weighted",
            Select::Weighted,
            [", weight: 9", ""],
            [9, 1],
            None,
        ),
        ("fastest", Select::Fastest, ["", ""], [1, 1], None),
        ("cheapest", Select::Cheapest, ["", ""], [1, 1], None),
        (
            "fastest",
            Select::Fastest,
            [", weight: 0", ""],
            [1, 1],
            Some(0),
        ),
        (
            "cheapest",
            Select::Cheapest,
            ["", ", weight: 1"],
            [1, 1],
            Some(1),
        ),
    ] {
        let Loaded {
            snapshot, warnings, ..
        } = loaded(&group(select, weights));
        let place = &snapshot.routes["fast"].places[0];
        assert_eq!(place.select, meant);
        assert_eq!(snapshot.routes["fast"].places[1].select, Select::Weighted);
        let found: Vec<_> = place.members.iter().map(|m| m.weight).collect();
        assert_eq!(found, effective, "{select} {weights:?}");
        let told: Vec<_> = warnings
            .iter()
            .map(|warning| (warning.path.clone(), warning.message.clone()))
            .collect();
        let expected = warned.map(|index| {
            (
                format!("routes.fast.targets[0].any[{index}].weight"),
                format!("has no effect: its group is `select: {select}`"),
            )
        });
        assert_eq!(told, Vec::from_iter(expected), "{select} {weights:?}");
    }
}

#[test]
fn a_price_is_kept_to_the_last_decimal() {
    for (written, kept) in [
        ("{ input: 0.0375, output: 0.3 }", (37_500, 300_000)),
        ("{ input: 3, output: 15 }", (3_000_000, 15_000_000)),
        ("{ input: 0, output: 0.000001 }", (0, 1)),
        (
            "{ input: 100000000, output: 99999999.999999 }",
            (100_000_000_000_000, 99_999_999_999_999),
        ),
    ] {
        let more = format!("models: {{ inside/qwen3: {{ price: {written} }} }}\n");
        let snapshot = loaded(&small_with(&more)).snapshot;
        let last = snapshot.routes["fast"].targets().last().unwrap();
        let (input, output) = kept;
        let price = Price::new("USD", Tariff::flat(input, output));
        assert_eq!(last.price, Some(price), "{written}");
    }
    for (input, said) in [
        ("-1", "price.input: is not a number from 0"),
        ("0.0000375", "with at most six decimals"),
        ("100000001", "is not a number from 0 to 100000000"),
        ("1e300", "is not a number"),
        ("NaN", "is text, not a number"),
        ("\"0.1\"", "is text, not a number"),
    ] {
        let more =
            format!("models: {{ inside/qwen3: {{ price: {{ input: {input}, output: 1 }} }} }}\n");
        let problem = refused(&small_with(&more)).join("\n");
        assert!(problem.contains(said), "{input}: {problem}");
    }
    // TOML has words for what YAML reads as text.
    for number in ["nan", "inf", "-inf", "-0.5", "1e-7"] {
        let text = format!(
            "allow_anonymous = true\n[providers.a]\nkind = 'openai'\nsecret = 'env:A'\n[models.'a/x'.price]\noutput = 0.1\ninput = {number}\n"
        );
        let problem = refused(&Sources::from_text(Format::Toml, text)).join("\n");
        assert!(
            problem.starts_with("7:1: models.\"a/x\".price.input: is not a number"),
            "{problem}"
        );
    }
}

#[test]
fn capacity_and_priority_are_declared() {
    let text = SMALL.replace(
        "secret: env:OPENAI_API_KEY",
        "secret: env:OPENAI_API_KEY, capacity: { rpm: 5000, tpm: 2000000 }",
    );
    let text = text.replace("8000/v1 }", "8000/v1, capacity: { concurrency: 4 } }");
    let providers = loaded(&yaml(&text)).snapshot.providers;
    assert_eq!(
        providers["openai"].capacity,
        Capacity {
            rpm: Some(5000),
            tpm: Some(2_000_000),
            concurrency: None,
        }
    );
    assert_eq!(providers["inside"].capacity.concurrency, Some(4));

    let hash = |digit: &str| digit.repeat(64);
    let text = SMALL.replace("allow_anonymous: true", "")
        + &format!(
            "keys:\n  - {{ id: chat, hash: \"sha256:{}\" }}\n  - {{ id: night, hash: \"sha256:{}\", priority: batch }}\n  - {{ id: day, hash: \"sha256:{}\", priority: interactive }}\n",
            hash("0"),
            hash("1"),
            hash("2")
        );
    let Callers::Keys(keys) = loaded(&yaml(&text)).snapshot.callers else {
        panic!("there are keys");
    };
    for (digit, priority) in [
        (0x00, Priority::Interactive),
        (0x11, Priority::Batch),
        (0x22, Priority::Interactive),
    ] {
        assert_eq!(keys[&[digit; 32]].priority, priority, "{digit:x}");
    }
    let problem = refused(&yaml(&text.replace("priority: batch", "priority: low"))).join("\n");
    let said = "keys[1].priority: `low` is not one of `interactive`, `batch`";
    assert!(problem.contains(said), "{problem}");
}
