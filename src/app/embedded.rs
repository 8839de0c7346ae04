//! A gateway within a command: the same request path, on a port of its own, for this process alone.
//!
//! No admin port, no reload, no sinks: its records are kept for the command that asks.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::parts::{keep_warm, service};
use super::{FIRST_READ, StartError};
use crate::health::Health;
use crate::limit::{Quotas, Seats};
use crate::listen::{self, Connections, Phase, Settings};
use crate::live::{Live, Publisher};
use crate::once::Calls;
use crate::record::{Kept, Records};
use crate::secret::{Ambient, Keyring};
use crate::serve::Gateway;
use crate::simulate::{Outage, SimulatedProvider, Simulator};
use crate::snapshot::{BaseUrl, Snapshot};
use crate::stores::Stores;
use crate::tasks::Tasks;
use crate::telemetry::Metrics;
use crate::upstream::{Clients, Credentials, Egress, Upstream};

/// Requests and connections: a command has far fewer.
const AT_ONCE: usize = 1024;

/// A running one. It ends with its owner.
pub struct Embedded {
    pub records: Kept,
    clients: Clients,
    base_url: BaseUrl,
    _phase: watch::Sender<Phase>,
    _publisher: Publisher<Snapshot>,
    _simulators: Vec<Simulator>,
}

impl Embedded {
    /// Serves `snapshot` from now on, its secrets read as `run` reads them.
    ///
    /// # Errors
    /// A simulated provider, or the gateway itself, cannot listen.
    pub async fn start(
        snapshot: Snapshot,
        simulate: &[SimulatedProvider],
        env: &[(String, String)],
    ) -> Result<Self, StartError> {
        let listener = listen::bind((Ipv4Addr::LOCALHOST, 0).into()).map_err(StartError::Bind)?;
        let base_url = base_url(&listener).map_err(StartError::Embedded)?;
        let simulators = simulators(simulate).await?;
        let metrics = Arc::new(Metrics::new());
        let seats = Seats::new(AT_ONCE, AT_ONCE, metrics.queue_waiting.clone());
        let quotas = Quotas::new(Arc::clone(&metrics));
        let (records, kept) = Records::kept(snapshot.identity.clone(), metrics);
        let tasks = Tasks::default();
        let clients = Clients::cuttable(tasks.clone(), Egress::of(env));
        let stores = Stores::new(env, clients.clone(), tasks.clone());
        let keyring =
            Keyring::with_stores(move |place| stores.open(place), tasks.clone()).under(env);
        let named = snapshot
            .providers
            .values()
            .filter_map(|p| p.secret.as_ref());
        for (reference, error) in keyring.load(&snapshot.secret_stores, named) {
            tracing::warn!(secret = %reference, %error, "a secret cannot be read");
        }
        keyring.read_once(FIRST_READ).await;
        let (publisher, live) = Live::new(Arc::new(snapshot));
        let credentials = Credentials::new(
            Ambient::of(env),
            keyring.clone(),
            clients.clone(),
            tasks.clone(),
        );
        let cut = CancellationToken::new();
        let upstream = Upstream {
            health: Health::new(fastrand::Rng::new()),
            clients: clients.clone(),
            keyring,
            credentials,
        };
        tasks.spawn(keep_warm(live.clone(), upstream.clone()));
        let gateway = Gateway {
            snapshot: live,
            upstream,
            records,
            calls: Calls::new(tasks.clone(), cut.clone()),
            fleet: None,
            tasks: tasks.clone(),
            seats,
            quotas,
            cut,
        };
        let (phase, serving) = watch::channel(Phase::Serving);
        tasks.spawn(listen::serve(
            listener,
            Settings::default(),
            Connections::at_most(AT_ONCE),
            tasks.clone(),
            serving,
            service(Arc::new(gateway)),
        ));
        Ok(Self {
            records: kept,
            clients,
            base_url,
            _phase: phase,
            _publisher: publisher,
            _simulators: simulators,
        })
    }

    /// The provider of this name is gone from now on, for this gateway alone: connections to it end,
    /// and the next ones meet `outage`.
    ///
    /// # Errors
    /// The outage has no address.
    pub fn cut(&self, provider: &Arc<str>, outage: &Outage) -> Result<(), StartError> {
        let detour = format!("http://{}/", outage.address()).parse();
        let detour = detour
            .map_err(|error: http::uri::InvalidUri| StartError::Embedded(error.to_string()))?;
        self.clients.cut(provider, detour);
        Ok(())
    }

    /// Where it is asked; ends where `/v1` does.
    pub fn base_url(&self) -> BaseUrl {
        self.base_url.clone()
    }
}

fn base_url(listener: &TcpListener) -> Result<BaseUrl, String> {
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    BaseUrl::try_new(&format!("http://{address}/v1"))
}

/// Those whose port is free. A taken one is most likely served by the sidecar of the same
/// configuration, which answers just as well.
async fn simulators(providers: &[SimulatedProvider]) -> Result<Vec<Simulator>, StartError> {
    let mut running = Vec::new();
    for provider in providers {
        match Simulator::start(provider.clone()).await {
            Ok(simulator) => running.push(simulator),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                tracing::warn!(provider = %provider.name, address = %provider.listen, "somebody listens there already: taken for this simulated provider");
            }
            Err(error) => {
                let name = Arc::clone(&provider.name);
                return Err(StartError::Simulator { name, error });
            }
        }
    }
    Ok(running)
}
