//! Whom we trust: the system's authorities, else the embedded ones, and a provider's own file; and
//! who we say that we are, where somebody asks for a certificate.
//!
//! TLS 1.2 and 1.3 by rustls with one crypto provider. There is no switch that turns checks off.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use zeroize::Zeroizing;

use crate::body::BoxError;

/// The client's side of TLS, trusting `ca` (a PEM file) beside the usual authorities.
///
/// # Errors
/// The file cannot be read, or holds no certificate.
pub(crate) fn config(ca: Option<&Path>) -> Result<ClientConfig, BoxError> {
    let mut roots = usual();
    if let Some(path) = ca {
        let unreadable = |error| format!("the CA file {} cannot be read: {error}", path.display());
        let own = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
        if trust(&mut roots, own.map(|it| it.map_err(unreadable)))? == 0 {
            return Err(format!("the CA file {} holds no certificate", path.display()).into());
        }
    }
    Ok(trusting(roots)?.with_no_client_auth())
}

/// What one side of TLS has in PEM: read by its owner, who reads it again when it is replaced. It
/// has no `Debug`.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Papers {
    /// Trusted beside the usual authorities.
    pub(crate) authorities: Option<Vec<u8>>,
    pub(crate) identity: Option<Identity>,
}

#[derive(PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) chain: Vec<u8>,
    pub(crate) key: Zeroizing<Vec<u8>>,
}

impl Papers {
    /// # Errors
    /// Which of them holds no certificate, or no key for it.
    pub(crate) fn config(&self) -> Result<ClientConfig, BoxError> {
        let mut roots = usual();
        if let Some(authorities) = &self.authorities {
            let unreadable = |error| format!("the CA file cannot be read: {error}");
            let own = CertificateDer::pem_slice_iter(authorities);
            if trust(&mut roots, own.map(|it| it.map_err(unreadable)))? == 0 {
                return Err("the CA file holds no certificate".into());
            }
        }
        let builder = trusting(roots)?;
        let Some(Identity { chain, key }) = &self.identity else {
            return Ok(builder.with_no_client_auth());
        };
        let unreadable = |error| format!("the client certificate cannot be read: {error}");
        let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = chain.map_err(unreadable)?;
        if chain.is_empty() {
            return Err("the file of the client certificate holds none".into());
        }
        let unreadable =
            |error| format!("the key of the client certificate cannot be read: {error}");
        let key = PrivateKeyDer::from_pem_slice(key).map_err(unreadable)?;
        let unfit = |error| format!("the client certificate and its key are of no use: {error}");
        Ok(builder.with_client_auth_cert(chain, key).map_err(unfit)?)
    }
}

/// The system's authorities, else the embedded ones.
fn usual() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    let (found, _) = roots.add_parsable_certificates(system.certs);
    if found == 0 {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// Adds these, and says how many they were.
fn trust(
    roots: &mut RootCertStore,
    own: impl Iterator<Item = Result<CertificateDer<'static>, String>>,
) -> Result<usize, BoxError> {
    let mut count = 0;
    for certificate in own {
        roots.add(certificate?)?;
        count += 1;
    }
    Ok(count)
}

fn trusting(
    roots: RootCertStore,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots))
}
