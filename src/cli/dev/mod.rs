//! `pillion dev`: a proxy for development that needs no file, no key and no network.
//!
//! With keys of providers in the environment or in `.env` it uses those providers; without any, two simulated
//! ones. It prints a line for each request.

mod browser;
mod built_in;
mod dotenv;
mod local;
mod vendors;
mod welcome;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use jiff::tz::TimeZone;

use self::built_in::{BuiltIn, built_in};
use self::vendors::VENDORS;
use self::welcome::Welcome;
use super::application::{Application, Token, has_keys};
use super::run::{flags, refuse, runtime, started};
use super::{BAD_CONFIGURATION, FAILED, keys, may_colour};
use crate::app::{self, Addresses, Console, Next, Options, Start, StartError, Yielding};
use crate::config::{self, Document, Format, Loaded, Problem, Process, Sources};
use crate::kube::{EXEMPT, PROXIES};
use crate::record::{Output, Style};
use crate::snapshot::Snapshot;
use crate::telemetry::log;

/// Where `dev` looks for keys besides the environment.
const DOTENV: &str = ".env";

/// The defaults of `listen` and `admin`.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4100);
const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4101);

/// Run a proxy for development: no file needed, simulated providers unless a real key is found.
///
/// Keys are looked for in the environment and then in the file .env of the working directory:
/// OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY or GOOGLE_API_KEY, AZURE_OPENAI_API_KEY (with
/// AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_DEPLOYMENT), MISTRAL_API_KEY, DEEPSEEK_API_KEY, XAI_API_KEY,
/// GROQ_API_KEY, OPENROUTER_API_KEY; OLLAMA_HOST adds the models of an Ollama. OPENAI_BASE_URL,
/// ANTHROPIC_BASE_URL and GOOGLE_GEMINI_BASE_URL say where these providers are.
///
/// The routes `chat`, `large` and `embeddings` go to the providers found, the first two with fallback
/// between them; each model of their price lists goes by its own name to its own provider first.
///
/// Every request is a line: when, which route, whom it was sent to and what came of that, how long,
/// how many tokens, what it cost.
///
/// Where the usual ports are taken, as by another `dev`, the page gets one that is free, and with
/// `-- CMD…` the proxy does, too.
///
/// With `-- CMD…` the application is started once the proxy is ready, with OPENAI_BASE_URL,
/// OPENAI_API_KEY, ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY in its environment and without the
/// providers' keys. Signals are passed on to it, the proxy ends with it, and its exit code is ours.
/// The proxy then writes to stderr alone.
///
/// Ctrl-C ends it, and so does a terminal that is closed, but under `nohup`.
#[expect(
    clippy::doc_markdown,
    reason = "it is the command's help, which shows marks as they are"
)]
#[derive(Debug, Args)]
pub(super) struct Dev {
    /// A configuration of your own instead of the built-in one; a change of it is live within seconds
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Variables that the environment does not have, instead of .env
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Where applications connect
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where probes, metrics and the page are
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// The token that the application sends; else PILLION_TOKEN; a new random one when absent
    #[arg(long, conflicts_with_all = ["config", "token_file"], value_parser = NonEmptyStringValueParser::new())]
    token: Option<String>,
    /// A file with the token that the application sends
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Open the page of what goes on in the browser
    #[arg(long)]
    ui: bool,
    /// Requests as JSON lines, which are audit records; beside CMD all that the proxy says is JSON
    #[arg(long)]
    json: bool,
    /// The application to start, with its arguments
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl Dev {
    /// What is logged unless `PILLION_LOG` says something else: what goes wrong, and each new configuration. Of
    /// the rest the lines of requests tell. Nobody is warned of a configuration that is not theirs.
    pub(super) fn logged(&self) -> &'static str {
        match self.config {
            Some(_) => {
                "warn,pillion::cli::dev=info,pillion::app::reload=info,pillion::simulate=error"
            }
            None => "warn,pillion::cli::dev=info,pillion::config=error,pillion::simulate=error",
        }
    }

    /// How log lines look unless `PILLION_LOG_FORMAT` says something else.
    pub(super) fn log_format(&self) -> log::Format {
        match (self.json, self.command.is_empty()) {
            (false, _) => log::Format::Human,
            (true, true) => log::Format::suited(),
            // Records are between them.
            (true, false) => log::Format::Json,
        }
    }

    pub(super) fn run(self, out: &mut impl Write) -> io::Result<ExitCode> {
        let (mut sources, from_file) =
            match sources(flags(self.listen, self.admin), self.env_file.as_deref()) {
                Ok(found) => found,
                Err(why) => return Ok(wrong(&why)),
            };
        let said = match Token::said(self.token_file.as_deref(), &sources) {
            Ok(said) => self.token.clone().map(Token::Said).or(said),
            Err(why) => return Ok(wrong(&why)),
        };
        let mut welcome = Welcome {
            taken: from_file,
            page: self.ui,
            ..Welcome::default()
        };
        let (start, token) = if let Some(file) = self.config.clone() {
            sources.document = Document::File(file);
            let (start, token) = match (Start::of(&sources), said) {
                (Ok(start), None) if has_keys(&start) => {
                    let token = Token::own(&mut sources)?;
                    (Start::of(&sources), token)
                }
                (Ok(start), None) => (Ok(start), Some(Token::any())),
                (start, said) => (start, said),
            };
            (start, token)
        } else {
            let token = said.map_or_else(|| keys::new_token().map(Token::Said), Ok)?;
            let (made, asked) = make(&mut sources, token.text(), self.listen)?;
            if let Some((_, names)) = &mut welcome.taken {
                names.retain(|name| asked.contains(name) || is_general(name));
            }
            let start = Start::of(&sources);
            let start = start.map_err(|problems| made.told(problems));
            welcome.about = Some(made.about);
            (start, Some(token))
        };
        let start = match start {
            Ok(start) => start,
            Err(problems) => return Ok(refuse(&problems)),
        };
        let application = (!self.command.is_empty()).then(|| Application {
            words: self.command.clone(),
            env: sources.env.clone(),
            keys: VENDORS.iter().flat_map(|it| it.keys).copied().collect(),
        });
        let listen = start.process().listen;
        let options = self.options(start.process());
        let mut said = Ok(());
        let mut ready = |at: Addresses, snapshot: &Snapshot| {
            let good = token.as_ref().filter(|token| token.opens(snapshot));
            let text = good.map(Token::text);
            said = match &application {
                // Who reads JSON lines on stdout reads nothing else there.
                None if self.json => welcome.write(&mut io::stderr(), at, snapshot, text),
                None => welcome.write(out, at, snapshot, text),
                Some(_) if self.json => {
                    welcome.log(at);
                    Ok(())
                }
                // stdout is the application's.
                Some(application) => welcome.write_short(&mut io::stderr(), at, &application.words),
            };
            if self.ui {
                browser::open(&welcome::page(at));
            }
            match &application {
                None => Next::Serve,
                Some(application) => application.start(at, snapshot, token.as_ref()),
            }
        };
        let runtime = runtime(start.process().workers)?;
        let ended = runtime.block_on(app::run(start, sources, options, &mut ready));
        runtime.shutdown_background();
        if let Err(StartError::Bind(error)) = &ended
            && error.is_taken()
        {
            let at = error.address();
            let flag = if at == listen { "listen" } else { "admin" };
            tracing::error!(
                "{error}, perhaps by another `pillion dev`; `--{flag} 127.0.0.1:0` takes a port that is free"
            );
            return Ok(ExitCode::from(FAILED));
        }
        let code = started(ended);
        said.map(|()| code)
    }

    fn options(&self, process: &Process) -> Options {
        let (output, is_terminal) = if self.command.is_empty() {
            (Output::Stdout, io::stdout().is_terminal())
        } else {
            (Output::Stderr, io::stderr().is_terminal())
        };
        let colour = is_terminal && may_colour();
        let style = || Style {
            colour,
            zone: TimeZone::system(),
        };
        Options {
            // Whoever ends it by hand has no traffic to lead away first.
            native: true,
            by_hand: true,
            beside: !self.command.is_empty(),
            yielding: Yielding {
                // Only an application that we start is told of the port by us.
                listen: !self.command.is_empty() && is_usual(process.listen, LISTEN, self.listen),
                admin: is_usual(process.admin, ADMIN, self.admin),
            },
            console: Console {
                readable: (!self.json).then(style),
                output,
            },
        }
    }
}

/// The configuration for which no file is needed, under the environment and `.env`, for the command of
/// another name, and what it says.
pub(super) fn without_file(token: &str) -> io::Result<Result<(Sources, Read), String>> {
    let (mut sources, _) = match sources(Vec::new(), None) {
        Ok(found) => found,
        Err(why) => return Ok(Err(why)),
    };
    let (made, _) = make(&mut sources, token, None)?;
    let read = config::load(&sources).map_err(|problems| made.told(problems));
    Ok(Ok((sources, read)))
}

type Read = Result<Loaded, Vec<Problem>>;

/// Names of variables, and the file that they are from.
type Taken = (PathBuf, Vec<String>);

/// The environment, with what a file has beside it.
fn sources(
    flags: Vec<(String, String)>,
    file: Option<&Path>,
) -> Result<(Sources, Option<Taken>), String> {
    let mut sources = Sources {
        local: config::Local::Free,
        ..Sources::from_process(text(String::new()), flags)
    };
    let file = match file {
        Some(file) => file,
        None if Path::new(DOTENV).is_file() => Path::new(DOTENV),
        None => return Ok((sources, None)),
    };
    let (variables, wrong) = dotenv::read(file, &|name| sources.variable(name))?;
    for line in wrong {
        tracing::warn!("{line}");
    }
    let is_said = |(_, value): &(String, String)| !value.is_empty();
    let taken = sources.beside(variables.into_iter().filter(is_said).collect());
    Ok((sources, Some((file.to_owned(), taken))))
}

/// Makes the configuration for `sources`, and returns it, and which variables were asked for.
fn make(
    sources: &mut Sources,
    token: &str,
    listen: Option<SocketAddr>,
) -> io::Result<(BuiltIn, BTreeSet<String>)> {
    let asked = RefCell::new(BTreeSet::new());
    let known = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        sources.variable(name).filter(|value| !value.is_empty())
    };
    let listen = listen.or_else(|| known("PILLION_LISTEN")?.parse().ok());
    let local = local::ask(&known, &sources.env)?;
    let mut made = built_in(token, &known, local, listen.unwrap_or(LISTEN))?;
    for note in &made.notes {
        tracing::warn!("{note}");
    }
    sources.document = text(std::mem::take(&mut made.yaml));
    Ok((made, asked.into_inner()))
}

/// Whether a variable is read whatever the providers are.
fn is_general(name: &str) -> bool {
    name.starts_with("PILLION_") || PROXIES.contains(&name) || EXEMPT.contains(&name)
}

/// Whether `at` is the usual address, and nobody has said it.
fn is_usual(at: SocketAddr, usual: SocketAddr, said: Option<SocketAddr>) -> bool {
    at == usual && said.is_none()
}

fn text(text: String) -> Document {
    let format = Format::Yaml;
    Document::Text { format, text }
}

fn wrong(why: &str) -> ExitCode {
    tracing::error!("{why}");
    ExitCode::from(BAD_CONFIGURATION)
}
