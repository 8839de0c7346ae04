//! HTTP in: sockets, connections, and what is decided before a request means anything.
//!
//! [`serve`] accepts and hands each request to a service, once for the applications and once
//! more for each further listener. The rest of the room is pure: [`door`] refuses HTTP that must
//! not reach a provider, [`endpoint`] reads the path, [`auth`] the token, and [`respond`] writes
//! every error body of the process. Never here: what a request asks for, or HTTP out.
//!
//! HTTP/1.1 alone by default: on a loopback socket HTTP/2 wins nothing and opens five classes of
//! attack. <https://www.rfc-editor.org/rfc/rfc9112> (read 2026-08)

pub mod auth;
mod bind;
mod connection;
mod crowd;
pub mod door;
pub mod endpoint;
mod guard;
mod paced;
pub mod respond;
mod scan;
mod seen;
#[cfg(test)]
mod tests;
pub mod tls;

use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::body::Body;
use crate::live::Live;
use crate::tasks::Tasks;

pub use bind::{BindError, bind, bind_ipv6_twin};
pub use crowd::Connections;
pub use scan::Violation;

use connection::Protocol;
use crowd::Open;

/// How long the clients of one listener may take.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// From the accept, or the first byte of a later head, to the end of that head.
    pub head: Duration,
    /// While there are bytes to write, in which the client takes less than it must.
    pub write: Duration,
    /// Between two requests of a connection.
    pub idle: Duration,
    /// Whether HTTP/2 with prior knowledge is spoken beside HTTP/1.1.
    pub h2c: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            write: Duration::from_secs(30),
            idle: Duration::from_mins(1),
            h2c: false,
        }
    }
}

/// Whether a listener still takes requests. A dropped sender counts as [`Phase::Draining`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Serving,
    /// Accepts no more; each connection closes once it is idle.
    Draining,
    /// What still runs is dropped, and with it every request of a client that does not read.
    Over,
}

/// Where a request came from, and what is wrong with the bytes it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub addr: SocketAddr,
    /// For [`door::check`]; the connection closes after the answer, whatever that is.
    pub violation: Option<Violation>,
    /// The connection is one too many: whatever it asks for, it is told so and closed.
    pub crowded: bool,
}

/// The shortest and the longest pause after an accept that failed. What makes it fail (no file
/// descriptor, no memory) lasts for a while, and without a pause the loop would spin on it.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// Serves `listener` until `phase` is draining, then returns; the connections, one task each, end
/// by themselves and are waited for through `tasks`.
///
/// A client that goes away, or only closes its sending side, drops the future of its request. A
/// panic in that future is answered with a 500 and ends its connection alone.
pub async fn serve<S, F>(
    listener: TcpListener,
    settings: Settings,
    connections: Connections,
    tasks: Tasks,
    phase: watch::Receiver<Phase>,
    service: S,
) where
    S: Fn(Request<Incoming>, Peer) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let protocol = Protocol::new(settings, &tasks);
    let draining = phase.clone();
    accept(listener, connections, phase, |stream, addr, open| {
        tasks.spawn(connection::run(
            stream,
            addr,
            open,
            settings,
            protocol.clone(),
            draining.clone(),
            service.clone(),
        ));
    })
    .await;
}

/// As [`serve`], by TLS. A connection is greeted with the identity that is current when it comes.
pub async fn serve_tls<S, F>(
    listener: TcpListener,
    identity: Live<ServerConfig>,
    settings: Settings,
    connections: Connections,
    tasks: Tasks,
    phase: watch::Receiver<Phase>,
    service: S,
) where
    S: Fn(Request<Incoming>, Peer) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let protocol = Protocol::new(settings, &tasks);
    let draining = phase.clone();
    accept(listener, connections, phase, |stream, addr, open| {
        let (protocol, draining, service) = (protocol.clone(), draining.clone(), service.clone());
        let greeting = TlsAcceptor::from(identity.current()).accept(stream);
        tasks.spawn(async move {
            let greeted = tokio::select! {
                greeted = timeout(settings.head, greeting) => greeted,
                () = open.given_way() => return,
            };
            match greeted {
                Ok(Ok(stream)) => {
                    connection::run(stream, addr, open, settings, protocol, draining, service)
                        .await;
                }
                Ok(Err(error)) => tracing::debug!(%error, "a client does not go on to TLS"),
                Err(_) => tracing::debug!("a client was too slow to go on to TLS"),
            }
        });
    })
    .await;
}

/// Hands each connection to `run`, which is not to wait, until `phase` is draining.
async fn accept(
    listener: TcpListener,
    connections: Connections,
    mut phase: watch::Receiver<Phase>,
    run: impl Fn(TcpStream, SocketAddr, Arc<Open>),
) {
    let mut trouble = Trouble::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = drained(&mut phase) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, addr)) => {
                trouble.over();
                let Some(open) = connections.open() else {
                    // The stream is dropped, which closes it.
                    continue;
                };
                // A stream's events are small and must not wait for one another. A socket that refuses
                // the option is slower, or about to fail by itself.
                let _ = stream.set_nodelay(true);
                run(stream, addr, open);
            }
            // The client was gone before we came: its loss, and no reason to pause.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                let pause = trouble.pause(&error);
                tokio::select! {
                    biased;
                    () = drained(&mut phase) => return,
                    () = sleep(pause) => {}
                }
            }
        }
    }
}

/// Returns once the listener no longer serves. Cancel-safe.
async fn drained(phase: &mut watch::Receiver<Phase>) {
    // An error means that the sender is gone, and with it whoever wanted us to serve.
    let _ = phase.wait_for(|phase| *phase != Phase::Serving).await;
}

/// Returns once nothing may run any more. Cancel-safe.
async fn over(phase: &mut watch::Receiver<Phase>) {
    if phase.wait_for(|phase| *phase == Phase::Over).await.is_err() {
        // Nobody is left to say so.
        pending::<()>().await;
    }
}

/// Accepts that failed in a row.
#[derive(Debug, Default)]
struct Trouble {
    pause: Option<Duration>,
    logged: Option<Instant>,
}

impl Trouble {
    /// Logs, at most once a second, and says how long to wait: twice as long each time.
    fn pause(&mut self, error: &io::Error) -> Duration {
        let now = Instant::now();
        if self
            .logged
            .is_none_or(|then| now - then >= Duration::from_secs(1))
        {
            self.logged = Some(now);
            tracing::warn!(%error, "cannot accept connections");
        }
        let (shortest, longest) = BACKOFF;
        let pause = self.pause.map_or(shortest, |last| longest.min(last * 2));
        self.pause = Some(pause);
        pause
    }

    fn over(&mut self) {
        self.pause = None;
    }
}
