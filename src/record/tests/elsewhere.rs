//! What waits for a sink elsewhere: all of it once, whatever becomes of the files.

use std::fs;
use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::proof::{Sealed, segments, sent_of};

/// A folder of a test's own.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let name = format!("pillion-outbox-{:016x}", fastrand::u64(..));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("audit.jsonl")
    }

    /// Records to the file, which is rotated at so many bytes, and what waits for a sink beside it.
    fn open(&self, rotate: u64) -> (Records, Outbox) {
        let file = AuditFile {
            rotate,
            ..AuditFile::at(self.file())
        };
        opened(AuditSinks {
            file: Some(file),
            elsewhere: vec!["https"],
            ..AuditSinks::default()
        })
    }

    /// What waits after fifty records, which lie in several segments.
    async fn rotated(&self) -> Outbox {
        let (records, outbox) = self.open(4000);
        for written in 1..=10 {
            write(&records, 5);
            // Each batch is on the disk before the next one.
            while outbox.waiting() < written * 5 {
                tokio::task::yield_now().await;
            }
        }
        records.close();
        outbox
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn opened(sinks: AuditSinks) -> (Records, Outbox) {
    let records = Records::new(identity(), Arc::new(Metrics::new()), sinks, None).unwrap();
    let outbox = records.take_outboxes().pop().unwrap();
    (records, outbox)
}

fn write(records: &Records, count: usize) {
    for _ in 0..count {
        let recorder = records.begin(Arrival::now());
        recorder.finish(End::Answered(StatusCode::OK));
    }
}

/// The numbers of all that waits, each line being whole; taken by the sink.
async fn sent(outbox: &mut Outbox) -> Vec<u64> {
    let end = CancellationToken::new();
    end.cancel();
    let mut numbers = Vec::new();
    while outbox.filled(Duration::ZERO, &end).await {
        let parcel = outbox.parcel().await.unwrap();
        for line in &parcel.lines {
            let sealed = Sealed::read(&line.text).unwrap();
            assert_eq!((sealed.computed(), sealed.head()), (sealed.hash, line.head));
            numbers.push(line.head.seq);
        }
        outbox.taken(&parcel).await;
    }
    assert_eq!(outbox.waiting(), 0);
    numbers
}

fn all(from: u64, to: u64) -> Vec<u64> {
    (from..=to).collect()
}

#[tokio::test]
async fn what_a_file_holds_is_sent_once_over_rotations_and_starts() {
    let place = Place::new();
    let mut outbox = place.rotated().await;
    assert!(segments(&place.file()).unwrap().len() > 2);
    assert_eq!(sent(&mut outbox).await, all(1, 50));
    let (records, mut outbox) = place.open(4000);
    write(&records, 20);
    records.close();
    assert_eq!(sent(&mut outbox).await, all(51, 70));
    // Nothing has changed since.
    let (records, mut outbox) = place.open(4000);
    records.close();
    assert!(sent(&mut outbox).await.is_empty());
}

#[tokio::test]
async fn a_clock_that_was_put_back_between_rotations_loses_nothing() {
    let place = Place::new();
    let mut outbox = place.rotated().await;
    let later: Vec<PathBuf> = segments(&place.file())
        .unwrap()
        .into_iter()
        .map(|segment| segment.path)
        .skip(1)
        .collect();
    assert!(later.len() > 1);
    for (hour, path) in (10..20).rev().zip(later) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let (_, number) = name.split_once('-').unwrap();
        let name = format!("audit.jsonl.20990101T{hour}0000Z-{number}");
        fs::rename(&path, path.with_file_name(name)).unwrap();
    }
    assert_eq!(sent(&mut outbox).await, all(1, 50));
}

#[tokio::test]
async fn a_file_that_somebody_renames_is_read_to_its_end() {
    let place = Place::new();
    let (records, mut outbox) = place.open(1 << 20);
    write(&records, 3);
    assert!(
        outbox
            .filled(Duration::ZERO, &CancellationToken::new())
            .await
    );
    let first = outbox.parcel().await.unwrap();
    fs::rename(place.file(), place.0.join("audit.jsonl.1")).unwrap();
    records.reopen();
    write(&records, 4);
    records.close();
    outbox.taken(&first).await;
    let from = first.lines.last().unwrap().head.seq + 1;
    assert_eq!(sent(&mut outbox).await, all(from, 7));
}

#[tokio::test]
async fn what_is_not_found_again_is_sent_from_the_oldest_on() {
    let place = Place::new();
    let (records, mut outbox) = place.open(4000);
    write(&records, 30);
    records.close();
    assert_eq!(sent(&mut outbox).await, all(1, 30));
    for cursor in ["no JSON", "{}"] {
        fs::write(sent_of(&place.file()), cursor).unwrap();
        let (records, mut outbox) = place.open(4000);
        records.close();
        assert_eq!(sent(&mut outbox).await, all(1, 30), "{cursor}");
    }
    // Another chain, whose numbers are lower.
    for entry in fs::read_dir(&place.0).unwrap() {
        let path = entry.unwrap().path();
        if path != sent_of(&place.file()) {
            fs::remove_file(path).unwrap();
        }
    }
    let (records, mut outbox) = place.open(4000);
    write(&records, 2);
    records.close();
    assert_eq!(sent(&mut outbox).await, [1, 2]);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_for_now_is_read_later() {
    let place = Place::new();
    let (records, mut outbox) = place.open(1 << 20);
    write(&records, 3);
    records.close();
    let aside = place.0.join("aside");
    fs::rename(place.file(), &aside).unwrap();
    let end = CancellationToken::new();
    assert!(outbox.filled(Duration::ZERO, &end).await);
    let why = outbox.parcel().await.unwrap_err().to_string();
    assert!(why.contains("audit.jsonl cannot be read"), "{why}");
    fs::rename(aside, place.file()).unwrap();
    assert_eq!(sent(&mut outbox).await, all(1, 3));
}

#[tokio::test]
async fn without_a_file_requests_are_refused_once_too_much_waits() {
    let sinks = AuditSinks {
        elsewhere: vec!["https"],
        required: true,
        ..AuditSinks::default()
    };
    let (records, mut outbox) = opened(sinks);
    let end = CancellationToken::new();
    while !records.unavailable() {
        write(&records, 100);
        assert!(outbox.filled(Duration::ZERO, &end).await);
    }
    records.close();
    assert!(records.unavailable());
    let numbers = sent(&mut outbox).await;
    assert!(numbers.len() > 1000);
    assert_eq!(numbers, all(1, numbers.len() as u64));
    assert!(!records.unavailable());
}
