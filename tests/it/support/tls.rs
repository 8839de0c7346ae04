//! TLS before a server that speaks none.

use std::net::Ipv4Addr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

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
