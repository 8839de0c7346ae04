//! The parts of a process that serves, each built in one place.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{StartError, files};
use crate::body::Body;
use crate::config::Process;
use crate::limit::Folder;
use crate::listen::{self, Connections, Peer, Phase, Settings};
use crate::live::Live;
use crate::serve::{self, Gateway};
use crate::simulate::Simulator;
use crate::snapshot::{Identity, Snapshot};
use crate::tasks::Tasks;
use crate::upstream::Upstream;

/// How long a connection that is kept open for a `warm` route may wait for its use.
const WARM_AGAIN: Duration = Duration::from_secs(20);

/// Takes connections of applications from now on.
pub(super) fn accept(
    listener: TcpListener,
    gateway: &Arc<Gateway>,
    process: &Process,
    connections: &Tasks,
    serving: &watch::Receiver<Phase>,
    background: &Tasks,
) {
    let settings = Settings {
        h2c: process.h2c,
        ..Settings::default()
    };
    let open = Connections::at_most(files::enough_for(process));
    let twin = listen::bind_ipv6_twin(&listener);
    for listener in std::iter::once(listener).chain(twin) {
        background.spawn(listen::serve(
            listener,
            settings,
            open.clone(),
            connections.clone(),
            serving.clone(),
            service(Arc::clone(gateway)),
        ));
    }
}

/// Where what was spent is written down, for a restart.
pub(super) fn ledger(process: &Process, identity: &Identity) -> Option<Folder> {
    let folder = process.cache_dir.as_ref()?;
    Some(Folder::of(folder, identity.instance.as_deref()))
}

pub(super) fn service(
    gateway: Arc<Gateway>,
) -> impl Fn(Request<Incoming>, Peer) -> std::pin::Pin<Box<dyn Future<Output = Response<Body>> + Send>>
+ Clone {
    move |request, peer| Box::pin(serve::handle(Arc::clone(&gateway), request, peer))
}

pub(super) async fn simulators(process: &Process) -> Result<Vec<Simulator>, StartError> {
    let mut running = Vec::new();
    for provider in &process.simulate {
        let name = Arc::clone(&provider.name);
        let simulator = Simulator::start(provider.clone())
            .await
            .map_err(|error| StartError::Simulator { name, error })?;
        tracing::warn!(target: "pillion::simulate", provider = %provider.name, address = %simulator.address(), "a simulated provider answers here");
        running.push(simulator);
    }
    Ok(running)
}

/// Keeps a connection open to every target of the routes that are `warm`, and the credentials of
/// every provider fresh.
pub(super) async fn keep_warm(live: Live<Snapshot>, upstream: Upstream) {
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
