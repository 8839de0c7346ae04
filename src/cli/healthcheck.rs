//! `pillion healthcheck`: asks the running sidecar whether it is ready, for images without a shell.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::{FAILED, variable};

const PATIENCE: Duration = Duration::from_secs(2);
const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4101);

/// Ask the running sidecar's /readyz: exit code 0 when it is ready.
#[derive(Debug, Args)]
pub(super) struct Healthcheck {
    /// Its admin address; else the variable `PILLION_ADMIN`, else 127.0.0.1:4101
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
}

impl Healthcheck {
    pub(super) fn run(self) -> ExitCode {
        let named = || variable("PILLION_ADMIN")?.parse().ok();
        let mut address = self.admin.or_else(named).unwrap_or(ADMIN);
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        match ask(address) {
            Ok(status) if status.starts_with("HTTP/1.1 200") => ExitCode::SUCCESS,
            Ok(status) => {
                tracing::error!(%address, "not ready: {status}");
                ExitCode::from(FAILED)
            }
            Err(error) => {
                tracing::error!(%address, %error, "no answer");
                ExitCode::from(FAILED)
            }
        }
    }
}

/// The status line of `/readyz`.
fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(
        format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = String::new();
    stream.take(64 << 10).read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
