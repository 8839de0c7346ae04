//! `pillion report`: what audit records come to.

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, builder::TypedValueParser as _};
use jiff::Timestamp;

use super::run::refuse;
use super::{BAD_CONFIGURATION, FAILED, counted, records, variable};
use crate::price::{Exchange, Month};
use crate::report::{self, By, Comparison, Side, Span, Summary, Tally};

/// Spend and reliability from audit records, of any number of pods: requests, errors, fallbacks, times,
/// tokens, costs, personal data.
///
/// Costs are those that the records hold, made when the requests were: later prices change nothing of
/// them. Requests at targets without a price are counted as such, and are in no sum of money. Quantiles are
/// exact, by nearest rank.
#[derive(Debug, Args)]
pub(super) struct Report {
    /// Files of audit records, compressed or not, or of logs that hold some, or folders; `-` is the standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What they are grouped by, one or several with commas between
    #[arg(long, value_name = "FIELD", value_delimiter = ',', default_value = "route",
          value_parser = PossibleValuesParser::new(By::ALL.map(By::name)).map(|name| by(&name)))]
    by: Vec<By>,
    /// Records from then on: `7d`, `12h`, a day such as `2026-11-01`, or an instant
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Records before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The records of one month in UTC, such as `2026-11`
    #[arg(long, value_name = "MONTH", conflicts_with_all = ["since", "until"])]
    month: Option<String>,
    /// Tell costs in this currency, by the rate of the month in which they were made
    #[arg(long, value_name = "CURRENCY")]
    currency: Option<String>,
    /// The configuration whose `rates` these are; else the variable `PILLION_CONFIG`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Two providers, models or targets (`provider/model`), side by side on each route
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with = "by")]
    compare: Option<Vec<String>>,
    /// What the fleet's Redis has counted of its budgets, instead of records: forty days back. Without a URL
    /// that of the variable `PILLION_SHARED_STATE`, which keeps a password off the command line
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "",
          conflicts_with_all = ["files", "since", "until", "currency", "compare"])]
    redis: Option<String>,
    /// One JSON object instead of tables
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Comma-separated values, exact to the last digit
    #[arg(long)]
    csv: bool,
}

fn by(name: &str) -> By {
    let known = By::ALL.into_iter().find(|by| by.name() == name);
    // The parser lets no other name through.
    known.unwrap_or(By::Route)
}

impl Report {
    /// # Errors
    /// Those of `out`.
    pub(super) fn run(self, out: &mut impl Write) -> io::Result<ExitCode> {
        if let Some(url) = self.redis {
            let shown = match (self.json, self.csv) {
                (true, _) => counted::Shown::Json,
                (false, true) => counted::Shown::Csv,
                (false, false) => counted::Shown::Table,
            };
            let url = Some(url).filter(|url| !url.is_empty());
            return counted::tell(url, self.month.as_deref(), shown, out);
        }
        let span = match self.span(Timestamp::now()) {
            Ok(span) => span,
            Err(problem) => {
                tracing::error!("{problem}");
                return Ok(ExitCode::from(2));
            }
        };
        let exchange = match self.exchange() {
            Ok(exchange) => exchange,
            Err(code) => return Ok(code),
        };
        let Some(files) = named(&self.files) else {
            return Ok(ExitCode::from(2));
        };
        let read = match &self.compare {
            Some(sides) => self.compare(sides, &files, span, &exchange, out),
            None => self.tell(&files, span, &exchange, out),
        };
        match read {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(Trouble::Out(error)) => Err(error),
            Err(Trouble::In(error)) => {
                tracing::error!("{error}");
                Ok(ExitCode::from(FAILED))
            }
        }
    }

    fn span(&self, now: Timestamp) -> Result<Span, String> {
        let Some(text) = &self.month else {
            return records::span(self.since.as_deref(), self.until.as_deref(), now);
        };
        let month: Month = text
            .parse()
            .map_err(|problem| format!("`{text}` {problem}"))?;
        Ok(Span {
            since: Some(month.to_string()),
            until: Some(month.next().to_string()),
        })
    }

    /// The rates of the configuration, where costs are to be told by them.
    fn exchange(&self) -> Result<Exchange, ExitCode> {
        let file = self.config.clone();
        let file = file.or_else(|| variable("PILLION_CONFIG").map(PathBuf::from));
        let Some(currency) = &self.currency else {
            return Ok(Exchange::default());
        };
        let exchange = match file {
            None => Exchange::default(),
            Some(file) => match records::configuration(&file) {
                Ok(loaded) => loaded.snapshot.exchange,
                Err(problems) => return Err(refuse(&problems)),
            },
        };
        let month = self.month.as_deref().and_then(|month| month.parse().ok());
        if let Some(month) = month
            && exchange.rate(currency, month).is_none()
        {
            tracing::error!(
                "there is no rate for {currency} in {month}: a configuration (--config) says it as `rates: {{ {currency}: {{ {month}: … }} }}`"
            );
            return Err(ExitCode::from(BAD_CONFIGURATION));
        }
        Ok(exchange)
    }

    fn tell(
        &self,
        files: &[PathBuf],
        span: Span,
        exchange: &Exchange,
        out: &mut impl Write,
    ) -> Result<(), Trouble> {
        let mut tally = Tally::new(self.by.clone(), span);
        records::read(files, |line, is_last| tally.line(line, is_last)).map_err(Trouble::In)?;
        let summary = Summary::of(tally.finish(), self.currency.as_deref(), exchange);
        let told = if self.json {
            json(&summary, out)
        } else if self.csv {
            report::csv(&summary, out)
        } else {
            report::table(&summary, out)
        };
        told.map_err(Trouble::Out)
    }

    fn compare(
        &self,
        sides: &[String],
        files: &[PathBuf],
        span: Span,
        exchange: &Exchange,
        out: &mut impl Write,
    ) -> Result<(), Trouble> {
        let side = |place: usize| Side(sides.get(place).cloned().unwrap_or_default());
        let mut comparison = Comparison::new([side(0), side(1)], span);
        records::read(files, |line, is_last| comparison.line(line, is_last))
            .map_err(Trouble::In)?;
        let sides = comparison.finish(self.currency.as_deref(), exchange);
        let told = if self.json {
            json(&sides, out)
        } else if self.csv {
            report::compared_csv(&sides, out)
        } else {
            report::compared(&sides, out)
        };
        told.map_err(Trouble::Out)
    }
}

fn json(told: &impl serde::Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, told)?;
    writeln!(out)
}

/// What failed: what was read, or what was written to.
enum Trouble {
    In(io::Error),
    Out(io::Error),
}

/// The files that were named; the standard input where none was and something is piped into it.
pub(super) fn named(files: &[PathBuf]) -> Option<Vec<PathBuf>> {
    if !files.is_empty() {
        return Some(files.to_vec());
    }
    if io::stdin().is_terminal() {
        tracing::error!("nothing to read: name files of audit records, or pipe some in");
        return None;
    }
    Some(vec!["-".into()])
}
