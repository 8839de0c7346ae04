//! More requests than there is room for: those beyond it are told at once, and nobody else pays.

use std::sync::Arc;
use std::time::{Duration, Instant};

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
/// The steady request needs a place too.
const OTHERS: Duration = Duration::from_secs(10);

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
    for case in cases("X5", Asked::Both, &SURFACES) {
        let id = case.id.clone();
        let mut bounds = Bounds::of(Duration::from_secs(15));
        bounds.steady = OTHERS;
        scene
            .row(&id, bounds, |scene, known| async move {
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
    let mut waiting = Vec::new();
    let refused = loop {
        assert!(waiting.len() <= QUEUE, "nobody was refused");
        known.asked();
        let start = Instant::now();
        let client = scene.open(&ask).await;
        let mut answer = Box::pin(client.answer());
        match tokio::time::timeout(Duration::from_millis(500), &mut answer).await {
            Ok(stream) => {
                let took = start.elapsed();
                assert!(took < Duration::from_millis(250), "{took:?}");
                break stream.rest().await;
            }
            // It stays: one that leaves gives its place in the queue back.
            Err(_) => waiting.push(answer),
        }
    };
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
    for waiting in waiting {
        answers.push(waiting.await.rest().await);
    }
    for answer in answers {
        let told = case.surface.read(&answer, case.streamed);
        assert_eq!((told.text, told.finish), (HELLO.concat(), Finish::Stop));
    }
}
