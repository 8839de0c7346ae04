//! The other processes: the upstream, the bare proxy, Pillion. Each ends when it is dropped.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ring::digest::{SHA256, digest};

use crate::client::TOKEN;
use crate::{Error, tls};

/// Beyond this, Pillion is taken not to come up.
const READY_LIMIT: Duration = Duration::from_secs(5);

/// How often `/readyz` is asked.
const READY_PAUSE: Duration = Duration::from_micros(200);

/// A process of ours.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts `command` on `core`; its log goes to `log`, or to where ours goes.
    fn start(core: Option<usize>, mut command: Command, log: Option<&Path>) -> Result<Self, Error> {
        if let Some(core) = core {
            let mut pinned = Command::new("taskset");
            pinned.args(["--cpu-list", &core.to_string()]);
            pinned.arg(command.get_program()).args(command.get_args());
            command = pinned;
        }
        if let Some(log) = log {
            command.stderr(File::create(log)?);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        Ok(Self { child })
    }

    /// `taskset` becomes what it starts, so this is the process itself.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the process says first.
    fn first_line(&mut self) -> Result<String, Error> {
        let output = self.child.stdout.take().ok_or("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the files of a run are: certificate, configuration, records.
pub(crate) struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    pub(crate) fn new() -> Result<Self, Error> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("overhead");
        fs::create_dir_all(&folder)?;
        let scratch = Self { folder };
        // The last run's; there may be none.
        let _ = fs::remove_file(scratch.records());
        tls::write_certificate(&scratch.certificate(), &scratch.file("key.pem"))?;
        fs::write(scratch.file("secret"), "sk-upstream-0123456789")?;
        Ok(scratch)
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.file("certificate.pem")
    }

    fn records(&self) -> PathBuf {
        self.file("audit.jsonl")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The upstream, with both of its addresses.
pub(crate) struct Upstream {
    _process: Process,
    pub(crate) clear: SocketAddr,
    pub(crate) secure: SocketAddr,
}

pub(crate) fn upstream(core: Option<usize>, scratch: &Scratch) -> Result<Upstream, Error> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("upstream");
    command.args([scratch.certificate(), scratch.file("key.pem")]);
    let mut process = Process::start(core, command, None)?;
    let line = process.first_line()?;
    let (clear, secure) = line.split_once(' ').ok_or("the upstream did not start")?;
    Ok(Upstream {
        _process: process,
        clear: clear.parse()?,
        secure: secure.parse()?,
    })
}

/// A proxy that is ready.
pub(crate) struct Proxy {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    /// From the start of the process until it was ready.
    pub(crate) ready: Duration,
}

/// `to` is the base URL, without `/v1`.
pub(crate) fn bare(core: Option<usize>, scratch: &Scratch, to: &str) -> Result<Proxy, Error> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bare", to]).arg(scratch.certificate());
    let start = Instant::now();
    let mut process = Process::start(core, command, None)?;
    let address = process.first_line()?.parse()?;
    Ok(Proxy {
        process,
        address,
        ready: start.elapsed(),
    })
}

/// The binary that this benchmark was built with.
pub(crate) fn pillion_binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_pillion"))
}

/// The model whose first target refuses connections.
pub(crate) const BEHIND: &str = "stream-1-0-9";

/// The model whose route masks personal data.
pub(crate) const MASKED: &str = "plain-1025";

/// Another such model, which is asked in prose.
pub(crate) const PROSE: &str = "plain-1026";

/// Another one, which is asked with figures in every sentence.
pub(crate) const FIGURES: &str = "plain-1027";

/// A model that is asked in prose, and whose route masks nothing.
pub(crate) const PROSE_AS_IT_IS: &str = "plain-1028";

/// Pillion with a key, two targets for each of `models`, and its record on.
///
/// # Errors
/// It did not come up: with the last of what it had to say.
pub(crate) fn pillion(
    core: Option<usize>,
    scratch: &Scratch,
    to: &str,
    models: &[String],
) -> Result<Proxy, Error> {
    let (address, admin) = (free_address()?, free_address()?);
    let config = scratch.file("pillion.yaml");
    fs::write(&config, configuration(scratch, to, models, address, admin)?)?;
    let log = scratch.file("pillion.log");
    let mut command = Command::new(pillion_binary());
    command.arg("run").arg("--config").arg(&config);
    let start = Instant::now();
    let mut process = Process::start(core, command, Some(&log))?;
    while !is_ready(admin) {
        let ended = process.child.try_wait()?;
        if ended.is_some() || start.elapsed() > READY_LIMIT {
            let said = fs::read_to_string(&log).unwrap_or_default();
            let last: Vec<&str> = said.lines().rev().take(5).collect();
            let why = ended.map_or("not ready in time".to_owned(), |status| status.to_string());
            return Err(format!("{why} {}", last.join(" | ")).into());
        }
        std::thread::sleep(READY_PAUSE);
    }
    Ok(Proxy {
        process,
        address,
        ready: start.elapsed(),
    })
}

fn configuration(
    scratch: &Scratch,
    to: &str,
    models: &[String],
    address: SocketAddr,
    admin: SocketAddr,
) -> Result<String, Error> {
    let mut provider = format!(
        "kind: openai-compatible, base_url: {to}/v1, secret: \"file:{}\"",
        scratch.file("secret").display(),
    );
    if to.starts_with("https:") {
        write!(provider, ", ca: {}", scratch.certificate().display())?;
    }
    let claude = provider.replace("openai-compatible", "anthropic");
    // Nobody listens there.
    let dead = "kind: openai-compatible, base_url: \"http://127.0.0.1:1/v1\"";
    let mut text = format!(
        "listen: {address}\nadmin: {admin}\nproviders:\n  first: {{ {provider} }}\n  second: {{ {provider} }}\n  claude: {{ {claude} }}\n  dead: {{ {dead} }}\nroutes:\n"
    );
    for model in models {
        let targets = if model == BEHIND {
            format!("dead/{model}, first/{model}")
        } else if model.starts_with("claude-") {
            format!("claude/{model}")
        } else {
            format!("first/{model}, second/{model}")
        };
        let more = if [MASKED, PROSE, FIGURES].contains(&model.as_str()) {
            ", privacy: { mask: [email, phone, card, iban, iin, bin, passport, contract, address, ip] }"
        } else {
            ""
        };
        writeln!(text, "  {model}: {{ targets: [{targets}]{more} }}")?;
    }
    let hash = digest(&SHA256, TOKEN.as_bytes());
    write!(text, "keys:\n  - {{ id: bench, hash: \"sha256:")?;
    for byte in hash.as_ref() {
        write!(text, "{byte:02x}")?;
    }
    writeln!(text, "\" }}")?;
    let records = scratch.records();
    writeln!(text, "audit: {{ to: [file], file: {} }}", records.display())?;
    Ok(text)
}

/// An address that was free a moment ago.
fn free_address() -> Result<SocketAddr, Error> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn is_ready(admin: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(admin)?;
        stream.set_read_timeout(Some(READY_LIMIT))?;
        let host = format!("host: {admin}\r\n");
        stream.write_all(format!("GET /readyz HTTP/1.1\r\n{host}\r\n").as_bytes())?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status == *b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}
