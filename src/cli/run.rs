//! `pillion run`: the sidecar.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio::runtime::{Builder, Runtime};

use super::{BAD_CONFIGURATION, FAILED, variable};
use crate::app::{self, Addresses, Options, Start, StartError};
use crate::config::{Problem, Sources};

/// Run the sidecar.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// YAML, TOML or JSON, by extension; else the variable `PILLION_CONFIG`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where applications connect, whatever the configuration says
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where probes and metrics are, whatever the configuration says
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// As a native sidecar: told to end, it knows that the application has ended
    #[arg(long)]
    native: bool,
}

impl Run {
    pub(super) fn run(self) -> io::Result<ExitCode> {
        let Some(file) = self
            .config
            .or_else(|| variable("PILLION_CONFIG").map(PathBuf::from))
        else {
            tracing::error!("no configuration: give --config FILE, or set PILLION_CONFIG");
            return Ok(ExitCode::from(2));
        };
        let flags = flags(self.listen, self.admin);
        let sources = Sources::from_process(file, flags);
        let options = Options {
            native: self.native,
        };
        match Start::of(&sources) {
            Ok(start) => serve(start, sources, options, &mut |_| {}),
            Err(problems) => Ok(refuse(&problems)),
        }
    }
}

/// Flags as the configuration's topmost layer.
pub(super) fn flags(
    listen: Option<SocketAddr>,
    admin: Option<SocketAddr>,
) -> Vec<(String, String)> {
    [("listen", listen), ("admin", admin)]
        .into_iter()
        .filter_map(|(key, address)| Some((key.to_owned(), address?.to_string())))
        .collect()
}

/// Serves until told to end.
pub(super) fn serve(
    start: Start,
    sources: Sources,
    options: Options,
    ready: &mut dyn FnMut(Addresses),
) -> io::Result<ExitCode> {
    let runtime = runtime(start.process().workers)?;
    let ended = runtime.block_on(app::run(start, sources, options, ready));
    // What still blocks in a thread (a sink that hangs, a slow name server) does not keep the process.
    runtime.shutdown_background();
    Ok(match ended {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(match error {
                StartError::Source(_) | StartError::Collector(_) => BAD_CONFIGURATION,
                StartError::Bind(_)
                | StartError::Audit(_)
                | StartError::Simulator { .. }
                | StartError::Signals(_)
                | StartError::Embedded(_) => FAILED,
            })
        }
    })
}

/// Says every problem of a configuration that is not to be run.
pub(super) fn refuse(problems: &[Problem]) -> ExitCode {
    for problem in problems {
        tracing::error!("{problem}");
    }
    ExitCode::from(BAD_CONFIGURATION)
}

/// One thread that does everything, unless more are wanted.
pub(super) fn runtime(workers: usize) -> io::Result<Runtime> {
    if workers == 1 {
        return Builder::new_current_thread().enable_all().build();
    }
    Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
}
