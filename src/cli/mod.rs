//! The commands, one file each. A command writes to the writer it is given and returns its exit code.

mod application;
mod audit;
mod check;
mod counted;
mod dev;
mod drill;
mod explain;
mod fleet;
mod healthcheck;
mod inject;
mod keys;
mod records;
mod replay;
mod report;
mod run;
mod schema;
mod secrets;
mod validate;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::central;
use crate::config::CentralText;
use crate::secret::{Ambient, close_memory};
use crate::source::{self, Place};
use crate::tasks::Tasks;
use crate::telemetry::log;
use crate::upstream::{Clients, Egress};

/// The port is taken, a check failed, or something else that trying again may cure.
pub(crate) const FAILED: u8 = 1;
/// `EX_CONFIG` of sysexits.h.
pub(crate) const BAD_CONFIGURATION: u8 = 78;

/// The LLM gateway that rides with the application.
#[derive(Debug, Parser)]
#[command(name = "pillion", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Dev(dev::Dev),
    Validate(validate::Validate),
    Check(check::Check),
    Drill(drill::Drill),
    Explain(explain::Explain),
    Fleet(fleet::Fleet),
    Audit(audit::Audit),
    Report(report::Report),
    Replay(replay::Replay),
    /// Print the JSON Schema of the configuration
    Schema,
    Keys(keys::Keys),
    Inject(inject::Inject),
    Healthcheck(healthcheck::Healthcheck),
}

impl Cli {
    /// Runs the command to its end.
    ///
    /// # Errors
    /// Those of `out`, and of the system where a command cannot do without it.
    pub fn run(self, out: &mut impl Write) -> io::Result<ExitCode> {
        let usual = match &self.command {
            Command::Dev(dev) => dev.logged(),
            _ => "info",
        };
        // What no service says is read by people, also where it is in a file.
        let format = match &self.command {
            Command::Run(_) => log::Format::suited(),
            Command::Dev(dev) => dev.log_format(),
            Command::Inject(inject) if inject.is_service() => log::Format::suited(),
            _ => log::Format::Human,
        };
        if let Err(problem) = start_log(usual, format) {
            writeln!(io::stderr(), "pillion: {problem}")?;
            return Ok(ExitCode::from(BAD_CONFIGURATION));
        }
        // Before anything that is secret is read.
        if let Err(error) = close_memory() {
            tracing::warn!(%error, "other processes of this user can read this one's memory");
        }
        match self.command {
            Command::Run(run) => run.run(),
            Command::Dev(dev) => dev.run(out),
            Command::Validate(validate) => validate.run(fetch, secrets::unread, out),
            Command::Check(check) => check.run(out),
            Command::Drill(drill) => drill.run(out),
            Command::Explain(explain) => explain.run(out),
            Command::Fleet(fleet) => fleet.run(out),
            Command::Audit(audit) => audit.run(out),
            Command::Report(report) => report.run(out),
            Command::Replay(replay) => replay.run(out),
            Command::Schema => schema::run(out),
            Command::Keys(keys) => keys.run(out),
            Command::Inject(inject) => inject.run(out),
            Command::Healthcheck(healthcheck) => Ok(healthcheck.run()),
        }
    }
}

/// The document that a source has now.
fn fetch(place: &Place, env: &[(String, String)]) -> Result<CentralText, String> {
    let runtime = run::runtime(1).map_err(|error| format!("cannot be asked: {error}"))?;
    let fetched = runtime.block_on(async {
        let clients = Clients::new(Tasks::default(), Egress::of(env));
        let source = source::open(place, &clients, &Ambient::of(env))?;
        central::fetch(source, place).await
    });
    runtime.shutdown_background();
    let document = fetched?;
    let text = std::str::from_utf8(&document.text);
    let text = text.map_err(|_| "has a document that is no text in UTF-8".to_owned())?;
    Ok(CentralText {
        name: place.url.to_string().into(),
        format: document.format,
        text: text.into(),
    })
}

/// What is logged, and how, unless `PILLION_LOG` and `PILLION_LOG_FORMAT` say something else.
fn start_log(usual: &str, format: log::Format) -> Result<(), String> {
    let format = match variable("PILLION_LOG_FORMAT") {
        Some(format) => {
            log::Format::try_new(&format).map_err(|error| format!("PILLION_LOG_FORMAT: {error}"))?
        }
        None => format,
    };
    let filter = log::filter(variable("PILLION_LOG").as_deref().or(Some(usual)))
        .map_err(|error| format!("PILLION_LOG: {error}"))?;
    log::init(format, filter, may_colour()).map_err(|error| error.to_string())
}

/// Whether whoever sits at the terminal has nothing against colours: <https://no-color.org> (read 2026-11).
fn may_colour() -> bool {
    variable("NO_COLOR").is_none()
}

/// A variable of the environment that a command reads before there is any configuration.
fn variable(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "commands read the environment here"
    )]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
