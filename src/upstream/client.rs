//! Connections to providers: pooled, HTTP/1.1 or HTTP/2, and opened early where that helps.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::{Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper_util::client::legacy::{self, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tokio::time::timeout;

use super::body::Outgoing;
use super::egress::Egress;
use super::line::Lines;
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
    pools: Arc<RwLock<HashMap<Pool, Client>>>,
    /// Where the way to a provider may be cut, each has a pool of its own.
    lines: Option<Lines>,
    /// For what is on this machine or beside it, and in no proxy's reach.
    beside: Client,
    egress: Egress,
    tasks: Tasks,
}

/// What the connections of one pool have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Pool {
    /// Trusted beside the usual authorities.
    ca: Option<PathBuf>,
    /// The provider, where it has a line of its own.
    provider: Option<Arc<str>>,
}

/// A pool; clones share it.
#[derive(Debug, Clone)]
pub struct Client {
    pool: legacy::Client<Warm, Outgoing>,
    warm: Warm,
    egress: Egress,
    tasks: Tasks,
}

impl Clients {
    pub fn new(tasks: Tasks, egress: Egress) -> Self {
        Self {
            pools: Arc::default(),
            lines: None,
            beside: Client::new(
                Warm::new(None, Egress::default(), None),
                Egress::default(),
                tasks.clone(),
            ),
            egress,
            tasks,
        }
    }

    /// The same, with the way to each provider one that may be [cut](Self::cut).
    pub fn cuttable(tasks: Tasks, egress: Egress) -> Self {
        Self {
            lines: Some(Lines::default()),
            ..Self::new(tasks, egress)
        }
    }

    /// Ends our connections to the provider of this name, and makes the next ones to `detour`, by
    /// plain HTTP. Nothing is cut where nothing may be.
    pub fn cut(&self, provider: &Arc<str>, detour: Uri) {
        if let Some(lines) = &self.lines {
            lines.of(provider).cut(detour);
        }
    }

    pub(super) fn of(&self, provider: &Provider) -> Client {
        self.pool(Pool {
            ca: provider.ca.clone(),
            provider: (self.lines.as_ref()).map(|_| Arc::clone(&provider.name)),
        })
    }

    /// For what is no provider and far away: whoever issues credentials.
    pub fn far(&self) -> Client {
        self.trusting(None)
    }

    /// For what is beside us: the metadata of a machine or a container.
    pub fn beside(&self) -> Client {
        self.beside.clone()
    }

    /// The pool that trusts `ca` beside the usual authorities.
    pub fn trusting(&self, ca: Option<&PathBuf>) -> Client {
        self.pool(Pool {
            ca: ca.cloned(),
            provider: None,
        })
    }

    /// What runs the connections, and whatever else belongs to them.
    pub(super) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// A pool of its own, which speaks TLS as `config` says. It ends with its last clone.
    pub(crate) fn speaking(&self, mut config: ClientConfig) -> Client {
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let warm = Warm::speaking(config, self.egress.clone());
        Client::new(warm, self.egress.clone(), self.tasks.clone())
    }

    fn pool(&self, pool: Pool) -> Client {
        let known = self
            .pools
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&pool)
            .cloned();
        known.unwrap_or_else(|| {
            let mut pools = self.pools.write().unwrap_or_else(PoisonError::into_inner);
            pools
                .entry(pool.clone())
                .or_insert_with(|| self.open(pool))
                .clone()
        })
    }

    fn open(&self, pool: Pool) -> Client {
        let line = self.lines.as_ref().zip(pool.provider.as_ref());
        let line = line.map(|(lines, provider)| lines.of(provider));
        let warm = Warm::new(pool.ca, self.egress.clone(), line);
        Client::new(warm, self.egress.clone(), self.tasks.clone())
    }

    /// Opens a connection to `provider` in the background, unless one is ready.
    pub fn warm(&self, provider: &Provider) {
        if let Ok(uri) = provider.base_url.join("/") {
            self.tasks.spawn(self.of(provider).warm.open(uri));
        }
    }
}

impl Client {
    fn new(warm: Warm, egress: Egress, tasks: Tasks) -> Self {
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
