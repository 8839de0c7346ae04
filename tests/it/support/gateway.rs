//! The gateway as a process of its own, with its configuration, its log and its records.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::sleep;

use super::{Answer, Client, Refusing, Stream, Upstream, program, soon};

/// Between two looks at something that gives no notice: a file, a process.
const LOOK: Duration = Duration::from_millis(2);

/// The providers of a route, in the order of fallback.
const PLACES: [&str; 4] = ["first", "second", "third", "fourth"];

/// A folder that goes with its owner.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("it-{}-{number}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A configuration: providers, and a route `chat` to all of them in their order. Target
/// `NAME/model-NAME` is the provider's of that name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    root: String,
    providers: String,
    targets: Vec<String>,
    knobs: String,
    routes: String,
    files: Vec<(String, Vec<u8>)>,
    environment: Vec<(String, String)>,
    audit: String,
    audit_unread: bool,
    source: Option<String>,
}

impl Config {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Providers named `first`, `second`, … in the order of fallback.
    pub(crate) fn of(upstreams: &[&Upstream]) -> Self {
        let config = PLACES.iter().zip(upstreams);
        config.fold(Self::new(), |config, (name, upstream)| {
            config.provider(name, &upstream.base_url(), "")
        })
    }

    /// Another route, to providers of its own: `NAME-first`, `NAME-second`, … A row of a table does
    /// not meet there what earlier rows have taught of a provider's health.
    pub(crate) fn row(self, name: &str, upstreams: &[&Upstream]) -> Self {
        let mut targets = Vec::new();
        let config = PLACES
            .iter()
            .zip(upstreams)
            .fold(self, |config, (place, upstream)| {
                targets.push(format!("{name}-{place}/m"));
                config.provider_alone(&format!("{name}-{place}"), &upstream.base_url(), "")
            });
        config.route(name, &format!("{{ targets: [{}] }}", targets.join(", ")))
    }

    /// The routes `plain` and `streamed`, each to providers of its own.
    pub(crate) fn both(upstreams: &[&Upstream]) -> Self {
        Self::new()
            .row("plain", upstreams)
            .row("streamed", upstreams)
    }

    /// One more provider, with `more` of its keys.
    pub(crate) fn provider(self, name: &str, base_url: &str, more: &str) -> Self {
        let target = format!("{name}/model-{name}");
        self.provider_alone(name, base_url, more).target(&target)
    }

    /// One more provider of any kind: all of its keys in one line of YAML.
    pub(crate) fn provider_of(self, name: &str, keys: &str) -> Self {
        self.keys_of(name, keys)
            .target(&format!("{name}/model-{name}"))
    }

    /// The same without a target of the route.
    pub(crate) fn keys_of(mut self, name: &str, keys: &str) -> Self {
        let _ = writeln!(self.providers, "  {name}: {{ {keys} }}");
        self
    }

    /// A variable of the process's environment, in which `$FOLDER` is the configuration's.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A provider that refuses connections.
    pub(crate) fn refusing(self, name: &str, refusing: &Refusing) -> Self {
        self.provider(name, &refusing.base_url(), "")
    }

    /// A provider that the route does not use.
    pub(crate) fn provider_alone(mut self, name: &str, base_url: &str, more: &str) -> Self {
        let more = if more.is_empty() {
            String::new()
        } else {
            format!(", {more}")
        };
        let _ = writeln!(
            self.providers,
            "  {name}: {{ kind: openai-compatible, base_url: \"{base_url}\"{more} }}"
        );
        self
    }

    /// One more target of the route: YAML of one line.
    pub(crate) fn target(mut self, target: &str) -> Self {
        self.targets.push(target.to_owned());
        self
    }

    /// A knob of the route, such as `timeout: 2s`.
    pub(crate) fn knob(mut self, line: &str) -> Self {
        let _ = writeln!(self.knobs, "    {line}");
        self
    }

    /// The route's `timeout`, `first_token` and `answer`.
    pub(crate) fn limits(self, timeout: &str, first_token: &str, answer: &str) -> Self {
        self.knob(&format!("timeout: {timeout}"))
            .knob(&format!("first_token: {first_token}"))
            .knob(&format!("answer: {answer}"))
    }

    /// Another route: its name, and the rest in one line of YAML.
    pub(crate) fn route(mut self, name: &str, rest: &str) -> Self {
        let _ = writeln!(self.routes, "  {name}: {rest}");
        self
    }

    /// A file beside the configuration, which is `$FOLDER/NAME` there.
    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        self.file_of(name, content.as_bytes())
    }

    /// The same with what need be no text.
    pub(crate) fn file_of(mut self, name: &str, content: &[u8]) -> Self {
        self.files.push((name.to_owned(), content.to_owned()));
        self
    }

    /// Lines at the top level. Without `keys` among them anybody may call.
    pub(crate) fn root(mut self, lines: &str) -> Self {
        let _ = writeln!(self.root, "{lines}");
        self
    }

    /// More keys of `audit`, in one line of YAML. With a `file` among them it is that one.
    pub(crate) fn audit(mut self, keys: &str) -> Self {
        keys.clone_into(&mut self.audit);
        self
    }

    /// Records go to a pipe that nobody reads.
    pub(crate) fn audit_unread(mut self) -> Self {
        self.audit_unread = true;
        self
    }

    /// The configuration of a sidecar that follows a document: the keys of `source`, in one line of
    /// YAML. Its own file says nothing of providers and routes.
    pub(crate) fn following(keys: &str) -> Self {
        Self {
            source: Some(keys.to_owned()),
            ..Self::new()
        }
    }

    /// What a central document says of all this, with more lines at the top level.
    pub(crate) fn central(&self, more: &str) -> String {
        let mut text = format!("{more}\n{}", self.root);
        if !text.contains("keys:") {
            text += "allow_anonymous: true\n";
        }
        text + &self.routing()
    }

    /// Writes it down, with the files beside it; returns its path.
    pub(crate) fn write(&self, folder: &Folder) -> PathBuf {
        for (name, content) in &self.files {
            fs::write(folder.file(name), content).unwrap();
        }
        let path = folder.file("pillion.yaml");
        fs::write(&path, self.yaml(folder)).unwrap();
        path
    }

    fn yaml(&self, folder: &Folder) -> String {
        let mut text = String::from("listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n");
        let audit = folder.file("audit.jsonl");
        let _ = if self.audit_unread {
            writeln!(text, "audit: {{ to: [stdout] }}")
        } else {
            let file = if self.audit.contains("file:") {
                String::new()
            } else {
                format!("file: {}, ", audit.display())
            };
            writeln!(text, "audit: {{ {file}{} }}", self.audit)
        };
        if !self.root.contains("keys:") && self.source.is_none() {
            text += "allow_anonymous: true\n";
        }
        if !self.root.contains("lame_duck:") {
            text += "lame_duck: 0s\n";
        }
        text += &self.root;
        match &self.source {
            Some(keys) => {
                let _ = writeln!(text, "source: {{ {keys} }}\ncache_dir: $FOLDER/cache");
            }
            None => text += &self.routing(),
        }
        text.replace("$FOLDER", &folder.0.display().to_string())
    }
}

impl Config {
    fn routing(&self) -> String {
        let mut text = String::new();
        if !self.providers.is_empty() {
            let _ = write!(text, "providers:\n{}", self.providers);
        }
        text += "routes:\n";
        text += &self.routes;
        if !self.targets.is_empty() {
            let _ = write!(text, "  chat:\n{}    targets:\n", self.knobs);
            for target in &self.targets {
                let _ = writeln!(text, "      - {target}");
            }
        }
        text
    }
}

/// What the process has said on stderr, line by line.
#[derive(Debug, Default)]
struct Said {
    lines: Vec<String>,
    over: bool,
}

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

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.listen).await
    }

    /// A request on a connection of its own, to the end of its answer.
    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.open(path, headers, body).await.rest().await
    }

    /// The same with what need be no text.
    pub(crate) async fn post_bytes(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut client = self.connect().await;
        client.post(path, headers, body).await;
        client.answer().await.rest().await
    }

    /// The same, up to the head of the answer.
    pub(crate) async fn open(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Stream {
        let mut client = self.connect().await;
        client.post(path, headers, body.as_bytes()).await;
        client.answer().await
    }

    /// A chat request, to the end of its answer.
    pub(crate) async fn chat(&self, body: &str) -> Answer {
        self.post("/v1/chat/completions", &[], body).await
    }

    /// The same, up to the head of the answer.
    pub(crate) async fn stream(&self, body: &str) -> Stream {
        self.open("/v1/chat/completions", &[], body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let mut client = self.connect().await;
        client.get(path, &[]).await;
        client.answer().await.rest().await
    }

    pub(crate) async fn ask_admin(&self, path: &str) -> Answer {
        let mut client = Client::connect(self.admin).await;
        client.get(path, &[("connection", "close")]).await;
        client.answer().await.rest().await
    }

    /// Waits for the record of this request.
    pub(crate) async fn audit(&self, id: &str) -> Record {
        let mark = format!("\"id\":\"{id}\"");
        soon("the record is written", async {
            loop {
                // Only its own line is read as JSON: the file may have hundreds.
                let text = self.audit_text();
                if let Some(line) = text.lines().rfind(|line| line.contains(&mark)) {
                    return Record(serde_json::from_str(line).unwrap());
                }
                sleep(LOOK).await;
            }
        })
        .await
    }

    /// Waits until there are at least `count` records that suit.
    pub(crate) async fn records(
        &self,
        suits: impl Fn(&Record) -> bool,
        count: usize,
    ) -> Vec<Record> {
        soon("the records are written", async {
            loop {
                let mut found = self.all_records();
                found.retain(&suits);
                if found.len() >= count {
                    return found;
                }
                sleep(LOOK).await;
            }
        })
        .await
    }

    /// The records that are written by now.
    pub(crate) fn all_records(&self) -> Vec<Record> {
        let text = self.audit_text();
        let lines = text.lines();
        lines
            .map(|line| Record(serde_json::from_str(line).unwrap()))
            .collect()
    }

    /// The lines of the records behind the first `count`, as they are.
    pub(crate) fn record_lines(&self, count: usize) -> Vec<String> {
        let text = self.audit_text();
        text.lines().skip(count).map(str::to_owned).collect()
    }

    /// The lines that are whole.
    fn audit_text(&self) -> String {
        let mut text = fs::read_to_string(self.folder.file("audit.jsonl")).unwrap_or_default();
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        text
    }

    /// What one has written on stdout whose records go [there](Config::audit_unread), to its end.
    pub(crate) fn said_on_stdout(&mut self) -> String {
        let stdout = self.child.stdout.take().unwrap();
        io::read_to_string(stdout).unwrap()
    }

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

    /// Whether the process still runs.
    pub(crate) fn is_alive(&self) -> bool {
        let stat = fs::read_to_string(self.proc("stat")).unwrap_or_default();
        // A process that has ended and was not waited for is a zombie.
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| !rest.starts_with('Z'))
    }

    /// The process's.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How many files and sockets it has open; 0 for whoever is not told, as the gateway's memory is
    /// closed to all but root.
    pub(crate) fn descriptors(&self) -> usize {
        or_closed(fs::read_dir(self.proc("fd"))).map_or(0, Iterator::count)
    }

    /// A file of what the kernel tells of it.
    pub(crate) fn proc(&self, name: &str) -> PathBuf {
        format!("/proc/{}/{name}", self.child.id()).into()
    }

    /// From here on, [`Self::peak_kib`] is counted anew.
    /// <https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html> (read 2026-11)
    pub(crate) fn forget_peak(&self) {
        or_closed(fs::write(self.proc("clear_refs"), "5"));
    }

    /// The most memory that it has held, in KiB.
    pub(crate) fn peak_kib(&self) -> usize {
        self.status_kib("VmHWM:")
    }

    /// Sends a signal by name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
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

    /// Lets it have so many files open, from now on; whether the system can do that.
    pub(crate) fn may_open(&self, files: usize) -> bool {
        let (id, limit) = (self.child.id().to_string(), files.to_string());
        let command = Command::new("prlimit")
            .args(["--pid", &id, &format!("--nofile={limit}:{limit}")])
            .status();
        command.is_ok_and(|status| status.success())
    }

    /// What it has used of the processor, by Linux's clock of a hundredth of a second.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let fields = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = fields.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// The memory it holds, in KiB.
    pub(crate) fn resident_kib(&self) -> usize {
        self.status_kib("VmRSS:")
    }

    fn status_kib(&self, name: &str) -> usize {
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.unwrap().trim().trim_end_matches(" kB");
        kib.trim().parse().unwrap()
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

/// What root alone may see of it, which is said on stderr where we are not.
fn or_closed<T>(seen: io::Result<T>) -> Option<T> {
    match seen {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let line = "SKIPPED a part: only root can see what the gateway has open\n";
            io::stderr().write_all(line.as_bytes()).unwrap();
            None
        }
        seen => Some(seen.unwrap()),
    }
}

fn serving(said: &Said) -> Option<(SocketAddr, SocketAddr)> {
    said.lines.iter().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let fields = &line["fields"];
        (fields["message"] == "serving").then_some(())?;
        let address = |name: &str| fields[name].as_str()?.parse().ok();
        Some((address("listen")?, address("admin")?))
    })
}

/// The address of the probes, or of the webhook, once there is one.
fn begun(said: &Said) -> Option<SocketAddr> {
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

/// Starts it, and reads what it says.
fn watched(command: &mut Command) -> (Child, Arc<watch::Sender<Said>>) {
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

fn serving_or_all(said: &Said) -> Result<(SocketAddr, SocketAddr), String> {
    serving(said).ok_or_else(|| said.lines.join("\n"))
}

/// One audit record.
#[derive(Debug, Clone)]
pub(crate) struct Record(pub(crate) Value);

impl Record {
    /// The class of each attempt.
    pub(crate) fn classes(&self) -> Vec<&str> {
        self.each("class")
    }

    /// The target of each attempt.
    pub(crate) fn targets(&self) -> Vec<&str> {
        self.each("target")
    }

    /// The reason of each attempt; empty where there is none.
    pub(crate) fn reasons(&self) -> Vec<&str> {
        self.each("reason")
    }

    pub(crate) fn outcome(&self) -> &str {
        self.text("outcome")
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_default()
    }

    pub(crate) fn number(&self, field: &str) -> Option<u64> {
        self.0[field].as_u64()
    }

    fn each(&self, field: &str) -> Vec<&str> {
        let attempts = self.0["attempts"].as_array().unwrap();
        let each = attempts.iter().map(|attempt| attempt[field].as_str());
        each.map(Option::unwrap_or_default).collect()
    }
}
