//! More requests than there is room for: those beyond it are told at once, and nobody else pays.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::support::Gate;
use crate::support::surface::{Finish, SURFACES};
use crate::support::wire::Wire;

use super::asked::provider;
use super::parts::{HELLO, hello};
use super::scene::{Known, Request, Scene};
use super::words::{Asked, At, Bounds, Case, Listed, Phase, cases};

/// How many may run, and how many may wait.
const ROOM: usize = 3;
const QUEUE: usize = 2;
/// Nobody else is answered before the gate opens.
const AT_ONCE: Duration = Duration::from_millis(250);

pub(super) fn listed() -> Vec<Listed> {
    let cases = cases("X5", Asked::Both, &SURFACES);
    let each = cases.iter();
    each.map(|case| Listed::of(case, At::Process, Phase::RequestBody, &[]))
        .collect()
}

pub(super) async fn play() {
    let scene = Scene::set(|config, upstream| {
        let mut config = config.root(&format!("concurrency: {ROOM}\nqueue: {QUEUE}"));
        for case in cases("X5", Asked::Both, &SURFACES) {
            let (id, root) = (&case.id, upstream.root_url());
            let first = provider(case.surface, &format!("{root}/{id}.1/v1"));
            config = config.keys_of(&format!("{id}.1"), &first).route(
                id,
                &format!(
                    "{{ targets: [\"{id}.1/m\"], timeout: 15s, first_token: 8s, answer: 8s }}"
                ),
            );
        }
        config
    })
    .await;
    let cases = cases("X5", Asked::Both, &SURFACES);
    for (number, case) in cases.into_iter().enumerate() {
        let id = case.id.clone();
        let bounds = Bounds::of(Duration::from_secs(15));
        scene
            .row(&id, bounds, |scene, known| async move {
                // The steady request needs a place too; the first one was made before all rows.
                scene.steady.request(number + 1).await;
                run(&scene, &known, &case).await;
            })
            .await;
    }
    scene.finish("more than there is room for").await;
}

async fn run(scene: &Arc<Scene>, known: &Known, case: &Case) {
    let id = &case.id;
    let gate = Gate::new();
    let opened = gate.clone();
    scene.cast(&format!("{id}.1"), move |seen| {
        let reply = Wire::of(seen).reply(Wire::streamed(seen), &hello());
        reply.pause_at(0, &opened)
    });
    let before = scene.upstream.hits();
    let ask = Request::new(case.surface, id, case.streamed);
    let mut running = Vec::new();
    for number in 0..ROOM {
        known.asked();
        running.push(scene.open(&ask).await);
        scene.upstream.request(before + number).await;
    }
    // Of those that come now, as many wait as may; the first to be told is one too many.
    let mut others = JoinSet::new();
    let start = Instant::now();
    for _ in 0..=QUEUE {
        known.asked();
        let client = scene.open(&ask).await;
        others.spawn(async move { client.answer().await.rest().await });
    }
    let refused = others.join_next().await.unwrap().unwrap();
    let took = start.elapsed();
    assert!(took < AT_ONCE, "{took:?}");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(case.surface.error(&refused).0, "overloaded");
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(scene.upstream.hits() - before, ROOM, "at the provider");
    gate.open();
    let mut answers = Vec::new();
    for client in running {
        answers.push(client.answer().await.rest().await);
    }
    while let Some(waited) = others.join_next().await {
        answers.push(waited.unwrap());
    }
    for answer in answers {
        let told = case.surface.read(&answer, case.streamed);
        assert_eq!((told.text, told.finish), (HELLO.concat(), Finish::Stop));
    }
}
