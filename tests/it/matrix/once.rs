//! Section C, the request that comes twice: one call at the provider, the same bytes for both.

use std::sync::Arc;
use std::time::Duration;

use crate::support::surface::{Finish, SURFACES};
use crate::support::wire::Wire;
use crate::support::{Answer, Gate, Reply};

use super::asked::provider;
use super::parts::{HELLO, hello};
use super::scene::{Known, Request, Scene};
use super::words::{Asked, At, Bounds, Case, Listed, Phase, cases};

/// When the second comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comes {
    Meanwhile,
    Afterwards,
    /// Meanwhile; then the first leaves.
    MeanwhileAndTheFirstLeaves,
}

/// What becomes of the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Becomes {
    /// The first one's bytes.
    Joined,
    /// A call of its own.
    Another,
    Refused(u16),
}

#[derive(Clone, Copy)]
struct Row {
    id: &'static str,
    what: &'static str,
    phase: Phase,
    first: &'static [(&'static str, &'static str)],
    second: &'static [(&'static str, &'static str)],
    /// What the second asks for.
    prompt: &'static str,
    tools: bool,
    knobs: &'static str,
    comes: Comes,
    becomes: Becomes,
    /// Whether the provider fails the first.
    fails: bool,
}

const HI: &str = "Hi";

#[rustfmt::skip]
fn table() -> Vec<Row> {
    use Becomes::{Another, Joined, Refused};
    use Comes::{Afterwards, Meanwhile, MeanwhileAndTheFirstLeaves};
    use Phase::{BeforeFinish, BeforeFirstToken};
    let key: &[(&str, &str)] = &[("idempotency-key", "order-1")];
    let other: &[(&str, &str)] = &[("idempotency-key", "order-2")];
    let try_: &[(&str, &str)] = &[("x-stainless-retry-count", "0")];
    let retry: &[(&str, &str)] = &[("x-stainless-retry-count", "1")];
    let row = |id, what, first, second, comes, becomes| Row {
        id, what, phase: if comes == Afterwards { BeforeFinish } else { BeforeFirstToken },
        first, second, prompt: HI, tools: false, knobs: "", comes, becomes, fails: false,
    };
    vec![
        row("C13", "with the same key, meanwhile", key, key, Meanwhile, Joined),
        row("C13a", "with the same key, afterwards", key, key, Afterwards, Joined),
        Row { tools: true, ..row("C13b", "with the same key and tools", key, key, Meanwhile, Joined) },
        row("C13c", "with another key", key, other, Meanwhile, Another),
        Row { fails: true, ..row("C13d", "with the same key, behind a failure", key, key, Afterwards, Another) },
        Row { prompt: "Other", ..row("C14", "with the same key and another body", key, key, Meanwhile, Refused(409)) },
        Row { prompt: "Other", ..row("C14a", "with the same key and another body, afterwards", key, key, Afterwards, Refused(409)) },
        row("C15", "as an SDK's retry", try_, retry, Meanwhile, Joined),
        Row { prompt: "Other", ..row("C15a", "as an SDK's retry of something else", try_, retry, Meanwhile, Another) },
        row("C16", "with the same key, and the first leaves", key, key, MeanwhileAndTheFirstLeaves, Joined),
        row("C17", "again, without a word", &[], &[], Meanwhile, Another),
        Row { knobs: ", dedupe: 10s", ..row("C17d", "again, where that is one", &[], &[], Meanwhile, Joined) },
        Row { knobs: ", dedupe: 10s", tools: true, ..row("C17e", "again with tools, where that is one", &[], &[], Meanwhile, Another) },
    ]
}

pub(super) fn listed() -> Vec<Listed> {
    let mut all = Vec::new();
    for row in table() {
        for case in cases(row.id, Asked::Both, &SURFACES) {
            all.push(Listed::of(&case, At::Client, row.phase, &["ok"]));
        }
    }
    all
}

pub(super) async fn play() {
    let scene = Scene::set(|config, upstream| {
        let mut config = config;
        for row in table() {
            for case in cases(row.id, Asked::Both, &SURFACES) {
                let (id, root) = (&case.id, upstream.root_url());
                let first = provider(case.surface, &format!("{root}/{id}.1/v1"));
                let knobs = row.knobs;
                config = config.keys_of(&format!("{id}.1"), &first).route(
                    id,
                    &format!("{{ targets: [\"{id}.1/m\"], timeout: 15s, first_token: 8s, answer: 8s{knobs} }}"),
                );
            }
        }
        config
    })
    .await;
    for row in table() {
        for case in cases(row.id, Asked::Both, &SURFACES) {
            let id = case.id.clone();
            let bounds = Bounds::of(Duration::from_secs(15));
            scene
                .row(&id, bounds, |scene, known| async move {
                    known.note(format!("{}: a request comes {}", row.phase, row.what));
                    run(&scene, &known, row, &case).await;
                })
                .await;
        }
    }
    scene.finish("what comes twice").await;
}

fn request(row: Row, case: &Case, prompt: &str, headers: &[(&str, &str)]) -> Request {
    let ask = Request::saying(case.surface, &case.id, case.streamed, prompt, row.tools);
    let each = headers.iter();
    each.fold(ask, |ask, (name, value)| match *name {
        // A row's keys are its own: the gateway remembers those of the others.
        "idempotency-key" => ask.header(name, &format!("{}-{value}", case.id)),
        name => ask.header(name, value),
    })
}

async fn run(scene: &Arc<Scene>, known: &Known, row: Row, case: &Case) {
    let id = &case.id;
    let gate = Gate::new();
    let (opened, fails) = (gate.clone(), std::sync::atomic::AtomicBool::new(row.fails));
    scene.cast(&format!("{id}.1"), move |seen| {
        if fails.swap(false, std::sync::atomic::Ordering::Relaxed) {
            return Reply::status(500);
        }
        let reply = Wire::of(seen).reply(Wire::streamed(seen), &hello());
        reply.pause_at(0, &opened)
    });
    let before = scene.upstream.hits();
    let one = request(row, case, HI, row.first);
    let two = request(row, case, row.prompt, row.second);
    let (first, second) = match row.comes {
        Comes::Afterwards => {
            gate.open();
            let first = scene.ask(known, &one, &gate).await;
            (Some(first), scene.ask(known, &two, &gate).await)
        }
        Comes::Meanwhile | Comes::MeanwhileAndTheFirstLeaves => {
            known.asked();
            let leader = scene.open(&one).await;
            scene.upstream.request(before).await;
            known.asked();
            let follower = scene.open(&two).await;
            if row.becomes == Becomes::Joined {
                scene.gateway.under_way(id, 2).await;
            }
            let leader = if row.comes == Comes::Meanwhile {
                Some(leader)
            } else {
                drop(leader);
                None
            };
            if let Becomes::Refused(_) = row.becomes {
                // It is told while the first is still under way.
                let second = follower.answer().await.rest().await;
                gate.open();
                let first = leader.unwrap().answer().await.rest().await;
                (Some(first), second)
            } else {
                if row.becomes == Becomes::Another {
                    scene.upstream.request(before + 1).await;
                }
                gate.open();
                let first = match leader {
                    Some(leader) => Some(leader.answer().await.rest().await),
                    None => None,
                };
                (first, follower.answer().await.rest().await)
            }
        }
    };
    known.left();
    check(scene, row, case, before, first.as_ref(), &second);
}

fn check(
    scene: &Scene,
    row: Row,
    case: &Case,
    before: usize,
    first: Option<&Answer>,
    second: &Answer,
) {
    let calls = scene.upstream.hits() - before;
    let text = String::from_utf8_lossy(&second.body);
    match row.becomes {
        Becomes::Refused(status) => {
            assert_eq!(second.status, status, "{text}");
            case.surface.error(second);
            assert_eq!(second.header("x-should-retry"), Some("false"));
            assert_eq!(calls, 1, "at the provider");
        }
        Becomes::Joined => {
            assert_eq!(calls, 1, "at the provider");
            assert_eq!(second.header("x-pillion-joined"), Some("true"));
            if let Some(first) = first {
                assert_eq!(first.body, second.body);
                assert_ne!(first.id(), second.id());
                assert_eq!(first.header("x-pillion-joined"), None);
            }
        }
        Becomes::Another => {
            assert_eq!(second.header("x-pillion-joined"), None);
            assert!(calls >= 2, "{calls} calls at the provider");
        }
    }
    if !matches!(row.becomes, Becomes::Refused(_)) {
        let told = case.surface.read(second, case.streamed);
        assert_eq!((told.text, told.finish), (HELLO.concat(), Finish::Stop));
    }
}
