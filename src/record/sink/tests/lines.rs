//! What is in the file and in its notes, and who may write and read them.

use super::*;
use crate::record::sink::Fsync;

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
