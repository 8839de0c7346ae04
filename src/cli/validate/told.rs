//! How a configuration that is fine is told: its routes, their targets, what has no price.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use jiff::Timestamp;

use super::Found;
use crate::config::Loaded;
use crate::price::{Month, Price};
use crate::snapshot::{self, Condition, Route, Select, Snapshot};

pub(super) fn tell(file: &str, found: &Found, out: &mut impl Write) -> io::Result<()> {
    let warnings = match found {
        Found::Whole(loaded) | Found::Central(loaded) => &loaded.warnings,
        Found::Own(start, _) => &start.warnings,
    };
    for warning in warnings {
        writeln!(out, "warning: {warning}")?;
    }
    if let Found::Whole(loaded) | Found::Central(loaded) = found {
        let month = Month::of(Timestamp::now());
        for (target, price) in unpriced(&loaded.snapshot, month) {
            let (until, hint) = match price {
                None => (
                    String::new(),
                    "add `price: { input: …, output: … }`, for a million tokens".to_owned(),
                ),
                Some(price) => (
                    format!(" in {month}"),
                    format!("add that month to `rates.{}`", price.currency),
                ),
            };
            writeln!(
                out,
                "warning: {file}: models.\"{target}\".price: is not known{until}: what `{target}` costs will not be told; {hint}"
            )?;
        }
    }
    match found {
        Found::Whole(loaded) => {
            writeln!(out, "ok: {file} ({})", loaded.snapshot.version)?;
            routes(loaded, out)
        }
        Found::Central(loaded) => {
            // What stands behind the dot is of the own file, of which there is none here.
            let version = loaded.snapshot.version.split('.').next();
            let version = version.unwrap_or_default();
            writeln!(out, "ok: {file} ({version}), a central document")?;
            routes(loaded, out)
        }
        Found::Own(_, place) => {
            writeln!(
                out,
                "ok: {file}, whose routes and keys are at {}",
                place.url
            )
        }
    }
}

/// The targets of the routes whose price is not known in that month, each once; with their price where only
/// a rate is missing.
fn unpriced(snapshot: &Snapshot, month: Month) -> BTreeMap<&str, Option<&Price>> {
    let targets = snapshot.routes.values().flat_map(|route| route.targets());
    let prices = targets.map(|target| (&*target.id, target.price.as_ref()));
    prices
        .filter(|(_, price)| price.is_none_or(|price| !price.is_known(month)))
        .collect()
}

fn routes(loaded: &Loaded, out: &mut impl Write) -> io::Result<()> {
    for route in loaded.snapshot.routes.values() {
        let places: Vec<_> = route.places.iter().map(place).collect();
        write!(out, "  {}: {}", route.name, places.join(", "))?;
        let aliases = aliases(loaded, route);
        if !aliases.is_empty() {
            let aliases: Vec<_> = aliases.into_iter().collect();
            write!(out, " (accepts {})", aliases.join(", "))?;
        }
        writeln!(out)?;
        for rule in &route.rules {
            let conditions: Vec<_> = rule.when.iter().map(Condition::to_string).collect();
            let only = if rule.only { ", only" } else { "" };
            let places: Vec<_> = rule.places.iter().map(place).collect();
            let places = if places.is_empty() {
                "the same".to_owned()
            } else {
                places.join(", ")
            };
            let (name, when) = (&rule.name, conditions.join(", "));
            write!(out, "    {name} ({when}): {places}{only}")?;
            match &rule.residency {
                Some(residency) => writeln!(out, ", within {residency}")?,
                None => writeln!(out)?,
            }
        }
    }
    Ok(())
}

fn place(place: &snapshot::Place) -> String {
    let members = place.members.iter();
    match (&*place.members, place.select) {
        ([one], _) => one.target.id.to_string(),
        (_, Select::Weighted) => {
            let each = members.map(|m| format!("{} {}", m.weight, m.target.id));
            format!("[{}]", each.collect::<Vec<_>>().join(" | "))
        }
        (_, select @ (Select::Fastest | Select::Cheapest)) => {
            let each: Vec<_> = members.map(|m| &*m.target.id).collect();
            format!("[{} of {}]", select.name(), each.join(" | "))
        }
    }
}

/// Sorted, so that the output repeats.
fn aliases<'a>(loaded: &'a Loaded, route: &Route) -> BTreeSet<&'a str> {
    let aliases = loaded.snapshot.aliases.iter();
    aliases
        .filter(|(_, meant)| meant.name == route.name)
        .map(|(alias, _)| &**alias)
        .collect()
}
