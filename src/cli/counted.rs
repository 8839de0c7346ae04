//! What a fleet's Redis has counted of its budgets, for `pillion report --redis`.

use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::json;

use super::run::runtime;
use super::{FAILED, variable};
use crate::fleet::{self, Spent};
use crate::redis::Place;

/// Where it is, when the command line does not say: as a sidecar has it.
const VARIABLE: &str = "PILLION_SHARED_STATE";

/// How it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Table,
    Json,
    Csv,
}

/// Tells what was spent in the windows that begin so.
///
/// # Errors
/// Those of `out`.
pub(super) fn tell(
    url: Option<String>,
    month: Option<&str>,
    shown: Shown,
    out: &mut impl Write,
) -> io::Result<ExitCode> {
    let Some(url) = url.or_else(|| variable(VARIABLE)) else {
        tracing::error!("nowhere to ask: give --redis URL, or set {VARIABLE}");
        return Ok(ExitCode::from(2));
    };
    let Some(place) = Place::of(&url) else {
        tracing::error!("--redis is no URL of a Redis");
        return Ok(ExitCode::from(2));
    };
    let runtime = runtime(1)?;
    let asked = runtime.block_on(fleet::spent(&place));
    runtime.shutdown_background();
    let mut counted = match asked {
        Ok(counted) => counted,
        Err(error) => {
            tracing::error!("the Redis cannot be asked: {error}");
            return Ok(ExitCode::from(FAILED));
        }
    };
    counted.retain(|one| month.is_none_or(|month| one.window.starts_with(month)));
    match shown {
        Shown::Table => table(&counted, out)?,
        Shown::Json => {
            let rows: Vec<_> = counted.iter().map(row).collect();
            serde_json::to_writer_pretty(&mut *out, &json!({ "budgets": rows }))?;
            writeln!(out)?;
        }
        Shown::Csv => {
            writeln!(out, "environment,scope,window,spent,reserved")?;
            for one in &counted {
                let (spent, held) = (&one.spent, &one.held);
                let [environment, scope] = [&one.environment, &one.scope].map(|it| quoted(it));
                writeln!(out, "{environment},{scope},{},{spent},{held}", one.window)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(one: &Spent) -> serde_json::Value {
    json!({
        "environment": one.environment,
        "scope": one.scope,
        "window": one.window,
        "spent": one.spent.to_string(),
        "reserved": one.held.to_string(),
    })
}

fn table(counted: &[Spent], out: &mut impl Write) -> io::Result<()> {
    let longest = |of: fn(&Spent) -> &str, head: &str| {
        let lengths = counted.iter().map(|one| of(one).chars().count());
        lengths.max().unwrap_or_default().max(head.len())
    };
    let (wide, long) = (
        longest(|one| &one.environment, "environment"),
        longest(|one| &one.scope, "scope"),
    );
    let mut line = |cells: [&str; 5]| {
        let [environment, scope, window, spent, held] = cells;
        let line =
            format!("{environment:<wide$}  {scope:<long$}  {window:<10}  {spent:>16}  {held:>16}");
        writeln!(out, "{}", line.replace(char::is_control, "\u{fffd}"))
    };
    line(["environment", "scope", "window", "spent", "reserved"])?;
    for one in counted {
        let (spent, held) = (one.spent.to_string(), one.held.to_string());
        line([&one.environment, &one.scope, &one.window, &spent, &held])?;
    }
    Ok(())
}

/// As a value of CSV, where a comma, a quote or the end of a line would be read otherwise.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price::Money;

    #[test]
    fn a_table_has_a_line_for_each_window() {
        let one = Spent {
            environment: "prod".into(),
            scope: "team:a,b".into(),
            window: "2026-11".into(),
            spent: Money::parse("1.5").unwrap(),
            held: Money::ZERO,
        };
        let mut out = Vec::new();
        table(std::slice::from_ref(&one), &mut out).unwrap();
        let said = String::from_utf8(out).unwrap();
        let cells: Vec<&str> = said.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(cells[..3], ["prod", "team:a,b", "2026-11"]);
        assert_eq!(row(&one)["spent"], one.spent.to_string());
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
