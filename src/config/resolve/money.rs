//! The currency, what a dollar comes to in others, and the operator's own prices.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::node::{Node, Table};
use crate::config::problem::Report;
use crate::price::{DOLLAR, Exchange, Long, Months, Price, Rates, Tariff};

pub(super) fn exchange(root: &Table, report: &mut Report) -> Exchange {
    let currency = root.text("currency").unwrap_or_else(|| DOLLAR.into());
    if !is_currency(&currency) {
        let message = format!("`{currency}` is not a currency's three letters");
        report.problem_with_hint(&root.at("currency"), message, "write it as `USD` or `KZT`");
    }
    Exchange {
        currency,
        rates: rates(root, report),
    }
}

fn rates(root: &Table, report: &mut Report) -> BTreeMap<Arc<str>, Arc<Months>> {
    let mut rates = BTreeMap::new();
    let Some(Node::Map(currencies)) = root.node("rates") else {
        return rates;
    };
    for (currency, months) in currencies {
        let at = root.at("rates").key(currency);
        if !is_currency(currency) {
            let message = format!("`{currency}` is not a currency's three letters");
            report.problem(&at, message);
        } else if currency == DOLLAR {
            report.problem(&at, "a dollar is always one dollar");
        }
        let Node::Map(months) = months else { continue };
        let mut known = Months::new();
        for (month, rate) in months {
            let at = at.key(month);
            match (month.parse(), rate) {
                (Err(problem), _) => report.problem(&at, format!("`{month}` {problem}")),
                (Ok(_), Node::Decimal(0)) => report.problem(&at, "is not above zero"),
                (Ok(month), Node::Decimal(rate)) => drop(known.insert(month, *rate)),
                // It was wrong, which has been said.
                (Ok(_), _) => {}
            }
        }
        if !known.is_empty() {
            rates.insert(currency.as_str().into(), Arc::new(known));
        }
    }
    rates
}

fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// What the operator says that a model costs.
pub(super) fn price(facts: &Table, exchange: &Exchange) -> Option<Price> {
    let price = facts.table("price")?;
    let tariff = Tariff {
        rates: each(price)?,
        long: match price.table("long") {
            None => None,
            Some(long) => Some(Long {
                above: long.integer("over")?,
                rates: each(long)?,
            }),
        },
    };
    Some(Price::new(Arc::clone(&exchange.currency), tariff))
}

/// A millionth of the currency for a million tokens is a millionth of a millionth for one.
fn each(price: &Table) -> Option<Rates> {
    Some(Rates {
        input: price.millionths("input")?,
        output: price.millionths("output")?,
        cached: price.millionths("cached"),
        cache_write: price.millionths("cache_write"),
        reasoning: price.millionths("reasoning"),
        audio_input: price.millionths("audio_input"),
        audio_output: price.millionths("audio_output"),
    })
}
