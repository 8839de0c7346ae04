//! One gateway and one scripted provider that a table's rows share: each row has a route and
//! targets of its own, so that nothing that is learnt about a target in one row shows in another.

use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::{JoinError, JoinSet};

use crate::passing::key;
use crate::support::fixture::{plain, read_plain};
use crate::support::upstream::{EARLY, Seen};
use crate::support::{Answer, Client, Config, Gate, Gateway, Reply, Surface, Upstream};

use super::invariants;
use super::words::Bounds;

/// What is secret or somebody's own, and must not be where it does not belong.
pub(super) const TOKEN: &str = "canary-token-7f3a91e0";
pub(super) const SECRET: &str = "canary-secret-c04d5533";
pub(super) const PROMPT: &str = "canary-prompt-b8821e76";
pub(super) const SAID: &str = "canary-said-51c9aa02";

/// What a provider does with a request.
pub(super) type Part = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

pub(super) struct Scene {
    pub(super) gateway: Gateway,
    pub(super) upstream: Upstream,
    /// Of a route that no fault touches.
    pub(super) steady: Upstream,
    cast: Arc<Mutex<HashMap<String, Part>>>,
    pub(super) least: Mutex<Least>,
    rows: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

/// The fewest descriptors and tasks that were seen between two rows: more is a leak.
#[derive(Debug, Clone, Copy)]
pub(super) struct Least {
    pub(super) descriptors: usize,
    pub(super) tasks: u64,
}

/// Where things stood when a row began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) seen: usize,
    pub(super) records: usize,
    pub(super) log: usize,
    pub(super) resident_kib: usize,
}

/// What has come of a row so far.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// How many records there were before.
    pub(super) records_before: usize,
    /// How many records there must be.
    pub(super) requests: usize,
    pub(super) answers: Vec<Answered>,
    /// Bytes that came in no answer that could be read.
    pub(super) raw: Vec<u8>,
    /// When the client went away, or had its answer.
    pub(super) ended: Option<Instant>,
    /// The ids of the calls that the client was told.
    pub(super) calls: Vec<String>,
    pub(super) notes: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Answered {
    pub(super) answer: Answer,
    pub(super) streamed: bool,
    pub(super) head_at: Instant,
    pub(super) head_took: Duration,
    pub(super) took: Duration,
}

/// Shared with a row while it runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Known(Arc<Mutex<Facts>>);

impl Known {
    pub(super) fn with<T>(&self, see: impl FnOnce(&mut Facts) -> T) -> T {
        see(&mut self.0.lock().unwrap())
    }

    /// A request has been made.
    pub(super) fn asked(&self) {
        self.with(|facts| facts.requests += 1);
    }

    /// The client has gone.
    pub(super) fn left(&self) {
        self.with(|facts| facts.ended = Some(Instant::now()));
    }

    pub(super) fn note(&self, note: impl Into<String>) {
        self.with(|facts| facts.notes.push(note.into()));
    }
}

/// One request to be made.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) streamed: bool,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// With our token and a prompt that must not be told on.
    pub(super) fn new(surface: Surface, route: &str, streamed: bool) -> Self {
        Self::saying(surface, route, streamed, PROMPT, false)
    }

    /// The same with another prompt, and with tools.
    pub(super) fn saying(
        surface: Surface,
        route: &str,
        streamed: bool,
        prompt: &str,
        tools: bool,
    ) -> Self {
        let mut ask = surface.asking(route, streamed);
        if tools {
            ask["tools"] = surface.tools(&["weather", "clock"]);
        }
        Self {
            streamed,
            path: surface.path().to_owned(),
            headers: vec![("authorization".to_owned(), format!("Bearer {TOKEN}"))],
            body: ask
                .to_string()
                .replace("\"Hi\"", &format!("\"{prompt}\""))
                .into_bytes(),
        }
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn headers(&self) -> Vec<(&str, &str)> {
        let each = self.headers.iter();
        each.map(|(name, value)| (&**name, &**value)).collect()
    }
}

/// The path under which the provider of this name is asked, and so knows its part.
fn place(seen: &Seen) -> String {
    let path = seen.head.split(' ').nth(1).unwrap_or_default();
    let path = path.strip_prefix(EARLY).unwrap_or(&path[1..]);
    path.split('/').next().unwrap_or_default().to_owned()
}

impl Scene {
    /// `set` adds the rows' providers and routes.
    pub(super) async fn set(set: impl FnOnce(Config, &Upstream) -> Config) -> Arc<Self> {
        let cast: Arc<Mutex<HashMap<String, Part>>> = Arc::default();
        let playing = Arc::clone(&cast);
        let upstream = Upstream::choosing(move |seen| {
            let part = playing.lock().unwrap().get(&place(seen)).cloned();
            part.map_or_else(
                || Reply::error(500, "server_error", None, "nobody plays this part"),
                |part| part(seen),
            )
        })
        .await;
        let steady = Upstream::always(Reply::json(plain("steady"))).await;
        let config = Config::new()
            .root(&key(TOKEN, ""))
            .file("secret", &format!("{SECRET}\n"))
            .provider_alone("steady", &steady.base_url(), "")
            .route("steady", "{ targets: [steady/m] }");
        let gateway = Gateway::start(set(config, &upstream)).await;
        let scene = Arc::new(Self {
            gateway,
            upstream,
            steady,
            cast,
            least: Mutex::new(Least {
                descriptors: usize::MAX,
                tasks: u64::MAX,
            }),
            rows: AtomicUsize::new(0),
            failures: Mutex::default(),
        });
        // What is made once, at the first request, is no leak.
        scene.ask_steady().await;
        scene.gateway.records(|_| true, 1).await;
        scene.steady.hang_up().await;
        let least = Least {
            descriptors: scene.gateway.descriptors(),
            tasks: invariants::tasks(&scene.gateway.ask_admin("/metrics").await),
        };
        *scene.least.lock().unwrap() = least;
        scene
    }

    pub(super) fn cast(&self, place: &str, part: impl Fn(&Seen) -> Reply + Send + Sync + 'static) {
        let mut cast = self.cast.lock().unwrap();
        cast.insert(place.to_owned(), Arc::new(part));
    }

    /// Runs one row, and then looks at what must hold after each of them.
    pub(super) async fn row<F>(
        self: &Arc<Self>,
        id: &str,
        bounds: Bounds,
        act: impl FnOnce(Arc<Self>, Known) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let known = Known::default();
        self.gateway.forget_peak();
        let mark = Mark {
            seen: self.upstream.hits(),
            records: self.gateway.record_lines(0).len(),
            log: self.gateway.log_lines(0).len(),
            resident_kib: self.gateway.resident_kib(),
        };
        known.with(|facts| facts.records_before = mark.records);
        let beside = Arc::clone(self);
        let mut steady = JoinSet::new();
        steady.spawn(async move { beside.ask_steady().await });
        let mut acting = JoinSet::new();
        acting.spawn(act(Arc::clone(self), known.clone()));
        let mut wrong = Vec::new();
        if let Some(Err(error)) = acting.join_next().await {
            wrong.push(panic_text(error));
        }
        match steady.join_next().await.unwrap() {
            Ok(took) if took < bounds.steady => {}
            Ok(took) => wrong.push(format!("I7: the steady route took {took:?}")),
            Err(error) => wrong.push(format!("I7: the steady route: {}", panic_text(error))),
        }
        known.asked();
        invariants::check(self, id, mark, &known, bounds, &mut wrong).await;
        self.rows.fetch_add(1, Ordering::Relaxed);
        if !wrong.is_empty() {
            let all = self.tell(id, mark, &known, &wrong);
            self.failures.lock().unwrap().push(all);
        }
    }

    /// A request of the route that no fault touches.
    async fn ask_steady(&self) -> Duration {
        let start = Instant::now();
        let ask = Request::new(Surface::Chat, "steady", false);
        let answer = self.open(&ask).await.answer().await.rest().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(read_plain(&answer.json())[0].text, "steady");
        start.elapsed()
    }

    /// Makes a request on a connection of its own.
    pub(super) async fn open(&self, ask: &Request) -> Client {
        let mut client = self.gateway.connect().await;
        client.post(&ask.path, &ask.headers(), &ask.body).await;
        client
    }

    /// Makes a request and reads its answer to the end; `gate` opens once its head has come.
    pub(super) async fn ask(&self, known: &Known, ask: &Request, gate: &Gate) -> Answer {
        let start = Instant::now();
        known.asked();
        let stream = self.open(ask).await.answer().await;
        let (head_at, head_took) = (Instant::now(), start.elapsed());
        gate.open();
        let answer = stream.rest().await;
        let ended = Instant::now();
        known.with(|facts| {
            facts.ended = Some(ended);
            facts.answers.push(Answered {
                answer: answer.clone(),
                streamed: ask.streamed,
                head_at,
                head_took,
                took: ended - start,
            });
        });
        answer
    }

    /// All that is known of a row that failed.
    fn tell(&self, id: &str, mark: Mark, known: &Known, wrong: &[String]) -> String {
        let mut all = format!("== {id}\n");
        for each in wrong {
            all += &format!("   ! {each}\n");
        }
        known.with(|facts| {
            for note in &facts.notes {
                all += &format!("   note: {note}\n");
            }
            for Answered { answer, took, .. } in &facts.answers {
                let Answer {
                    status, headers, ..
                } = answer;
                let body = String::from_utf8_lossy(&answer.body);
                all +=
                    &format!("   answer after {took:?}: {status} {headers:?}\n     {body:.2000}\n");
            }
            if !facts.raw.is_empty() {
                all += &format!("   bytes: {:?}\n", String::from_utf8_lossy(&facts.raw));
            }
        });
        for line in self.gateway.record_lines(mark.records) {
            all += &format!("   record: {line}\n");
        }
        for seen in self.upstream.requests_from(mark.seen) {
            let line = seen.head.lines().next().unwrap_or_default();
            let (at, closed) = (seen.connection, seen.closed.is_some());
            all += &format!("   upstream: {line} on connection {at}, closed: {closed}\n");
        }
        for line in self.gateway.log_lines(mark.log) {
            all += &format!("   log: {line:.400}\n");
        }
        all
    }

    /// The end of the table: every failure of it at once.
    pub(super) async fn finish(self: Arc<Self>, table: &str) {
        let mut failures = std::mem::take(&mut *self.failures.lock().unwrap());
        failures.extend(invariants::at_the_end(&self).await);
        let rows = self.rows.load(Ordering::Relaxed);
        // The gateway's whole log would bury them.
        drop(self);
        eprintln!("{table}: {rows} rows, {} failures", failures.len());
        assert!(
            failures.is_empty(),
            "{} of {rows} rows of {table} failed:\n{}",
            failures.len(),
            failures.join("\n")
        );
    }
}

/// What a task that panicked said.
fn panic_text(error: JoinError) -> String {
    let Ok(payload) = error.try_into_panic() else {
        return "the row was cancelled".to_owned();
    };
    text_of(&*payload)
}

pub(super) fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}
