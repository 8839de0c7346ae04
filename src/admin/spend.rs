//! What was spent; the budgets of the live configuration, and how each stands, as this process knows
//! it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::limit::{Budget, Quotas, Standing, Terms};
use crate::snapshot::{Callers, Snapshot};
use crate::telemetry::{self, Metrics, names};

#[derive(Debug, Serialize)]
pub(super) struct Spend {
    /// By route, target and currency, since the start of this process.
    spent: Vec<telemetry::Row>,
    budgets: Vec<Row>,
}

/// Amounts are decimal numbers as text, in the operator's currency.
#[derive(Debug, Serialize)]
struct Row {
    /// `key:chat-prod`.
    scope: String,
    /// `2026-11-26` or `2026-11`, in UTC.
    window: String,
    /// When the next one begins.
    resets: String,
    per: &'static str,
    limit: String,
    spent: String,
    /// By requests that run.
    reserved: String,
    remaining: String,
    /// Whether the fleet counts it; else it is this process's share, or its own.
    shared: bool,
}

impl Spend {
    pub(super) fn of(
        snapshot: Option<&Snapshot>,
        quotas: &Quotas,
        spent: Vec<telemetry::Row>,
    ) -> Self {
        let all = snapshot.into_iter();
        let all = all.flat_map(|snapshot| standings(snapshot, quotas));
        let rows = all.map(|(terms, budget, standing)| {
            let left = left(&standing);
            Row {
                scope: terms.scope.id.to_string(),
                window: standing.account.window.name,
                resets: standing.account.window.ends.to_string(),
                per: budget.per.name(),
                limit: standing.limit.to_string(),
                spent: standing.spent.to_string(),
                reserved: standing.held.to_string(),
                remaining: left.to_string(),
                shared: standing.is_shared,
            }
        });
        Self {
            spent,
            budgets: rows.collect(),
        }
    }
}

/// Brings the metric up to date.
pub(super) fn gauge(metrics: &Metrics, snapshot: &Snapshot, quotas: &Quotas) {
    // What is configured no more is told no more.
    metrics.budget_remaining.clear();
    metrics.budget_warning.clear();
    for (terms, _, standing) in standings(snapshot, quotas) {
        let scope = [(names::SCOPE, (&terms.scope.id).into())];
        let gauge = metrics.budget_remaining.get_or_create(&scope);
        gauge.set(left(&standing).about());
        let is_near = standing.spent.picos() * 5 >= standing.limit.picos() * 4;
        let warning = metrics.budget_warning.get_or_create(&scope);
        warning.set(is_near.into());
    }
}

fn left(standing: &Standing) -> crate::price::Money {
    let used = standing.spent + standing.held;
    crate::price::Money::from_picos(standing.limit.picos().saturating_sub(used.picos()))
}

/// Each budget once, in the order of their names.
fn standings<'a>(
    snapshot: &'a Snapshot,
    quotas: &Quotas,
) -> impl Iterator<Item = (&'a Arc<Terms>, Budget, Standing)> {
    let keys: Vec<&Arc<Terms>> = match &snapshot.callers {
        Callers::Anyone(key) => key.terms.iter().collect(),
        Callers::Keys(keys) => keys.values().filter_map(|key| key.terms.as_ref()).collect(),
    };
    let routes = snapshot
        .routes
        .values()
        .filter_map(|route| route.terms.as_ref());
    let all = keys
        .into_iter()
        .chain(routes)
        .chain(snapshot.teams.values());
    let all: BTreeMap<&Arc<str>, &Arc<Terms>> = all.map(|terms| (&terms.scope.id, terms)).collect();
    let instances = snapshot.instances.map_or(1, Into::into);
    all.into_values().filter_map(move |terms| {
        let budget = terms.budget?;
        Some((terms, budget, quotas.standing(terms, &budget, instances)))
    })
}
