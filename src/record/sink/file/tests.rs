//! A torn line, and a disk that keeps nothing.

use std::fs;
use std::path::PathBuf;

use super::*;

/// A sink with a line of which a full disk took the first bytes.
fn torn() -> (PathBuf, FileSink) {
    let name = format!("pillion-torn-{:016x}", fastrand::u64(..));
    let folder = std::env::temp_dir().join(name);
    fs::create_dir(&folder).unwrap();
    let policy = AuditFile::at(folder.join("audit.jsonl"));
    let mut sink = FileSink::open(policy, None, Heads::default(), Instant::now()).unwrap();
    sink.take(1, b"{\"kind\":\"pillion.audit\"}");
    sink.file.write_all(&sink.pending[..9]).unwrap();
    sink.torn = 9;
    (folder, sink)
}

fn two_whole_lines(file: &Path) -> bool {
    let text = fs::read(file).unwrap();
    let lines = text
        .split(|&byte| byte == b'\n')
        .filter(|it| !it.is_empty());
    let sealed = |line| Sealed::read(line).is_some_and(|it| it.computed() == it.hash);
    text.ends_with(b"\n") && lines.clone().count() == 2 && lines.clone().all(sealed)
}

#[test]
fn a_torn_line_is_continued_where_it_broke_off() {
    let (folder, mut sink) = torn();
    let batch = Batch::of(2, &["{\"kind\":\"pillion.audit\"}"]);
    assert_eq!(sink.write(&batch, Instant::now()), 0);
    assert!(two_whole_lines(&folder.join("audit.jsonl")));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_torn_line_is_written_anew_in_another_file() {
    let (folder, mut sink) = torn();
    fs::rename(folder.join("audit.jsonl"), folder.join("old")).unwrap();
    sink.reopen(Instant::now());
    let batch = Batch::of(2, &["{\"kind\":\"pillion.audit\"}"]);
    assert_eq!(sink.write(&batch, Instant::now()), 0);
    assert_eq!(fs::read(folder.join("old")).unwrap().len(), 9);
    assert!(two_whole_lines(&folder.join("audit.jsonl")));
    fs::remove_dir_all(folder).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_keeps_nothing_is_tried_every_second() {
    let name = format!("pillion-unkept-{:016x}", fastrand::u64(..));
    let folder = std::env::temp_dir().join(name);
    fs::create_dir(&folder).unwrap();
    for fsync in [Fsync::Always, Fsync::Interval] {
        let policy = AuditFile {
            fsync,
            ..AuditFile::at(folder.join("audit.jsonl"))
        };
        let start = Instant::now();
        let mut sink = FileSink::open(policy, None, Heads::default(), start).unwrap();
        // It takes whatever is written to it, and can be synced no more than a device.
        let null = File::options().append(true).open("/dev/null").unwrap();
        let whole = std::mem::replace(&mut sink.file, null);
        sink.unsynced = Some(start);
        let mut now = start + SYNC;
        for _ in 0..3 {
            sink.write(&Batch::default(), now);
            assert!(sink.fails().is_some(), "{fsync:?}");
            assert_eq!(sink.wake_in(now), Some(RETRY), "{fsync:?}");
            let why = sink.why.take();
            sink.write(&Batch::default(), now + RETRY / 2);
            assert_eq!(sink.why, None, "{fsync:?}: it is not tried before");
            sink.why = why;
            now += RETRY;
        }
        sink.file = whole;
        sink.write(&Batch::default(), now);
        assert!(sink.fails().is_none() && !sink.unkept, "{fsync:?}");
    }
    fs::remove_dir_all(folder).unwrap();
}
