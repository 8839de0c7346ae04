//! The provider's key: one that was replaced is read again when the old one is refused.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::sleep;

use crate::support::fixture::{ask, ask_stream, plain, read_plain, streamed};
use crate::support::{Config, Folder, Gateway, Program, Reply, Upstream, program, soon};

/// One provider, whose key stands in a file.
fn keyed(first: &Upstream) -> Config {
    let secret = "secret: \"file:$FOLDER/secret\"";
    Config::new()
        .file("secret", "sk-old")
        .provider("first", &first.base_url(), secret)
}

#[tokio::test]
async fn a_refused_key_is_read_again_and_the_same_target_asked_once_more() {
    for body in [ask(), ask_stream()] {
        let place = std::sync::Arc::new(std::sync::Mutex::new(None::<std::path::PathBuf>));
        let file = std::sync::Arc::clone(&place);
        let first = Upstream::choosing(move |seen| {
            if seen.header("authorization") == Some("Bearer sk-new") {
                return if seen.json()["stream"] == true {
                    Reply::sse(streamed(&["Hello!"]))
                } else {
                    Reply::json(plain("Hello!"))
                };
            }
            // It was replaced a moment ago; nobody can have looked at the file since.
            if let Some(file) = &*file.lock().unwrap() {
                fs::write(file, "sk-new").unwrap();
            }
            Reply::error(401, "x", Some("invalid_api_key"), "revoked")
        })
        .await;
        let second = Upstream::always(Reply::json(plain("from the backup"))).await;
        let config = keyed(&first).provider("second", &second.base_url(), "");
        let gateway = Gateway::start(config).await;
        *place.lock().unwrap() = Some(gateway.folder.file("secret"));
        let answer = gateway.chat(&body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let record = gateway.audit(answer.id()).await;
        assert_eq!(record.classes(), ["auth", "ok"]);
        assert_eq!(record.targets(), ["first/model-first"; 2]);
        assert_eq!((first.hits(), second.hits()), (2, 0));
    }
}

#[tokio::test]
async fn a_key_that_is_refused_and_has_not_changed_is_not_tried_again() {
    let first = Upstream::always(Reply::error(401, "x", Some("invalid_api_key"), "no")).await;
    let second = Upstream::always(Reply::json(plain("from the backup"))).await;
    let config = keyed(&first).provider("second", &second.base_url(), "");
    let gateway = Gateway::start(config).await;
    let answer = gateway.chat(&ask()).await;
    assert_eq!(
        (answer.status, &*answer.code()),
        (502, "upstream_authentication_error")
    );
    assert_eq!((first.hits(), second.hits()), (1, 0));
}

#[tokio::test]
async fn a_replaced_key_is_used_without_a_refusal() {
    let first = Upstream::always(Reply::json(plain("Hello!"))).await;
    let gateway = Gateway::start(keyed(&first)).await;
    gateway.chat(&ask()).await;
    fs::write(gateway.folder.file("secret"), "sk-newer").unwrap();
    soon("the new key is used", async {
        loop {
            let answer = gateway.chat(&ask()).await;
            assert_eq!(read_plain(&answer.json())[0].text, "Hello!");
            let last = first.requests().pop().unwrap();
            if last.header("authorization") == Some("Bearer sk-newer") {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(!gateway.log().contains("sk-"));
}

#[tokio::test]
async fn a_store_that_does_not_answer_takes_no_key_from_requests_meanwhile() {
    let first = Upstream::always(Reply::json(plain("Hello!"))).await;
    let gateway = Gateway::start(keyed(&first)).await;
    // It accepts, and is silent.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let store = format!(
        "secret_stores: {{ bank: {{ kind: vault, address: \"http://{}\", auth: token, token_file: $FOLDER/other, mount: kv }} }}",
        silent.local_addr().unwrap()
    );
    let other = "secret: \"file:$FOLDER/other\"";
    Config::new()
        .root(&store)
        .file("other", "sk-other")
        .provider("first", &first.base_url(), other)
        .provider("second", &first.base_url(), "secret: \"bank:second#key\"")
        .write(&gateway.folder);
    soon("the other configuration is live", async {
        loop {
            let answer = gateway.chat(&ask()).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let last = first.requests().pop().unwrap();
            if last.header("authorization") == Some("Bearer sk-other") {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

const PYTHON: Program = Program {
    variable: "PILLION_TEST_PYTHON",
    names: &["python3"],
    version: "--version",
};

/// A file that nobody comes to open, as on a mount that hangs, for as long as this lives (and no
/// longer than the system's `lease-break-time`, 45 s): somebody has a lease on it.
struct Hanging(Child);

impl Hanging {
    fn hold(python: &str, file: &Path) -> Self {
        const LEASE: &str = "import fcntl, signal, sys\n\
            signal.signal(signal.SIGIO, signal.SIG_IGN)\n\
            file = open(sys.argv[1], 'r+')\n\
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)\n\
            print('held', flush=True)\n\
            sys.stdin.read()";
        let mut holder = Command::new(python);
        holder.args(["-c", LEASE]).arg(file);
        let holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut holder = holder.unwrap();
        let stdout = holder.stdout.as_mut().unwrap();
        stdout.read_exact(&mut [0; "held\n".len()]).unwrap();
        Self(holder)
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_key_whose_place_hangs_holds_up_no_configuration_and_its_last_value_serves() {
    let Some(python) = PYTHON.find() else {
        return;
    };
    let first = Upstream::always(Reply::json(plain("Hello!"))).await;
    let gateway = Gateway::start(keyed(&first)).await;
    let secrets = async || gateway.ask_admin("/readyz").await.json()["secrets"].to_string();
    let new = gateway.folder.file("new");
    fs::write(&new, "sk-new").unwrap();
    let hanging = Hanging::hold(&python, &new);
    fs::rename(&new, gateway.folder.file("secret")).unwrap();
    soon("the key is said to be late", async {
        while !secrets().await.contains("timed out") {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let file = gateway.folder.file("pillion.yaml");
    let mut text = fs::read_to_string(&file).unwrap();
    for route in ["one", "two", "three"] {
        text += &format!("  {route}: {{ targets: [first/m] }}\n");
        fs::write(&file, &text).unwrap();
        let body = ask().replace("\"chat\"", &format!("\"{route}\""));
        soon("the configuration is followed", async {
            while gateway.chat(&body).await.status != 200 {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
    for seen in first.requests() {
        assert_eq!(seen.header("authorization"), Some("Bearer sk-old"));
    }
    let threads = fs::read_dir(gateway.proc("task")).unwrap();
    let names = threads.map(|it| fs::read_to_string(it.unwrap().path().join("comm")).unwrap());
    assert_eq!(names.filter(|name| name == "files\n").count(), 1);
    drop(hanging);
    soon("the new key is read", async {
        while secrets().await != "[]" {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(gateway.chat(&ask()).await.status, 200);
    let last = first.requests().pop().unwrap();
    assert_eq!(last.header("authorization"), Some("Bearer sk-new"));
}

/// Root sees everything; anybody else, and the process's own user too, sees nothing.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_the_process_has_in_memory_is_closed_to_its_own_user() {
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};

    let mut gateway =
        Gateway::start(Config::new().provider("first", "http://127.0.0.1:1/v1", "")).await;
    let owner = |path| {
        let found = fs::metadata(path).unwrap();
        std::os::unix::fs::MetadataExt::uid(&found)
    };
    for file in ["mem", "environ", "maps"] {
        assert_eq!(owner(gateway.proc(file)), 0, "{file}");
    }
    let me = owner("/proc/self/stat".into());
    for file in ["mem", "environ", "maps", "auxv", "fd/0"] {
        let mut reader = Command::new("cat");
        reader
            .arg(gateway.proc(file))
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if me == 0 {
            reader.uid(65534).gid(65534);
        }
        let read = reader.output().unwrap();
        let why = String::from_utf8_lossy(&read.stderr);
        assert!(
            !read.status.success() && why.contains("denied"),
            "{file}: {why}"
        );
    }
    let id = gateway.id().to_string();
    let unlimited = Command::new("prlimit")
        .args(["--pid", &id, "--core=unlimited"])
        .status();
    assert!(me != 0 || unlimited.unwrap().success());
    gateway.signal("ABRT");
    let ended = gateway.ended().await;
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(6), false));
}

/// A process that may have no thread beside its first cannot begin: its library panics, as it would at
/// anything that it takes for impossible. What is said of that is a message and a place.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_secret_is_seen_in_a_panic() {
    use std::io::Write as _;
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    let folder = Folder::new();
    let file = Config::new()
        .file("secret", "file-canary-1")
        .provider("first", "http://127.0.0.1:1/v1", "secret: env:KEY")
        .provider(
            "second",
            "http://127.0.0.1:1/v1",
            "secret: \"file:$FOLDER/secret\"",
        )
        .audit_unread()
        .write(&folder);
    let is_root = fs::metadata("/proc/self/stat").unwrap().uid() == 0;
    let run = |program: &str| {
        let mut command = Command::new(program);
        // The limit is not for root.
        if is_root {
            command.uid(65534).gid(65534);
        }
        command
    };
    let may_run = run("test").arg("-x").arg(program()).status().unwrap();
    let may_read = run("test").arg("-r").arg(&file).status().unwrap();
    if !may_run.success() || !may_read.success() {
        let line = "SKIPPED no_secret_is_seen_in_a_panic: only root can reach the program\n";
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return;
    }
    let mut command = run("prlimit");
    command
        .arg("--nproc=1")
        .arg(program())
        .args(["run", "--config"])
        .arg(&file)
        .env_clear()
        .env("KEY", "environment-canary-1")
        .env(
            "PILLION_SHARED_STATE",
            "redis://:shared-canary-1@127.0.0.1:1",
        )
        .env("PILLION_LOG", "trace")
        .env("RUST_BACKTRACE", "full");
    let ended = tokio::task::spawn_blocking(move || command.output().unwrap());
    let ended = soon("it ends", ended).await.unwrap();
    let said = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
    assert!(said.contains("panicked at"), "{said}");
    assert!(!said.contains("canary"), "{said}");
}
