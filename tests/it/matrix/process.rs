//! Section P: the process is told to end, is killed, takes another configuration, or runs out of
//! descriptors, while a plain and a streamed request of every surface are under way.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::passing::key;
use crate::support::surface::{Finish, SURFACES};
use crate::support::wire::Wire;
use crate::support::{Answer, Client, Config, Gate, Gateway, Stream, Upstream, soon};

use super::asked::provider;
use super::invariants::none_of;
use super::parts::{HELLO, Place, hello, stream_at};
use super::scene::{PROMPT, Request, SAID, SECRET, TOKEN, text_of};
use super::words::{Asked, At, Case, Listed, Phase, cases};

/// What is done to the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Terminate,
    TerminateAtLimit,
    TerminateTwice,
    Reload,
    /// The new configuration is none.
    Spoil,
    /// The new configuration lacks the routes.
    DropRoutes,
    /// The new configuration lacks the token.
    DropKey,
    /// No descriptor is left.
    Exhaust,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sees {
    Whole,
    /// What had begun is told to be broken, what had not is refused.
    Told,
}

#[derive(Clone, Copy)]
struct Row {
    id: &'static str,
    what: &'static str,
    fault: Fault,
    sees: Sees,
    /// What a request is told that comes afterwards; none where nobody is there any more.
    next: Option<u16>,
}

#[rustfmt::skip]
fn table() -> Vec<Row> {
    let row = |id, what, fault, sees, next| Row { id, what, fault, sees, next };
    vec![
        row("P1", "told to end, and what runs ends in time", Fault::Terminate, Sees::Whole, None),
        row("P1a", "told to end, and what runs does not", Fault::TerminateAtLimit, Sees::Told, None),
        row("P2", "told to end twice", Fault::TerminateTwice, Sees::Told, None),
        row("P4", "told to read its configuration anew, again and again", Fault::Reload, Sees::Whole, Some(200)),
        row("G1", "given a configuration that is none", Fault::Spoil, Sees::Whole, Some(200)),
        row("G5", "given a configuration without the routes", Fault::DropRoutes, Sees::Whole, Some(404)),
        row("G6", "given a configuration without the token", Fault::DropKey, Sees::Whole, Some(401)),
        row("P9", "without a descriptor left", Fault::Exhaust, Sees::Whole, Some(200)),
    ]
}

fn phase(case: &Case) -> Phase {
    if case.streamed {
        Phase::AfterIt
    } else {
        Phase::BeforeHead
    }
}

pub(super) fn listed() -> Vec<Listed> {
    let mut all = Vec::new();
    for row in table() {
        for case in cases(row.id, Asked::Both, &SURFACES) {
            let classes: &[&str] = match row.sees {
                Sees::Whole => &["ok"],
                Sees::Told => &["cancelled|timeout|broken|reset"],
            };
            all.push(Listed::of(&case, At::Process, phase(&case), classes));
        }
    }
    all
}

/// A request under way.
enum Under {
    Plain(Client),
    Streamed(Stream, Vec<u8>),
}

pub(super) async fn play() {
    let mut failures = Vec::new();
    let mut rows = 0;
    for row in table() {
        let cases = cases(row.id, Asked::Both, &SURFACES);
        rows += cases.len();
        failures.extend(run(row, &cases).await);
    }
    eprintln!("the process: {rows} rows, {} failures", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn config(row: Row, cases: &[Case], upstream: &Upstream) -> Config {
    let drain = match row.fault {
        Fault::TerminateAtLimit => "drain: 200ms",
        Fault::Terminate
        | Fault::TerminateTwice
        | Fault::Reload
        | Fault::Spoil
        | Fault::DropRoutes
        | Fault::DropKey
        | Fault::Exhaust => "drain: 10s",
    };
    let mut config = Config::new()
        .root(drain)
        .root(&key(TOKEN, ""))
        .file("secret", SECRET);
    for case in cases {
        let (id, root) = (&case.id, upstream.root_url());
        let keys = provider(case.surface, &format!("{root}/{id}.1/v1"));
        config = config.keys_of(&format!("{id}.1"), &keys).route(
            id,
            &format!("{{ targets: [\"{id}.1/m\"], timeout: 15s, first_token: 14s, answer: 14s }}"),
        );
    }
    config
}

async fn run(row: Row, cases: &[Case]) -> Vec<String> {
    let gate = Gate::new();
    let opened = gate.clone();
    let upstream = Upstream::choosing(move |seen| {
        let (wire, streamed) = (Wire::of(seen), Wire::streamed(seen));
        let reply = wire.reply(streamed, &hello());
        let at = if streamed {
            stream_at(wire, &hello(), Place::FirstText)
        } else {
            0
        };
        reply.pause_at(at, &opened)
    })
    .await;
    let mut gateway = Gateway::start(config(row, cases, &upstream)).await;
    let mut under = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let ask = Request::new(case.surface, &case.id, case.streamed);
        let mut client = gateway.connect().await;
        client.post(&ask.path, &ask.headers(), &ask.body).await;
        upstream.request(number).await;
        under.push(if case.streamed {
            let mut stream = client.answer().await;
            let first = stream.event().await.unwrap();
            Under::Streamed(stream, first.into_bytes())
        } else {
            Under::Plain(client)
        });
    }
    let struck = Instant::now();
    let (held, probes) = strike(row.fault, &gateway).await;
    if row.sees == Sees::Whole {
        gate.open();
    }
    let mut wrong = Vec::new();
    let mut answers = Vec::new();
    for (case, under) in cases.iter().zip(under) {
        let answer = match under {
            Under::Plain(client) => client.answer().await.rest().await,
            Under::Streamed(stream, first) => {
                let mut answer = stream.rest().await;
                answer.body.splice(0..0, first);
                answer
            }
        };
        let seen = catch_unwind(AssertUnwindSafe(|| sees(row, case, &answer)));
        if let Err(why) = seen {
            wrong.push(format!("{}: {}", case.id, text_of(&*why)));
        }
        answers.push(answer);
    }
    drop(held);
    let mut requests = cases.len() + probes;
    if let Some(status) = row.next {
        gate.open();
        for case in cases {
            let ask = Request::new(case.surface, &case.id, case.streamed);
            let answer = gateway
                .post_bytes(&ask.path, &ask.headers(), &ask.body)
                .await;
            requests += 1;
            if answer.status != status {
                let told = answer.status;
                wrong.push(format!("{}: {told} behind it, not {status}", case.id));
            }
        }
        gateway.signal("TERM");
    }
    let ended = gateway.ended().await;
    if !ended.success() {
        wrong.push(format!("I10: the process ends with {ended}"));
    }
    if row.next.is_none() && row.sees == Sees::Told && struck.elapsed() > Duration::from_secs(2) {
        wrong.push(format!("I5: the end took {:?}", struck.elapsed()));
    }
    after(row, &gateway, requests, &answers, &mut wrong);
    if !wrong.is_empty() {
        let log: Vec<String> = gateway.log_lines(0);
        wrong.insert(0, format!("== {}, {}", row.id, row.what));
        wrong.push(log.join("\n   log: "));
    }
    wrong
}

/// Does it. Returns what must live until the requests under way have ended, and how many requests
/// it took to see that it was done.
async fn strike(fault: Fault, gateway: &Gateway) -> (Vec<Client>, usize) {
    let file = gateway.folder.file("pillion.yaml");
    let good = fs::read_to_string(&file).unwrap();
    let said = async |text: &str| {
        soon("the log says so", async {
            while !gateway.log().contains(text) {
                sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
    };
    match fault {
        Fault::Terminate | Fault::TerminateAtLimit => gateway.signal("TERM"),
        Fault::TerminateTwice => {
            gateway.signal("TERM");
            soon("it drains", async {
                while gateway.ask_admin("/readyz").await.status != 503 {
                    sleep(Duration::from_millis(2)).await;
                }
            })
            .await;
            gateway.signal("TERM");
        }
        Fault::Reload => {
            for _ in 0..50 {
                gateway.signal("HUP");
            }
        }
        Fault::Spoil => {
            fs::write(&file, good + "  broken: { targets: [nobody/m] }\n").unwrap();
            gateway.signal("HUP");
            said("is refused").await;
        }
        Fault::DropRoutes => {
            let kept = good.split("routes:\n").next().unwrap().to_owned();
            let first = kept
                .lines()
                .find_map(|line| line.trim().split_once(": { kind"))
                .unwrap()
                .0
                .to_owned();
            fs::write(
                &file,
                format!("{kept}routes:\n  other: {{ targets: [\"{first}/m\"] }}\n"),
            )
            .unwrap();
            gateway.signal("HUP");
            return (Vec::new(), until(gateway, 404).await);
        }
        Fault::DropKey => {
            let hex = |token: &str| pillion::config::sha256(token.as_bytes());
            fs::write(&file, good.replace(&hex(TOKEN), &hex("another"))).unwrap();
            gateway.signal("HUP");
            return (Vec::new(), until(gateway, 401).await);
        }
        Fault::Exhaust => return (exhaust(gateway).await, 0),
    }
    (Vec::new(), 0)
}

/// Until a question about a route that is gone is told this; how often it was asked.
async fn until(gateway: &Gateway, status: u16) -> usize {
    soon("the configuration is live", async {
        for asked in 1.. {
            let mut client = gateway.connect().await;
            let token = format!("Bearer {TOKEN}");
            client
                .get("/v1/models/G5-plain-chat", &[("authorization", &token)])
                .await;
            if client.answer().await.rest().await.status == status {
                return asked;
            }
            sleep(Duration::from_millis(10)).await;
        }
        0
    })
    .await
}

/// Connections until none is accepted any more; they are then let go by whoever drops them.
async fn exhaust(gateway: &Gateway) -> Vec<Client> {
    let limit = match gateway.descriptors() {
        // More than are open, where nobody says how many.
        0 => 64,
        open => open + 4,
    };
    let id = gateway.id().to_string();
    let set = Command::new("prlimit")
        .args(["--pid", &id, &format!("--nofile={limit}:{limit}")])
        .status();
    assert!(set.unwrap().success());
    let mut held = Vec::new();
    soon("the limit has an effect", async {
        while !gateway.log().contains("cannot accept connections") {
            if held.len() < 100 {
                held.push(gateway.connect().await);
            }
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    held
}

/// What the client sees.
fn sees(row: Row, case: &Case, answer: &Answer) {
    assert!(answer.complete, "I8: the answer breaks off");
    let text = String::from_utf8_lossy(&answer.body);
    match row.sees {
        Sees::Whole => {
            let told = case.surface.read(answer, case.streamed);
            assert_eq!(
                (told.text, told.finish, told.error),
                (HELLO.concat(), Finish::Stop, None)
            );
        }
        Sees::Told if case.streamed => {
            let told = case.surface.read(answer, true);
            assert_eq!(told.error.as_deref(), Some("stream_broken"), "{text}");
            assert_eq!(told.text, HELLO[0], "{text}");
        }
        Sees::Told => {
            assert_eq!(answer.status, 503, "{text}");
            assert_eq!(case.surface.error(answer).0, "overloaded", "{text}");
            assert_eq!(answer.header("x-should-retry"), Some("false"), "{text}");
        }
    }
}

/// What must hold of a process that is over.
fn after(
    row: Row,
    gateway: &Gateway,
    requests: usize,
    answers: &[Answer],
    wrong: &mut Vec<String>,
) {
    let records = gateway.all_records();
    if records.len() != requests {
        let count = records.len();
        wrong.push(format!("I1: {count} records for {requests} requests"));
    }
    for answer in answers {
        let Some(id) = answer.header("x-request-id") else {
            wrong.push("an answer without an id".to_owned());
            continue;
        };
        let own: Vec<_> = records.iter().filter(|it| it.text("id") == id).collect();
        let outcomes: Vec<&str> = own.iter().map(|record| record.outcome()).collect();
        let expected = match row.sees {
            Sees::Whole => &["ok"][..],
            Sees::Told => &["stream_broken", "error"],
        };
        let fits = outcomes.len() == 1 && expected.contains(&outcomes[0]);
        if !fits {
            wrong.push(format!("I1: {id} is recorded as {outcomes:?}"));
        }
        let all = format!(
            "{:?} {}",
            answer.headers,
            String::from_utf8_lossy(&answer.body)
        );
        none_of(&[TOKEN, SECRET], "the answer", &all, wrong);
    }
    let log = gateway.log();
    if log.contains("panicked") {
        wrong.push("I10: a panic".to_owned());
    }
    none_of(&[TOKEN, SECRET, PROMPT, SAID], "the log", &log, wrong);
    let lines = gateway.record_lines(0).join("\n");
    none_of(&[TOKEN, SECRET, PROMPT, SAID], "the record", &lines, wrong);
}
