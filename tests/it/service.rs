//! What a service manager is told of the process.

use tokio::net::UnixDatagram;

use crate::support::{Config, Folder, Gateway, Reply, Upstream, fixture, soon};

/// Where a process tells how it is.
struct Manager(UnixDatagram);

impl Manager {
    /// The next message that says `wanted`; what else comes is passed over.
    async fn told(&self, wanted: &str) -> String {
        soon(wanted, async {
            let mut buffer = [0; 512];
            loop {
                let n = self.0.recv(&mut buffer).await.unwrap();
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
    let folder = Folder::new();
    let manager = Manager(UnixDatagram::bind(folder.file("notify")).unwrap());
    let config = Config::of(&[&first])
        .env("NOTIFY_SOCKET", "$FOLDER/notify")
        .env("WATCHDOG_USEC", "200000");
    let mut gateway = Gateway::start_in(config, folder).await;
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
