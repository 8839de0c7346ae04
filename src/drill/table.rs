//! A drill's report for a person.

use std::io::{self, Write};
use std::time::Duration;

use super::report::Report;
use crate::check::judge::seconds;
use crate::simulate::Gone;

/// A table for people.
///
/// # Errors
/// Those of `out`.
pub fn table(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}: outage drill", report.route)?;
    match report.cut {
        None => writeln!(out, "\n  nothing was sent")?,
        Some(cut) => {
            let while_waiting = if report.in_flight {
                ", while it waited for its answer"
            } else {
                ""
            };
            writeln!(
                out,
                "\n  {}: cut at request {cut}{while_waiting} ({})",
                report.primary,
                fault_said(report.fault)
            )?;
            times(report, out)?;
            switch(report, out)?;
            spent(report, out)?;
        }
    }
    found(report, out)?;
    let (_, verdict) = report.verdict();
    writeln!(out, "\n  Would your users have noticed? {verdict}")?;
    writeln!(out, "\n{}", if report.is_fine() { "ok" } else { "not ok" })
}

fn shown(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".into(), seconds)
}

fn times(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\n    {:<10} {:>8} {:>7} {:>9} {:>9} {:>9}   first token: p50, p95, worst",
        "", "requests", "failed", "p50", "p95", "worst"
    )?;
    for (name, times) in [("before", &report.before), ("after", &report.after)] {
        let [p50, p95, worst] = times.total.map(shown);
        let [first50, first95, first] = times.first_token.map(shown);
        writeln!(
            out,
            "    {name:<10} {:>8} {:>7} {p50:>9} {p95:>9} {worst:>9}   {first50}, {first95}, {first}",
            times.requests, times.failed
        )?;
    }
    Ok(())
}

fn switch(report: &Report, out: &mut impl Write) -> io::Result<()> {
    match &report.switch {
        Some(switch) => writeln!(
            out,
            "\n    switched in {} to {} (from the cut to the end of its first good answer, request {})",
            seconds(switch.after),
            switch.to,
            switch.request
        ),
        None => writeln!(out, "\n    never switched: no backup gave a good answer"),
    }
}

fn spent(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\n    {:<40} {:>7} {:>8} {:>8} {:>10} {:>12}",
        "target", "answers", "attempts", "prompt", "completion", "cost"
    )?;
    for spent in &report.targets {
        let cost = (spent.cost).map_or_else(|| "unknown".into(), |cost| cost.to_string());
        let mut more = Vec::new();
        if spent.uncounted > 0 {
            more.push(format!("{} without usage", spent.uncounted));
        }
        if spent.unanswered > 0 {
            more.push(format!(
                "{} without an answer, which may be charged for",
                spent.unanswered
            ));
        }
        let line = format!(
            "    {:<40} {:>7} {:>8} {:>8} {:>10} {cost:>12}  {}",
            spent.target,
            spent.answers,
            spent.attempts,
            spent.prompt,
            spent.completion,
            more.join("; ")
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// What went wrong, and what is worth knowing.
fn found(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if !report.causes.is_empty() {
        writeln!(out, "\n    attempts that failed, and why")?;
    }
    for cause in &report.causes {
        writeln!(
            out,
            "    {:<40} {:>7} × {}: {}",
            cause.target, cause.attempts, cause.class, cause.reason
        )?;
    }
    if report.cut.is_some() {
        let calls = &report.calls;
        writeln!(
            out,
            "\n    tool calls: {} in {} answers, {} repeated",
            calls.made,
            calls.answers,
            calls.repeated.len()
        )?;
        for repeated in &calls.repeated {
            writeln!(out, "      {repeated}")?;
        }
        let schema = match (report.compared, report.differences.is_empty()) {
            (0, _) => "none to compare with the primary's".into(),
            (compared, true) => format!("{compared}, all as the primary's"),
            (compared, false) => format!("{compared}, NOT all as the primary's"),
        };
        writeln!(out, "    answers of others: {schema}")?;
    }
    for difference in report.differences.iter().chain(&report.schema_notes) {
        writeln!(
            out,
            "      {:<8} {} × {} {}: {}",
            difference.word.name(),
            difference.answers,
            difference.target,
            difference.form,
            difference.said.join("; ")
        )?;
    }
    for failed in &report.failed {
        writeln!(
            out,
            "    request {} ({}) FAILED after {}: {}",
            failed.request,
            failed.form,
            seconds(failed.after),
            failed.said
        )?;
    }
    for note in &report.notes {
        writeln!(out, "    note: {note}")?;
    }
    Ok(())
}

fn fault_said(fault: Gone) -> &'static str {
    match fault {
        Gone::Connect => "connections refused",
        Gone::Reset => "answers cut off",
        Gone::Hang => "silence",
        Gone::Error => "status 503",
    }
}
