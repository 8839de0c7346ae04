//! `pillion run`: the sidecar.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio::runtime::{Builder, Runtime};

use super::application::{Application, Token, has_keys};
use super::{BAD_CONFIGURATION, FAILED, variable};
use crate::app::{self, Addresses, Console, Next, Options, Start, StartError};
use crate::config::{Document, Format, Problem, Sources};
use crate::record::Output;
use crate::snapshot::Snapshot;

/// Run the sidecar.
///
/// With `-- CMD…` the application is started once it can be served, with OPENAI_BASE_URL,
/// OPENAI_API_KEY, ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY in its environment, and without the
/// variables that the configuration names as secrets. Its token is that of --token-file or of
/// PILLION_TOKEN, else a new one where a key of the configuration has `hash: pod`. Signals are passed
/// on to it, the sidecar ends with it, and its exit code is ours. Records that would go to stdout
/// go to stderr then.
#[expect(
    clippy::doc_markdown,
    reason = "it is the command's help, which shows marks as they are"
)]
#[derive(Debug, Args)]
pub(super) struct Run {
    /// YAML, TOML or JSON, by extension; else the variable `PILLION_CONFIG`. Neither is needed where
    /// `PILLION_SOURCE__URL` says where the central document is
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
    /// A file with the token of the application that is started; else the variable `PILLION_TOKEN`
    #[arg(long, value_name = "FILE", requires = "command")]
    token_file: Option<PathBuf>,
    /// The application to start, with its arguments
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl Run {
    pub(super) fn run(self) -> io::Result<ExitCode> {
        let file = self.config;
        let file = file.or_else(|| variable("PILLION_CONFIG").map(PathBuf::from));
        let document = match file {
            Some(file) => Document::File(file),
            // All that a sidecar must say itself can be said by variables.
            None if variable("PILLION_SOURCE__URL").is_some() => Document::Text {
                format: Format::Yaml,
                text: String::new(),
            },
            None => {
                tracing::error!(
                    "no configuration: give --config FILE, or set PILLION_CONFIG or PILLION_SOURCE__URL"
                );
                return Ok(ExitCode::from(2));
            }
        };
        let flags = flags(self.listen, self.admin);
        let mut sources = Sources::from_process(document, flags);
        let mut options = Options {
            native: self.native,
            beside: !self.command.is_empty(),
            ..Options::default()
        };
        let mut start = match Start::of(&sources) {
            Ok(start) => start,
            Err(problems) => return Ok(refuse(&problems)),
        };
        if self.command.is_empty() {
            return serve(start, sources, options, &mut |_, _| Next::Serve);
        }
        let mut token = match Token::said(self.token_file.as_deref(), &sources) {
            Ok(token) => token,
            Err(why) => {
                tracing::error!("{why}");
                return Ok(ExitCode::from(BAD_CONFIGURATION));
            }
        };
        if token.is_none() && has_keys(&start) {
            token = Token::own(&mut sources)?;
            start = match Start::of(&sources) {
                Ok(start) => start,
                Err(problems) => return Ok(refuse(&problems)),
            };
        } else if token.is_none() {
            token = Some(Token::any());
        }
        // stdout is the application's.
        options.console = Console {
            output: Output::Stderr,
            ..Console::default()
        };
        let application = Application {
            words: self.command,
            env: sources.env.clone(),
            keys: Vec::new(),
        };
        let mut ready =
            |at: Addresses, snapshot: &Snapshot| application.start(at, snapshot, token.as_ref());
        serve(start, sources, options, &mut ready)
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
    ready: &mut dyn FnMut(Addresses, &Snapshot) -> Next,
) -> io::Result<ExitCode> {
    let runtime = runtime(start.process().workers)?;
    let ended = runtime.block_on(app::run(start, sources, options, ready));
    // What still blocks in a thread (a sink that hangs, a slow name server) does not keep the process.
    runtime.shutdown_background();
    Ok(started(ended))
}

/// The exit code of what has ended, or has not begun; then it is said why.
pub(super) fn started(ended: Result<ExitCode, StartError>) -> ExitCode {
    match ended {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(match error {
                StartError::Source(_)
                | StartError::Collector(_)
                | StartError::Traces(_)
                | StartError::Certificate(_) => BAD_CONFIGURATION,
                StartError::Bind(_)
                | StartError::Audit(_)
                | StartError::Simulator { .. }
                | StartError::Signals(_)
                | StartError::Embedded(_) => FAILED,
            })
        }
    }
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
