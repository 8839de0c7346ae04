//! Connections to providers: pooled, HTTP/1.1 or HTTP/2, and opened early where that helps.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper_util::client::legacy::{self, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use super::body::Outgoing;
use super::egress::Egress;
use super::warm::Warm;
use crate::snapshot::Provider;
use crate::tasks::Tasks;

/// Idle connections are kept this long: shorter than the far side keeps them, long enough that a
/// quiet application does not pay a handshake for every request.
const IDLE: Duration = Duration::from_secs(90);
/// The most that is read at once: a burst of events is taken in few pieces. It grows to this only
/// while the provider fills it; it also bounds a provider's head, and what lies here of a stream
/// whose caller does not read.
const MAX_READ: usize = 32 << 10;
/// After an answer's end its provider has little more to say.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// One pool for every set of authorities that is trusted. Outlives a reload.
#[derive(Debug, Clone)]
pub struct Clients {
    by_ca: Arc<RwLock<HashMap<Option<PathBuf>, Client>>>,
    /// For what is on this machine or beside it, and in no proxy's reach.
    beside: Client,
    egress: Egress,
    tasks: Tasks,
}

/// A pool; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pool: legacy::Client<Warm, Outgoing>,
    warm: Warm,
    egress: Egress,
    tasks: Tasks,
}

impl Clients {
    pub fn new(tasks: Tasks, egress: Egress) -> Self {
        Self {
            by_ca: Arc::default(),
            beside: Client::new(None, Egress::default(), tasks.clone()),
            egress,
            tasks,
        }
    }

    pub(super) fn of(&self, provider: &Provider) -> Client {
        self.trusting(provider.ca.as_ref())
    }

    /// For what is no provider and far away: whoever issues credentials.
    pub(super) fn far(&self) -> Client {
        self.trusting(None)
    }

    /// For what is beside us: the metadata of a machine or a container.
    pub(super) fn beside(&self) -> Client {
        self.beside.clone()
    }

    /// The pool that trusts `ca` beside the usual authorities.
    pub(super) fn trusting(&self, ca: Option<&PathBuf>) -> Client {
        let ca = ca.cloned();
        let known = self
            .by_ca
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&ca)
            .cloned();
        known.unwrap_or_else(|| {
            let mut clients = self.by_ca.write().unwrap_or_else(PoisonError::into_inner);
            clients
                .entry(ca.clone())
                .or_insert_with(|| Client::new(ca, self.egress.clone(), self.tasks.clone()))
                .clone()
        })
    }

    /// Opens a connection to `provider` in the background, unless one is ready.
    pub fn warm(&self, provider: &Provider) {
        if let Ok(uri) = provider.base_url.join("/") {
            self.tasks.spawn(self.of(provider).warm.open(uri));
        }
    }
}

impl Client {
    fn new(ca: Option<PathBuf>, egress: Egress, tasks: Tasks) -> Self {
        let warm = Warm::new(ca, egress.clone());
        let pool = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http1_max_buf_size(MAX_READ)
            .http2_keep_alive_interval(Some(Duration::from_secs(20)))
            .build(warm.clone());
        Self {
            pool,
            warm,
            egress,
            tasks,
        }
    }

    /// Sends one request. Dropping the future, or the response's body, cancels it at the provider.
    pub(super) async fn request(
        &self,
        mut request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, Error> {
        let uri = request.uri().clone();
        self.egress.introduce(&uri, request.headers_mut());
        self.pool.request(request).await
    }

    /// An answer is over, as far as we care. Its connection can serve the next request only once the
    /// body has been read.
    pub(super) fn hear_out(&self, mut incoming: Incoming) {
        if !incoming.is_end_stream() {
            self.tasks.spawn(async move {
                let rest = async { while let Some(Ok(_)) = incoming.frame().await {} };
                // Whoever goes on talking after the end loses the connection instead.
                let _ = timeout(LAST_WORDS, rest).await;
            });
        }
    }
}
