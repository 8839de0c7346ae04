//! The gateway as a process of its own, with its configuration, its log and its records.

mod ask;
mod config;
mod kernel;
mod log;
mod metrics;
mod records;

use std::io;
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

pub(crate) use self::config::Config;
use self::log::{Said, begun, serving, serving_or_all, watched};
pub(crate) use self::records::Record;
use super::{Folder, program, soon};

/// Between two looks at something that gives no notice: a file, a process.
const LOOK: Duration = Duration::from_millis(2);

/// A running gateway. Dropping it kills the process.
pub(crate) struct Gateway {
    child: Child,
    said: Arc<watch::Sender<Said>>,
    pub(crate) listen: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) folder: Folder,
}

impl Gateway {
    /// Starts one and waits until it is ready.
    pub(crate) async fn start(config: Config) -> Self {
        Self::start_in(config, Folder::new()).await
    }

    /// The same with its files where an earlier one may have left some.
    pub(crate) async fn start_in(config: Config, folder: Folder) -> Self {
        match Self::run(&config, folder).await {
            Ok(gateway) => gateway,
            Err(said) => panic!("the gateway did not start: {config:#?}\n{said}"),
        }
    }

    /// Starts one whose configuration names ports: made anew when one of them was taken meanwhile.
    pub(crate) async fn start_on_ports(config: impl Fn() -> Config) -> Self {
        for _ in 0..5 {
            let config = config();
            match Self::run(&config, Folder::new()).await {
                Ok(gateway) => return gateway,
                Err(said) if said.contains("cannot listen") => {}
                Err(said) => panic!("the gateway did not start: {config:#?}\n{said}"),
            }
        }
        panic!("no port stayed free");
    }

    async fn run(config: &Config, folder: Folder) -> Result<Self, String> {
        let (mut child, said) = spawn(config, &folder);
        let addresses = {
            let mut reader = said.subscribe();
            let serving = reader.wait_for(|said| said.over || serving(said).is_some());
            let said = soon("the gateway starts", serving).await.unwrap();
            serving_or_all(&said)
        };
        let (listen, admin) = match addresses {
            Ok(addresses) => addresses,
            Err(said) => {
                let _ = child.wait();
                return Err(said);
            }
        };
        let gateway = Self {
            child,
            said,
            listen,
            admin,
            folder,
        };
        let ready = gateway.ask_admin("/readyz").await;
        assert_eq!(ready.status, 200, "{}", ready.text());
        Ok(gateway)
    }

    /// Starts one that follows a document, and does not wait for that. Its files are in `folder`.
    pub(crate) async fn begin(config: &Config, folder: Folder) -> Self {
        let (child, said) = spawn(config, &folder);
        Self::begun(child, said, folder).await
    }

    async fn begun(child: Child, said: Arc<watch::Sender<Said>>, folder: Folder) -> Self {
        let admin = {
            let mut reader = said.subscribe();
            let beginning = reader.wait_for(|said| said.over || begun(said).is_some());
            let said = soon("the gateway begins", beginning).await.unwrap();
            begun(&said).unwrap_or_else(|| panic!("it does not: {}", said.lines.join("\n")))
        };
        Self {
            child,
            said,
            listen: admin,
            admin,
            folder,
        }
    }

    /// Runs the program with these arguments and this environment alone, up to its first address: that of
    /// the probes, or of whatever else it serves.
    pub(crate) async fn of(
        arguments: &[String],
        environment: &[(String, String)],
        folder: Folder,
    ) -> Self {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .env_clear()
            .envs(environment.iter().cloned())
            .stdout(Stdio::null());
        let (child, said) = watched(&mut command);
        Self::begun(child, said, folder).await
    }

    /// Waits until applications can connect to one that was [begun](Self::begin).
    pub(crate) async fn serving(mut self) -> Self {
        let mut reader = self.said.subscribe();
        let found = reader.wait_for(|said| said.over || serving(said).is_some());
        let addresses = serving_or_all(&soon("it serves", found).await.unwrap());
        drop(reader);
        (self.listen, self.admin) = addresses.unwrap();
        self
    }

    /// Waits for its end, which it was told of; the files stay.
    pub(crate) async fn left(mut self) -> Folder {
        assert!(self.ended().await.success());
        std::mem::replace(&mut self.folder, Folder::new())
    }

    /// Kills it; the files stay.
    pub(crate) fn crash(mut self) -> Folder {
        std::mem::replace(&mut self.folder, Folder::new())
    }

    /// Waits for the process to end by itself, and until all that it has said is read.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let status = soon("the process ends", async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
                sleep(LOOK).await;
            }
        })
        .await;
        let mut said = self.said.subscribe();
        let over = said.wait_for(|said| said.over);
        drop(soon("its log ends", over).await.unwrap());
        status
    }

    /// What one has written on stdout whose records go [there](Config::audit_unread), to its end.
    pub(crate) fn said_on_stdout(&mut self) -> String {
        let stdout = self.child.stdout.take().unwrap();
        io::read_to_string(stdout).unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the gateway's log:\n{}", self.log());
        }
    }
}

fn spawn(config: &Config, folder: &Folder) -> (Child, Arc<watch::Sender<Said>>) {
    let path = config.write(folder);
    let environment = config.environment.iter().map(|(name, value)| {
        let folder = folder.0.display().to_string();
        (name, value.replace("$FOLDER", &folder))
    });
    let mut command = Command::new(program());
    command
        .args(["run", "--config"])
        .arg(&path)
        .env_clear()
        .env("PILLION_LOG", "info,pillion=debug")
        .envs(environment)
        .stdout(if config.audit_unread {
            Stdio::piped()
        } else {
            Stdio::null()
        });
    watched(&mut command)
}
