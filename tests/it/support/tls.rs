//! TLS before a server that speaks none, and to one that speaks it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Greets in the name of `host`; and the authority that vouches for it, as PEM.
pub(crate) fn acceptor(host: &str) -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

/// In the name of `host`, before port `far`. Returns its own port and the authority that vouches for it.
pub(crate) async fn behind_tls(host: &str, far: u16, tasks: &mut JoinSet<()>) -> (u16, String) {
    let (acceptor, authority) = acceptor(host);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            connections.spawn(async move {
                let (Ok(mut stream), Ok(mut far)) = (
                    acceptor.accept(stream).await,
                    TcpStream::connect((Ipv4Addr::LOCALHOST, far)).await,
                ) else {
                    return;
                };
                let _ = copy_bidirectional(&mut stream, &mut far).await;
            });
        }
    });
    (port, authority)
}

/// Who a server says that it is: a certificate that vouches for itself, and its key, both in PEM.
pub(crate) struct Identity {
    pub(crate) chain: String,
    pub(crate) key: String,
    host: String,
}

impl Identity {
    pub(crate) fn of(host: &str) -> Self {
        let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
        Self {
            chain: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
            host: host.to_owned(),
        }
    }
}

/// A request to a server that must be `identity`: the status and the body of its answer. `None` where it is
/// somebody else.
pub(crate) async fn exchange(
    address: SocketAddr,
    identity: &Identity,
    method: &str,
    path: &str,
    body: &str,
) -> Option<(u16, String)> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(identity.chain.as_bytes()).unwrap();
    roots.add(authority).unwrap();
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let host = ServerName::try_from(identity.host.clone()).unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let greeted = TlsConnector::from(Arc::new(config))
        .connect(host, stream)
        .await;
    let mut stream = greeted.ok()?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        identity.host,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // One that refuses a body may not read all of it.
    let _ = stream.write_all(body.as_bytes()).await;
    let mut answer = Vec::new();
    // The end of the connection may come without one of TLS's own.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    Some((status, body.to_owned()))
}
