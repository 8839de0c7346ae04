//! TLS for a listener: who we say that we are.
//!
//! TLS 1.2 and 1.3 by rustls with one crypto provider, and HTTP/1.1 within it.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate with its chain, and its key, both in PEM.
///
/// # Errors
/// Which of them is of no use, for the operator.
pub fn identity(chain: &[u8], key: &[u8]) -> Result<ServerConfig, String> {
    let unreadable = |error| format!("the certificate cannot be read: {error}");
    let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(chain).collect();
    let chain = chain.map_err(unreadable)?;
    if chain.is_empty() {
        return Err("the file of the certificate holds none".to_owned());
    }
    let unreadable = |error| format!("the key of the certificate cannot be read: {error}");
    let key = PrivateKeyDer::from_pem_slice(key).map_err(unreadable)?;
    let unfit = |error| format!("the certificate and its key are of no use: {error}");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unfit)?;
    let mut config = builder
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
