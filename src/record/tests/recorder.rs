//! What a recorder tells, and that each request is recorded and counted once.

use std::sync::mpsc;

use serde_json::{Value, json};

use super::*;
use crate::error::GatewayError;

/// Records that go to a queue which nobody empties.
pub(super) fn queued(room: usize) -> (Records, mpsc::Receiver<sink::Message>, Arc<Metrics>) {
    traced(room, None)
}

/// The same with spans that go to `tracer`.
pub(super) fn traced(
    room: usize,
    tracer: Option<Tracer>,
) -> (Records, mpsc::Receiver<sink::Message>, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new());
    let (queue, lines) = mpsc::sync_channel(room);
    let audit = Audit::queueing(queue, Arc::clone(&metrics));
    let records = Records::writing_to(audit, Vec::new(), identity(), Arc::clone(&metrics), tracer);
    (records, lines, metrics)
}

pub(super) fn values(lines: &mpsc::Receiver<sink::Message>) -> Vec<Value> {
    lines
        .try_iter()
        .filter_map(|message| match message {
            sink::Message::Line(line, _) => Some(serde_json::from_slice(&line).unwrap()),
            sink::Message::Wake | sink::Message::Close => None,
        })
        .collect()
}

#[test]
fn a_recorder_tells_what_response_headers_need() {
    let (records, _lines, _) = queued(8);
    let mut recorder = records.begin(Arrival::now());
    assert!(recorder.id().starts_with("req_"));
    assert_eq!((recorder.attempts(), recorder.reason()), (0, None));
    let log = recorder.attempt(&target("openai", "gpt-5"));
    log.answered(StatusCode::OK);
    log.failed(&Failure::new(Class::Broken, "no choices"), Instant::now());
    assert!(recorder.target().is_none());
    let log = recorder.attempt(&target("claude", "haiku"));
    assert_eq!(recorder.reason(), Some("broken"));
    log.answered(StatusCode::OK);
    assert_eq!(recorder.attempts(), 2);
    assert_eq!(&*recorder.target().unwrap().id, "claude/haiku");
    recorder.finish(End::Answered(StatusCode::OK));
}

#[test]
fn a_request_is_recorded_once_whether_finished_or_dropped() {
    let (records, lines, metrics) = queued(8);
    records
        .begin(Arrival::now())
        .finish(End::Answered(StatusCode::OK));
    let mut dropped = records.begin(Arrival::now());
    dropped.route(&route());
    let _running = dropped.attempt(&target("openai", "gpt-5"));
    dropped.usage(usage());
    assert!(
        metrics
            .render()
            .contains("pillion_in_flight{route=\"chat\"} 1\n")
    );
    drop(dropped);
    let lines = values(&lines);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["outcome"], "ok");
    assert_eq!(lines[1]["outcome"], "cancelled");
    assert_eq!(lines[1]["status"], Value::Null);
    assert_eq!(lines[1]["attempts"][0]["class"], "cancelled");
    assert_eq!(lines[1]["usage"]["prompt"], 12);
    assert!(
        metrics
            .render()
            .contains("pillion_in_flight{route=\"chat\"} 0\n")
    );
    assert!(metrics.render().contains("pillion_audit_records_total 2\n"));
}

#[test]
fn a_request_is_seen_from_its_route_to_its_end() {
    let (records, _lines, _) = queued(8);
    let arrival = Arrival::now();
    let after = |ms| arrival.instant + Duration::from_millis(ms);
    let seen = |ms| {
        let (count, seen) = records.running(1, after(ms));
        (count, serde_json::to_value(seen).unwrap())
    };
    let mut recorder = records.begin(arrival);
    assert_eq!(seen(0), (0, json!([])), "nobody knows where it goes");
    recorder.caller(&key());
    recorder.surface(Surface::Chat);
    recorder.streamed(true);
    recorder.route(&route());
    recorder.route(&route());
    let log = recorder.attempt_since(&target("openai", "gpt-5"), after(2));
    log.failed(&Failure::new(Class::Reset, ""), after(5));
    let log = recorder.attempt_since(&target("claude", "haiku"), after(7));
    log.first_token(after(17));
    log.answered(StatusCode::OK);
    let first = json!({ "target": "openai/gpt-5", "class": "reset", "status": null, "start_ms": 2, "ms": 3,
        "first_token_ms": null });
    let second = json!({ "target": "claude/haiku", "class": null, "status": 200, "start_ms": 7, "ms": 13,
        "first_token_ms": 10 });
    let (count, all) = seen(20);
    let one = &all[0];
    assert_eq!((count, &one["attempts"]), (1, &json!([first, second])));
    assert_eq!(
        (&one["id"], &one["key"]),
        (&json!(recorder.id()), &json!("chat-prod"))
    );
    assert_eq!(
        (&one["route"], &one["target"]),
        (&json!("chat"), &json!("claude/haiku"))
    );
    assert_eq!(
        (&one["first_token_ms"], &one["total_ms"]),
        (&json!(17), &json!(20))
    );
    let mut newer = records.begin(arrival);
    newer.route(&route());
    let (count, all) = seen(20);
    assert_eq!((count, &all[0]["id"]), (2, &json!(newer.id())));
    newer.finish(End::Cancelled);
    drop(recorder);
    assert_eq!(seen(20), (0, json!([])));
}

#[test]
fn a_full_queue_drops_and_counts() {
    let (records, lines, metrics) = queued(1);
    for _ in 0..3 {
        records.begin(Arrival::now()).finish(End::Cancelled);
    }
    assert_eq!(values(&lines).len(), 1);
    records.begin(Arrival::now()).finish(End::Cancelled);
    assert_eq!(values(&lines).len(), 1);
    assert!(metrics.render().contains("pillion_audit_dropped_total 2\n"));
}

#[test]
fn metrics_are_counted_from_the_record() {
    let (records, _lines, metrics) = queued(8);
    let mut recorder = records.begin(Arrival::now());
    recorder.caller(&key());
    recorder.route(&route());
    recorder.streamed(true);
    let log = recorder.attempt(&target("openai", "gpt-5"));
    log.failed(&Failure::new(Class::Overloaded, "503"), Instant::now());
    let log = recorder.attempt(&target("claude", "haiku"));
    log.first_token(Instant::now());
    log.answered(StatusCode::OK);
    recorder.usage(usage());
    let failure = Failure::new(Class::Reset, "connection reset");
    recorder.finish(End::Broken(StatusCode::OK, &failure));
    records
        .begin(Arrival::now())
        .finish(End::Failed(&GatewayError::InvalidToken));
    let text = metrics.render();
    for sample in [
        r#"pillion_requests_total{route="chat",key="chat-prod",outcome="stream_broken",status="200"} 1"#,
        r#"pillion_requests_total{route="-",key="-",outcome="error",status="401"} 1"#,
        r#"pillion_rejections_total{code="invalid_api_key"} 1"#,
        r#"pillion_attempts_total{target="openai/gpt-5",class="overloaded"} 1"#,
        r#"pillion_attempts_total{target="claude/haiku",class="reset"} 1"#,
        r#"pillion_fallbacks_total{from="openai/gpt-5",to="claude/haiku",class="overloaded"} 1"#,
        r#"pillion_stream_ends_total{outcome="stream_broken"} 1"#,
        r#"pillion_tokens_total{route="chat",target="claude/haiku",kind="prompt"} 12"#,
        r#"pillion_tokens_total{route="chat",target="claude/haiku",kind="completion"} 7"#,
        r#"pillion_request_seconds_count{route="chat",target="claude/haiku"} 1"#,
        r#"pillion_request_seconds_count{route="-",target="-"} 1"#,
        r#"pillion_first_token_seconds_count{route="chat",target="claude/haiku"} 1"#,
    ] {
        assert!(text.contains(&format!("{sample}\n")), "{sample}\n{text}");
    }
}

#[test]
fn whoever_shares_an_answer_learns_how_it_ended() {
    let (records, _lines, _) = queued(8);
    let failure = Failure::new(Class::Reset, "gone");
    let timeout = GatewayError::DeadlineExceeded;
    for (end, expected) in [
        (
            Some(End::Answered(StatusCode::OK)),
            Ended::Answered(StatusCode::OK),
        ),
        (Some(End::Failed(&timeout)), Ended::Failed(timeout.clone())),
        (
            Some(End::Broken(StatusCode::OK, &failure)),
            Ended::Broken(StatusCode::OK, failure.clone()),
        ),
        (None, Ended::Cancelled),
    ] {
        let ending = Arc::new(Ending::default());
        let mut recorder = records.begin(Arrival::now());
        recorder.shared(Arc::clone(&ending));
        assert_eq!(ending.ended(), None);
        match end {
            Some(end) => recorder.finish(end),
            None => drop(recorder),
        }
        assert_eq!(ending.ended(), Some(&expected));
    }
}

#[test]
fn a_caller_that_left_its_call_is_recorded_as_gone_and_the_call_as_it_was() {
    let (records, lines, metrics) = queued(8);
    let told = GatewayError::StillRunning;
    for left in [None, Some(told)] {
        let ending = Arc::new(Ending::default());
        let mut recorder = records.begin(Arrival::now());
        recorder.shared(Arc::clone(&ending));
        let log = recorder.attempt(&target("openai", "gpt-5"));
        ending.leave(left);
        log.answered(StatusCode::OK);
        recorder.usage(usage());
        recorder.finish(End::Answered(StatusCode::OK));
    }
    let mut joined = records.begin(Arrival::now());
    joined.joined("sdk_retry");
    joined.finish(End::Answered(StatusCode::OK));
    let lines = values(&lines);
    let outcomes: Vec<_> = lines.iter().map(|line| line["outcome"].clone()).collect();
    assert_eq!(outcomes, ["cancelled", "error", "ok"]);
    assert_eq!(lines[0]["status"], Value::Null);
    assert_eq!(lines[1]["status"], 504);
    for line in &lines[..2] {
        assert_eq!(line["attempts"][0]["class"], "ok");
        assert_eq!(line["usage"]["completion"], 7);
    }
    assert_eq!(lines[2]["usage"], Value::Null);
    let text = metrics.render();
    assert!(
        text.contains("pillion_joins_total{kind=\"sdk_retry\"} 1\n"),
        "{text}"
    );
}
