//! A source and a taker that follow a script, on a clock of the test's own.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use fastrand::Rng;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::super::copies::Copies;
use super::super::*;
use crate::config::{Format, Rollback, Rollout};
use crate::snapshot::Percent;
use crate::source::{Auth, Fetched, Fetching, Place, PublicKey, Source, SourceError, SourceUrl};
use crate::telemetry::Metrics;

pub(super) const REFRESH: Duration = Duration::from_secs(15);
pub(super) const URL: &str = "https://centre.example/pillion.yaml";

pub(super) fn away() -> SourceError {
    SourceError::Away {
        why: "cannot be reached: refused".into(),
        again: None,
    }
}

/// What a source holds, for all who ask; and when each asked.
pub(super) struct Centre {
    holds: watch::Sender<Held>,
    asked: Mutex<Vec<(usize, Instant)>>,
}

#[derive(Clone)]
enum Held {
    Document(Document),
    Fails(SourceError),
    /// It does not answer.
    Silent,
}

/// One of those who ask it.
struct Asker {
    centre: Arc<Centre>,
    number: usize,
    watches: bool,
    given: Option<Document>,
}

pub(super) fn document(text: &str) -> Document {
    Document {
        text: text.to_owned().into(),
        format: Format::Yaml,
        signature: None,
    }
}

impl Centre {
    fn holding(held: Held) -> Arc<Self> {
        Arc::new(Self {
            holds: watch::Sender::new(held),
            asked: Mutex::default(),
        })
    }

    pub(super) fn with(text: &str) -> Arc<Self> {
        Self::holding(Held::Document(document(text)))
    }

    pub(super) fn failing(error: SourceError) -> Arc<Self> {
        Self::holding(Held::Fails(error))
    }

    pub(super) fn silent() -> Arc<Self> {
        Self::holding(Held::Silent)
    }

    pub(super) fn has(&self, document: Document) {
        self.holds.send_replace(Held::Document(document));
    }

    pub(super) fn says(&self, text: &str) {
        self.has(document(text));
    }

    pub(super) fn fails(&self, error: SourceError) {
        self.holds.send_replace(Held::Fails(error));
    }

    /// It answers nobody any more.
    pub(super) fn falls_silent(&self) {
        self.holds.send_replace(Held::Silent);
    }

    /// When this one has asked.
    pub(super) fn asked_by(&self, number: usize) -> Vec<Instant> {
        let asked = self.asked.lock().unwrap();
        let own = asked.iter().filter(|(by, _)| *by == number);
        own.map(|(_, at)| *at).collect()
    }
}

impl Source for Asker {
    fn fetch(&mut self, patience: Duration) -> Fetching<'_> {
        Box::pin(async move {
            let asked = (self.number, Instant::now());
            self.centre.asked.lock().unwrap().push(asked);
            let mut holds = self.centre.holds.subscribe();
            let given = self.given.clone();
            let is_news = |held: &Held| match held {
                Held::Document(document) => Some(document) != given.as_ref(),
                Held::Fails(_) => true,
                Held::Silent => false,
            };
            let is_silent = matches!(*holds.borrow(), Held::Silent);
            if is_silent {
                std::future::pending::<()>().await;
            }
            if self.watches {
                let _ = timeout(patience, holds.wait_for(is_news)).await;
            }
            let held = holds.borrow().clone();
            match held {
                Held::Document(document) if self.given.as_ref() == Some(&document) => {
                    Ok(Fetched::Same)
                }
                Held::Document(document) => {
                    self.given = Some(document.clone());
                    Ok(Fetched::New(document))
                }
                Held::Fails(error) => Err(error),
                Held::Silent => Ok(Fetched::Same),
            }
        })
    }

    fn watches(&self) -> bool {
        self.watches
    }
}

/// Takes what reads like `v3 rollback 50%`, each word of it or none, and refuses what has `bad` in it
/// unless it is told not to.
#[derive(Default)]
pub(super) struct Cast {
    live: Mutex<Vec<(String, Instant)>>,
    tolerant: Mutex<bool>,
}

impl Cast {
    /// The texts that were made live, in their order.
    pub(super) fn all(&self) -> Vec<String> {
        let live = self.live.lock().unwrap();
        live.iter().map(|(text, _)| text.clone()).collect()
    }

    pub(super) fn tolerate(&self) {
        *self.tolerant.lock().unwrap() = true;
    }

    pub(super) fn last(&self) -> Option<(String, Instant)> {
        self.live.lock().unwrap().last().cloned()
    }
}

impl Taker for Cast {
    fn take(&self, offer: &Offer, standing: &Standing) -> Verdict {
        let text = std::str::from_utf8(&offer.document.text).unwrap();
        if text.contains("bad") && !*self.tolerant.lock().unwrap() {
            return Verdict::Refused(vec![format!("{}:1:1: it is bad", offer.name)]);
        }
        let mut release = Release::default();
        for word in text.split_whitespace() {
            if let Some(version) = word.strip_prefix('v') {
                release.version = Some(version.parse().unwrap());
            }
            if let Some(percent) = word.strip_suffix('%') {
                release.rollout = Some(Rollout {
                    percent: Percent::try_new(percent.parse().unwrap()).unwrap(),
                    salt: "".into(),
                });
            }
            if let Some(bound) = word.strip_prefix("rollback") {
                release.rollback = bound.parse().map_or(Rollback::Any, Rollback::From);
            }
        }
        if let Err(stay) = standing.admits(&release) {
            return Verdict::Stays(stay);
        }
        let mut live = self.live.lock().unwrap();
        live.push((text.to_owned(), Instant::now()));
        Verdict::Live(release)
    }
}

/// A sidecar, as far as it follows. It ends with its owner.
pub(super) struct Sidecar {
    pub(super) cast: Arc<Cast>,
    pub(super) following: Arc<Following>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) again: Arc<Notify>,
    running: JoinHandle<()>,
}

pub(super) struct Plan {
    pub(super) number: usize,
    pub(super) watches: bool,
    pub(super) folder: Option<PathBuf>,
    pub(super) verify: Vec<PublicKey>,
    pub(super) instance: &'static str,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            number: 0,
            watches: false,
            folder: None,
            verify: Vec::new(),
            instance: "pod",
        }
    }
}

impl Sidecar {
    pub(super) fn start(centre: &Arc<Centre>, plan: Plan) -> Self {
        let Plan {
            number,
            watches,
            folder,
            verify,
            instance,
        } = plan;
        let metrics = Arc::new(Metrics::new().with_central_source());
        let now = Instant::now().into_std();
        let following = Arc::new(Following::new(URL.into(), Arc::clone(&metrics), now));
        let cast = Arc::new(Cast::default());
        let again = Arc::new(Notify::new());
        let opened = Opened {
            source: Box::new(Asker {
                centre: Arc::clone(centre),
                number,
                watches,
                given: None,
            }),
            place: Place {
                url: SourceUrl::try_new(URL).unwrap(),
                refresh: REFRESH,
                auth: Auth::None,
                ca: None,
                verify,
            },
            folder,
            instance: Some(instance.into()),
            again: Arc::clone(&again),
            rng: Rng::with_seed(number as u64),
        };
        let taker = Arc::clone(&cast);
        let follower = Follower::new(opened, Arc::clone(&following), taker);
        #[expect(clippy::disallowed_methods, reason = "it ends with its owner")]
        let running = tokio::spawn(follower.run());
        Self {
            cast,
            following,
            metrics,
            again,
            running,
        }
    }

    /// Waits until this is live; the time at which it became so.
    pub(super) async fn lives_by(&self, text: &str) -> Instant {
        loop {
            match self.cast.last() {
                Some((live, since)) if live == text => return since,
                Some(_) | None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    pub(super) fn detail(&self) -> SourceDetail {
        self.following.detail(Instant::now().into_std())
    }

    pub(super) fn is_running(&self) -> bool {
        !self.running.is_finished()
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// `cache_dir`; it goes with its owner.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        let name = format!("pillion-central-{:016x}", fastrand::u64(..));
        Self(std::env::temp_dir().join(name))
    }

    /// As a process before has left it, the newest last.
    pub(super) fn with(texts: &[(&str, Option<u64>)]) -> Self {
        let folder = Self::new();
        for (text, version) in texts {
            let kept = folder.copies();
            kept.keep(&document(text), *version, SystemTime::now())
                .unwrap();
        }
        folder
    }

    pub(super) fn copies(&self) -> Copies {
        Copies::new(self.0.clone(), &SourceUrl::try_new(URL).unwrap())
    }

    /// As if the newest copy had been confirmed a day ago.
    pub(super) fn grows_old(&self) {
        let file = self.0.join("central.copy");
        let text = std::fs::read_to_string(&file).unwrap();
        let (head, document) = text.split_once('\n').unwrap();
        let mut head: serde_json::Value = serde_json::from_str(head).unwrap();
        let confirmed = head["confirmed"].as_u64().unwrap();
        head["confirmed"] = (confirmed - 24 * 60 * 60).into();
        std::fs::write(&file, format!("{head}\n{document}")).unwrap();
    }

    /// How long ago the source had the newest copy.
    pub(super) fn age(&self) -> Duration {
        let (copies, _) = self.copies().read();
        copies[0].confirmed.elapsed().unwrap_or_default()
    }

    /// The texts that are kept, the newest first.
    pub(super) fn kept(&self) -> Vec<String> {
        let copies = self.copies().read().0.into_iter();
        let texts = copies.map(|copy| String::from_utf8(copy.document.text.to_vec()).unwrap());
        texts.collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
