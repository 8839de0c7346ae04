//! What there is before the first configuration: the way out, what is known of secrets, and what
//! probes are told. Reading a central document takes as long as its source does, and whoever looks
//! must see meanwhile that the process waits, and why.

use std::sync::Arc;
use std::time::Instant;

use http::Request;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::reload::Reloader;
use super::{PROBES, Start, StartError};
use crate::admin::{self, AdminState, Status};
use crate::central::{self, Follower, Following, Opened};
use crate::config::Bootstrap;
use crate::health::Health;
use crate::limit::Quotas;
use crate::listen::{self, Connections, Peer, Phase, Settings};
use crate::proof::Heads;
use crate::secret::{Ambient, Keyring};
use crate::source::{self, Place, Reports};
use crate::stores::Stores;
use crate::tasks::Tasks;
use crate::telemetry::Metrics;
use crate::upstream::{Clients, Credentials, Egress, Upstream};

pub(super) struct Core {
    pub(super) metrics: Arc<Metrics>,
    pub(super) status: Arc<Status>,
    pub(super) keyring: Keyring,
    pub(super) upstream: Upstream,
    /// What ends with the process.
    pub(super) background: Tasks,
    /// How far the chains of the records have come, for the centre's reports.
    pub(super) heads: Heads,
    /// What tells the centre how we stand, for a last time once `reports_end` is cancelled.
    pub(super) reporting: Tasks,
    pub(super) reports_end: CancellationToken,
    pub(super) quotas: Quotas,
    ambient: Ambient,
    following: Option<Arc<Following>>,
}

impl Core {
    pub(super) fn new(start: &Start, env: &[(String, String)]) -> Self {
        let mut metrics = Metrics::new();
        let place = match start {
            Start::Loaded(_) => None,
            Start::Following(_, place) => Some(place),
        };
        if place.is_some() {
            metrics = metrics.with_central_source();
        }
        let metrics = Arc::new(metrics);
        let mut status = Status::new(Arc::clone(&metrics));
        let following = place.map(|place| {
            let url = place.url.to_string();
            Arc::new(Following::new(url, Arc::clone(&metrics), Instant::now()))
        });
        if let Some(following) = &following {
            status = status.following(Arc::clone(following));
        }
        let background = Tasks::default();
        let clients = Clients::new(background.clone(), Egress::of(env));
        let stores = Stores::new(env, clients.clone(), background.clone());
        let keyring =
            Keyring::with_stores(move |place| stores.open(place), background.clone()).under(env);
        let credentials = Credentials::new(
            Ambient::of(env),
            keyring.clone(),
            clients.clone(),
            background.clone(),
        );
        Self {
            quotas: Quotas::new(Arc::clone(&metrics)),
            metrics,
            status: Arc::new(status),
            keyring: keyring.clone(),
            upstream: Upstream {
                health: Health::new(fastrand::Rng::new()),
                clients,
                keyring,
                credentials,
            },
            background,
            heads: Heads::default(),
            reporting: Tasks::default(),
            reports_end: CancellationToken::new(),
            ambient: Ambient::of(env),
            following,
        }
    }

    pub(super) fn serve_admin(&self, listener: TcpListener) {
        let state = AdminState {
            status: Arc::clone(&self.status),
            metrics: Arc::clone(&self.metrics),
            keyring: self.keyring.clone(),
            credentials: self.upstream.credentials.clone(),
            health: self.upstream.health.clone(),
            quotas: self.quotas.clone(),
        };
        let tasks = self.background.clone();
        self.background.spawn(serve_admin(listener, tasks, state));
    }

    /// Follows the source from now on.
    pub(super) fn follow(
        &self,
        bootstrap: Bootstrap,
        place: Place,
        reloader: Arc<Reloader>,
        again: Arc<Notify>,
    ) -> Result<(), StartError> {
        let Some(following) = &self.following else {
            return Ok(());
        };
        if bootstrap.cache_dir.is_none() {
            tracing::warn!(
                "no `cache_dir`: a restart while the source is away would find no configuration"
            );
        }
        let source = source::open(&place, &self.upstream.clients, &self.ambient)
            .map_err(|error| StartError::Source(error.to_string()))?;
        if let Some(url) = &bootstrap.report {
            let reports = Reports::open(url, &place, &self.upstream.clients)
                .map_err(|why| StartError::Source(format!("`report` {why}")))?;
            self.reporting.spawn(central::report(
                reports,
                bootstrap.identity.clone(),
                Arc::clone(following),
                self.heads.clone(),
                self.reports_end.clone(),
                fastrand::Rng::new(),
            ));
        }
        let opened = Opened {
            source,
            place,
            folder: bootstrap.cache_dir,
            instance: bootstrap.identity.instance,
            again,
            rng: fastrand::Rng::new(),
        };
        let follower = Follower::new(opened, Arc::clone(following), reloader);
        self.background.spawn(follower.run());
        Ok(())
    }
}

/// Probes are answered to the last moment: this listener does not drain.
async fn serve_admin(listener: TcpListener, tasks: Tasks, state: AdminState) {
    // The sender lives as long as this future, which is as long as the process.
    let (_phase, serving) = watch::channel(Phase::Serving);
    let state = Arc::new(state);
    let service = move |request: Request<Incoming>, peer: Peer| {
        let state = Arc::clone(&state);
        async move { admin::respond(&request, peer.addr.ip(), &state).await }
    };
    let connections = Connections::at_most(PROBES);
    let settings = Settings::default();
    listen::serve(listener, settings, connections, tasks, serving, service).await;
}
