//! A disk that is full.

use std::io::Write as _;
use std::process::Command;
use std::slice::from_ref;
use std::time::Duration;

use tokio::time::sleep;

use super::*;

/// A small disk of its own, gone with its owner. `None` where we may not mount one.
struct Disk(Folder);

impl Disk {
    fn new() -> Option<Self> {
        let folder = Folder::new();
        let at = folder.file("disk");
        fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(&at)
            .output();
        if mounted.is_ok_and(|it| it.status.success()) {
            return Some(Self(folder));
        }
        let line = b"SKIPPED a full disk: only root can mount one\n";
        std::io::stderr().write_all(line).unwrap();
        None
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.file("disk").join(name)
    }

    /// Leaves no room at all.
    fn fill(&self) {
        let mut filler = fs::File::create(self.file("filler")).unwrap();
        while filler.write_all(&[b'x'; 512]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.file("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let mut unmount = Command::new("umount");
        let _ = unmount.arg("-l").arg(self.0.file("disk")).status();
    }
}

/// Between two requests: what is refused has records too, and they need room in the end.
const PAUSE: Duration = Duration::from_millis(10);

fn config(first: &Upstream, disk: &Disk, more: &str) -> Config {
    let file = disk.file("audit.jsonl");
    Config::of(&[first]).audit(&format!("file: {}, {more}", file.display()))
}

/// Asks until the answer has this status.
async fn until_status(gateway: &Gateway, status: u16) -> crate::support::Answer {
    soon(&format!("the answer is {status}"), async {
        loop {
            let answer = gateway.chat(&ask()).await;
            if answer.status == status {
                return answer;
            }
            sleep(PAUSE).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_full_disk_stops_no_traffic_and_what_is_lost_is_a_noted_gap() {
    let Some(disk) = Disk::new() else { return };
    let first = provider().await;
    let gateway = Gateway::start(config(&first, &disk, "fsync: always")).await;
    ask_often(&gateway, 3).await;
    disk.fill();
    soon("the disk is full", async {
        while !gateway.log().contains("the audit file cannot be written") {
            ask_often(&gateway, 1).await;
            sleep(PAUSE).await;
        }
    })
    .await;
    ask_often(&gateway, 20).await;
    let ready = gateway.ask_admin("/readyz").await;
    assert_eq!(ready.status, 200);
    let failing = &ready.json()["audit"][0];
    assert_eq!(failing["sink"], "file");
    let problem = failing["problem"].as_str().unwrap();
    assert!(
        problem.contains("audit.jsonl cannot be written"),
        "{problem}"
    );
    disk.free();
    soon("it can be written again", async {
        while !gateway.log().contains("can be written again") {
            ask_often(&gateway, 1).await;
            sleep(PAUSE).await;
        }
    })
    .await;
    ask_often(&gateway, 1).await;
    gateway.signal("TERM");
    drop(gateway.left().await);
    let heads = disk.file("audit.jsonl.heads");
    let file = disk.file("audit.jsonl");
    let (code, report) = verified(from_ref(&file), &["--heads", heads.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(twin(&read(&file)).len(), first.hits());
}

#[tokio::test]
async fn where_records_are_required_nothing_is_served_without_them() {
    let Some(disk) = Disk::new() else { return };
    let first = provider().await;
    let gateway = Gateway::start(config(&first, &disk, "required: true")).await;
    ask_often(&gateway, 1).await;
    disk.fill();
    let refused = until_status(&gateway, 503).await;
    assert_eq!(refused.code(), "audit_unavailable");
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(gateway.ask_admin("/readyz").await.status, 503);
    disk.free();
    until_status(&gateway, 200).await;
    assert_eq!(gateway.ask_admin("/readyz").await.status, 200);
    gateway.signal("TERM");
    drop(gateway.left().await);
    let file = disk.file("audit.jsonl");
    let (code, said) = verify(from_ref(&file), &[]).await;
    assert_eq!(code, 0, "{said}");
    let records = twin(&read(&file));
    let served = records.iter().filter(|it| it["status"] == 200).count();
    assert_eq!(served, first.hits());
    assert!(records.iter().any(|it| it["reason"] == "audit_unavailable"));
}
