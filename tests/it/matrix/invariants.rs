//! What must hold after every row, whatever its fault was.
//!
//! - I1 exactly one record a request
//! - I2 no call is told twice, and nothing is tried once an answer has begun, or the client has left
//! - I3 no secret, token, prompt or answer is where it does not belong
//! - I4 memory stays within its bound
//! - I5 an end comes by the deadline and a quarter of a second
//! - I6 usage is counted once
//! - I7 another route keeps answering (looked at in [`Scene::row`])
//! - I8 no end is silent
//! - I9 what a provider does for a client that has left ends within a second
//! - I10 no panic, and neither descriptors nor tasks are left behind

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::support::upstream::Seen;
use crate::support::{Answer, Record};

use super::scene::{Answered, Facts, Known, Mark, PROMPT, SAID, SECRET, Scene, TOKEN};
use super::words::Bounds;

/// Behind a deadline.
const LATE: Duration = Duration::from_millis(250);
/// From the client's end to the provider's.
const CANCELLED: Duration = Duration::from_secs(1);
/// Until nothing of a row is left.
const BACK: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(2);

pub(super) async fn check(
    scene: &Scene,
    id: &str,
    mark: Mark,
    known: &Known,
    bounds: Bounds,
    wrong: &mut Vec<String>,
) {
    ended_at_the_provider(scene, mark, known, wrong).await;
    let records = recorded_once(scene, mark, known, wrong).await;
    // Idle connections may stay, but they can be told from those that leak by closing them.
    for upstream in [&scene.upstream, &scene.steady] {
        if timeout(BACK, upstream.hang_up()).await.is_err() {
            wrong.push("I9: a connection to the provider stays open".to_owned());
        }
    }
    let metrics = nothing_left(scene, wrong).await;
    let seen = scene.upstream.requests_from(mark.seen);
    known.with(|facts| {
        nothing_twice(facts, bounds, &seen, wrong);
        nothing_silent(facts, wrong);
        in_time(facts, bounds, wrong);
        nothing_told(scene, mark, facts, &seen, &metrics, wrong);
    });
    counted_once(id, &records, &metrics, wrong);
    let grown = scene.gateway.peak_kib().saturating_sub(mark.resident_kib);
    if grown > bounds.kib {
        wrong.push(format!("I4: {grown} KiB of memory, of {}", bounds.kib));
    }
}

/// I9
async fn ended_at_the_provider(scene: &Scene, mark: Mark, known: &Known, wrong: &mut Vec<String>) {
    let ended = known.with(|facts| facts.ended).unwrap_or_else(Instant::now);
    let left = CANCELLED.saturating_sub(ended.elapsed());
    if timeout(left, scene.upstream.over(mark.seen)).await.is_err() {
        wrong.push("I9: a call at the provider outlives its client".to_owned());
    }
}

/// I1
async fn recorded_once(
    scene: &Scene,
    mark: Mark,
    known: &Known,
    wrong: &mut Vec<String>,
) -> Vec<Record> {
    let expected = known.with(|facts| facts.requests);
    let all = timeout(BACK, async {
        while scene.gateway.record_lines(mark.records).len() < expected {
            sleep(LOOK).await;
        }
    });
    let late = all.await.is_err();
    let records: Vec<Record> = scene
        .gateway
        .record_lines(mark.records)
        .iter()
        .map(|line| Record(serde_json::from_str(line).unwrap()))
        .collect();
    if late || records.len() != expected {
        let count = records.len();
        wrong.push(format!("I1: {count} records for {expected} requests"));
    }
    let ids: BTreeSet<&str> = records.iter().map(|record| record.text("id")).collect();
    if ids.len() != records.len() {
        wrong.push("I1: two records of one id".to_owned());
    }
    known.with(|facts| {
        for Answered { answer, .. } in &facts.answers {
            let id = answer.header("x-request-id").unwrap_or_default();
            if !ids.contains(id) {
                wrong.push(format!("I1: no record of {id:?}"));
            }
        }
    });
    records
}

/// I10. Returns the metrics.
async fn nothing_left(scene: &Scene, wrong: &mut Vec<String>) -> Answer {
    if !scene.gateway.is_alive() {
        wrong.push("I10: the process has ended".to_owned());
        panic!("the process has ended: {}", scene.gateway.log());
    }
    let least = *scene.least.lock().unwrap();
    let end = Instant::now() + BACK;
    loop {
        let metrics = scene.gateway.ask_admin("/metrics").await;
        let tasks = tasks(&metrics);
        let descriptors = scene.gateway.descriptors();
        if tasks <= least.tasks && descriptors <= least.descriptors {
            let mut least = scene.least.lock().unwrap();
            least.tasks = tasks;
            least.descriptors = descriptors;
            return metrics;
        }
        if Instant::now() > end {
            wrong.push(format!(
                "I10: {descriptors} descriptors and {tasks} tasks are left, of {least:?}"
            ));
            return metrics;
        }
        sleep(LOOK).await;
    }
}

/// I2
fn nothing_twice(facts: &Facts, bounds: Bounds, seen: &[Seen], wrong: &mut Vec<String>) {
    let calls: BTreeSet<&String> = facts.calls.iter().collect();
    if calls.len() != facts.calls.len() {
        wrong.push(format!("I2: a call twice: {:?}", facts.calls));
    }
    let one = facts.answers.len() == 1 && !bounds.resumes;
    let begun = facts.answers.iter().filter(|it| one && it.streamed);
    let committed = begun.map(|it| it.head_at).next().or(facts.ended);
    if let Some(committed) = committed
        && seen.iter().any(|seen| seen.at > committed)
    {
        wrong.push("I2: an attempt behind the commit point or the client's end".to_owned());
    }
}

/// I8
fn nothing_silent(facts: &Facts, wrong: &mut Vec<String>) {
    for Answered { answer, .. } in &facts.answers {
        if !answer.complete {
            wrong.push("I8: the answer breaks off".to_owned());
        }
    }
}

/// I5
fn in_time(facts: &Facts, bounds: Bounds, wrong: &mut Vec<String>) {
    for answered in &facts.answers {
        let took = if answered.streamed {
            answered.head_took
        } else {
            answered.took
        };
        if took > bounds.deadline + LATE {
            wrong.push(format!("I5: {took:?} for a limit of {:?}", bounds.deadline));
        }
    }
}

/// I3
fn nothing_told(
    scene: &Scene,
    mark: Mark,
    facts: &Facts,
    seen: &[Seen],
    metrics: &Answer,
    wrong: &mut Vec<String>,
) {
    let log = scene.gateway.log_lines(mark.log).join("\n");
    if log.contains("panicked") {
        wrong.push("I10: a panic".to_owned());
    }
    let records = scene.gateway.record_lines(mark.records).join("\n");
    let ours = [
        ("the log", log),
        ("the record", records),
        ("the metrics", metrics.text().to_owned()),
    ];
    for (place, text) in &ours {
        none_of(&[TOKEN, SECRET, PROMPT, SAID], place, text, wrong);
    }
    for Answered { answer, .. } in &facts.answers {
        let text = format!(
            "{:?} {}",
            answer.headers,
            String::from_utf8_lossy(&answer.body)
        );
        none_of(&[TOKEN, SECRET], "the answer", &text, wrong);
    }
    let raw = String::from_utf8_lossy(&facts.raw);
    none_of(&[TOKEN, SECRET], "the answer", &raw, wrong);
    for seen in seen {
        let mut head = seen.head.clone();
        for name in ["authorization", "x-api-key"] {
            if let Some(value) = seen.header(name) {
                // Where it belongs, and nowhere else.
                head = head.replace(&format!("{name}: {value}"), "");
                none_of(&[TOKEN], "the provider's request", value, wrong);
            }
        }
        none_of(&[TOKEN, SECRET], "the provider's request", &head, wrong);
        let body = String::from_utf8_lossy(&seen.body);
        none_of(&[TOKEN, SECRET], "the provider's request", &body, wrong);
    }
}

pub(super) fn none_of(canaries: &[&str], place: &str, text: &str, wrong: &mut Vec<String>) {
    for canary in canaries {
        if text.contains(canary) {
            wrong.push(format!("I3: {canary} in {place}"));
        }
    }
}

/// I6: the row's route is its own, so its counters tell of this row alone.
fn counted_once(id: &str, records: &[Record], metrics: &Answer, wrong: &mut Vec<String>) {
    let own: Vec<&Record> = records
        .iter()
        .filter(|record| record.text("route") == id)
        .collect();
    for kind in ["prompt", "completion"] {
        let recorded: u64 = own
            .iter()
            .filter_map(|record| record.0["usage"][kind].as_u64())
            .sum();
        let labels = [format!("route=\"{id}\""), format!("kind=\"{kind}\"")];
        let counted = sum(metrics, "pillion_tokens_total", &labels);
        if counted != recorded {
            wrong.push(format!(
                "I6: {recorded} {kind} tokens recorded, {counted} counted"
            ));
        }
    }
    let counted = sum(
        metrics,
        "pillion_requests_total",
        &[format!("route=\"{id}\"")],
    );
    if counted != own.len() as u64 {
        let recorded = own.len();
        wrong.push(format!(
            "I6: {recorded} requests recorded, {counted} counted"
        ));
    }
    let tried: usize = own.iter().map(|record| record.classes().len()).sum();
    let counted = sum(
        metrics,
        "pillion_attempts_total",
        &[format!("target=\"{id}.")],
    );
    if counted != tried as u64 {
        wrong.push(format!("I6: {tried} attempts recorded, {counted} counted"));
    }
}

/// The sum of a family's samples whose labels contain these.
fn sum(metrics: &Answer, family: &str, labels: &[String]) -> u64 {
    let lines = metrics.text().lines();
    let of = lines.filter(|line| line.starts_with(family));
    let own = of.filter(|line| labels.iter().all(|label| line.contains(&**label)));
    let values = own.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    values.sum()
}

/// How many tasks the process has.
pub(super) fn tasks(metrics: &Answer) -> u64 {
    let lines = metrics.text().lines();
    let mut found = lines.filter_map(|line| line.strip_prefix("pillion_tasks "));
    found.next().unwrap().parse().unwrap()
}

/// What the kernel and the admin listener tell to whoever asks them, once a table is done.
pub(super) async fn at_the_end(scene: &Scene) -> Vec<String> {
    let mut wrong = Vec::new();
    let canaries = [TOKEN, SECRET, PROMPT, SAID];
    for name in ["cmdline", "environ"] {
        let text = std::fs::read(scene.gateway.proc(name)).unwrap();
        none_of(&canaries, name, &String::from_utf8_lossy(&text), &mut wrong);
    }
    for path in [
        "/readyz",
        "/metrics",
        "/",
        "/api/targets",
        "/api/routes",
        "/api/requests",
        "/api/config",
    ] {
        let answer = scene.gateway.ask_admin(path).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        none_of(&canaries, path, &text, &mut wrong);
    }
    wrong
}
