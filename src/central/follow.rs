//! The loop that follows a source, from the start of the process to its end.
//!
//! It never ends the process, and never gives up.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fastrand::Rng;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::copies::Copies;
use super::digest::Digest;
use super::examine::{Flaw, Sealed, examine};
use super::following::{Following, Origin, Reason};
use super::keeping::{Good, keep};
use super::pace::Pace;
use super::standing::{Standing, Stay};
use super::{Offer, Taker, Verdict};
use crate::source::{Document, Fetched, Place, PublicKey, Source, SourceError};

/// How long a source that watches is let wait for a change: below what proxies between cut.
const WATCH: Duration = Duration::from_secs(30);
/// The same of one that is not known to watch: long enough to see that it does, and too short for an
/// outage to go unnoticed.
const PROBE: Duration = Duration::from_secs(2);
/// A question that is not answered so long after it should be is given up.
const LATE: Duration = Duration::from_secs(15);
/// A document and its signature are two; one may be seen before the other has been written.
const SETTLES: Duration = Duration::from_secs(1);
/// How often what is kept is told that the source still has it.
const CONFIRMED: Duration = Duration::from_mins(5);

/// What a follower is made of.
pub struct Opened {
    pub source: Box<dyn Source>,
    pub place: Place,
    /// `cache_dir`.
    pub folder: Option<PathBuf>,
    pub instance: Option<Arc<str>>,
    /// Asks for the source to be asked now, and for what was not taken to be offered again.
    pub again: Arc<Notify>,
    pub rng: Rng,
}

/// Follows one source.
pub struct Follower {
    pub(super) source: Box<dyn Source>,
    place: Place,
    /// Whose signature is asked for; nobody's where there are none.
    pub(super) keys: Arc<[PublicKey]>,
    pub(super) copies: Option<Copies>,
    /// What is to be kept there.
    good: watch::Sender<Option<Good>>,
    instance: Option<Arc<str>>,
    again: Arc<Notify>,
    pub(super) rng: Rng,
    pub(super) pace: Pace,
    pub(super) following: Arc<Following>,
    taker: Arc<dyn Taker>,
    pub(super) live: Option<Live>,
    /// The newest document, while it is not the live one.
    waiting: Option<Waiting>,
}

pub(super) struct Live {
    digest: Digest,
    version: Option<u64>,
    /// Why it is for others first, where it is.
    early: Option<String>,
    /// Whether the source has it, as far as is known.
    is_newest: bool,
}

struct Waiting {
    sealed: Sealed,
    /// What is wrong with it; nothing where it is a step back, or for others first.
    problems: Vec<String>,
}

impl Follower {
    pub fn new(opened: Opened, following: Arc<Following>, taker: Arc<dyn Taker>) -> Self {
        let Opened {
            source,
            place,
            folder,
            instance,
            again,
            rng,
        } = opened;
        let copies = folder.map(|folder| Copies::new(folder, &place.url));
        Self {
            source,
            keys: place.verify.as_slice().into(),
            copies,
            good: watch::Sender::new(None),
            instance,
            again,
            rng,
            pace: Pace::new(place.refresh),
            place,
            following,
            taker,
            live: None,
            waiting: None,
        }
    }

    /// Follows for as long as it is not dropped.
    pub async fn run(self) {
        match self.copies.clone() {
            Some(copies) => {
                let newest = self.good.subscribe();
                let keeping = keep(copies, newest, Arc::clone(&self.following));
                tokio::join!(self.follow(), keeping);
            }
            None => self.follow().await,
        }
    }

    async fn follow(mut self) {
        let mut pause = self.start().await;
        loop {
            if !pause.is_zero() {
                let again = Arc::clone(&self.again);
                let asked = timeout(pause, again.notified()).await.is_ok();
                if asked {
                    self.offer_again().await;
                }
            }
            pause = self.turn().await;
        }
    }

    /// Asks the source, and offers what it gives; returns how long to wait before the next time.
    async fn turn(&mut self) -> Duration {
        let patience = if self.source.watches() { WATCH } else { PROBE };
        let began = Instant::now();
        let again = Arc::clone(&self.again);
        let fetched = tokio::select! {
            fetched = timeout(patience + LATE, self.source.fetch(patience)) => fetched,
            () = again.notified() => {
                self.offer_again().await;
                return Duration::ZERO;
            }
        };
        let took = began.elapsed();
        let new = match fetched {
            Ok(Ok(Fetched::New(document))) => {
                self.following.answered(now());
                let document = self.settled(document, Instant::now() + LATE).await;
                self.offer(document).await;
                true
            }
            Ok(Ok(Fetched::Same)) => {
                self.following.answered(now());
                self.as_before().await;
                false
            }
            Ok(Err(error)) => return self.failed(&error),
            Err(_) => {
                self.following.away("does not answer".to_owned());
                return self.pace.failed(None, &mut self.rng);
            }
        };
        if self.source.watches() {
            self.pace.watched(new, took, &mut self.rng)
        } else {
            self.pace.answered(&mut self.rng)
        }
    }

    /// The source has what it had when it was last asked, and perhaps something unusable since.
    async fn as_before(&mut self) {
        let was_unusable = self.following.take_unusable();
        self.confirm();
        if self.live.is_none() {
            // What was wrong may have been wrong on our side.
            self.offer_again().await;
        } else if let Some(Waiting { problems, .. }) = &self.waiting
            && was_unusable
        {
            if problems.is_empty() {
                self.offer_again().await;
            } else {
                self.following.refused(Reason::Invalid, problems);
            }
        }
    }

    pub(super) fn failed(&mut self, error: &SourceError) -> Duration {
        match error {
            SourceError::Unusable(why) => {
                self.following.answered(now());
                let problem = format!("{}: {why}", self.place.url);
                if self.following.refusal().as_ref() != Some(&problem) {
                    self.following.refused(Reason::Unusable, &[problem]);
                }
            }
            SourceError::Away { .. } | SourceError::Refused(_) | SourceError::Missing => {
                self.following.away(error.to_string());
            }
        }
        match error {
            SourceError::Away { again, .. } => self.pace.failed(*again, &mut self.rng),
            SourceError::Refused(_) | SourceError::Missing | SourceError::Unusable(_) => {
                self.pace.without(&mut self.rng)
            }
        }
    }

    /// The document, or what there is instead a moment later and before `until`, when its signature
    /// does not fit.
    pub(super) async fn settled(
        &mut self,
        document: Document,
        until: Instant,
    ) -> Result<Sealed, Flaw> {
        let first = examine(document, &self.keys).await;
        match &first {
            Err(flaw) if flaw.reason == Reason::Signature => {}
            Ok(_) | Err(_) => return first,
        }
        let settling = async {
            sleep(SETTLES).await;
            self.source.fetch(Duration::ZERO).await
        };
        match timeout_at(until, settling).await {
            Ok(Ok(Fetched::New(newer))) => examine(newer, &self.keys).await,
            Ok(Ok(Fetched::Same) | Err(_)) | Err(_) => first,
        }
    }

    pub(super) async fn offer(&mut self, document: Result<Sealed, Flaw>) {
        let standing = self.standing();
        self.offer_as(document, &standing).await;
    }

    /// What was not taken, once more.
    pub(super) async fn offer_again(&mut self) {
        if let Some(Waiting { sealed, .. }) = self.waiting.take() {
            self.offer(Ok(sealed)).await;
        }
    }

    /// Whether the newest document waits, and nothing is wrong with it.
    pub(super) fn waits_soundly(&self) -> bool {
        let waiting = self.waiting.as_ref();
        waiting.is_some_and(|waiting| waiting.problems.is_empty())
    }

    pub(super) fn standing(&self) -> Standing {
        Standing {
            instance: self.instance.clone(),
            version: self.live.as_ref().and_then(|live| live.version),
            has_another: self.live.is_some(),
            is_signed: !self.keys.is_empty(),
        }
    }

    /// Offers what the source has.
    pub(super) async fn offer_as(&mut self, document: Result<Sealed, Flaw>, standing: &Standing) {
        self.waiting = None;
        if let Some(live) = &mut self.live {
            live.is_newest = false;
        }
        let name = self.place.url.to_string();
        let sealed = match document {
            Ok(sealed) => sealed,
            Err(Flaw { reason, why }) => {
                self.following.refused(reason, &[format!("{name}: {why}")]);
                return;
            }
        };
        if let Some(live) = &self.live
            && live.digest == sealed.digest
        {
            // It may have been signed anew.
            self.newest_is_live(sealed.document);
            return;
        }
        match self.take(name.clone(), &sealed, standing).await {
            Verdict::Live(_) => self.newest_is_live(sealed.document),
            Verdict::Stays(stay) => {
                match &stay {
                    Stay::Behind { .. } | Stay::Renamed { .. } => {
                        let problem = format!("{name}: {stay}");
                        self.following.refused(Reason::Version, &[problem]);
                    }
                    Stay::NotYet { .. } => self.following.waits(stay.to_string()),
                }
                self.waiting = Some(Waiting {
                    sealed,
                    problems: Vec::new(),
                });
            }
            Verdict::Refused(problems) => {
                self.following.refused(Reason::Invalid, &problems);
                self.waiting = Some(Waiting { sealed, problems });
            }
        }
    }

    /// On a thread of its own: to read a large document takes longer than a request may wait.
    pub(super) async fn take(
        &mut self,
        name: String,
        sealed: &Sealed,
        standing: &Standing,
    ) -> Verdict {
        let offer = Offer {
            name: name.into(),
            document: sealed.document.clone(),
        };
        let (taker, asked) = (Arc::clone(&self.taker), standing.clone());
        let taking = tokio::task::spawn_blocking(move || taker.take(&offer, &asked));
        let verdict = taking.await.unwrap_or_else(|error| {
            Verdict::Refused(vec![format!("it could not be read: {error}")])
        });
        if let Verdict::Live(release) = &verdict {
            let early = standing.early(release).map(|stay| stay.to_string());
            if let Some(why) = &early {
                tracing::warn!("{why}; with nothing else to go on with, it is taken all the same");
            }
            self.live = Some(Live {
                digest: sealed.digest,
                version: release.version,
                early,
                is_newest: false,
            });
        }
        verdict
    }

    /// Where what is live came from.
    pub(super) fn tell_live(&self, origin: Origin) {
        if let Some(live) = &self.live {
            let early = live.early.clone();
            self.following
                .live(origin, live.digest, live.version, early);
        }
    }

    /// The source has what is live.
    fn newest_is_live(&mut self, document: Document) {
        self.tell_live(Origin::Source);
        if let Some(live) = &mut self.live {
            live.is_newest = true;
            let version = live.version;
            self.keep(document, version);
        }
    }

    /// The copy is as old as the source's last word on it, give or take [`CONFIRMED`].
    fn keep(&mut self, document: Document, version: Option<u64>) {
        let is_recent = |at: Instant| at.elapsed() < CONFIRMED;
        let is_same = |good: &Good| good.document == document && is_recent(good.sent);
        if !self.good.borrow().as_ref().is_some_and(is_same) {
            self.good.send_replace(Some(Good {
                document,
                version,
                sent: Instant::now(),
                confirmed: SystemTime::now(),
            }));
        }
    }

    fn confirm(&mut self) {
        if self.live.as_ref().is_some_and(|live| live.is_newest) {
            let good = self.good.borrow().clone();
            if let Some(good) = good {
                self.keep(good.document, good.version);
            }
        }
    }
}

/// The clock that waits go by.
pub(super) fn now() -> std::time::Instant {
    Instant::now().into_std()
}
