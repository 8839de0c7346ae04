//! What a gateway says on stderr, and the addresses that it tells there.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use super::Gateway;
use crate::support::soon;

/// What the process has said on stderr, line by line.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) lines: Vec<String>,
    pub(super) over: bool,
}

impl Gateway {
    /// What it has written on stderr so far.
    pub(crate) fn log(&self) -> String {
        self.said.borrow().lines.join("\n")
    }

    /// Waits until it has written this on stderr.
    pub(crate) async fn says(&self, text: &str) {
        let mut said = self.said.subscribe();
        let found = said.wait_for(|said| said.lines.iter().any(|line| line.contains(text)));
        drop(soon(text, found).await.unwrap());
    }

    /// The lines behind the first `count`.
    pub(crate) fn log_lines(&self, count: usize) -> Vec<String> {
        let said = self.said.borrow();
        said.lines.get(count..).unwrap_or_default().to_vec()
    }
}

/// Starts it, and reads what it says.
pub(super) fn watched(command: &mut Command) -> (Child, Arc<watch::Sender<Said>>) {
    let child = command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let said = Arc::new(watch::Sender::new(Said::default()));
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let writer = Arc::clone(&said);
    std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            writer.send_modify(|said| said.lines.push(line));
        }
        writer.send_modify(|said| said.over = true);
    });
    (child, said)
}

pub(super) fn serving(said: &Said) -> Option<(SocketAddr, SocketAddr)> {
    said.lines.iter().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let fields = &line["fields"];
        (fields["message"] == "serving").then_some(())?;
        let address = |name: &str| fields[name].as_str()?.parse().ok();
        Some((address("listen")?, address("admin")?))
    })
}

pub(super) fn serving_or_all(said: &Said) -> Result<(SocketAddr, SocketAddr), String> {
    serving(said).ok_or_else(|| said.lines.join("\n"))
}

/// The address of the probes, or of the webhook, once there is one.
pub(super) fn begun(said: &Said) -> Option<SocketAddr> {
    said.lines.iter().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let fields = &line["fields"];
        let address = match fields["message"].as_str()? {
            "following a central document" => &fields["admin"],
            "serving admission reviews" => &fields["listen"],
            _ => return None,
        };
        address.as_str()?.parse().ok()
    })
}
