//! From the request path to the file.

use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};

use super::super::throttle::Throttle;
use super::super::writer::{Message, Writer};
use super::super::{Audit, AuditSinks, QUEUE, ROOM};
use super::*;
use crate::record::receipt::Receipt;
use crate::telemetry::Metrics;

/// A queue, and a writer to the file at its end that has not begun.
fn writing(place: &Place) -> (Audit, Writer) {
    let metrics = Arc::new(Metrics::new());
    let (queue, lines) = mpsc::sync_channel(QUEUE);
    let audit = Audit::queueing(queue, Arc::clone(&metrics));
    let file = place.open();
    let writer = Writer {
        queue: lines,
        stdout: None,
        console: None,
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
