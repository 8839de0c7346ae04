//! The composition root: builds each part once, spawns the tasks, and ends them in order.
//!
//! What is decided here is only who knows whom, and the order in which things start and stop.

mod application;
mod core;
mod embedded;
mod files;
mod life;
mod parts;
mod reload;
mod sending;
mod service;
mod webhook;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::config::{self, Begun, Bootstrap, Loaded, Problem, Process, Sources};
use crate::fleet::Fleet;
use crate::limit::Seats;
use crate::listen::{self, BindError, Phase};
use crate::once::Calls;
use crate::record::{Output, Style};
use crate::redis;
use crate::serve::Gateway;
use crate::snapshot::{Identity, Snapshot};
use crate::source::Place;
use crate::tasks::Tasks;
use crate::telemetry::Metrics;

use self::core::Core;
use self::parts::{accept, keep_warm, ledger, simulators};
use self::reload::{First, Reloader};
use self::sending::Sending;

pub use self::application::{Application, Next};
pub use self::embedded::Embedded;
pub use self::webhook::Webhook;

/// How long a start and a reload wait for the stores of secrets. A provider whose key comes later is
/// left out until then.
const FIRST_READ: Duration = Duration::from_secs(2);

/// Connections of probes and scrapers: many more than there are of them.
const PROBES: usize = 256;

/// What `run` was told beside its configuration.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// As a native sidecar: when we are told to end, the application has ended.
    pub native: bool,
    /// Whether `ready` is to start an application: where it never came to that, nothing has gone well.
    pub beside: bool,
    /// Whether somebody has started it at a terminal, and it ends where that is closed. A service is told by the
    /// same signal to look at its files again.
    pub by_hand: bool,
    pub yielding: Yielding,
    pub console: Console,
}

/// Whose port gives way to any that is free, where somebody has it already: nobody knows of it but by us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Yielding {
    pub listen: bool,
    pub admin: bool,
}

/// What is to be seen on the process's own output.
#[derive(Debug, Clone, Default)]
pub struct Console {
    /// A line for each request, in the place of records that nobody has said a place for.
    pub readable: Option<Style>,
    /// What is taken for stdout.
    pub output: Output,
}

/// Where the process listens.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    pub listen: SocketAddr,
    pub admin: SocketAddr,
}

/// Why the process could not start.
#[derive(Debug)]
pub enum StartError {
    Bind(BindError),
    Audit(io::Error),
    /// A collector of records cannot be reached as it is written.
    Collector(&'static str),
    /// The collector of spans cannot be reached as it is written.
    Traces(&'static str),
    Simulator {
        name: Arc<str>,
        error: io::Error,
    },
    Signals(io::Error),
    /// The source cannot be followed as it is written.
    Source(String),
    /// The certificate of a listener is of no use.
    Certificate(String),
    /// The gateway of a command has no address.
    Embedded(String),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bind(error) => error.fmt(f),
            Self::Audit(error) => error.fmt(f),
            Self::Collector(why) => write!(f, "a collector of audit records {why}"),
            Self::Traces(why) => write!(f, "the collector of `traces` {why}"),
            Self::Simulator { name, error } => {
                write!(f, "the simulated provider `{name}` cannot listen: {error}")
            }
            Self::Signals(error) => write!(f, "signals cannot be received: {error}"),
            Self::Source(why) => write!(f, "the source cannot be followed: {why}"),
            Self::Certificate(why) => f.write_str(why),
            Self::Embedded(error) => write!(f, "the gateway has no address: {error}"),
        }
    }
}

/// What the process begins with.
pub enum Start {
    /// All there is.
    Loaded(Box<Loaded>),
    /// A source to follow: the first configuration comes from there, or from an earlier time.
    Following(Box<Bootstrap>, Place),
}

impl Start {
    /// What these sources begin with.
    ///
    /// # Errors
    /// Every problem that can be found before a central document is there.
    pub fn of(sources: &Sources) -> Result<Self, Vec<Problem>> {
        let mut bootstrap = match config::begin(sources)? {
            Begun::Whole(loaded) => return Ok(Self::Loaded(loaded)),
            Begun::Waiting(bootstrap) => bootstrap,
        };
        match bootstrap.source.take() {
            Some(place) => Ok(Self::Following(bootstrap, place)),
            None => config::load(sources).map(|loaded| Self::Loaded(Box::new(loaded))),
        }
    }

    /// As the sidecar's own file says it.
    pub fn process(&self) -> &Process {
        match self {
            Self::Loaded(loaded) => &loaded.process,
            Self::Following(bootstrap, _) => &bootstrap.process,
        }
    }
}

/// Runs until a signal ends it, then drains. `ready` is called once applications can connect, with what they
/// are served by, and says what follows; the exit code is then that of the application that it has started.
///
/// # Errors
/// A part could not start; nothing has been served.
pub async fn run(
    start: Start,
    sources: Sources,
    options: Options,
    ready: &mut dyn FnMut(Addresses, &Snapshot) -> Next,
) -> Result<ExitCode, StartError> {
    let mut signals = life::Signals::new(&options).map_err(StartError::Signals)?;
    let core = Core::new(&start, &sources.env);
    let admin_listener = bind(start.process().admin, options.yielding.admin)?;
    // As it is, not as it was asked for: port 0 is any that is free.
    let admin = (admin_listener.local_addr()).unwrap_or(start.process().admin);
    core.serve_admin(admin_listener);
    let again = Arc::new(Notify::new());
    let (reloader, first) = Reloader::new(
        sources,
        core.keyring.clone(),
        core.upstream.health.clone(),
        Arc::clone(&core.status),
        Arc::clone(&again),
    );
    let reloader = Arc::new(reloader);
    if let Some(watchdog) = service::watchdog() {
        core.background.spawn(watchdog);
    }
    service::waiting();
    let follows = matches!(start, Start::Following(..));
    match start {
        Start::Loaded(loaded) => drop(life::aside(&reloader, |it| it.begin(*loaded))),
        Start::Following(bootstrap, place) => {
            for warning in &bootstrap.warnings {
                tracing::warn!(target: "pillion::config", "{warning}");
            }
            tracing::info!(source = %place.url, %admin, "following a central document");
            core.follow(*bootstrap, place, Arc::clone(&reloader), Arc::clone(&again))?;
        }
    }
    let first = match signals.until_first(first, &again).await {
        Ok(first) => first,
        Err(signal) => {
            tracing::info!("ended before there was a configuration");
            let failed = options.beside.then(|| application::code_of(signal as i32));
            return Ok(failed.map_or(ExitCode::SUCCESS, ExitCode::from));
        }
    };
    let First { process, live } = first;
    let Core {
        metrics,
        status,
        upstream,
        background,
        heads,
        reporting,
        reports_end,
        quotas,
        ..
    } = core;
    let snapshot = live.current();
    let (records, sending) = Sending::start(
        &process,
        options.console,
        &snapshot,
        &metrics,
        &heads,
        follows,
        &upstream.clients,
    )?;
    status.records(records.clone());
    let listener = bind(process.listen, options.yielding.listen)?;
    let at = Addresses {
        listen: listener.local_addr().unwrap_or(process.listen),
        admin,
    };
    let _simulators = simulators(&process).await?;

    let connections = Tasks::default();
    let cut = CancellationToken::new();
    let (phase, serving) = watch::channel(Phase::Serving);
    let fleet = fleet(&process, &snapshot.identity, &metrics, &background);
    if let Some(fleet) = &fleet {
        background.spawn(fleet.clone().keep_up(live.clone(), upstream.health.clone()));
        quotas.share(fleet.counters());
    }
    let ledger = ledger(&process, &snapshot.identity);
    if let Some(ledger) = &ledger {
        quotas.recall(ledger, snapshot.instances.map_or(1, Into::into));
        background.spawn(quotas.clone().keep(ledger.clone()));
    }
    drop(snapshot);
    let gateway = Arc::new(Gateway {
        snapshot: live.clone(),
        upstream: upstream.clone(),
        records: records.clone(),
        calls: Calls::new(connections.clone(), cut.clone()),
        fleet,
        tasks: connections.clone(),
        seats: Seats::new(
            process.concurrency,
            process.queue,
            metrics.queue_waiting.clone(),
        ),
        quotas: quotas.clone(),
        cut: cut.clone(),
    });

    accept(
        listener,
        &gateway,
        &process,
        &connections,
        &serving,
        &background,
    );
    background.spawn(keep_warm(live.clone(), upstream));
    status.listener_up(at.listen);
    tracing::info!(listen = %at.listen, admin = %at.admin, version = %live.current().version, "serving");
    service::ready(at);
    let next = ready(at, &live.current());
    let is_alone = options.native || !matches!(next, Next::Serve);
    let exit = life::until_told_to_end(&mut signals, &reloader, &records, next).await;
    service::stopping();
    let drain = life::Drain {
        process: &process,
        is_alone,
        status: &status,
        phase: &phase,
        connections: &connections,
        calls: &gateway.calls,
        cut: &cut,
    };
    let until = drain.run(&mut signals).await;
    let telling = life::tell_spent(gateway.fleet.as_ref(), quotas, ledger, until, &mut signals);
    let sending = async {
        life::close(records).await;
        sending.end(until).await;
    };
    tokio::join!(telling, sending);
    reports_end.cancel();
    life::last_report(&reporting).await;
    tracing::info!("ended");
    Ok(ExitCode::from(exit))
}

/// Takes an address at once and for good: to ask first whether it is free would be to lose it to whoever asks
/// at the same time.
fn bind(address: SocketAddr, yields: bool) -> Result<TcpListener, StartError> {
    match listen::bind(address) {
        Err(error) if yields && error.is_taken() => listen::bind((address.ip(), 0).into()),
        bound => bound,
    }
    .map_err(StartError::Bind)
}

/// What ties this process to the others, where they share a state.
fn fleet(
    process: &Process,
    identity: &Identity,
    metrics: &Metrics,
    background: &Tasks,
) -> Option<Fleet> {
    let state = process.shared_state.as_ref()?;
    let place = redis::Place::of(state.expose())?;
    let (waiters, up) = (process.concurrency, metrics.shared_state_up());
    Some(Fleet::start(place, identity, waiters, background, up))
}
