//! A Redis of a test's own: a real one, on a port of loopback.

use std::io;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{Folder, Gateway, Program, Refusing, soon};

const LOOK: Duration = Duration::from_millis(5);
const PROGRAM: Program = Program {
    variable: "PILLION_TEST_REDIS",
    names: &["redis-server", "valkey-server"],
    version: "--version",
};
const VALKEY: Program = Program {
    variable: "PILLION_TEST_VALKEY",
    names: &["valkey-server"],
    version: "--version",
};

/// Killed with its owner.
pub(crate) struct Redis {
    child: Child,
    program: String,
    pub(crate) port: u16,
    /// While it is away, nobody else gets its port.
    _held: Refusing,
    password: Option<&'static str>,
    /// A replica writes down what it is sent, which another Redis that starts there would read.
    folder: Folder,
}

impl Redis {
    /// `None` where no such program is installed, which is said on stderr.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(None).await
    }

    /// The same for those who know the password.
    pub(crate) async fn start_with(password: Option<&'static str>) -> Option<Self> {
        Some(Self::start_of(PROGRAM.find()?, password).await)
    }

    /// Valkey in its place.
    pub(crate) async fn start_valkey() -> Option<Self> {
        Some(Self::start_of(VALKEY.find()?, None).await)
    }

    async fn start_of(program: String, password: Option<&'static str>) -> Self {
        let held = Refusing::new();
        let port = held.address().port();
        let folder = Folder::new();
        let child = run(&program, port, password, &folder);
        let mut redis = Self {
            child,
            program,
            port,
            _held: held,
            password,
            folder,
        };
        assert!(redis.is_there().await, "{} does not start", redis.program);
        redis
    }

    pub(crate) fn url(&self) -> String {
        let password = self.password.map(|password| format!(":{password}@"));
        format!(
            "redis://{}127.0.0.1:{}/3",
            password.unwrap_or_default(),
            self.port
        )
    }

    /// Asks it something whose answer is one value.
    pub(crate) async fn ask(&self, words: &[&str]) -> String {
        self.try_ask(words).await.unwrap()
    }

    /// The names of this pattern.
    pub(crate) async fn names(&self, pattern: &str) -> Vec<String> {
        let script = "return table.concat(redis.call('KEYS', ARGV[1]), ' ')";
        let names = self.ask(&["EVAL", script, "0", pattern]).await;
        names.split_whitespace().map(str::to_owned).collect()
    }

    /// Waits until something under this pattern begins like this.
    pub(crate) async fn has(&self, pattern: &str, begins: &str) {
        soon(&format!("{pattern} is {begins}…"), async {
            loop {
                for name in self.names(pattern).await {
                    let end = begins.len().to_string();
                    let value = self.ask(&["EVAL", "return string.sub(redis.call('GET', KEYS[1]) or '', 1, tonumber(ARGV[1]))", "1", &name, &end]).await;
                    if value == begins {
                        return;
                    }
                }
                sleep(LOOK).await;
            }
        })
        .await;
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Comes back where it was, empty.
    pub(crate) async fn again(&mut self) {
        let _ = std::fs::remove_file(self.folder.file("dump.rdb"));
        self.child = run(&self.program, self.port, self.password, &self.folder);
        assert!(self.is_there().await, "it does not come back");
    }

    /// From here on nothing is answered, and nothing refused.
    pub(crate) fn stop(&self) {
        self.signal("STOP");
    }

    pub(crate) fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until it answers; false when it has ended.
    async fn is_there(&mut self) -> bool {
        soon("redis answers", async {
            loop {
                if self.child.try_wait().unwrap().is_some() {
                    return false;
                }
                if self
                    .try_ask(&["PING"])
                    .await
                    .is_ok_and(|pong| pong == "PONG")
                {
                    return true;
                }
                sleep(LOOK).await;
            }
        })
        .await
    }

    async fn try_ask(&self, words: &[&str]) -> io::Result<String> {
        let mut stream =
            BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?);
        let mut all = vec![];
        if let Some(password) = self.password {
            all.push(vec!["AUTH", password]);
        }
        all.push(vec!["SELECT", "3"]);
        all.push(words.to_vec());
        let mut answer = String::new();
        for words in all {
            let mut text = format!("*{}\r\n", words.len());
            for word in words {
                text += &format!("${}\r\n{word}\r\n", word.len());
            }
            stream.write_all(text.as_bytes()).await?;
            answer = value(&mut stream).await?;
        }
        Ok(answer)
    }
}

async fn value(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let line = line.trim_end();
    let Some(length) = line.strip_prefix('$') else {
        let value = line.get(1..).ok_or(io::ErrorKind::UnexpectedEof)?;
        return if line.starts_with('-') {
            Err(io::Error::other(value.to_owned()))
        } else {
            Ok(value.to_owned())
        };
    };
    let Ok(length) = length.parse::<usize>() else {
        return Ok(String::new());
    };
    let mut value = vec![0; length + 2];
    stream.read_exact(&mut value).await?;
    value.truncate(length);
    Ok(String::from_utf8_lossy(&value).into_owned())
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(program: &str, port: u16, password: Option<&str>, folder: &Folder) -> Child {
    let port = port.to_string();
    let mut command = Command::new(program);
    command.arg("--dir").arg(folder.file("."));
    command.args(["--repl-diskless-sync-delay", "0"]);
    command.args([
        "--port",
        &port,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
    ]);
    command.args(
        password
            .map(|password| ["--requirepass", password])
            .into_iter()
            .flatten(),
    );
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Waits until the gateway tells that the Redis which it shares is there, or is away.
pub(crate) async fn is_up(gateway: &Gateway, up: bool) {
    let line = format!("pillion_shared_state_up {}", u8::from(up));
    gateway.until_metric(&line, |told| told == line).await;
}
