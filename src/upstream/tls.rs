//! Whom we trust: the system's authorities, else the embedded ones, and a provider's own file.
//!
//! TLS 1.2 and 1.3 by rustls with one crypto provider. There is no switch that turns checks off.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::body::BoxError;

/// The client's side of TLS, trusting `ca` (a PEM file) beside the usual authorities.
///
/// # Errors
/// The file cannot be read, or holds no certificate.
pub(crate) fn config(ca: Option<&Path>) -> Result<ClientConfig, BoxError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    let (found, _) = roots.add_parsable_certificates(system.certs);
    if found == 0 {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    if let Some(path) = ca {
        let unreadable = |error| format!("the CA file {} cannot be read: {error}", path.display());
        let mut own = 0;
        for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
            roots.add(certificate.map_err(unreadable)?)?;
            own += 1;
        }
        if own == 0 {
            return Err(format!("the CA file {} holds no certificate", path.display()).into());
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
