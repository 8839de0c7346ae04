//! The program with its standard streams in our hands, in a folder of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::support::{Folder, program, soon};

/// Lines of one stream, and whether it is over.
type Lines = Arc<watch::Sender<(Vec<String>, bool)>>;

pub(super) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    out: Lines,
    err: Lines,
    pub(super) folder: Folder,
}

impl Process {
    /// Runs it in `folder` with these arguments and this environment alone.
    pub(super) fn start(folder: Folder, arguments: &[&str], env: &[(&str, &str)]) -> Self {
        nothing_ignored();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut child = Command::new(program())
            .args(arguments)
            .current_dir(folder.file(""))
            .env_clear()
            .env("PATH", path)
            .envs(env.iter().copied())
            // So that a terminal's foreground is another group, whoever runs the tests where.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take(),
            out: lines(child.stdout.take().unwrap()),
            err: lines(child.stderr.take().unwrap()),
            child,
            folder,
        }
    }

    /// `pillion dev` on free ports.
    pub(super) fn dev(folder: Folder, more: &[&str], env: &[(&str, &str)]) -> Self {
        let ports = ["dev", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        Self::start(folder, &[&ports, more].concat(), env)
    }

    /// The first line on stdout in which there is `text`.
    pub(super) async fn out_line(&self, text: &str) -> String {
        line(&self.out, text).await
    }

    /// The same of stderr.
    pub(super) async fn err_line(&self, text: &str) -> String {
        line(&self.err, text).await
    }

    /// What it has said on stdout so far.
    pub(super) fn out(&self) -> String {
        self.out.borrow().0.join("\n")
    }

    pub(super) fn err(&self) -> String {
        self.err.borrow().0.join("\n")
    }

    /// Sends a signal by name, such as `TERM`.
    pub(super) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Ends the application's input, and so whoever waits for it.
    pub(super) fn close_stdin(&mut self) {
        if let Some(mut stdin) = self.stdin.take() {
            stdin.flush().unwrap();
        }
    }

    /// Waits for its end, and that of its streams: its exit code.
    pub(super) async fn code(&mut self) -> i32 {
        let code = soon("the process ends", async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status.code().unwrap();
                }
                sleep(std::time::Duration::from_millis(2)).await;
            }
        })
        .await;
        for stream in [&self.out, &self.err] {
            let mut stream = stream.subscribe();
            let over = stream.wait_for(|(_, over)| *over);
            drop(soon("its streams end", over).await.unwrap());
        }
        code
    }

    /// The two values of a line that the application or the welcome has on stdout: address and token.
    pub(super) async fn told(&self) -> (SocketAddr, String) {
        let value = |line: String| {
            let (_, value) = line.split_once('=').unwrap();
            value.split_whitespace().next().unwrap().to_owned()
        };
        let url = value(self.out_line("OPENAI_BASE_URL=").await);
        let token = value(self.out_line("OPENAI_API_KEY=").await);
        let address = url.trim_start_matches("http://").trim_end_matches("/v1");
        (address.parse().unwrap(), token)
    }
}

/// What we ignore a program that we start would ignore, too: the end of a terminal under `nohup`, its keys in the
/// background of a shell. What is listened for, as here from now on, is as usual to who is started.
fn nothing_ignored() {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let set = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let set = set.map_or(0, |set| u64::from_str_radix(set.trim(), 16).unwrap());
    for kind in [
        SignalKind::hangup(),
        SignalKind::interrupt(),
        SignalKind::quit(),
    ] {
        if (set >> (kind.as_raw_value() - 1)) & 1 == 1 {
            drop(signal(kind).unwrap());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("stdout:\n{}\nstderr:\n{}", self.out(), self.err());
        }
    }
}

async fn line(lines: &Lines, text: &str) -> String {
    let mut lines = lines.subscribe();
    let find = |lines: &[String]| lines.iter().find(|line| line.contains(text)).cloned();
    let found = lines.wait_for(|(lines, over)| *over || find(lines).is_some());
    let what = format!("a line says `{text}`");
    let found = soon(&what, found).await.unwrap();
    find(&found.0).unwrap_or_else(|| panic!("no line says `{text}`:\n{}", found.0.join("\n")))
}

fn lines(stream: impl Read + Send + 'static) -> Lines {
    let lines = Lines::new(watch::Sender::default());
    let writer = Arc::clone(&lines);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            writer.send_modify(|(lines, _)| lines.push(line));
        }
        writer.send_modify(|(_, over)| *over = true);
    });
    lines
}

/// A folder with these files.
pub(super) fn folder(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    for (name, text) in files {
        fs::write(folder.file(name), text).unwrap();
    }
    folder
}
