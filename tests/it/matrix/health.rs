//! What one request teaches about a target shows in the next: rows of several requests, one after
//! another or at once, on a route of their own.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::reply::End;
use crate::support::surface::{Finish, SURFACES};
use crate::support::wire::{Fault, Script, Tag, Wire};
use crate::support::{Answer, Gate, Record, Reply, Surface, soon};

use super::asked::{BACKUP, provider};
use super::parts::{HELLO, Place, hello, stream_at};
use super::scene::{Known, Request, Scene};
use super::words::{Asked, At, Bounds, Case, Listed, Phase, cases, is_one_of};

/// What the first target does from here on.
#[derive(Debug, Clone, Copy)]
enum Does {
    Answers,
    Fails(Fault),
    /// A rate limit for so many milliseconds.
    Limits(u64),
    Silence,
    /// Nothing until all the others of [`Step::Together`] are done.
    Waits,
    /// Its stream breaks behind the first text.
    Breaks,
}

#[derive(Debug, Clone, Copy)]
enum Sees {
    Own,
    Backup,
    /// What the first said before it broke, and the backup's answer behind it.
    Both,
    Error(u16, &'static str),
}

#[derive(Debug, Clone, Copy)]
enum Step {
    First(Does),
    /// So many requests one after another, each with what it sees and the classes of its record.
    Asks(usize, Sees, &'static [&'static str]),
    /// The same, answered within so many milliseconds.
    AsksWithin(u64, Sees, &'static [&'static str]),
    /// So many at once, of which one reaches the first target and the others see the backup.
    Together(usize),
    /// So many at once, of which one probes the first target and the others are told at once that
    /// there is nobody.
    Crowd(usize),
    /// So many milliseconds pass.
    Passes(u64),
    /// The provider's key is replaced.
    NewKey,
    /// So many requests have reached the first target by now.
    Reached(usize),
    /// The metrics have a sample that begins so and ends so.
    Metric(&'static str, &'static str),
}

#[derive(Clone, Copy)]
struct Row {
    id: &'static str,
    what: &'static str,
    phase: Phase,
    asked: Asked,
    on: &'static [Surface],
    /// Whether there is a second target.
    second: bool,
    knobs: &'static str,
    steps: &'static [Step],
}

/// Open for longer than a row takes.
const BREAKER: &str = ", breaker: { failures: 2, window: 60s, cooldown: 60s..60s }";
const COOLS: &str = ", breaker: { failures: 2, window: 60s, cooldown: 400ms..2s }";
/// The second time it is open for longer than two requests take.
const COOLS_LATER: &str = ", breaker: { failures: 2, window: 60s, cooldown: 1s..60s }";
/// The longest that the first cooldown may be, with its jitter.
const COOLED: Step = Step::Passes(900);
const COOLED_LATER: Step = Step::Passes(1500);

#[rustfmt::skip]
fn table() -> Vec<Row> {
    use Does::{Answers, Breaks, Fails, Limits, Silence, Waits};
    use Phase::{AfterIt, BeforeHead, Head};
    use Sees::{Backup, Both, Error, Own};
    use Step::{Asks, AsksWithin, Crowd, First, Metric, NewKey, Passes, Reached, Together};
    let row = |id, what, phase, second, knobs, steps| Row { id, what, phase, asked: Asked::Both, on: &SURFACES, second, knobs, steps };
    vec![
        row("U7o", "two failures in a row open the breaker", Head, true, BREAKER,
            &[First(Fails(Fault::Server)), Asks(2, Backup, &["server_error", "ok"]), Asks(3, Backup, &["ok"]), Reached(2), Metric("pillion_breaker_state", ".1/m\"} 2")]),
        row("U8", "every breaker is open", Head, false, BREAKER,
            &[First(Fails(Fault::Server)), Asks(2, Error(502, "upstream_failed"), &["server_error"]), First(Waits), Crowd(6), Reached(3)]),
        row("U9", "half open, one probe goes", Head, true, COOLS,
            &[First(Fails(Fault::Server)), Asks(2, Backup, &["server_error", "ok"]), COOLED, First(Waits), Together(10), Reached(3)]),
        row("U9a", "a probe that is answered closes it", Head, true, COOLS,
            &[First(Fails(Fault::Server)), Asks(2, Backup, &["server_error", "ok"]), First(Answers), COOLED, Asks(3, Own, &["ok"]), Reached(5)]),
        row("U9b", "a probe that fails opens it again, for longer", Head, true, COOLS_LATER,
            &[First(Fails(Fault::Server)), Asks(2, Backup, &["server_error", "ok"]), COOLED_LATER, Asks(1, Backup, &["server_error", "ok"]), Asks(2, Backup, &["ok"]), Reached(3)]),
        row("U5h", "a rate limit is kept to", Head, true, BREAKER,
            &[First(Limits(60_000)), Asks(1, Backup, &["rate_limited", "ok"]), Asks(3, Backup, &["ok"]), Reached(1)]),
        row("U5i", "a rate limit is over when it said so", Head, true, BREAKER,
            &[First(Limits(1500)), Asks(1, Backup, &["rate_limited", "ok"]), First(Answers), Asks(1, Backup, &["ok"]), Passes(1600), Asks(2, Own, &["ok"]), Reached(3)]),
        row("U6h", "an account without quota is left", Head, true, BREAKER,
            &[First(Fails(Fault::Quota)), Asks(1, Backup, &["quota_exhausted", "ok"]), Asks(3, Backup, &["ok"]), Reached(1)]),
        row("U11h", "an account whose key is refused is marked", Head, false, BREAKER,
            &[First(Fails(Fault::Auth)), Asks(1, Error(502, "upstream_authentication_error"), &["auth"]), AsksWithin(250, Error(502, "upstream_authentication_error"), &[]), Reached(1)]),
        row("U11j", "another account serves what comes later", Head, true, BREAKER,
            &[First(Fails(Fault::Auth)), Asks(1, Error(502, "upstream_authentication_error"), &["auth"]), Asks(2, Backup, &["ok"]), Reached(1)]),
        row("U11i", "a marked account is asked again with another key", Head, true, BREAKER,
            &[First(Fails(Fault::Auth)), Asks(1, Error(502, "upstream_authentication_error"), &["auth"]), First(Answers), NewKey, Asks(1, Own, &["ok"]), Reached(2)]),
        row("U12h", "a model that is missing is not asked for again", Head, true, BREAKER,
            &[First(Fails(Fault::Missing)), Asks(1, Backup, &["target_missing", "ok"]), Asks(3, Backup, &["ok"]), Reached(1)]),
        row("U10h", "a caller's mistakes open nothing", Head, true, BREAKER,
            &[First(Fails(Fault::Invalid)), Asks(4, Error(400, "invalid_value|invalid_request"), &["invalid_request"]), Reached(4)]),
        row("U21h", "a second target is asked while the first is slower than ever", BeforeHead, true, ", hedge: on",
            // Ten answers are the fewest that tell what is slow.
            &[First(Answers), Asks(10, Own, &["ok"]), First(Silence), AsksWithin(1500, Backup, &["cancelled", "ok"])]),
        // Responses of a provider that serves them itself are only passed on.
        Row { asked: Asked::Stream, on: &[Surface::Chat, Surface::Messages], ..row("S1h", "another target goes on with a text", AfterIt, true, ", on_break: continue",
            &[First(Breaks), Asks(1, Both, &["reset|broken", "ok"])]) },
    ]
}

pub(super) fn listed() -> Vec<Listed> {
    let mut all = Vec::new();
    for row in table() {
        for case in cases(row.id, row.asked, row.on) {
            let classes = row.steps.iter().flat_map(|step| match step {
                Step::Asks(_, _, classes) | Step::AsksWithin(_, _, classes) => *classes,
                Step::First(_)
                | Step::Together(_)
                | Step::Crowd(_)
                | Step::Passes(_)
                | Step::NewKey
                | Step::Reached(_)
                | Step::Metric(..) => &[],
            });
            let classes: Vec<&str> = classes.copied().collect();
            all.push(Listed::of(&case, At::Upstream, row.phase, &classes));
        }
    }
    all
}

pub(super) async fn play() {
    let scene = Scene::set(|config, upstream| {
        let mut config = config;
        for row in table() {
            for case in cases(row.id, row.asked, row.on) {
                let (id, root) = (&case.id, upstream.root_url());
                let own = format!("file:$FOLDER/{id}.key");
                let first = provider(case.surface, &format!("{root}/{id}.1/v1"));
                let second = provider(case.surface, &format!("{root}/{id}.2/v1"));
                config = config
                    .file(&format!("{id}.key"), "old")
                    .keys_of(
                        &format!("{id}.1"),
                        &first.replace("file:$FOLDER/secret", &own),
                    )
                    .keys_of(&format!("{id}.2"), &second);
                let backup = format!(", \"{id}.2/m\"");
                let backup = if row.second { &*backup } else { "" };
                let limits = "timeout: 15s, first_token: 8s, answer: 8s";
                let knobs = row.knobs;
                config = config.route(
                    id,
                    &format!("{{ targets: [\"{id}.1/m\"{backup}], {limits}{knobs} }}"),
                );
            }
        }
        config
    })
    .await;
    for row in table() {
        for case in cases(row.id, row.asked, row.on) {
            let id = case.id.clone();
            let bounds = Bounds {
                resumes: row.knobs.contains("on_break: continue"),
                ..Bounds::of(Duration::from_secs(15))
            };
            scene
                .row(&id, bounds, |scene, known| async move {
                    known.note(format!("{}: {}", row.phase, row.what));
                    run(&scene, &known, row, &case).await;
                })
                .await;
        }
    }
    scene.finish("what is learnt").await;
}

async fn run(scene: &Arc<Scene>, known: &Known, row: Row, case: &Case) {
    let id = &case.id;
    let does = Arc::new(Mutex::new(Does::Answers));
    // One opens with each answer's head, the other when all who do not wait are done.
    let (gate, others) = (Gate::new(), Gate::new());
    let (playing, opened, waits) = (Arc::clone(&does), gate.clone(), others.clone());
    scene.cast(&format!("{id}.1"), move |seen| {
        let (wire, streamed) = (Wire::of(seen), Wire::streamed(seen));
        let whole = wire.reply(streamed, &hello());
        match *playing.lock().unwrap() {
            Does::Answers => whole,
            Does::Fails(fault) => fault.reply(wire, streamed),
            Does::Limits(ms) => {
                let why = "Rate limit reached";
                Reply::error(429, "requests", Some("rate_limit_exceeded"), why)
                    .header("retry-after-ms", ms)
            }
            Does::Silence => Reply::silence(),
            Does::Waits => whole.pause_at(0, &waits),
            Does::Breaks => {
                let at = stream_at(wire, &hello(), Place::FirstText);
                wire.stream(&[(Tag::Around, whole.text().into_bytes())])
                    .pause_at(at, &opened)
                    .cut_at(at, End::Fin)
            }
        }
    });
    scene.cast(&format!("{id}.2"), |seen| {
        Wire::of(seen).reply(Wire::streamed(seen), &Script::text(&BACKUP))
    });
    let mark = format!("/{id}.1/");
    let reached = || {
        let seen = scene.upstream.requests();
        seen.iter().filter(|seen| seen.head.contains(&mark)).count()
    };
    let ask = Request::new(case.surface, id, case.streamed);
    for (number, step) in row.steps.iter().enumerate() {
        known.note(format!("step {number}: {step:?}"));
        match *step {
            Step::First(now) => *does.lock().unwrap() = now,
            Step::Asks(count, sees, classes) => {
                for _ in 0..count {
                    let answer = scene.ask(known, &ask, &gate).await;
                    check(scene, case, &answer, sees, classes).await;
                }
            }
            Step::AsksWithin(ms, sees, classes) => {
                let start = Instant::now();
                let answer = scene.ask(known, &ask, &gate).await;
                let took = start.elapsed();
                assert!(took < Duration::from_millis(ms), "{took:?}");
                check(scene, case, &answer, sees, classes).await;
            }
            Step::Together(count) => together(scene, known, case, &ask, count, &others).await,
            Step::Crowd(count) => crowd(scene, known, case, &ask, count, &others).await,
            Step::Passes(ms) => sleep(Duration::from_millis(ms)).await,
            Step::NewKey => {
                std::fs::write(scene.gateway.folder.file(&format!("{id}.key")), "new").unwrap();
                scene.gateway.signal("HUP");
                let read = |line: &String| {
                    line.contains("a secret has a new value") && line.contains(&format!("{id}.key"))
                };
                let target = format!("{id}.1/m");
                let available = |targets: serde_json::Value| {
                    let mut all = targets["targets"].as_array().unwrap().iter();
                    all.any(|it| it["target"] == *target && it["available"] == true)
                };
                soon("the key is read", async {
                    while !scene.gateway.log_lines(0).iter().any(read)
                        || !available(scene.gateway.ask_admin("/api/targets").await.json())
                    {
                        sleep(Duration::from_millis(10)).await;
                    }
                })
                .await;
            }
            Step::Reached(count) => assert_eq!(reached(), count, "at the first target"),
            Step::Metric(begins, ends) => {
                let metrics = scene.gateway.ask_admin("/metrics").await;
                let mut lines = metrics.text().lines();
                let found = lines.any(|line| {
                    line.starts_with(begins) && line.contains(&**id) && line.ends_with(ends)
                });
                assert!(found, "no {begins} … {ends}");
            }
        }
    }
}

async fn together(
    scene: &Arc<Scene>,
    known: &Known,
    case: &Case,
    ask: &Request,
    count: usize,
    gate: &Gate,
) {
    let mut asking = JoinSet::new();
    for _ in 0..count {
        let (scene, known, ask) = (Arc::clone(scene), known.clone(), ask.clone());
        asking.spawn(async move { scene.ask(&known, &ask, &Gate::new()).await });
    }
    let mut backups = 0;
    while let Some(answer) = asking.join_next().await {
        let told = case.surface.read(&answer.unwrap(), case.streamed);
        if told.text == BACKUP.concat() {
            backups += 1;
        } else {
            assert_eq!(told.text, HELLO.concat());
        }
        if backups == count - 1 {
            gate.open();
        }
    }
    assert_eq!(backups, count - 1, "saw the backup");
}

async fn crowd(
    scene: &Arc<Scene>,
    known: &Known,
    case: &Case,
    ask: &Request,
    count: usize,
    gate: &Gate,
) {
    let mut asking = JoinSet::new();
    for _ in 0..count {
        let (scene, known, ask) = (Arc::clone(scene), known.clone(), ask.clone());
        let start = Instant::now();
        asking.spawn(async move {
            let answer = scene.ask(&known, &ask, &Gate::new()).await;
            (answer, start.elapsed())
        });
    }
    let mut told = 0;
    while let Some(done) = asking.join_next().await {
        let (answer, took) = done.unwrap();
        if answer.status == 200 {
            let told = case.surface.read(&answer, case.streamed);
            assert_eq!(told.text, HELLO.concat());
            continue;
        }
        let sees = Sees::Error(503, "no_eligible_target");
        check(scene, case, &answer, sees, &[]).await;
        assert!(took < Duration::from_millis(250), "{took:?}");
        told += 1;
        if told == count - 1 {
            gate.open();
        }
    }
    assert_eq!(told, count - 1, "were told");
}

async fn check(scene: &Scene, case: &Case, answer: &Answer, sees: Sees, classes: &[&str]) {
    let record: Record = scene.gateway.audit(answer.id()).await;
    let (line, text) = (&record.0, String::from_utf8_lossy(&answer.body));
    let told = record.classes();
    let fits = told.len() == classes.len()
        && classes
            .iter()
            .zip(&told)
            .all(|(expected, class)| is_one_of(expected, class));
    assert!(fits, "{told:?}, not {classes:?}: {line}");
    let said = match sees {
        Sees::Error(status, code) => {
            assert_eq!(answer.status, status, "{text}");
            let (told, _) = case.surface.error(answer);
            assert!(is_one_of(code, &told), "{told}, not {code}: {text}");
            assert_eq!(answer.header("x-should-retry"), Some("false"), "{text}");
            if code == "no_eligible_target" {
                assert!(answer.header("retry-after").is_some(), "when to come again");
            }
            return;
        }
        Sees::Own => HELLO.concat(),
        Sees::Backup => BACKUP.concat(),
        Sees::Both => HELLO[0].to_owned() + &BACKUP.concat(),
    };
    let told = case.surface.read(answer, case.streamed);
    assert_eq!(
        (told.text, told.finish, told.error),
        (said, Finish::Stop, None)
    );
}
