//! What keys, routes and teams may use.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::node::Table;
use crate::config::path::Path;
use crate::config::problem::Report;
use crate::limit::{Budget, Of, OnLoss, Per, Scope, Terms};
use crate::price::Money;

/// What the table of a key, a route or a team says of limits.
pub(super) fn terms(table: &Table, of: Of, name: &str) -> Option<Arc<Terms>> {
    let mut terms = Terms::none(Scope::new(of, name));
    if let Some(limits) = table.table("limits") {
        terms.rpm = limits.integer("rpm");
        terms.tpm = limits.integer("tpm");
        terms.concurrency = limits.integer("concurrency");
        terms.on_loss = on_loss(limits);
    }
    terms.budget = table.table("budget").and_then(budget);
    terms.is_some().then(|| Arc::new(terms))
}

pub(super) fn teams(root: &Table) -> BTreeMap<Arc<str>, Arc<Terms>> {
    let teams = root.map("teams");
    let teams =
        teams.filter_map(|(name, table)| Some((name.into(), terms(table, Of::Team, name)?)));
    teams.collect()
}

/// A budget that each sidecar would count by itself, and nobody knows how many there are, is none.
/// `is_divided` says that somebody does.
pub(super) fn share_budgets(root: &Table, is_divided: bool, report: &mut Report) {
    if is_divided || root.has("shared_state") {
        return;
    }
    let tables = (root.map("routes").chain(root.map("teams"))).map(|(_, table)| table);
    for table in tables.chain(root.tables("keys")) {
        if let Some(budget) = table.table("budget")
            && budget.text("scope").as_deref() != Some("pod")
        {
            refuse(&table.at("budget"), report);
        }
    }
}

/// What goes on while the shared state is away is divided by how many there are. Who starts then, and has not
/// seen that before, goes by what is configured.
pub(super) fn warn_of_loss(root: &Table, report: &mut Report) {
    if !root.has("shared_state") || root.has("instances") {
        return;
    }
    let tables = (root.map("routes").chain(root.map("teams"))).map(|(_, table)| table);
    let mut tables = tables.chain(root.tables("keys"));
    let goes_on = |table: &Table| {
        terms(table, Of::Key, "").is_some_and(|terms| {
            let has_limits = terms.rpm.or(terms.tpm).or(terms.concurrency).is_some();
            let is_shared = |budget: &Budget| !budget.alone && budget.on_loss == OnLoss::Open;
            has_limits && terms.on_loss == OnLoss::Open
                || terms.budget.as_ref().is_some_and(is_shared)
        })
    };
    if tables.any(goes_on) {
        let message = "a process that starts while it is away takes the whole of limits and budgets that are `on_loss: open`, as nobody knows how many there are; say it (`instances`)";
        report.warning(&root.at("shared_state"), message);
    }
}

fn refuse(at: &Path, report: &mut Report) {
    report.problem_with_hint(
        at,
        "is shared by nobody: each sidecar would spend all of it",
        "add a `shared_state`, or say how many sidecars there are (`instances`), or write `scope: pod` if each is to have its own",
    );
}

fn budget(table: &Table) -> Option<Budget> {
    Some(Budget {
        // Of millionths a million millionths are a unit, too.
        amount: Money::from_picos(u128::from(table.millionths("amount")?) * 1_000_000),
        per: match table.text("per")?.as_ref() {
            "day" => Per::Day,
            _ => Per::Month,
        },
        alone: table.text("scope").as_deref() == Some("pod"),
        on_loss: on_loss(table),
    })
}

fn on_loss(table: &Table) -> OnLoss {
    match table.text("on_loss").as_deref() {
        Some("open") => OnLoss::Open,
        _ => OnLoss::Closed,
    }
}
