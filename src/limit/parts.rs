//! A request's limits as parts that the fleet counts, and what the fleet says of them.

use std::sync::Arc;

use jiff::Timestamp;
use smallvec::SmallVec;

use super::book::{self, Taking};
use super::rate::Rate;
use super::refused::{Refused, Why};
use super::shown::Shown;
use super::terms::{Budget, Terms};
use crate::fleet::Counters;
use crate::fleet::counters::{Item, Lack, Said};

/// What is asked of the fleet, and whose limit each part is.
pub(super) fn items(
    counters: &Counters,
    taking: &Taking,
) -> (Arc<[Item]>, SmallVec<[Arc<Terms>; 8]>) {
    let mut items = Vec::new();
    let mut whose = SmallVec::new();
    let now = Timestamp::now();
    for terms in &taking.terms {
        let scope = &terms.scope.id;
        let mut add = |item| {
            items.push(item);
            whose.push(Arc::clone(terms));
        };
        if let Some(rpm) = terms.rpm {
            let limit = format!("{scope}:rpm");
            add(counters.rate(&limit, Rate::new(rpm, 1), 1, false));
        }
        if let Some(tpm) = terms.tpm {
            let limit = format!("{scope}:tpm");
            add(counters.rate(&limit, Rate::new(tpm, 1), taking.tokens, true));
        }
        if let Some(most) = terms.concurrency {
            add(counters.running(scope, most));
        }
        if let Some(budget) = terms.budget.filter(|budget| !budget.alone) {
            let account = budget.account(&terms.scope, now);
            let ends = account.window.ends;
            let Budget {
                amount, on_loss, ..
            } = budget;
            add(counters.money(&account.name, ends, amount, taking.price, on_loss));
        }
    }
    (items.into(), whose)
}

pub(super) fn shown(items: &[Item], said: &[Said]) -> Shown {
    let mut shown = Shown::default();
    for (item, said) in items.iter().zip(said) {
        if let (Item::Rate { rate, settles, .. }, Said::Rate { taken, .. }) = (item, said) {
            let left = book::left(*rate, *taken);
            if *settles {
                shown.tokens(left);
            } else {
                shown.requests(left);
            }
        }
    }
    shown
}

pub(super) fn refused(items: &[Item], whose: &[Arc<Terms>], said: &[Said]) -> Option<Refused> {
    let all = items.iter().zip(whose).zip(said);
    let refused = all.filter_map(|((item, terms), said)| {
        let why = match (item, said) {
            (Item::Rate { settles, .. }, Said::Rate { wait, .. }) => {
                if *settles {
                    Why::Tokens((*wait)?)
                } else {
                    Why::Requests((*wait)?)
                }
            }
            (_, Said::Running { is_full }) => is_full.then_some(Why::Concurrency)?,
            (_, Said::Money { lacks, .. }) => {
                let per = terms.budget?.per;
                match (*lacks)? {
                    Lack::Spent => Why::Spent(per),
                    Lack::Held => Why::Held(per),
                }
            }
            (Item::Running { .. } | Item::Money(_), Said::Rate { .. }) => return None,
        };
        let scope = terms.scope.clone();
        Some(Refused { scope, why })
    });
    refused.max_by_key(Refused::weight)
}
