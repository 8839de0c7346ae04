//! What this process has spent since it started, exact, by route, target and currency.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::Label;
use crate::chat::Usage;
use crate::price::Money;

/// Sums of requests that used something. Its rows are as many as routes, targets and currencies.
#[derive(Debug, Default)]
pub struct Spend(Mutex<HashMap<[Label; 3], Sums>>);

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    requests: u64,
    estimated: u64,
    unpriced: u64,
    usage: Usage,
    cost: Money,
}

/// A row as it is shown.
#[derive(Debug, Serialize)]
pub struct Row {
    route: String,
    target: String,
    /// Null, as its cost is, where the target has no price.
    currency: Option<String>,
    requests: u64,
    /// Those whose tokens are our own estimate, at least in part.
    estimated: u64,
    /// Those whose cost is not known.
    unpriced: u64,
    prompt: u64,
    cached: u64,
    cache_write: u64,
    reasoning: u64,
    completion: u64,
    cost: Option<String>,
}

impl Spend {
    /// Another request.
    pub(crate) fn add(
        &self,
        route: &Label,
        target: &Label,
        usage: Usage,
        estimated: bool,
        cost: Option<(Money, &Arc<str>)>,
    ) {
        let currency = cost.map(|(_, currency)| currency).into();
        let key = [route.clone(), target.clone(), currency];
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sums = rows.entry(key).or_default();
        sums.requests += 1;
        sums.estimated += u64::from(estimated);
        sums.usage = sums.usage.plus(usage);
        match cost {
            Some((cost, _)) => sums.cost += cost,
            None => sums.unpriced += 1,
        }
    }

    /// All of it by now.
    pub fn rows(&self) -> Vec<Row> {
        let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |currency: &Label| *currency != Label::NONE;
        let shown = rows.iter().map(|([route, target, currency], sums)| Row {
            route: route.as_str().to_owned(),
            target: target.as_str().to_owned(),
            currency: is_known(currency).then(|| currency.as_str().to_owned()),
            requests: sums.requests,
            estimated: sums.estimated,
            unpriced: sums.unpriced,
            prompt: sums.usage.prompt.unwrap_or_default(),
            cached: sums.usage.cached.unwrap_or_default(),
            cache_write: sums.usage.cache_write.unwrap_or_default(),
            reasoning: sums.usage.reasoning.unwrap_or_default(),
            completion: sums.usage.completion.unwrap_or_default(),
            cost: is_known(currency).then(|| sums.cost.to_string()),
        });
        let mut shown: Vec<_> = shown.collect();
        shown.sort_by(|a, b| {
            (&a.route, &a.target, &a.currency).cmp(&(&b.route, &b.target, &b.currency))
        });
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact_and_what_has_no_price_stands_apart() {
        let spend = Spend::default();
        let usage = Usage {
            prompt: Some(10),
            completion: Some(2),
            ..Usage::default()
        };
        let (route, target) = (Label::Word("chat"), Label::Word("openai/m"));
        let cent = Money::parse("0.000000000001").unwrap();
        for _ in 0..3 {
            spend.add(
                &route,
                &target,
                usage,
                false,
                Some((cent, &Arc::from("USD"))),
            );
        }
        spend.add(&route, &target, usage, true, None);
        let rows = serde_json::to_value(spend.rows()).unwrap();
        assert_eq!(rows[0]["cost"], serde_json::Value::Null);
        assert_eq!(
            (&rows[0]["unpriced"], &rows[0]["estimated"]),
            (&1.into(), &1.into())
        );
        assert_eq!(rows[1]["cost"], "0.000000000003");
        assert_eq!(
            (&rows[1]["prompt"], &rows[1]["requests"]),
            (&30.into(), &3.into())
        );
    }
}
