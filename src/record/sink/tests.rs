//! What becomes of the audit file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use super::batch::Batch;
use super::file::FileSink;
use super::throttle::Throttle;
use super::writer::{Message, Writer};
use super::{Audit, AuditFile, AuditSinks, Fsync, QUEUE, ROOM};
use crate::proof::verify::{Report, Verifier};
use crate::proof::{Heads, heads_of, lines, segments};
use crate::record::receipt::Receipt;
use crate::telemetry::Metrics;

/// A folder that goes with its owner, and an audit file in it.
struct Place {
    folder: PathBuf,
    file: PathBuf,
}

impl Place {
    fn new() -> Self {
        let unique = fastrand::u64(..);
        let folder = std::env::temp_dir().join(format!("pillion-audit-{unique:016x}"));
        fs::create_dir(&folder).unwrap();
        let file = folder.join("audit.jsonl");
        Self { folder, file }
    }

    fn policy(&self) -> AuditFile {
        AuditFile::at(self.file.clone())
    }

    fn open(&self) -> FileSink {
        open(self.policy())
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.file).unwrap_or_default()
    }

    fn notes(&self) -> String {
        fs::read_to_string(heads_of(&self.file)).unwrap_or_default()
    }

    /// All of its files, against their own notes and heads.
    fn verified(&self) -> Report {
        verified(&self.file, &self.notes())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn verified(file: &Path, notes: &str) -> Report {
    let mut verifier = Verifier::new(false);
    verifier.heads("heads", notes.as_bytes());
    let older = segments(file).unwrap().into_iter().map(|it| it.path);
    for path in older.chain([file.to_owned()]).filter(|it| it.exists()) {
        let name = path.display().to_string();
        let mut from = lines(&path).unwrap();
        verifier.read(&name, false, &mut *from).unwrap();
    }
    verifier.finish()
}

fn open(policy: AuditFile) -> FileSink {
    FileSink::open(policy, Some("pod-1"), Heads::default(), Instant::now()).unwrap()
}

#[test]
fn what_waits_to_be_written_leaves_no_room_for_content() {
    let (queue, _lines) = mpsc::sync_channel(4);
    let audit = Audit::queueing(queue, Arc::new(Metrics::new()));
    assert!(audit.has_room());
    audit.append(Ok(vec![b'x'; ROOM]), None);
    assert!(!audit.has_room());
    let place = Place::new();
    let sinks = AuditSinks {
        file: Some(place.policy()),
        ..AuditSinks::default()
    };
    let (audit, _) = Audit::open(sinks, None, Arc::new(Metrics::new())).unwrap();
    audit.append(Ok(vec![b'x'; ROOM]), None);
    audit.close();
    assert!(audit.has_room(), "it is written");
    audit.load.failing.store(true, Ordering::Release);
    assert!(!audit.has_room());
}

/// One record.
fn one(seq: u64) -> Batch {
    some(seq, 1)
}

/// Records from number `first` on.
fn some(first: u64, count: usize) -> Batch {
    let bare = r#"{"kind":"pillion.audit","instance":"pod-1"}"#;
    Batch::of(first, &vec![bare; count])
}

/// The numbers in a text of records.
fn seqs(text: &str) -> Vec<u64> {
    let seq = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        record["seq"].as_u64().unwrap()
    };
    text.lines().map(seq).collect()
}

/// Waits until the thread beside has done it.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < patience, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_start_goes_on_with_the_chain_and_cuts_off_what_is_torn() {
    let place = Place::new();
    let now = Instant::now();
    let mut sink = place.open();
    assert_eq!(sink.write(&some(1, 3), now), 0);
    assert_eq!(sink.close(3, now), 0);
    let whole = place.text();
    // As a kill leaves it.
    fs::write(&place.file, whole.clone() + "{\"kind\":\"pill").unwrap();
    let mut sink = place.open();
    assert_eq!(sink.last_seq(), 3);
    sink.write(&some(4, 2), now);
    sink.close(5, now);
    assert_eq!(seqs(&place.text()), [1, 2, 3, 4, 5]);
    assert!(place.text().starts_with(&whole));
    let report = place.verified();
    assert!(report.ok, "{:?}", report.problems);
    let notes = place.notes();
    assert!(
        notes.contains("\"kind\":\"pillion.audit.torn\",\"bytes\":13,\"seq\":3"),
        "{notes}"
    );
    assert_eq!(notes.matches("\"why\":\"exit\"").count(), 2, "{notes}");
}

#[test]
fn a_file_that_bears_no_seals_is_gone_on_with_by_a_new_chain() {
    let place = Place::new();
    fs::write(&place.file, "{\"kind\":\"pillion.audit\",\"hash\":null}\n").unwrap();
    let mut sink = place.open();
    sink.write(&one(1), Instant::now());
    sink.close(1, Instant::now());
    assert!(place.text().contains("\"seq\":1,\"prev\":null,"));
    assert!(place.notes().contains("pillion.audit.anew"));
}

#[test]
fn a_lost_record_is_noted_and_no_hole_in_the_chain() {
    let place = Place::new();
    let now = Instant::now();
    let mut sink = place.open();
    sink.write(&some(1, 2), now);
    // Two were lost on the way.
    sink.write(&one(5), now);
    sink.close(7, now);
    assert_eq!(seqs(&place.text()), [1, 2, 5]);
    let report = place.verified();
    assert!(report.ok, "{:?}", report.problems);
    assert!(!verified(&place.file, "").ok);
    let notes = place.notes();
    assert!(notes.contains("\"after\":2,\"lost\":2,"), "{notes}");
    assert!(notes.contains("\"after\":5,\"lost\":2,"), "{notes}");
}

#[test]
fn a_full_file_becomes_a_segment_that_is_compressed_and_the_chain_goes_on() {
    let place = Place::new();
    let now = Instant::now();
    let policy = AuditFile {
        rotate: 4000,
        ..place.policy()
    };
    let mut sink = open(policy);
    for first in (1..200).step_by(5) {
        assert_eq!(sink.write(&some(first, 5), now), 0);
    }
    assert!(fs::metadata(&place.file).unwrap().len() < 5000);
    until("all segments are compressed", || {
        let all = segments(&place.file).unwrap();
        all.len() > 5 && all.iter().all(|it| it.compressed)
    });
    sink.close(200, now);
    let report = place.verified();
    assert!(report.ok, "{:?}", report.problems);
    assert_eq!((report.records, report.chains.len()), (200, 1));
    // One of them is removed.
    let all = segments(&place.file).unwrap();
    fs::remove_file(&all[2].path).unwrap();
    let report = place.verified();
    assert_eq!(report.problems[0].file, all[3].path.display().to_string());
}

#[test]
fn a_start_in_the_middle_of_a_rotation_goes_on() {
    let place = Place::new();
    let now = Instant::now();
    let policy = AuditFile {
        rotate: 1,
        compress: false,
        ..place.policy()
    };
    let mut sink = open(policy.clone());
    sink.write(&some(1, 3), now);
    sink.close(3, now);
    let segment = segments(&place.file).unwrap().remove(0).path;
    assert_eq!(place.text(), "");
    for state in ["the new file is there", "no file", "not renamed yet"] {
        match state {
            "no file" => fs::remove_file(&place.file).unwrap(),
            "not renamed yet" => {
                fs::rename(&segment, &place.file).unwrap();
                fs::write(place.folder.join("audit.jsonl.next"), "").unwrap();
            }
            _ => {}
        }
        assert_eq!(open(policy.clone()).last_seq(), 3, "{state}");
    }
    let mut sink = open(AuditFile {
        rotate: 1,
        ..place.policy()
    });
    sink.write(&some(4, 3), now);
    sink.close(6, now);
    // A kill between the compressed file and the end of the plain one leaves both; one before that,
    // half of one.
    let all = segments(&place.file).unwrap();
    let copy = fs::read(&all[0].path).unwrap();
    fs::write(format!("{}.gz.part", all[0].path.display()), &copy[..9]).unwrap();
    let report = place.verified();
    assert!(report.ok, "{:?}", report.problems);
    assert_eq!(report.records, 6);
    let sink = open(place.policy());
    until("both are compressed", || {
        segments(&place.file)
            .unwrap()
            .iter()
            .all(|it| it.compressed)
    });
    sink.close(6, now);
    let left = segments(&place.file).unwrap();
    fs::write(left[0].path.with_extension(""), "x").unwrap();
    drop(open(place.policy()));
    until("the plain one is gone", || {
        drop(open(place.policy()));
        segments(&place.file)
            .unwrap()
            .iter()
            .all(|it| it.compressed)
    });
    assert!(place.verified().ok);
}

#[test]
fn what_is_older_than_its_retention_is_removed_and_that_is_no_theft() {
    let place = Place::new();
    let now = Instant::now();
    let policy = AuditFile {
        rotate: 1,
        ..place.policy()
    };
    let mut sink = open(policy);
    sink.write(&some(1, 3), now);
    sink.write(&some(4, 3), now);
    sink.close(6, now);
    let mut all = segments(&place.file).unwrap();
    let old = all.remove(0);
    let name = format!("audit.jsonl.20200101T000000Z-{}", old.last);
    let name = if old.compressed { name + ".gz" } else { name };
    fs::rename(&old.path, place.folder.join(name)).unwrap();
    let sink = place.open();
    until("the old one is gone", || {
        segments(&place.file).unwrap().iter().all(|it| it.last > 3)
    });
    drop(sink);
    assert!(place.notes().contains("\"kind\":\"pillion.audit.removed\""));
    let report = place.verified();
    assert!(report.ok, "{:?}", report.problems);
    assert_eq!(report.records, 3);
    assert!(!verified(&place.file, "").ok);
}

#[test]
fn a_file_that_is_never_full_is_rotated_in_time() {
    let place = Place::new();
    let policy = AuditFile {
        retention: Duration::from_millis(1),
        ..place.policy()
    };
    let mut sink = open(policy);
    let mut last = 0;
    until("it is rotated", || {
        last += 1;
        sink.write(&one(last), Instant::now());
        place.notes().contains("\"why\":\"rotation\"")
    });
    sink.close(last, Instant::now());
}

#[test]
fn after_a_rename_lines_go_to_the_new_file_and_the_chain_goes_on() {
    let place = Place::new();
    let now = Instant::now();
    let mut sink = place.open();
    sink.write(&some(1, 2), now);
    let renamed = place.folder.join("audit.jsonl.1");
    fs::rename(&place.file, &renamed).unwrap();
    sink.write(&one(3), now);
    sink.reopen(now);
    sink.write(&one(4), now);
    // And when nothing was renamed.
    sink.reopen(now);
    sink.write(&one(5), now);
    sink.close(5, now);
    let old = fs::read_to_string(&renamed).unwrap();
    assert_eq!(
        (seqs(&old), seqs(&place.text())),
        (vec![1, 2, 3], vec![4, 5])
    );
    let mut verifier = Verifier::new(false);
    for text in [place.text(), old] {
        verifier.read("f", false, &mut text.as_bytes()).unwrap();
    }
    assert!(verifier.finish().ok);
    // A start that finds the file renamed and nothing in the new one goes on from its heads.
    fs::write(&place.file, "").unwrap();
    assert_eq!(place.open().last_seq(), 5);
}

#[test]
fn the_file_is_one_processs_alone() {
    let place = Place::new();
    let sink = place.open();
    let now = Instant::now();
    let second = FileSink::open(place.policy(), None, Heads::default(), now);
    let said = second.unwrap_err().to_string();
    assert!(said.contains("another process writes to it"), "{said}");
    drop(sink);
    place.open();
}

#[cfg(unix)]
#[test]
fn the_files_are_not_for_everyone() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let place = Place::new();
    let own = fs::metadata(&place.folder).unwrap().gid();
    let policy = AuditFile {
        group: Some(own.to_string()),
        rotate: 1,
        ..place.policy()
    };
    let mut sink = open(policy);
    sink.write(&one(1), Instant::now());
    until("it is compressed", || {
        segments(&place.file)
            .unwrap()
            .iter()
            .all(|it| it.compressed)
    });
    sink.close(1, Instant::now());
    let mut files = 0;
    for entry in fs::read_dir(&place.folder).unwrap() {
        let meta = entry.unwrap().metadata().unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o640);
        assert_eq!(meta.gid(), own);
        files += 1;
    }
    assert_eq!(files, 3);
    let nobody = AuditFile {
        group: Some("no such group".into()),
        ..place.policy()
    };
    let said = FileSink::open(nobody, None, Heads::default(), Instant::now());
    assert!(said.unwrap_err().to_string().contains("no such group"));
}

#[test]
fn what_was_written_is_synced_and_noted_in_its_time() {
    let place = Place::new();
    let start = Instant::now();
    for (fsync, wakes) in [
        (Fsync::Interval, Some(60)),
        (Fsync::Always, None),
        (Fsync::Never, None),
    ] {
        let policy = AuditFile {
            fsync,
            ..place.policy()
        };
        let heads = Heads::default();
        let mut sink = FileSink::open(policy, None, heads.clone(), start).unwrap();
        assert_eq!(sink.wake_in(start), None, "{fsync:?}");
        let next = sink.last_seq() + 1;
        sink.write(&one(next), start);
        let after = |ms| start + Duration::from_millis(ms);
        assert_eq!(
            sink.wake_in(start),
            Some(Duration::from_millis(wakes.unwrap_or(60_000))),
            "{fsync:?}"
        );
        sink.write(&Batch::default(), after(60));
        assert_eq!(
            sink.wake_in(after(60_000)),
            Some(Duration::ZERO),
            "{fsync:?}"
        );
        sink.write(&Batch::default(), after(60_000));
        assert_eq!(sink.wake_in(after(60_000)), None, "{fsync:?}");
        let told = heads.all();
        assert_eq!((told.len(), told[0].seq), (1, next), "{fsync:?}");
        let notes = place.notes();
        assert!(notes.contains("\"why\":\"checkpoint\""), "{notes}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_full_disk_refuses_waits_and_is_tried_every_second() {
    let place = Place::new();
    let link = place.folder.join("link");
    std::os::unix::fs::symlink("/dev/full", &link).unwrap();
    let mut sink = open(AuditFile::at(link.clone()));
    let now = Instant::now();
    assert_eq!(sink.write(&one(1), now), 0);
    assert!(sink.fails().is_some());
    assert_eq!(sink.write(&one(2), now), 0);
    let second = Duration::from_secs(1);
    assert_eq!(sink.wake_in(now), Some(second));
    let large = Batch {
        first: 3,
        bare: vec![vec![b' '; 9 << 20]; 2],
    };
    assert_eq!(sink.write(&large, now), 2);
    // There is room again.
    fs::remove_file(&link).unwrap();
    sink.reopen(now);
    assert_eq!(sink.write(&one(5), now), 0);
    assert_eq!(fs::read_to_string(&link).unwrap(), "");
    assert_eq!(sink.write(&Batch::default(), now + second), 0);
    assert!(sink.fails().is_none());
    assert_eq!(seqs(&fs::read_to_string(&link).unwrap()), [1, 2, 5]);
    sink.close(5, now);
    let notes = fs::read_to_string(heads_of(&link)).unwrap();
    assert!(notes.contains("\"after\":2,\"lost\":2,"), "{notes}");
    assert!(verified(&link, &notes).ok);
}

/// A queue, and a writer to the file at its end that has not begun.
fn writing(place: &Place) -> (Audit, Writer) {
    let metrics = Arc::new(Metrics::new());
    let (queue, lines) = mpsc::sync_channel(QUEUE);
    let audit = Audit::queueing(queue, Arc::clone(&metrics));
    let file = place.open();
    let writer = Writer {
        queue: lines,
        stdout: None,
        spools: Vec::new(),
        recent: Arc::default(),
        standing: audit.standing.clone(),
        last: file.last_seq(),
        file: Some(file),
        load: Arc::clone(&audit.load),
        metrics,
        complaints: Throttle::default(),
    };
    (audit, writer)
}

fn bare() -> Vec<u8> {
    some(1, 1).bare.remove(0)
}

#[test]
fn what_a_full_queue_drops_keeps_its_number() {
    let place = Place::new();
    let (audit, writer) = writing(&place);
    for _ in 0..QUEUE + 3 {
        audit.append(Ok(bare()), None);
    }
    assert_eq!(audit.load.lost.load(Ordering::Relaxed), 3);
    let writer = std::thread::spawn(|| writer.run());
    audit.queue.send(Message::Close).unwrap();
    writer.join().unwrap();
    // The next start does not know of them any more, but whoever looks does.
    let report = place.verified();
    assert!(report.ok, "{:?}", report.problems);
    assert_eq!(report.records, QUEUE as u64);
    assert!(place.notes().contains("\"lost\":3,"), "{}", place.notes());
    assert_eq!(audit.load.waiting.load(Ordering::Relaxed), 0);
}

#[test]
fn requests_are_refused_in_time_where_records_are_required() {
    let place = Place::new();
    let (mut audit, _writer) = writing(&place);
    for _ in 0..=QUEUE / 2 {
        assert!(!audit.refuses());
        audit.append(Ok(bare()), None);
    }
    assert!(!audit.refuses(), "nobody requires them");
    audit.required = true;
    assert!(audit.refuses());
    audit.load.waiting.store(0, Ordering::Relaxed);
    assert!(!audit.refuses());
    audit.load.failing.store(true, Ordering::Relaxed);
    assert!(audit.refuses());
}

#[tokio::test]
async fn whoever_waits_for_a_record_is_told_when_it_is_written_or_lost() {
    let place = Place::new();
    let (audit, writer) = writing(&place);
    let (owed, receipt) = Receipt::new(None);
    assert!(!receipt.is_recorded());
    audit.append(Ok(bare()), Some(owed));
    assert!(receipt.is_recorded());
    let waiting = receipt.clone().settled();
    let done = tokio::time::timeout(Duration::ZERO, waiting).await;
    assert!(done.is_err(), "it is not written yet");
    audit.queue.send(Message::Close).unwrap();
    let writer = std::thread::spawn(|| writer.run());
    receipt.settled().await;
    assert_eq!(seqs(&place.text()), [1]);
    writer.join().unwrap();
    let (owed, receipt) = Receipt::new(None);
    // Nobody writes any more.
    audit.append(Ok(bare()), Some(owed));
    receipt.settled().await;
}
