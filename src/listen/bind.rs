//! Taking an address, with a refusal that says which one and why.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

/// An address that could not be had.
#[derive(Debug)]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

/// Listens on `address`; port 0 is any that is free.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| BindError { address, source })
}

/// The same port on `[::1]`, for clients whose `localhost` is that. Best effort: without IPv6, or
/// where the port is taken there, a warning and nothing more. `None` too when `listener` is not on
/// 127.0.0.1.
pub async fn bind_ipv6_twin(listener: &TcpListener) -> Option<TcpListener> {
    let address = listener.local_addr().ok()?;
    if address.ip() != IpAddr::V4(Ipv4Addr::LOCALHOST) {
        return None;
    }
    let twin = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), address.port());
    bind(twin)
        .await
        .inspect_err(|error| tracing::warn!("{error}; serving {address} alone"))
        .ok()
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: ", self.address)?;
        match self.source.kind() {
            io::ErrorKind::AddrInUse => f.write_str("the address is already in use"),
            io::ErrorKind::AddrNotAvailable => f.write_str("this machine has no such address"),
            io::ErrorKind::PermissionDenied => f.write_str("permission denied"),
            _ => f.write_str("the system refused"),
        }
    }
}

impl Error for BindError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_address_is_named() {
        let first = bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let address = first.local_addr().unwrap();
        let error = bind(address).await.unwrap_err().to_string();
        assert!(error.contains(&address.to_string()), "{error}");
        assert!(error.contains("already in use"), "{error}");
    }

    #[tokio::test]
    async fn the_twin_has_the_port_of_the_first_and_no_twin_of_its_own() {
        let first = bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        // Without IPv6 there is none, which is all there is to see.
        if let Some(twin) = bind_ipv6_twin(&first).await {
            let port = first.local_addr().unwrap().port();
            assert_eq!(twin.local_addr().unwrap().port(), port);
            assert!(bind_ipv6_twin(&twin).await.is_none());
        }
    }
}
