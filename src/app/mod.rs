//! The composition root: builds each part once, spawns the tasks, and ends them in order.
//!
//! What is decided here is only who knows whom, and the order in which things start and stop.

mod embedded;
mod files;
mod life;
mod reload;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::admin::{self, AdminState, Status};
use crate::body::Body;
use crate::config::{Loaded, Process, Sources};
use crate::fleet::Fleet;
use crate::health::Health;
use crate::limit::Seats;
use crate::listen::{self, BindError, Connections, Peer, Phase, Settings};
use crate::live::Live;
use crate::once::Calls;
use crate::record::{AuditSinks, Records};
use crate::redis::Place;
use crate::secret::{Ambient, Keyring};
use crate::serve::{self, Gateway};
use crate::simulate::Simulator;
use crate::snapshot::Snapshot;
use crate::tasks::Tasks;
use crate::telemetry::Metrics;
use crate::upstream::{Clients, Credentials, Egress, Upstream};

use self::reload::Reloader;

pub use self::embedded::Embedded;

/// How long a connection that is kept open for a `warm` route may wait for its use.
const WARM_AGAIN: Duration = Duration::from_secs(20);

/// Connections of probes and scrapers: many more than there are of them.
const PROBES: usize = 256;

/// What `run` was told beside its configuration.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// As a native sidecar: when we are told to end, the application has ended.
    pub native: bool,
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
    Simulator {
        name: Arc<str>,
        error: io::Error,
    },
    Signals(io::Error),
    /// The gateway of a command has no address.
    Embedded(String),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bind(error) => error.fmt(f),
            Self::Audit(error) => error.fmt(f),
            Self::Simulator { name, error } => {
                write!(f, "the simulated provider `{name}` cannot listen: {error}")
            }
            Self::Signals(error) => write!(f, "signals cannot be received: {error}"),
            Self::Embedded(error) => write!(f, "the gateway has no address: {error}"),
        }
    }
}

/// Runs until a signal ends it, then drains. `ready` is called once applications can connect.
///
/// # Errors
/// A part could not start; nothing has been served.
pub async fn run(
    loaded: Loaded,
    sources: Sources,
    options: Options,
    ready: &mut dyn FnMut(Addresses),
) -> Result<ExitCode, StartError> {
    let Loaded {
        snapshot, process, ..
    } = loaded;
    let snapshot = Arc::new(snapshot);
    let mut signals = life::Signals::new().map_err(StartError::Signals)?;
    let metrics = Arc::new(match &process.shared_state {
        Some(_) => Metrics::with_shared_state(),
        None => Metrics::new(),
    });
    let status = Arc::new(Status::new(Arc::clone(&metrics)));
    let keyring = Keyring::default();
    let sinks = AuditSinks {
        stdout: process.audit.stdout,
        file: process.audit.file.clone(),
    };
    let records = Records::new(snapshot.identity.clone(), Arc::clone(&metrics), sinks)
        .map_err(StartError::Audit)?;
    let listener = listen::bind(process.listen).map_err(StartError::Bind)?;
    let admin_listener = listen::bind(process.admin).map_err(StartError::Bind)?;
    // As they are, not as they were asked for: port 0 is any that is free.
    let at = Addresses {
        listen: listener.local_addr().unwrap_or(process.listen),
        admin: admin_listener.local_addr().unwrap_or(process.admin),
    };
    let _simulators = simulators(&process).await?;

    let connections = Tasks::default();
    let background = Tasks::default();
    let cut = CancellationToken::new();
    let (phase, serving) = watch::channel(Phase::Serving);
    let (publisher, live) = Live::new(Arc::clone(&snapshot));
    let clients = Clients::new(background.clone(), Egress::of(&sources.env));
    let ambient = Ambient::of(&sources.env);
    let upstream = Upstream {
        health: Health::new(fastrand::Rng::new()),
        clients: clients.clone(),
        keyring: keyring.clone(),
        credentials: Credentials::new(ambient, keyring.clone(), clients, background.clone()),
    };
    let place = (process.shared_state.as_ref()).and_then(|state| Place::of(state.expose()));
    let fleet = place.map(|place| {
        let up = metrics.shared_state_up.clone();
        let fleet = Fleet::start(place, &snapshot.identity, &background, up);
        background.spawn(fleet.clone().keep_up(live.clone(), upstream.health.clone()));
        fleet
    });
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
        cut: cut.clone(),
    });
    let reloader = Arc::new(Reloader::new(
        sources,
        process.clone(),
        publisher,
        live.clone(),
        keyring.clone(),
        upstream.health.clone(),
        Arc::clone(&status),
    ));
    reloader.read_secrets(&snapshot);
    status.config_applied(&snapshot, Instant::now());

    let settings = Settings {
        h2c: process.h2c,
        ..Settings::default()
    };
    let connections_open = Connections::at_most(files::enough_for(&process));
    let twin = listen::bind_ipv6_twin(&listener);
    for listener in std::iter::once(listener).chain(twin) {
        let service = service(Arc::clone(&gateway));
        background.spawn(listen::serve(
            listener,
            settings,
            connections_open.clone(),
            connections.clone(),
            serving.clone(),
            service,
        ));
    }
    let state = AdminState {
        status: Arc::clone(&status),
        metrics,
        keyring,
        credentials: upstream.credentials.clone(),
        health: upstream.health.clone(),
    };
    background.spawn(serve_admin(admin_listener, background.clone(), state));
    background.spawn(keep_warm(live, upstream));
    status.listener_up();
    tracing::info!(listen = %at.listen, admin = %at.admin, version = %snapshot.version, "serving");
    ready(at);

    life::until_told_to_end(&mut signals, &reloader, &records).await;
    let drain = life::Drain {
        process: &process,
        options,
        status: &status,
        phase: &phase,
        connections: &connections,
        cut: &cut,
    };
    drain.run(&mut signals).await;
    life::close(records).await;
    tracing::info!("ended");
    Ok(ExitCode::SUCCESS)
}

fn service(
    gateway: Arc<Gateway>,
) -> impl Fn(Request<Incoming>, Peer) -> std::pin::Pin<Box<dyn Future<Output = Response<Body>> + Send>>
+ Clone {
    move |request, peer| Box::pin(serve::handle(Arc::clone(&gateway), request, peer))
}

/// Probes are answered to the last moment: this listener does not drain.
async fn serve_admin(listener: TcpListener, tasks: Tasks, state: AdminState) {
    // The sender lives as long as this future, which is as long as the process.
    let (_phase, serving) = watch::channel(Phase::Serving);
    let service = move |request: Request<Incoming>, peer: Peer| {
        let path = request.uri().path();
        let response = admin::respond(request.method(), path, peer.addr.ip(), &state);
        std::future::ready(response)
    };
    let connections = Connections::at_most(PROBES);
    let settings = Settings::default();
    listen::serve(listener, settings, connections, tasks, serving, service).await;
}

async fn simulators(process: &Process) -> Result<Vec<Simulator>, StartError> {
    let mut running = Vec::new();
    for provider in &process.simulate {
        let name = Arc::clone(&provider.name);
        let simulator = Simulator::start(provider.clone())
            .await
            .map_err(|error| StartError::Simulator { name, error })?;
        tracing::warn!(provider = %provider.name, address = %simulator.address(), "a simulated provider answers here");
        running.push(simulator);
    }
    Ok(running)
}

/// Keeps a connection open to every target of the routes that are `warm`, and the credentials of
/// every provider fresh.
async fn keep_warm(live: Live<Snapshot>, upstream: Upstream) {
    loop {
        let snapshot = live.current();
        for provider in snapshot.providers.values() {
            upstream.credentials.prepare(provider);
        }
        for route in snapshot.routes.values().filter(|route| route.warm) {
            for target in route.targets() {
                upstream.clients.warm(&target.provider);
            }
        }
        drop(snapshot);
        tokio::time::sleep(WARM_AGAIN).await;
    }
}
