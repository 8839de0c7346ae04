//! Addresses at which things go wrong before HTTP begins.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::Refusing;
use crate::support::tls::acceptor;

/// Where the places are, and what vouches for the trusted one.
pub(super) struct Places {
    refusing: Refusing,
    /// Has room for no further connection: what the system sends there is never answered.
    pub(super) full: SocketAddr,
    /// Speaks another protocol.
    pub(super) other: SocketAddr,
    /// Closes once it is spoken to.
    pub(super) closing: SocketAddr,
    /// Resets once it is spoken to.
    pub(super) resetting: SocketAddr,
    /// Listens, and never says a word.
    pub(super) silent: SocketAddr,
    /// TLS with a certificate that nobody knows.
    pub(super) unknown: SocketAddr,
    /// TLS with a certificate of another name.
    pub(super) misnamed: SocketAddr,
    /// TLS as it should be, behind which the connection closes.
    pub(super) trusted: SocketAddr,
    /// The certificates of the last two.
    pub(super) authorities: String,
    _held: (TcpListener, Vec<TcpStream>),
    _tasks: JoinSet<()>,
}

/// What is done with a connection that has said something.
#[derive(Debug, Clone, Copy)]
enum Then {
    Speak,
    Close,
    Reset,
    Wait,
}

impl Places {
    pub(super) async fn open() -> Self {
        let mut tasks = JoinSet::new();
        let (full, held) = full().await;
        let (misnamed, misnamed_by) = tls("provider.test", &mut tasks).await;
        let (trusted, trusted_by) = tls("127.0.0.1", &mut tasks).await;
        Self {
            refusing: Refusing::new(),
            full,
            other: listening(Then::Speak, &mut tasks).await,
            closing: listening(Then::Close, &mut tasks).await,
            resetting: listening(Then::Reset, &mut tasks).await,
            silent: listening(Then::Wait, &mut tasks).await,
            unknown: tls("127.0.0.1", &mut tasks).await.0,
            misnamed,
            trusted,
            authorities: misnamed_by + &trusted_by,
            _held: held,
            _tasks: tasks,
        }
    }

    pub(super) fn refusing(&self) -> SocketAddr {
        self.refusing.address()
    }
}

/// A listener whose queue is full.
async fn full() -> (SocketAddr, (TcpListener, Vec<TcpStream>)) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(connected) = timeout(Duration::from_millis(300), TcpStream::connect(address)).await
    {
        queued.push(connected.unwrap());
        assert!(queued.len() < 64, "the queue has no end");
    }
    (address, (listener, queued))
}

async fn listening(then: Then, tasks: &mut JoinSet<()>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            connections.spawn(async move {
                let mut heard = [0; 4096];
                if !stream.read(&mut heard).await.is_ok_and(|read| read > 0) {
                    return;
                }
                match then {
                    Then::Speak => {
                        let _ = stream.write_all(b"220 mail.test ESMTP\r\n").await;
                        let _ = stream.shutdown().await;
                    }
                    Then::Close => {
                        let _ = stream.shutdown().await;
                    }
                    Then::Reset => {
                        let _ = stream.set_zero_linger();
                        return;
                    }
                    Then::Wait => {}
                }
                while stream.read(&mut heard).await.is_ok_and(|read| read > 0) {}
            });
        }
    });
    address
}

/// A server for `name` that greets in TLS and says no more. Returns its certificate too.
async fn tls(name: &str, tasks: &mut JoinSet<()>) -> (SocketAddr, String) {
    let (acceptor, authority) = acceptor(name);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            connections.spawn(async move {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let mut heard = [0; 4096];
                    let _ = stream.read(&mut heard).await;
                    let _ = stream.shutdown().await;
                }
            });
        }
    });
    (address, authority)
}
