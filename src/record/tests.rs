use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::error::GatewayError;
use crate::snapshot::{BaseUrl, Kind, Percent, Provider, Timeouts};

const ID: &[u8; 36] = b"req_018bcfe568000123456789abcdef0123";

fn target(provider: &str, model: &str) -> Arc<Target> {
    Arc::new(Target {
        id: format!("{provider}/{model}").into(),
        provider: Arc::new(Provider {
            name: provider.into(),
            kind: Kind::OpenAi,
            base_url: BaseUrl::try_new("http://localhost/v1").unwrap(),
            secret: None,
            ca: None,
        }),
        model: model.into(),
        context: None,
        stream_usage: true,
    })
}

fn route() -> Arc<Route> {
    let second = Duration::from_secs(1);
    Arc::new(Route {
        name: "chat".into(),
        places: Vec::new(),
        timeouts: Timeouts {
            whole: second,
            first_token: second,
            answer: second,
            idle: second,
            stream: second,
        },
        reserve: Percent::try_new(40).unwrap(),
        max_attempts: 4,
        expose_model: false,
        warm: false,
    })
}

fn key() -> Arc<Key> {
    Arc::new(Key {
        id: "chat-prod".into(),
        team: Some("support".into()),
        service: None,
        environment: None,
        routes: Some(BTreeSet::new()),
        default_route: None,
        passthrough: None,
        expires: None,
    })
}

fn identity() -> Identity {
    Identity {
        team: Some("platform".into()),
        service: Some("chat".into()),
        environment: None,
        instance: Some("pod-1".into()),
    }
}

fn usage() -> Usage {
    Usage {
        prompt: Some(12),
        cached: Some(0),
        completion: Some(7),
        ..Usage::default()
    }
}

/// A request that arrived at a known instant, with its caller, route and plan known.
fn planned() -> (Facts, impl Fn(u64) -> Instant) {
    let arrival = Arrival {
        time: "2026-11-20T08:09:10.1239Z".parse().unwrap(),
        instant: Instant::now(),
    };
    let mut facts = Facts::new(RequestId::fixed(ID), arrival);
    facts.trace = TraceId::try_new("4bf92f3577b34da6a3ce929d0e0e4736");
    facts.key = Some(key());
    facts.route = Some(route());
    facts.surface = Some(Surface::Chat);
    facts.streamed = Some(true);
    facts.version = Some("0123456789ab".into());
    facts.plan = Some(
        [target("openai", "gpt-5"), target("claude", "haiku")]
            .into_iter()
            .collect(),
    );
    let after = move |ms| arrival.instant + Duration::from_millis(ms);
    (facts, after)
}

fn line(facts: &mut Facts, end: End<'_>, at: Instant) -> String {
    let verdict = facts.end(end, at);
    let line = line::write(facts, &verdict, &identity(), 7).unwrap();
    String::from_utf8(line).unwrap()
}

const KNOWN: &str = concat!(
    r#"{"kind":"pillion.audit","time":"2026-11-20T08:09:10.123Z","#,
    r#""id":"req_018bcfe568000123456789abcdef0123","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","#,
    r#""key":"chat-prod","team":"support","service":"chat","environment":null,"instance":"pod-1","#,
    r#""route":"chat","rule":null,"surface":"chat","stream":true,"plan":["openai/gpt-5","claude/haiku"],"#,
);

#[test]
fn an_answer_by_the_second_target_is_a_line() {
    let (mut facts, after) = planned();
    facts.attempt(&target("openai", "gpt-5"), after(2));
    let mut failure = Failure::new(Class::RateLimited, "429 names a rate");
    failure.status = Some(StatusCode::TOO_MANY_REQUESTS);
    facts.attempt_failed(&failure, after(50));
    facts.attempt(&target("claude", "haiku"), after(51));
    facts.upstream_id("msg_1");
    facts.first_token(after(400));
    facts.attempt_answered(StatusCode::OK);
    facts.usage = Some(usage());
    let expected = format!(
        "{KNOWN}{}\n",
        concat!(
            r#""attempts":[{"target":"openai/gpt-5","class":"rate_limited","status":429,"ms":48,"#,
            r#""first_token_ms":null,"reason":"429 names a rate","billed":null,"upstream_id":null},"#,
            r#"{"target":"claude/haiku","class":"ok","status":200,"ms":849,"first_token_ms":349,"#,
            r#""reason":null,"billed":null,"upstream_id":"msg_1"}],"#,
            r#""status":200,"outcome":"ok","reason":null,"target":"claude/haiku","provider":"claude","model":"haiku","#,
            r#""first_token_ms":400,"total_ms":900,"#,
            r#""usage":{"prompt":12,"cached":0,"cache_write":null,"reasoning":null,"completion":7,"estimated":false},"#,
            r#""cost":null,"currency":null,"privacy":null,"dropped":null,"#,
            r#""config_version":"0123456789ab","seq":7,"prev":null,"hash":null}"#,
        )
    );
    assert_eq!(
        line(&mut facts, End::Answered(StatusCode::OK), after(900)),
        expected
    );
}

#[test]
fn a_request_without_an_answer_is_a_line() {
    let (mut facts, after) = planned();
    facts.attempt(&target("openai", "gpt-5"), after(0));
    facts.attempt_failed(
        &Failure::new(Class::Connect, "connection refused"),
        after(3),
    );
    facts.attempt(&target("claude", "haiku"), after(3));
    let failure = Failure::new(Class::Timeout, "no first token in time");
    facts.attempt_failed(&failure, after(803));
    let expected = format!(
        "{KNOWN}{}\n",
        concat!(
            r#""attempts":[{"target":"openai/gpt-5","class":"connect","status":null,"ms":3,"#,
            r#""first_token_ms":null,"reason":"connection refused","billed":false,"upstream_id":null},"#,
            r#"{"target":"claude/haiku","class":"timeout","status":null,"ms":800,"first_token_ms":null,"#,
            r#""reason":"no first token in time","billed":null,"upstream_id":null}],"#,
            r#""status":504,"outcome":"error","reason":"timeout","target":null,"provider":null,"model":null,"#,
            r#""first_token_ms":null,"total_ms":804,"usage":null,"#,
            r#""cost":null,"currency":null,"privacy":null,"dropped":null,"#,
            r#""config_version":"0123456789ab","seq":7,"prev":null,"hash":null}"#,
        )
    );
    let error = GatewayError::Unanswered(failure);
    assert_eq!(line(&mut facts, End::Failed(&error), after(804)), expected);
}

#[test]
fn a_broken_stream_and_a_cancelled_one_keep_who_answered() {
    for (end, rest) in [
        (
            End::Broken(
                StatusCode::OK,
                &Failure::new(Class::Reset, "connection reset"),
            ),
            concat!(
                r#""attempts":[{"target":"openai/gpt-5","class":"reset","status":200,"ms":500,"first_token_ms":100,"#,
                r#""reason":"connection reset","billed":null,"upstream_id":null}],"#,
                r#""status":200,"outcome":"stream_broken","reason":"reset","#,
            ),
        ),
        (
            End::Cancelled,
            concat!(
                r#""attempts":[{"target":"openai/gpt-5","class":"cancelled","status":200,"ms":500,"first_token_ms":100,"#,
                r#""reason":null,"billed":null,"upstream_id":null}],"#,
                r#""status":null,"outcome":"cancelled","reason":"cancelled","#,
            ),
        ),
    ] {
        let (mut facts, after) = planned();
        facts.attempt(&target("openai", "gpt-5"), after(0));
        facts.first_token(after(100));
        facts.attempt_answered(StatusCode::OK);
        let expected = format!(
            "{KNOWN}{rest}{}\n",
            concat!(
                r#""target":"openai/gpt-5","provider":"openai","model":"gpt-5","#,
                r#""first_token_ms":100,"total_ms":500,"usage":null,"#,
                r#""cost":null,"currency":null,"privacy":null,"dropped":null,"#,
                r#""config_version":"0123456789ab","seq":7,"prev":null,"hash":null}"#,
            )
        );
        assert_eq!(line(&mut facts, end, after(500)), expected);
    }
}

#[test]
fn what_is_not_known_is_null() {
    let arrival = Arrival {
        time: "2026-11-20T08:09:10Z".parse().unwrap(),
        instant: Instant::now(),
    };
    let mut facts = Facts::new(RequestId::fixed(ID), arrival);
    let verdict = facts.end(End::Failed(&GatewayError::InvalidToken), arrival.instant);
    let line = line::write(&facts, &verdict, &Identity::default(), 1).unwrap();
    assert_eq!(
        String::from_utf8(line).unwrap(),
        concat!(
            r#"{"kind":"pillion.audit","time":"2026-11-20T08:09:10.000Z","#,
            r#""id":"req_018bcfe568000123456789abcdef0123","trace_id":null,"key":null,"team":null,"#,
            r#""service":null,"environment":null,"instance":null,"route":null,"rule":null,"#,
            r#""surface":null,"stream":null,"plan":null,"attempts":[],"#,
            r#""status":401,"outcome":"error","reason":"invalid_api_key","#,
            r#""target":null,"provider":null,"model":null,"first_token_ms":null,"total_ms":0,"#,
            r#""usage":null,"cost":null,"currency":null,"privacy":null,"dropped":null,"#,
            r#""config_version":null,"seq":1,"prev":null,"hash":null}"#,
            "\n",
        )
    );
}

#[test]
fn a_providers_code_is_not_a_reason() {
    let (mut facts, after) = planned();
    let mut failure = Failure::new(Class::InvalidRequest, "400");
    failure.said = Some(crate::outcome::Said {
        code: Some("anything the provider likes".into()),
        ..Default::default()
    });
    let error = GatewayError::Unanswered(failure);
    let verdict = facts.end(End::Failed(&error), after(1));
    assert_eq!(verdict.reason, Some("invalid_request"));
    assert_eq!(verdict.rejection, None);
}

#[test]
fn a_long_upstream_id_is_cut_between_characters() {
    let (mut facts, after) = planned();
    facts.attempt(&target("openai", "gpt-5"), after(0));
    facts.upstream_id(&"é".repeat(65).replacen('é', "x", 1));
    assert_eq!(facts.attempts[0].upstream_id.as_ref().unwrap().len(), 127);
}

/// Records that go to a queue which nobody empties.
fn queued(room: usize) -> (Records, mpsc::Receiver<sink::Message>, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new());
    let (queue, lines) = mpsc::sync_channel(room);
    let audit = Audit::queueing(queue, Arc::clone(&metrics));
    let records = Records::writing_to(audit, identity(), Arc::clone(&metrics));
    (records, lines, metrics)
}

fn values(lines: &mpsc::Receiver<sink::Message>) -> Vec<Value> {
    lines
        .try_iter()
        .filter_map(|message| match message {
            sink::Message::Line(line) => Some(serde_json::from_slice(&line).unwrap()),
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
    recorder.attempt(&target("openai", "gpt-5"));
    recorder.attempt_answered(StatusCode::OK);
    recorder.attempt_failed(&Failure::new(Class::Broken, "no choices"));
    assert!(recorder.target().is_none());
    recorder.attempt(&target("claude", "haiku"));
    assert_eq!(recorder.reason(), Some("broken"));
    recorder.attempt_answered(StatusCode::OK);
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
    dropped.attempt(&target("openai", "gpt-5"));
    dropped.usage(usage());
    assert!(
        metrics
            .render()
            .contains("pillion_in_flight{route=\"chat\"} 1\n")
    );
    drop(dropped);
    let lines = values(&lines);
    assert_eq!(lines.len(), 2);
    assert_eq!(
        (&lines[0]["outcome"], &lines[0]["seq"]),
        (&"ok".into(), &1.into())
    );
    assert_eq!(
        (&lines[1]["outcome"], &lines[1]["seq"]),
        (&"cancelled".into(), &2.into())
    );
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
fn a_full_queue_drops_counts_and_leaves_a_gap() {
    let (records, lines, metrics) = queued(1);
    for _ in 0..3 {
        records.begin(Arrival::now()).finish(End::Cancelled);
    }
    assert_eq!(values(&lines)[0]["seq"], 1);
    records.begin(Arrival::now()).finish(End::Cancelled);
    assert_eq!(values(&lines)[0]["seq"], 4);
    assert!(metrics.render().contains("pillion_audit_dropped_total 2\n"));
}

#[test]
fn metrics_are_counted_from_the_record() {
    let (records, _lines, metrics) = queued(8);
    let mut recorder = records.begin(Arrival::now());
    recorder.caller(&key());
    recorder.route(&route());
    recorder.streamed(true);
    recorder.attempt(&target("openai", "gpt-5"));
    recorder.attempt_failed(&Failure::new(Class::Overloaded, "503"));
    recorder.attempt(&target("claude", "haiku"));
    recorder.first_token();
    recorder.attempt_answered(StatusCode::OK);
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
    }
}

fn to_file(path: PathBuf) -> (io::Result<Records>, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new());
    let sinks = AuditSinks {
        stdout: false,
        file: Some(path),
    };
    (
        Records::new(identity(), Arc::clone(&metrics), sinks),
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
