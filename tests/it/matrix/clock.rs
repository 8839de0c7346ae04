//! Section T: waits that nobody can mean, patience that is none, keys past their day, and a process
//! that stood still for a while.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::support::surface::{Finish, SURFACES};
use crate::support::wire::{Script, Wire};
use crate::support::{Gate, Reply};

use super::asked::{BACKUP, provider};
use super::parts::{HELLO, Place, hello, stream_at};
use super::scene::{Known, Request, Scene};
use super::words::{Asked, At, Bounds, Case, Listed, Phase, cases};

/// A token whose day was years ago, and one whose day is to come.
const EXPIRED: &str = "canary-token-of-old";
const LASTING: &str = "canary-token-to-come";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// A rate limit with this header, from everybody.
    Wait(&'static str, &'static str),
    /// The caller says how long it waits, and nobody answers.
    Patience(&'static str, &'static str),
    /// The same, and there is an answer.
    Rubbish(&'static str, &'static str),
    /// The caller's token.
    Token(&'static str),
    /// The process stands still for so many milliseconds, while nobody answers.
    PauseInSilence(u64),
    /// The same in the middle of an answer, of which the rest comes meanwhile.
    PauseInAnswer(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sees {
    Own,
    Error(u16, &'static str),
    /// A rate limit with a wait of at most so many seconds, after which to ask again.
    Again(u64),
}

#[derive(Clone, Copy)]
struct Row {
    id: &'static str,
    what: &'static str,
    phase: Phase,
    fault: Fault,
    asked: Asked,
    sees: Sees,
    classes: &'static [&'static str],
    /// In milliseconds.
    deadline: u64,
}

#[rustfmt::skip]
fn table() -> Vec<Row> {
    use Fault::{Patience, PauseInAnswer, PauseInSilence, Rubbish, Token, Wait};
    use Phase::{AfterIt, BeforeHead, Connect, Head};
    use Sees::{Again, Error, Own};
    let row = |id, what, phase, fault, sees, classes, deadline| Row { id, what, phase, fault, asked: Asked::Both, sees, classes, deadline };
    let limited: &[&str] = &["rate_limited", "rate_limited"];
    // What names no time is tried again after pauses of chance.
    let again: &[&str] = &["rate_limited"; 4];
    let never = Error(429, "rate_limit_exceeded");
    let late = Error(504, "deadline_exceeded");
    vec![
        row("T8", "a wait in milliseconds", Head, Wait("retry-after-ms", "7000"), Again(7), limited, 1500),
        row("T8a", "a wait of an hour", Head, Wait("retry-after", "3600"), never, limited, 1500),
        row("T8b", "a wait that is no number", Head, Wait("retry-after", "soon"), never, again, 4000),
        row("T8c", "a wait below nothing", Head, Wait("retry-after", "-5"), never, again, 4000),
        row("T8d", "a wait beyond all time", Head, Wait("retry-after", "99999999999999999999"), never, limited, 1500),
        row("T8e", "a wait until a year that never comes", Head, Wait("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT"), never, limited, 1500),
        row("T6", "a caller that reads for a moment", BeforeHead, Patience("x-stainless-read-timeout", "1.6"), late, &["timeout", "timeout"], 1350),
        row("T6a", "a caller that waits for a moment", BeforeHead, Patience("x-stainless-timeout", "1.6"), late, &["timeout", "timeout"], 1350),
        row("T7", "a patience below nothing", BeforeHead, Rubbish("x-stainless-read-timeout", "-1"), Own, &["ok"], 1500),
        row("T7a", "a patience that is no number", BeforeHead, Rubbish("x-stainless-read-timeout", "NaN"), Own, &["ok"], 1500),
        row("T7b", "a patience beyond all time", BeforeHead, Rubbish("x-stainless-read-timeout", "1e400"), Own, &["ok"], 1500),
        row("T7c", "a patience of ages", BeforeHead, Rubbish("x-stainless-timeout", "99999999999999999999"), Own, &["ok"], 1500),
        row("T7d", "no patience by its name", BeforeHead, Rubbish("x-stainless-timeout", "None"), Own, &["ok"], 1500),
        row("T9", "a token past its day", Connect, Token(EXPIRED), Error(401, "invalid_api_key"), &[], 1500),
        row("T9a", "a token whose day is to come", Connect, Token(LASTING), Own, &["ok"], 1500),
        // The deadline passed meanwhile: nothing is begun any more.
        row("T3", "the process stands still behind its deadline", BeforeHead, PauseInSilence(2000), late, &["timeout"], 2300),
        row("T3a", "the process stands still for a moment", AfterIt, PauseInAnswer(100), Own, &["ok"], 1500),
        Row { asked: Asked::Stream,
            ..row("T3b", "the process stands still for longer than a stream may", AfterIt, PauseInAnswer(700), Own, &["ok"], 2500) },
    ]
}

pub(super) fn listed() -> Vec<Listed> {
    let mut all = Vec::new();
    for row in table() {
        for case in cases(row.id, row.asked, &SURFACES) {
            all.push(Listed::of(&case, At::Clock, row.phase, row.classes));
        }
    }
    all
}

fn key(id: &str, token: &str, expires: &str) -> String {
    let hex = pillion::config::sha256(token.as_bytes());
    format!("  - {{ id: {id}, hash: \"sha256:{hex}\", expires: {expires} }}")
}

pub(super) async fn play() {
    let scene = Scene::set(|config, upstream| {
        let mut config = config.root(&key("old", EXPIRED, "2020-01-01")).root(&key(
            "new",
            LASTING,
            "2999-01-01",
        ));
        for row in table() {
            for case in cases(row.id, row.asked, &SURFACES) {
                let (id, root) = (&case.id, upstream.root_url());
                for place in [1, 2] {
                    let place = format!("{id}.{place}");
                    let keys = provider(case.surface, &format!("{root}/{place}/v1"));
                    config = config.keys_of(&place, &keys);
                }
                let targets = format!("targets: [\"{id}.1/m\", \"{id}.2/m\"]");
                let limits = match row.fault {
                    // Pauses of chance come to a second and a half at most.
                    Fault::Wait(..) if row.classes.len() > 2 => {
                        "timeout: 3500ms, first_token: 1400ms, answer: 1400ms"
                    }
                    Fault::Wait(..) | Fault::Token(_) => {
                        "timeout: 1500ms, first_token: 1400ms, answer: 1400ms"
                    }
                    Fault::Patience(..) | Fault::Rubbish(..) => {
                        "timeout: 15s, first_token: 8s, answer: 8s"
                    }
                    Fault::PauseInSilence(_) | Fault::PauseInAnswer(_) => {
                        "timeout: 1500ms, first_token: 800ms, answer: 800ms, idle: 400ms"
                    }
                };
                config = config.route(id, &format!("{{ {targets}, {limits} }}"));
            }
        }
        config
    })
    .await;
    for row in table() {
        for case in cases(row.id, row.asked, &SURFACES) {
            let id = case.id.clone();
            let mut bounds = Bounds::of(Duration::from_millis(row.deadline));
            if let Fault::PauseInSilence(ms) | Fault::PauseInAnswer(ms) = row.fault {
                // Whatever was asked then, was asked of a process that stood still.
                bounds.steady += Duration::from_millis(ms);
                // It is stopped and let go by signals, each when this machine comes to it.
                bounds.deadline += Duration::from_millis(150);
            }
            scene
                .row(&id, bounds, |scene, known| async move {
                    known.note(format!("{}: {}", row.phase, row.what));
                    run(&scene, &known, row, &case).await;
                })
                .await;
        }
    }
    scene.finish("the clock").await;
}

async fn run(scene: &Arc<Scene>, known: &Known, row: Row, case: &Case) {
    let id = &case.id;
    let gate = Gate::new();
    for place in [1, 2] {
        let (opened, fault) = (gate.clone(), row.fault);
        scene.cast(&format!("{id}.{place}"), move |seen| {
            let (wire, streamed) = (Wire::of(seen), Wire::streamed(seen));
            let script = if place == 1 {
                hello()
            } else {
                Script::text(&BACKUP)
            };
            let whole = wire.reply(streamed, &script);
            match fault {
                Fault::Wait(name, value) => {
                    let why = "Rate limit reached";
                    Reply::error(429, "requests", Some("rate_limit_exceeded"), why)
                        .header(name, value)
                }
                Fault::Patience(..) | Fault::PauseInSilence(_) => Reply::silence(),
                Fault::Rubbish(..) | Fault::Token(_) => whole,
                Fault::PauseInAnswer(_) if streamed => {
                    whole.pause_at(stream_at(wire, &script, Place::FirstText), &opened)
                }
                Fault::PauseInAnswer(_) => whole.pause_at(20, &opened),
            }
        });
    }
    let mut ask = Request::new(case.surface, id, case.streamed);
    match row.fault {
        Fault::Patience(name, value) | Fault::Rubbish(name, value) => ask = ask.header(name, value),
        Fault::Token(token) => {
            ask.headers.clear();
            ask = ask.header("authorization", &format!("Bearer {token}"));
        }
        Fault::Wait(..) | Fault::PauseInSilence(_) | Fault::PauseInAnswer(_) => {}
    }
    let before = scene.upstream.hits();
    let pause = match row.fault {
        Fault::PauseInSilence(ms) => Some((ms, Gate::new())),
        Fault::PauseInAnswer(ms) => Some((ms, gate.clone())),
        Fault::Wait(..) | Fault::Patience(..) | Fault::Rubbish(..) | Fault::Token(_) => None,
    };
    let answer = match pause {
        None => scene.ask(known, &ask, &gate).await,
        Some((ms, gate)) => {
            // A stream's head comes before the pause, and opens a gate that nobody waits at.
            let asked = Gate::new();
            let asking = scene.ask(known, &ask, &asked);
            let pausing = async {
                scene.upstream.request(before).await;
                if case.streamed && matches!(row.fault, Fault::PauseInAnswer(_)) {
                    asked.passed().await;
                }
                scene.gateway.signal("STOP");
                gate.open();
                sleep(Duration::from_millis(ms)).await;
                scene.gateway.signal("CONT");
            };
            tokio::join!(asking, pausing).0
        }
    };
    let record = scene.gateway.audit(answer.id()).await;
    let (line, text) = (&record.0, String::from_utf8_lossy(&answer.body));
    assert_eq!(record.classes(), row.classes, "{line}");
    match row.sees {
        Sees::Own => {
            let told = case.surface.read(&answer, case.streamed);
            assert_eq!(
                (told.text, told.finish, told.error),
                (HELLO.concat(), Finish::Stop, None)
            );
            assert_eq!(record.outcome(), "ok", "{line}");
        }
        Sees::Error(status, code) => {
            assert_eq!(answer.status, status, "{text}");
            assert_eq!(case.surface.error(&answer).0, code, "{text}");
            assert_eq!(answer.header("x-should-retry"), Some("false"), "{text}");
            assert_eq!(answer.header("retry-after"), None, "{text}");
        }
        Sees::Again(most) => {
            assert_eq!(answer.status, 429, "{text}");
            assert_eq!(answer.header("x-should-retry"), Some("true"), "{text}");
            let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=most).contains(&wait), "{wait}");
        }
    }
}
