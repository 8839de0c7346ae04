//! A real server of a test's own, on ports of loopback: started where its program is installed.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::sleep;

use super::{Folder, Refusing, soon};

const LOOK: Duration = Duration::from_millis(10);
/// More than any of them listens at.
const PORTS: usize = 5;

pub(crate) type Ports = [u16; PORTS];

type Arguments = Box<dyn Fn(&Ports, &Folder) -> Vec<String> + Send + Sync>;

/// Which program a server is: a variable that names it, where it must be one then, else the names
/// that it may have on the path.
pub(crate) struct Program {
    pub(crate) variable: &'static str,
    pub(crate) names: &'static [&'static str],
    /// By which it says something, and ends.
    pub(crate) version: &'static str,
}

/// Killed with its owner.
pub(crate) struct Peer {
    program: String,
    arguments: Arguments,
    child: Child,
    pub(crate) ports: Ports,
    /// While it is away, nobody else gets its ports.
    held: [Refusing; PORTS],
    pub(crate) folder: Folder,
}

/// A real collector of OTLP.
const ROTEL: Program = Program {
    variable: "PILLION_TEST_ROTEL",
    names: &["rotel-agent"],
    version: "--version",
};

impl Program {
    /// `None` where no such program is installed, which is said on stderr.
    pub(crate) fn find(&self) -> Option<String> {
        if let Some(program) = std::env::var_os(self.variable) {
            return Some(program.into_string().unwrap());
        }
        let is_there = |program: &&&str| {
            let mut version = Command::new(program);
            version
                .arg(self.version)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            version.status().is_ok_and(|status| status.success())
        };
        let found = self.names.iter().find(is_there);
        if found.is_none() {
            // Past the capture of a test that passes: it must be seen.
            let test = std::thread::current();
            let test = test.name().unwrap_or_default();
            let line = format!("SKIPPED {test}: none of {:?} is installed\n", self.names);
            std::io::stderr().write_all(line.as_bytes()).unwrap();
        }
        found.map(|program| (*program).to_owned())
    }
}

impl Peer {
    /// Starts `program` with what `arguments` makes of five free ports and a folder. It is there
    /// when it accepts connections at the first of them.
    pub(crate) async fn start(
        program: String,
        arguments: impl Fn(&Ports, &Folder) -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        let folder = Folder::new();
        let held = [(); PORTS].map(|()| Refusing::new());
        let ports = held.each_ref().map(|held| held.address().port());
        let child = run(&program, &arguments(&ports, &folder));
        let mut peer = Self {
            program,
            arguments: Box::new(arguments),
            child,
            ports,
            held,
            folder,
        };
        assert!(peer.is_there().await, "{} does not start", peer.program);
        peer
    }

    /// A collector of OTLP that does with what it takes what `exporter` says. `None` where none is installed.
    pub(crate) async fn collector<const N: usize>(exporter: [&str; N]) -> Option<Self> {
        let rotel = ROTEL.find()?;
        let exporter = exporter.map(str::to_owned);
        let peer = Self::start(rotel, move |[http, grpc, ..], _| {
            let takes = [
                "start",
                "--otlp-http-endpoint",
                &format!("127.0.0.1:{http}"),
                "--otlp-grpc-endpoint",
                &format!("127.0.0.1:{grpc}"),
                "--exporter",
            ];
            let takes = takes.map(str::to_owned);
            takes.into_iter().chain(exporter.clone()).collect()
        });
        Some(peer.await)
    }

    /// Where it accepts connections.
    pub(crate) fn address(&self) -> SocketAddr {
        self.held[0].address()
    }

    /// Sends it a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Comes back where it was.
    pub(crate) async fn again(&mut self) {
        self.child = run(&self.program, &(self.arguments)(&self.ports, &self.folder));
        assert!(self.is_there().await, "it does not come back");
    }

    /// False when it has ended.
    async fn is_there(&mut self) -> bool {
        soon(&format!("{} listens", self.program), async {
            loop {
                if self.child.try_wait().unwrap().is_some() {
                    return false;
                }
                if TcpStream::connect(self.address()).is_ok() {
                    return true;
                }
                sleep(LOOK).await;
            }
        })
        .await
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn run(program: &str, arguments: &[String]) -> Child {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}
