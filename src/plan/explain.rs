//! The plan of one request, told step by step, for people who write rules.

use std::sync::Arc;

use super::rules::{Circumstances, seen, unmet};
use super::sieve::{Removed, Sieve, emptied};
use super::{Selection, candidates};
use crate::snapshot::{Route, Rule, Target};

/// How a plan came to be.
#[derive(Debug)]
pub struct Explanation<'r> {
    /// The rules that were asked, in order; the last one may have matched.
    pub rules: Vec<RuleTold<'r>>,
    /// The one that matched.
    pub rule: Option<&'r Rule>,
    /// All that the operator has named for the request, in order.
    pub named: Vec<Arc<Target>>,
    pub removed: Vec<Removed>,
    /// What is left, in the order in which it would be tried.
    pub plan: Vec<Arc<Target>>,
}

/// A rule, and what became of it.
#[derive(Debug)]
pub struct RuleTold<'r> {
    pub rule: &'r Rule,
    /// The first condition that did not hold; `None`: all of them did.
    pub unmet: Option<Unmet>,
}

/// A condition that did not hold.
#[derive(Debug)]
pub struct Unmet {
    pub condition: String,
    /// What the request has instead, where that says more.
    pub seen: Option<String>,
}

impl<'r> Explanation<'r> {
    /// Which rule a request falls under, asked one after the other.
    pub fn rules(
        route: &'r Route,
        by: &Circumstances<'_>,
    ) -> (Vec<RuleTold<'r>>, Option<&'r Rule>) {
        let mut told = Vec::new();
        for rule in &route.rules {
            let unmet = unmet(rule, by).map(|condition| Unmet {
                condition: condition.to_string(),
                seen: seen(condition, by),
            });
            let matched = unmet.is_none();
            told.push(RuleTold { rule, unmet });
            if matched {
                return (told, Some(rule));
            }
        }
        (told, None)
    }

    /// The rest, once the rule is known: by the same steps that [`Plan::make`](super::Plan::make) takes.
    pub fn of(
        route: &'r Route,
        (rules, rule): (Vec<RuleTold<'r>>, Option<&'r Rule>),
        sieve: &Sieve<'_>,
        by: &Selection<'_>,
        rng: &mut fastrand::Rng,
    ) -> Self {
        let named = candidates(route, rule, by, rng);
        let mut plan = named.clone();
        let removed = sieve.sift(&mut plan);
        Self {
            rules,
            rule,
            named,
            removed,
            plan,
        }
    }

    /// Why nothing is left, where nothing is.
    pub fn emptied(&self) -> Option<String> {
        self.plan.is_empty().then(|| emptied(&self.removed))
    }
}
