//! Connections opened before they are needed, so that a switch pays no handshake.
//!
//! The client's pool knows only connections that have carried a request. A [`Warm`] connector keeps
//! one that has carried none for each place, and hands it over when the pool asks for a new one.

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, Scheme};
use hyper::rt::{Read as _, ReadBuf};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::ClientConfig;
use tokio::io::Interest;
use tokio::time::{Instant, timeout};
use tower_service::Service;

use super::egress::{Egress, Stream, Way};
use super::line::Line;
use super::tls;
use crate::body::BoxError;

/// TCP and TLS together. TCP alone gets [`TCP_TIMEOUT`].
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TCP_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that nobody used is given up before the far side is likely to have closed it.
const MAX_AGE: Duration = Duration::from_secs(30);

type Place = (Scheme, Authority);

/// Opens connections, and keeps one ready for each place it was told of.
#[derive(Debug, Clone)]
pub(super) struct Warm {
    tcp: HttpConnector,
    shared: Arc<Shared>,
}

struct Shared {
    ca: Option<std::path::PathBuf>,
    egress: Egress,
    line: Option<Line>,
    /// Made at the first `https` place: reading the system's authorities takes time and memory.
    tls: OnceLock<Arc<ClientConfig>>,
    ready: Mutex<HashMap<Place, (Instant, Slot)>>,
}

enum Slot {
    Opening,
    Open(Box<Stream>),
}

impl Warm {
    /// Goes by `line`, if there is one.
    pub(super) fn new(ca: Option<std::path::PathBuf>, egress: Egress, line: Option<Line>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_mins(1)));
        tcp.set_connect_timeout(Some(TCP_TIMEOUT));
        Self {
            tcp,
            shared: Arc::new(Shared {
                ca,
                egress,
                line,
                tls: OnceLock::new(),
                ready: Mutex::default(),
            }),
        }
    }

    /// With TLS as `config` says, and nothing to be read for it.
    pub(super) fn speaking(config: ClientConfig, egress: Egress) -> Self {
        let warm = Self::new(None, egress, None);
        warm.shared.tls.get_or_init(|| Arc::new(config));
        warm
    }

    /// Opens a connection to `uri`'s place, unless one is ready or on its way.
    pub(super) async fn open(self, uri: Uri) {
        let Some(place) = place(&uri) else { return };
        {
            let mut ready = self.shared.lock();
            if ready
                .get(&place)
                .is_some_and(|(since, _)| since.elapsed() < MAX_AGE)
            {
                return;
            }
            ready.insert(place.clone(), (Instant::now(), Slot::Opening));
        }
        let opened = self.connect(uri).await;
        let mut ready = self.shared.lock();
        match opened {
            Ok(stream) => drop(ready.insert(place, (Instant::now(), Slot::Open(Box::new(stream))))),
            Err(error) => {
                tracing::debug!(%error, authority = %place.1, "could not open a connection early");
                ready.remove(&place);
            }
        }
    }

    async fn connect(&self, uri: Uri) -> Result<Stream, BoxError> {
        timeout(CONNECT_TIMEOUT, self.connect_by(uri))
            .await
            .map_err(|_| "connecting took longer than 5 s")?
    }

    async fn connect_by(&self, uri: Uri) -> Result<Stream, BoxError> {
        let mut tcp = self.tcp.clone();
        let line = self.shared.line.as_ref().map(Line::hold);
        let (detour, hold) = line.map_or((None, None), |(detour, hold)| (detour, Some(hold)));
        if let Some(detour) = detour {
            return Ok(Stream {
                inner: MaybeHttpsStream::Http(tcp.call(detour).await?),
                forwarded: false,
                hold,
            });
        }
        let plain = uri.scheme() == Some(&Scheme::HTTP);
        let way = self.shared.egress.way(&uri, &tcp)?;
        let forwarded = matches!(way, Way::Forward(_));
        let inner = match way {
            Way::Direct if plain => MaybeHttpsStream::Http(tcp.call(uri).await?),
            Way::Direct => HttpsConnector::from((tcp, self.tls()?)).call(uri).await?,
            Way::Forward(proxy) => MaybeHttpsStream::Http(tcp.call(proxy).await?),
            Way::Tunnel(tunnel) => {
                HttpsConnector::from((tunnel, self.tls()?))
                    .call(uri)
                    .await?
            }
        };
        Ok(Stream {
            inner,
            forwarded,
            hold,
        })
    }

    fn tls(&self) -> Result<Arc<ClientConfig>, BoxError> {
        let shared = &self.shared;
        if let Some(made) = shared.tls.get() {
            return Ok(Arc::clone(made));
        }
        // A file that cannot be read is asked for again by the next connection.
        let mut config = tls::config(shared.ca.as_deref())?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::clone(shared.tls.get_or_init(|| Arc::new(config))))
    }

    /// The connection that is ready for `uri`, if it is still open.
    fn take(&self, uri: &Uri) -> Option<Stream> {
        let place = place(uri)?;
        let mut ready = self.shared.lock();
        match ready.remove(&place)? {
            (since, Slot::Open(mut stream)) => {
                (since.elapsed() < MAX_AGE && is_open(&mut stream)).then_some(*stream)
            }
            opening => {
                ready.insert(place, opening);
                None
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Place, (Instant, Slot)>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("ca", &self.ca)
            .finish_non_exhaustive()
    }
}

/// Whether the far side is silent, as it must be before a request: whatever can be read is its
/// goodbye. Over HTTP/2 it speaks first, and only its end is a goodbye. Nobody is to be woken;
/// whoever gets the connection asks again.
fn is_open(stream: &mut Stream) -> bool {
    let mut byte = [0; 1];
    let mut buffer = ReadBuf::new(&mut byte);
    let mut cx = Context::from_waker(Waker::noop());
    if stream.is_cut(&mut cx) {
        return false;
    }
    if let MaybeHttpsStream::Https(tls) = &mut stream.inner {
        let (tcp, session) = tls.inner().get_ref();
        if session.alpn_protocol() == Some(b"h2") {
            let ready = pin!(tcp.inner().inner().ready(Interest::READABLE));
            return match ready.poll(&mut cx) {
                Poll::Pending => true,
                Poll::Ready(ready) => ready.is_ok_and(|ready| !ready.is_read_closed()),
            };
        }
    }
    Pin::new(stream)
        .poll_read(&mut cx, buffer.unfilled())
        .is_pending()
}

fn place(uri: &Uri) -> Option<Place> {
    Some((uri.scheme()?.clone(), uri.authority()?.clone()))
}

impl Service<Uri> for Warm {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            match this.take(&uri) {
                Some(stream) => Ok(stream),
                None => this.connect(uri).await,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    #[tokio::test]
    async fn a_server_that_speaks_first_is_kept_until_it_goes_and_a_late_authority_is_trusted() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let uri: Uri = format!("https://localhost:{port}/").parse().unwrap();
        let accept = async || {
            let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await;
            let settings = stream.as_mut().unwrap();
            settings
                .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])
                .await
                .unwrap();
            settings.flush().await.unwrap();
            stream
        };

        let ca = std::env::temp_dir().join(format!("pillion-ca-{:016x}.pem", fastrand::u64(..)));
        let line = Line::default();
        let warm = Warm::new(Some(ca.clone()), Egress::default(), Some(line.clone()));
        assert!(warm.connect(uri.clone()).await.is_err());
        std::fs::write(&ca, made.cert.pem()).unwrap();
        let (server, ()) = tokio::join!(accept(), warm.clone().open(uri.clone()));
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(warm.take(&uri).is_some());
        drop(server);

        let (server, ()) = tokio::join!(accept(), warm.clone().open(uri.clone()));
        drop(server);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(warm.take(&uri).is_none());

        let (_server, ()) = tokio::join!(accept(), warm.clone().open(uri.clone()));
        line.cut(Uri::from_static("http://127.0.0.1:1/"));
        assert!(warm.take(&uri).is_none(), "the line is cut");
        std::fs::remove_file(ca).unwrap();
    }
}
