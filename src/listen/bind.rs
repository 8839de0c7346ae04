//! Taking an address, with a refusal that says which one and why.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};

/// Connections that the system holds until they are accepted.
const BACKLOG: u32 = 1024;
/// What the system holds of an answer that its client does not read. By itself it would grow to
/// megabytes, for every such client.
const SEND_BUFFER: u32 = 128 * 1024;

/// An address that could not be had.
#[derive(Debug)]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

impl BindError {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether somebody else has it.
    pub fn is_taken(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }
}

/// Listens on `address`; port 0 is any that is free. `[::]` is every address of the machine's: IPv4's too, and those
/// alone where the system has no IPv6.
pub fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    listen(address, TcpSocket::new_v6).map_err(|source| BindError { address, source })
}

fn listen(
    mut address: SocketAddr,
    ipv6: impl FnOnce() -> io::Result<TcpSocket>,
) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => ipv6().or_else(|_| {
            address.set_ip(Ipv4Addr::UNSPECIFIED.into());
            TcpSocket::new_v4()
        }),
        SocketAddr::V6(_) => ipv6(),
    }?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        // Whatever the system says of it.
        SockRef::from(&socket).set_only_v6(false)?;
    }
    socket.set_reuseaddr(true)?;
    // A connection has what its listener has. A system that refuses only holds more.
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The same port on `[::1]`, for clients whose `localhost` is that. Best effort: without IPv6, or
/// where the port is taken there, a warning and nothing more. `None` too when `listener` is not on
/// 127.0.0.1.
pub fn bind_ipv6_twin(listener: &TcpListener) -> Option<TcpListener> {
    let address = listener.local_addr().ok()?;
    if address.ip() != IpAddr::V4(Ipv4Addr::LOCALHOST) {
        return None;
    }
    let twin = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), address.port());
    bind(twin)
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
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_taken_address_is_named() {
        let first = bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = first.local_addr().unwrap();
        let error = bind(address).unwrap_err().to_string();
        assert!(error.contains(&address.to_string()), "{error}");
        assert!(error.contains("already in use"), "{error}");
    }

    #[tokio::test]
    async fn every_address_is_of_both_families_or_of_the_one_that_there_is() {
        let every: SocketAddr = (Ipv6Addr::UNSPECIFIED, 0).into();
        let without = || Err(io::Error::from_raw_os_error(97)); // EAFNOSUPPORT
        let both = listen(every, TcpSocket::new_v6).unwrap();
        let one = listen(every, without).unwrap();
        assert!(one.local_addr().unwrap().is_ipv4());
        for listener in [&both, &one] {
            let port = listener.local_addr().unwrap().port();
            let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
            let (client, accepted) = tokio::join!(client, listener.accept());
            assert_eq!(
                client.unwrap().local_addr().unwrap().port(),
                accepted.unwrap().1.port()
            );
        }
        // Another address of a family that is not there cannot be had.
        assert!(listen((Ipv6Addr::LOCALHOST, 0).into(), without).is_err());
    }

    #[tokio::test]
    async fn the_twin_has_the_port_of_the_first_and_no_twin_of_its_own() {
        let first = bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        // Without IPv6 there is none, which is all there is to see.
        if let Some(twin) = bind_ipv6_twin(&first) {
            let port = first.local_addr().unwrap().port();
            assert_eq!(twin.local_addr().unwrap().port(), port);
            assert!(bind_ipv6_twin(&twin).is_none());
        }
    }
}
