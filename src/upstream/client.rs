//! Connections to providers: pooled, HTTP/1.1 or HTTP/2, and opened early where that helps.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::client::legacy::{self, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::body::Outgoing;
use super::warm::Warm;
use crate::snapshot::Provider;
use crate::tasks::Tasks;

/// Idle connections are kept this long: shorter than the far side keeps them, long enough that a
/// quiet application does not pay a handshake for every request.
const IDLE: Duration = Duration::from_secs(90);
/// The most that is read at once: a burst of events is taken in few pieces. It grows to this only
/// while the provider fills it; it also bounds a provider's head.
const MAX_READ: usize = 256 << 10;

/// One pool for every set of authorities that is trusted. Outlives a reload.
#[derive(Debug, Clone)]
pub struct Clients {
    by_ca: Arc<RwLock<HashMap<Option<PathBuf>, Client>>>,
    tasks: Tasks,
}

/// A pool; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pool: legacy::Client<Warm, Outgoing>,
    warm: Warm,
}

impl Clients {
    pub fn new(tasks: Tasks) -> Self {
        Self {
            by_ca: Arc::default(),
            tasks,
        }
    }

    pub(super) fn of(&self, provider: &Provider) -> Client {
        self.trusting(provider.ca.as_ref())
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
                .or_insert_with(|| Client::new(ca))
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
    fn new(ca: Option<PathBuf>) -> Self {
        let warm = Warm::new(ca);
        let pool = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http1_max_buf_size(MAX_READ)
            .http2_keep_alive_interval(Some(Duration::from_secs(20)))
            .build(warm.clone());
        Self { pool, warm }
    }

    /// Sends one request. Dropping the future, or the response's body, cancels it at the provider.
    pub(super) async fn request(
        &self,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, Error> {
        self.pool.request(request).await
    }
}
