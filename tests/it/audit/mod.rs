//! The proof of the audit record: what is in the files when the process is killed, the disk is full or
//! somebody has been at them, and that `pillion audit verify` says so.

mod broken;
mod content;
mod disk;
mod kill;
mod sinks;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use serde_json::Value;

use crate::support::fixture::{ask, plain, streamed};
use crate::support::{Centre, Config, Folder, Gateway, Program, Reply, Upstream, pillion, soon};

/// Answers plain requests and streams.
async fn provider() -> Upstream {
    Upstream::choosing(|seen| {
        if seen.json()["stream"] == true {
            Reply::sse(streamed(&["Hel", "lo!"]))
        } else {
            Reply::json(plain("Hello!"))
        }
    })
    .await
}

/// The audit file and its segments; not what is noted beside them.
fn files(folder: &Folder) -> Vec<PathBuf> {
    let file = folder.file("audit.jsonl");
    let mut found: Vec<PathBuf> = fs::read_dir(file.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let is_noted = path.extension().is_some_and(|end| end == "heads");
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with("audit.jsonl") && !is_noted
        })
        .collect();
    found.sort();
    found
}

/// `pillion audit verify`: its exit code, and what it said.
async fn verify(files: &[PathBuf], more: &[&str]) -> (i32, String) {
    let files = files.iter().map(|path| path.to_str().unwrap());
    let arguments: Vec<&str> = ["audit", "verify"]
        .into_iter()
        .chain(files)
        .chain(more.iter().copied())
        .collect();
    pillion(&arguments).await
}

/// The same as a JSON object.
async fn verified(files: &[PathBuf], more: &[&str]) -> (i32, Value) {
    let more = [more, &["--json"]].concat();
    let (code, said) = verify(files, &more).await;
    let value = serde_json::from_str(&said);
    (code, value.unwrap_or_else(|_| panic!("{said}")))
}

/// The records of a chain from its beginning, checked by a few lines of our own.
fn twin(text: &str) -> Vec<Value> {
    let mut prev = Value::Null;
    let mut records = Vec::new();
    for line in text.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let (bare, hash) = line.rsplit_once(",\"hash\":\"").unwrap();
        let bytes = digest(&SHA256, format!("{bare}}}").as_bytes());
        let hex = bytes.as_ref().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        assert_eq!(hash, format!("{hex}\"}}"), "{line}");
        assert_eq!(record["prev"], prev, "{line}");
        prev = record["hash"].clone();
        records.push(record);
    }
    records
}

/// Asks so many times, one after the other.
async fn ask_often(gateway: &Gateway, times: usize) {
    for _ in 0..times {
        assert_eq!(gateway.chat(&ask()).await.status, 200);
    }
}

/// The files of a gateway that was asked so often and has ended.
async fn left_by(config: Config, times: usize) -> Folder {
    let gateway = Gateway::start(config).await;
    ask_often(&gateway, times).await;
    gateway.signal("TERM");
    gateway.left().await
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn a_chain_goes_on_over_starts_and_what_the_documents_say_checks_it() {
    let first = provider().await;
    let config = || Config::of(&[&first]).root("identity: { instance: pod-1 }");
    let folder = left_by(config(), 3).await;
    let gateway = Gateway::start_in(config(), folder).await;
    ask_often(&gateway, 2).await;
    gateway.signal("TERM");
    let folder = gateway.left().await;
    let file = folder.file("audit.jsonl");
    let records = twin(&read(&file));
    let seqs: Vec<_> = records
        .iter()
        .map(|it| it["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
    let heads = folder.file("audit.jsonl.heads");
    let heads = heads.to_str().unwrap();
    let (code, said) = verify(&files(&folder), &["--heads", heads]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("pod-1: 1 to 5 in "), "{said}");
    assert!(
        said.ends_with("ok: 5 records, 1 files, 1 chains\n"),
        "{said}"
    );
    let python = Program {
        variable: "PILLION_TEST_PYTHON",
        names: &["python3"],
        version: "--version",
    };
    let Some(python) = python.find() else { return };
    let script = include_str!("../../../src/proof/mod.rs");
    let (_, script) = script.split_once("```python\n").unwrap();
    let (script, _) = script.split_once("//! ```").unwrap();
    let script = script.replace("//! ", "");
    let run = |path: &Path| {
        let mut command = std::process::Command::new(&python);
        command.args(["-c", &script]).arg(path).output().unwrap()
    };
    let output = run(&file);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let changed = folder.file("changed");
    fs::write(
        &changed,
        read(&file).replacen("\"status\":200", "\"status\":201", 1),
    )
    .unwrap();
    let said = String::from_utf8_lossy(&run(&changed).stderr).into_owned();
    assert!(said.contains("line 1 was changed"), "{said}");
}

#[tokio::test]
async fn a_file_that_is_rotated_under_load_is_one_chain() {
    let first = provider().await;
    let config = Config::of(&[&first]).audit("rotate: 20kB");
    let gateway = Gateway::start(config).await;
    let came = crate::support::crowd::crowd(&gateway, 300, 2000, |_| ask()).await;
    assert!(came.iter().all(|it| it.answer.status == 200));
    gateway.signal("TERM");
    let folder = gateway.left().await;
    let files = files(&folder);
    assert!(files.len() > 3, "{files:?}");
    let heads = folder.file("audit.jsonl.heads");
    let (code, report) = verified(&files, &["--heads", heads.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["records"], 300);
    assert_eq!(report["chains"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_centre_knows_the_head_of_a_pod_whose_files_are_gone() {
    let first = provider().await;
    let centre = Centre::with(Config::of(&[&first]).central("")).await;
    let config = Config::following(&format!(
        "url: \"{}\", refresh: 100ms, report: \"{}\"",
        centre.url(),
        centre.reports_url()
    ))
    .root("identity: { instance: pod-7 }");
    // Where records go is the centre's to say.
    let folder = Folder::new();
    let file = folder.file("central.jsonl");
    let audit = format!("audit: {{ file: {} }}", file.display());
    centre.says(Config::of(&[&first]).central(&audit));
    let gateway = Gateway::begin(&config, Folder::new()).await.serving().await;
    ask_often(&gateway, 2).await;
    gateway.signal("TERM");
    drop(gateway.left().await);
    let reports = centre.reports();
    let last: Value = serde_json::from_str(reports.last().unwrap()).unwrap();
    assert_eq!(last["heads"][0]["seq"], 2, "{last}");
    assert_eq!(last["heads"][0]["file"], file.to_str().unwrap());
    let heads = folder.file("reports.json");
    fs::write(&heads, format!("[{last}]")).unwrap();
    let against = ["--heads", heads.to_str().unwrap()];
    let (code, said) = verify(&[file], &against).await;
    assert_eq!(code, 0, "{said}");
    let other = left_by(Config::of(&[&first]), 1).await;
    let (code, said) = verify(&[other.file("audit.jsonl")], &against).await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("no file holds the records of pod-7"),
        "{said}"
    );
}

#[tokio::test]
async fn records_on_stdout_are_a_chain_too() {
    let first = provider().await;
    let file = Folder::new();
    let lines = file.file("out");
    let mut gateway = Gateway::start(Config::of(&[&first]).audit_unread()).await;
    ask_often(&gateway, 3).await;
    gateway.signal("TERM");
    assert!(gateway.ended().await.success());
    let text = gateway.said_on_stdout();
    assert_eq!(twin(&text).len(), 3);
    fs::write(&lines, format!("not ours\n{text}")).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pillion"));
    command.args(["audit", "verify", "-"]);
    let output = command
        .stdin(fs::File::open(&lines).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 lines are no records"), "{said}");
}

#[tokio::test]
async fn a_log_rotations_rename_leaves_one_chain() {
    let first = provider().await;
    let gateway = Gateway::start(Config::of(&[&first])).await;
    ask_often(&gateway, 2).await;
    soon("the records are written", async {
        while gateway.all_records().len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let file = gateway.folder.file("audit.jsonl");
    fs::rename(&file, gateway.folder.file("audit.jsonl.1")).unwrap();
    gateway.signal("HUP");
    soon("the file is made again", async {
        while !file.exists() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    ask_often(&gateway, 1).await;
    gateway.signal("TERM");
    let folder = gateway.left().await;
    let (code, report) = verified(&files(&folder), &[]).await;
    assert_eq!(
        (code, report["records"].as_u64()),
        (0, Some(3)),
        "{report:#}"
    );
    assert_eq!(report["chains"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_that_is_taken_away_takes_no_later_record_with_it() {
    let first = provider().await;
    let gateway = Gateway::start(Config::of(&[&first]).audit("fsync: always")).await;
    ask_often(&gateway, 2).await;
    let file = gateway.folder.file("audit.jsonl");
    let copy = gateway.folder.file("copy");
    fs::copy(&file, &copy).unwrap();
    fs::remove_file(&file).unwrap();
    ask_often(&gateway, 1).await;
    // As rotations do that copy the file and empty it.
    fs::write(&copy, read(&copy) + &read(&file)).unwrap();
    fs::write(&file, "").unwrap();
    ask_often(&gateway, 1).await;
    gateway.says("was taken away").await;
    gateway.says("was cut by somebody else").await;
    gateway.signal("TERM");
    let _folder = gateway.left().await;
    // Nobody can take away what there was without a trace, and what follows is whole.
    let (code, report) = verified(std::slice::from_ref(&file), &[]).await;
    assert_eq!(code, 1, "{report:#}");
    assert_eq!(report["problems"][0]["what"], "missing_segment");
    let (code, report) = verified(&[file, copy], &[]).await;
    assert_eq!((code, &report["records"]), (0, &4.into()), "{report:#}");
}
