//! Promises of the room as a whole: no socket, and a clock that stands still until it is moved.

mod linger;
mod simulation;
mod tapes;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::*;
use crate::body::{Body, BoxError, full};
use crate::chat::Surface;
use crate::record::{Arrival, End, Ending, Recorder, Records};
use crate::snapshot::Identity as Instance;
use crate::telemetry::Metrics;

const SECOND: Duration = Duration::from_secs(1);

struct Scene {
    calls: Calls,
    tasks: Tasks,
    cut: CancellationToken,
    records: Records,
}

/// A body that comes as it is sent, and whose end is the end of its record.
struct Piped {
    chunks: mpsc::Receiver<Bytes>,
    recorder: Option<Recorder>,
}

impl http_body::Body for Piped {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let chunk = std::task::ready!(self.chunks.poll_recv(cx));
        if chunk.is_none()
            && let Some(recorder) = self.recorder.take()
        {
            recorder.finish(End::Answered(StatusCode::OK));
        }
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}

/// What answers a call, as the test says.
type Answering = oneshot::Sender<Answers>;

enum Answers {
    Plain(Bytes),
    Stream(mpsc::Receiver<Bytes>),
    Error,
}

impl Scene {
    fn new() -> Self {
        let tasks = Tasks::default();
        let cut = CancellationToken::new();
        let (records, _kept) = Records::kept(Instance::default(), Arc::new(Metrics::new()));
        Self {
            calls: Calls::new(tasks.clone(), cut.clone()),
            tasks,
            cut,
            records,
        }
    }

    fn enter(&self, asked: Asked, identity: Identity) -> Result<Entered, Conflict> {
        self.calls.enter(asked, identity, Instant::now())
    }

    /// Begins a call that must be the first of its kind.
    fn first(&self, headers: &[(&'static str, &str)], identity: Identity) -> (Waiter, Answering) {
        let Ok(Entered::First(vacancy)) = self.enter(asked(headers), identity) else {
            panic!("there was one before");
        };
        let (answering, answer) = oneshot::channel();
        let work = self.work(vacancy.ending(), answer);
        (vacancy.begin(work), answering)
    }

    /// Joins a call that must be there.
    fn join(&self, headers: &[(&'static str, &str)], identity: Identity) -> (Waiter, Kind) {
        let Ok(Entered::Joined(waiter, kind)) = self.enter(asked(headers), identity) else {
            panic!("there is none to join");
        };
        (waiter, kind)
    }

    /// What is kept for this request, if anything.
    async fn replayed(&self, identity: Identity) -> Option<Bytes> {
        match self.enter(Asked::default(), identity) {
            Ok(Entered::Replayed(reader)) => Some(all(reader.into_response(None)).await),
            Ok(Entered::First(_) | Entered::Joined(..)) | Err(Conflict) => None,
        }
    }

    fn work(&self, ending: Arc<Ending>, answer: oneshot::Receiver<Answers>) -> Work {
        let mut recorder = self.records.begin(Arrival::now());
        recorder.shared(ending);
        Box::pin(async move {
            match answer.await.unwrap() {
                Answers::Plain(body) => {
                    recorder.finish(End::Answered(StatusCode::OK));
                    Response::new(full(body))
                }
                Answers::Stream(chunks) => {
                    let recorder = Some(recorder);
                    Response::new(Piped { chunks, recorder }.boxed_unsync())
                }
                Answers::Error => {
                    recorder.finish(End::Failed(&GatewayError::DeadlineExceeded));
                    Response::new(full("no"))
                }
            }
        })
    }

    /// How many calls are known, and how many of them linger.
    fn counts(&self) -> (usize, usize) {
        let running = lock(&self.calls.all.table).len();
        (running, lock(&self.calls.all.lingering).len())
    }
}

fn asked(headers: &[(&'static str, &str)]) -> Asked {
    let pairs = headers.iter();
    let headers: HeaderMap = pairs
        .map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()))
        .collect();
    Asked::read(&headers).unwrap()
}

fn plain(body: &str) -> Identity {
    Identity {
        caller: "caller".into(),
        key: None,
        surface: Surface::Chat,
        body: Bytes::copy_from_slice(body.as_bytes()),
        rules: "".into(),
        dedupe: None,
    }
}

fn keyed(key: &str, body: &str) -> Identity {
    Identity {
        key: Some(key.into()),
        ..plain(body)
    }
}

fn deduped(body: &str) -> Identity {
    Identity {
        dedupe: Some(2 * SECOND),
        ..plain(body)
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's own answer")]
async fn all(response: Response<Body>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

async fn shared(waiter: Waiter) -> Response<Body> {
    match waiter.await {
        Handed::Shared(reader) => reader.into_response(None),
        Handed::Whole(_) => panic!("it went to one alone"),
        Handed::Failed(error) => panic!("{error}"),
    }
}

const SDK: (&str, &str) = ("x-stainless-retry-count", "0");
const RETRY: (&str, &str) = ("x-stainless-retry-count", "1");
const ANNOUNCED: (&str, &str) = ("x-stainless-read-timeout", "2");

#[tokio::test(start_paused = true)]
async fn an_answer_for_one_goes_out_as_it_came() {
    let scene = Scene::new();
    let (waiter, answering) = scene.first(&[SDK], plain("a"));
    assert_eq!(scene.counts(), (1, 0));
    let (_chunks, stream) = mpsc::channel(1);
    assert!(answering.send(Answers::Stream(stream)).is_ok());
    assert!(matches!(waiter.await, Handed::Whole(_)));
    assert_eq!(scene.counts(), (0, 0));
    assert!(matches!(
        scene.enter(asked(&[RETRY]), plain("a")),
        Ok(Entered::First(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_for_ten_minutes_for_the_same_request() {
    let scene = Scene::new();
    let (waiter, answering) = scene.first(&[], keyed("k", "a"));
    assert!(answering.send(Answers::Plain("yes".into())).is_ok());
    assert_eq!(all(shared(waiter).await).await, "yes");
    assert_eq!(scene.counts(), (0, 0), "it runs no more");
    sleep(599 * SECOND).await;
    assert_eq!(scene.replayed(keyed("k", "a")).await.unwrap(), "yes");
    let elsewhere = Identity {
        surface: Surface::Responses,
        ..keyed("k", "a")
    };
    let ruled = Identity {
        rules: "gold".into(),
        ..keyed("k", "a")
    };
    for other in [keyed("k", "b"), elsewhere, ruled] {
        assert!(matches!(
            scene.enter(Asked::default(), other),
            Err(Conflict)
        ));
    }
    let stranger = Identity {
        caller: "another".into(),
        ..keyed("k", "a")
    };
    assert_eq!(scene.replayed(stranger).await, None);
    sleep(2 * SECOND).await;
    assert_eq!(scene.replayed(keyed("k", "a")).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_to_those_who_wait_and_kept_for_nobody() {
    let scene = Scene::new();
    let (waiter, answering) = scene.first(&[], keyed("k", "a"));
    let (joined, kind) = scene.join(&[], keyed("k", "a"));
    assert_eq!(kind, Kind::Key);
    assert!(matches!(
        scene.enter(Asked::default(), keyed("k", "b")),
        Err(Conflict)
    ));
    assert!(answering.send(Answers::Error).is_ok());
    // Whoever of them looks first.
    let Handed::Failed(error) = joined.await else {
        panic!("there is no answer");
    };
    assert_eq!(error, GatewayError::DeadlineExceeded);
    assert_eq!(
        all(shared(waiter).await).await,
        "no",
        "in the words that came"
    );
    assert!(matches!(
        scene.enter(Asked::default(), keyed("k", "b")),
        Ok(Entered::First(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn identical_requests_are_one_within_their_routes_time() {
    let scene = Scene::new();
    let (waiter, answering) = scene.first(&[], deduped("a"));
    sleep(SECOND).await;
    let (joined, kind) = scene.join(&[], deduped("a"));
    assert_eq!(kind, Kind::Dedupe);
    assert!(answering.send(Answers::Plain("yes".into())).is_ok());
    assert_eq!(all(shared(waiter).await).await, "yes");
    assert_eq!(all(shared(joined).await).await, "yes");
    sleep(Duration::from_millis(999)).await;
    assert_eq!(scene.replayed(deduped("a")).await.unwrap(), "yes");
    assert_eq!(scene.replayed(deduped("b")).await, None);
    sleep(Duration::from_millis(2)).await;
    assert_eq!(scene.replayed(deduped("a")).await, None, "two seconds on");
    // Also while the first still runs.
    let (_waiter, _answering) = scene.first(&[], deduped("slow"));
    sleep(3 * SECOND).await;
    let (_again, _) = scene.first(&[], deduped("slow"));
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_read_from_its_start_by_whoever_comes() {
    let scene = Scene::new();
    let (waiter, answering) = scene.first(&[], keyed("k", "a"));
    let (chunks, stream) = mpsc::channel(8);
    assert!(answering.send(Answers::Stream(stream)).is_ok());
    let mut one = shared(waiter).await.into_body();
    chunks.send("a".into()).await.unwrap();
    assert_eq!(
        one.frame().await.unwrap().unwrap().into_data().unwrap(),
        "a"
    );
    let (two, _) = scene.join(&[], keyed("k", "a"));
    let two = all(shared(two).await);
    // The first leaves while the second waits for what it was to pull.
    let (two, ()) = tokio::join!(two, async {
        tokio::task::yield_now().await;
        drop(one);
        tokio::task::yield_now().await;
        chunks.send("b".into()).await.unwrap();
        drop(chunks);
    });
    assert_eq!(two, "ab");
    assert_eq!(scene.replayed(keyed("k", "a")).await.unwrap(), "ab");
    assert_eq!(scene.counts(), (0, 0));
}
