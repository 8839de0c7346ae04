//! From a finished request to the file, by way of the writer's thread.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::*;
use crate::proof::heads_of;

/// A name for a file that no other test uses, gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let unique = fastrand::u64(..);
        Self(std::env::temp_dir().join(format!("pillion-audit-{unique:016x}.jsonl")))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
        let _ = fs::remove_file(heads_of(&self.0));
    }
}

fn to_file(path: PathBuf) -> (io::Result<Records>, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new());
    let sinks = AuditSinks {
        stdout: false,
        file: Some(AuditFile::at(path)),
        ..AuditSinks::default()
    };
    (
        Records::new(identity(), Arc::clone(&metrics), sinks, None),
        metrics,
    )
}

#[test]
fn everything_handed_over_is_in_the_file_once_closed() {
    let scratch = Scratch::new();
    let (records, metrics) = to_file(scratch.0.clone());
    let records = records.unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..250 {
                    records
                        .begin(Arrival::now())
                        .finish(End::Answered(StatusCode::OK));
                }
            });
        }
    });
    records.close();
    records.begin(Arrival::now()).finish(End::Cancelled);
    let text = fs::read_to_string(&scratch.0).unwrap();
    let seqs: Vec<u64> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["seq"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert_eq!(seqs, (1..=1000).collect::<Vec<u64>>());
    assert!(metrics.render().contains("pillion_audit_dropped_total 1\n"));
}

#[test]
fn a_rotated_file_is_let_go_of_at_once_also_when_nothing_happens() {
    let scratch = Scratch::new();
    let (records, _) = to_file(scratch.0.clone());
    let records = records.unwrap();
    fs::remove_file(&scratch.0).unwrap();
    records.reopen();
    let patience = Instant::now() + Duration::from_secs(5);
    while !scratch.0.exists() {
        assert!(Instant::now() < patience, "the file was not made again");
        std::thread::yield_now();
    }
    records.close();
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let (records, _) = to_file("/nowhere/at/all/audit.jsonl".into());
    let error = records.unwrap_err().to_string();
    assert!(error.contains("/nowhere/at/all/audit.jsonl"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_stops_nobody_and_is_counted() {
    let (records, metrics) = to_file("/dev/full".into());
    let records = records.unwrap();
    for _ in 0..3 {
        records
            .begin(Arrival::now())
            .finish(End::Answered(StatusCode::OK));
    }
    records.close();
    assert!(metrics.render().contains("pillion_audit_dropped_total 3\n"));
}
