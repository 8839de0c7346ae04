//! Callers by the million who click again, time out, leave and come back, on a clock of its
//! own: what is one call runs once, and everybody gets the answer to what they asked.

use std::collections::HashMap;
use std::sync::Mutex;

use super::*;

/// A million where the code is optimized, as `cargo test --release` has it. Where it is not, each takes
/// many times as long, and there are as many as are over in about 20 seconds.
const REQUESTS: u32 = if cfg!(debug_assertions) {
    200_000
} else {
    1_000_000
};
/// They come so far apart, on the average.
const APART: Duration = Duration::from_millis(360);

/// What runs, by what it is for, and how many calls were begun.
#[derive(Default)]
struct World {
    running: Mutex<HashMap<String, u32>>,
    begun: Mutex<u32>,
    joined: Mutex<[u32; 3]>,
    replayed: Mutex<u32>,
    conflicts: Mutex<u32>,
}

/// A call that runs; over when dropped.
struct Run {
    world: Arc<World>,
    name: String,
}

impl Run {
    fn begin(world: &Arc<World>, name: &str) -> Self {
        *lock(&world.running).entry(name.to_owned()).or_default() += 1;
        *lock(&world.begun) += 1;
        Self {
            world: Arc::clone(world),
            name: name.to_owned(),
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let mut running = lock(&self.world.running);
        let count = running.get_mut(&self.name).unwrap();
        *count -= 1;
        if *count == 0 {
            running.remove(&self.name);
        }
    }
}

/// A request, as chance makes it.
struct Request {
    identity: Identity,
    asked: Asked,
    /// What it is for.
    name: String,
    /// When its caller leaves, if that does not wait to the end.
    leaves: Option<Duration>,
    takes: Duration,
    fails: bool,
}

impl Request {
    fn new(rng: &mut fastrand::Rng) -> Self {
        let which = rng.u32(..60);
        let (identity, headers, name): (_, &[(&'static str, &str)], _) = match rng.u8(..4) {
            0 => {
                // Now and then under a key that stands for something else.
                let body = if rng.u8(..30) == 0 { "other" } else { "body" };
                let body = format!("{body} {which}");
                (
                    keyed(&format!("key-{which}"), &body),
                    &[][..],
                    format!("key-{which}"),
                )
            }
            1 => {
                let body = format!("clicked {which}");
                (deduped(&body), &[][..], body)
            }
            2 => {
                let body = format!("asked {which}");
                let retry = rng.bool();
                let headers = if retry {
                    &[RETRY, ANNOUNCED][..]
                } else {
                    &[SDK, ANNOUNCED][..]
                };
                (plain(&body), headers, body)
            }
            _ => {
                let body = format!("plain {}", rng.u32(..));
                (plain(&body), &[][..], body)
            }
        };
        Self {
            identity,
            asked: asked(headers),
            name,
            leaves: (rng.u8(..4) == 0).then(|| Duration::from_secs_f64(rng.f64() * 4.0)),
            takes: Duration::from_secs_f64(rng.f64() * 6.0),
            fails: rng.u8(..10) == 0,
        }
    }
}

fn work(scene: &Scene, world: &Arc<World>, request: &Request, ending: Arc<Ending>) -> Work {
    let (takes, fails) = (request.takes, request.fails);
    let mut recorder = scene.records.begin(Arrival::now());
    recorder.shared(ending);
    let run = Run::begin(world, &request.name);
    let answer = Bytes::from(format!(
        "to {}",
        String::from_utf8_lossy(&request.identity.body)
    ));
    Box::pin(async move {
        sleep(takes).await;
        drop(run);
        if fails {
            recorder.finish(End::Failed(&GatewayError::DeadlineExceeded));
            return Response::new(full("no"));
        }
        recorder.finish(End::Answered(StatusCode::OK));
        Response::new(full(answer))
    })
}

async fn one(scene: Arc<Scene>, world: Arc<World>, request: Request) {
    let is_retry = request.asked.is_retry();
    let waiter = match scene.enter(request.asked.clone(), request.identity.clone()) {
        Err(Conflict) => {
            assert!(request.identity.key.is_some());
            *lock(&world.conflicts) += 1;
            return;
        }
        Ok(Entered::Replayed(reader)) => {
            *lock(&world.replayed) += 1;
            check(&request, &all(reader.into_response(None)).await);
            return;
        }
        Ok(Entered::Joined(waiter, kind)) => {
            lock(&world.joined)[kind as usize] += 1;
            waiter
        }
        Ok(Entered::First(vacancy)) => {
            let running = lock(&world.running).get(&request.name).copied();
            let alone = request.identity.key.is_some() || is_retry;
            assert!(
                !alone || running.unwrap_or_default() == 0,
                "{} runs already",
                request.name
            );
            let work = work(&scene, &world, &request, vacancy.ending());
            vacancy.begin(work)
        }
    };
    let handed = match request.leaves {
        None => waiter.await,
        Some(patience) => match tokio::time::timeout(patience, waiter).await {
            Ok(handed) => handed,
            Err(_) => return,
        },
    };
    let response = match handed {
        Handed::Whole(response) => response,
        Handed::Shared(reader) => reader.into_response(None),
        Handed::Failed(_) => return,
    };
    check(&request, &all(response).await);
}

fn check(request: &Request, answer: &Bytes) {
    let asked = String::from_utf8_lossy(&request.identity.body).into_owned();
    assert!(
        *answer == format!("to {asked}") || *answer == "no",
        "{asked}: {answer:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_one_call_runs_once_and_answers_everybody() {
    let (scene, world) = (Arc::new(Scene::new()), Arc::new(World::default()));
    let mut rng = fastrand::Rng::with_seed(7);
    for _ in 0..REQUESTS {
        let request = Request::new(&mut rng);
        scene
            .tasks
            .spawn(one(Arc::clone(&scene), Arc::clone(&world), request));
        // As those come that know nothing of each other.
        sleep(APART.mul_f64(-(1.0 - rng.f64()).ln())).await;
    }
    scene.tasks.idle().await;
    assert_eq!(scene.counts(), (0, 0));
    assert!(lock(&world.running).is_empty());
    let begun = *lock(&world.begun);
    let joined = *lock(&world.joined);
    let replayed = *lock(&world.replayed);
    let conflicts = *lock(&world.conflicts);
    let all = begun + joined.iter().sum::<u32>() + replayed + conflicts;
    assert_eq!(all, REQUESTS);
    let often = |count: u32, share: u32| count > REQUESTS / share;
    assert!(
        joined.iter().all(|joined| often(*joined, 3000)),
        "{joined:?}"
    );
    assert!(
        often(replayed, 60) && often(conflicts, 600),
        "{replayed} {conflicts}"
    );
}
