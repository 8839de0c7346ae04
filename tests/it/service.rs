//! What a service manager is told of the process.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use tokio::net::UnixDatagram as Socket;

use crate::support::{Config, Gateway, Reply, Upstream, fixture, soon};

/// Where a process tells how it is, as `systemd` makes one.
struct Manager {
    socket: Socket,
    name: String,
}

impl Manager {
    fn new(name: &str) -> Self {
        let name = format!("pillion-test-{}-{name}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        socket.set_nonblocking(true).unwrap();
        let socket = Socket::from_std(socket).unwrap();
        Self { socket, name }
    }

    fn address(&self) -> String {
        format!("@{}", self.name)
    }

    /// The next message that says `wanted`; what else comes is passed over.
    async fn told(&self, wanted: &str) -> String {
        soon(wanted, async {
            let mut buffer = [0; 512];
            loop {
                let n = self.socket.recv(&mut buffer).await.unwrap();
                let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
                if text.lines().any(|line| line == wanted) {
                    return text;
                }
            }
        })
        .await
    }
}

#[tokio::test]
async fn a_service_manager_is_told_when_it_serves_that_it_turns_and_when_it_ends() {
    let first = Upstream::always(Reply::json(fixture::plain("Hello!"))).await;
    let manager = Manager::new("life");
    let config = Config::of(&[&first])
        .env("NOTIFY_SOCKET", &manager.address())
        .env("WATCHDOG_USEC", "200000");
    let mut gateway = Gateway::start(config).await;
    let ready = manager.told("READY=1").await;
    let listen = format!("STATUS=serving on {}", gateway.listen);
    assert!(ready.contains(&listen), "{ready}");
    for _ in 0..2 {
        manager.told("WATCHDOG=1").await;
    }
    gateway.signal("TERM");
    manager.told("STOPPING=1").await;
    assert!(gateway.ended().await.success());
}
