//! The loop that follows a source, from the start of the process to its end.
//!
//! Order of a start: the source, for [`START`]; then the last good documents; then nothing, and the
//! source again and again. It never ends the process, and never gives up.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::copies::{Copies, Copy};
use super::digest::Digest;
use super::following::{Following, Origin, Reason};
use super::keeping::{Good, keep};
use super::pace::Pace;
use super::signature::verify;
use super::standing::{Standing, Stay};
use super::{Offer, Taker, Verdict};
use crate::config::Release;
use crate::source::{Document, Fetched, LARGEST, Place, Source, SourceError};

/// So long are the source and the folder of copies waited for at a start, together, before an older
/// document serves.
const START: Duration = Duration::from_secs(5);
/// How long a source that watches is let wait for a change: below what proxies between cut.
const WATCH: Duration = Duration::from_secs(30);
/// The same of one that is not known to watch: long enough to see that it does, and too short for an
/// outage to go unnoticed.
const PROBE: Duration = Duration::from_secs(2);
/// A question that is not answered so long after it should be is given up.
const LATE: Duration = Duration::from_secs(15);
/// A document and its signature are two; one may be seen before the other has been written.
const SETTLES: Duration = Duration::from_secs(1);

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
    source: Box<dyn Source>,
    place: Place,
    copies: Option<Copies>,
    /// What is to be kept there.
    good: watch::Sender<Option<Good>>,
    instance: Option<Arc<str>>,
    again: Arc<Notify>,
    rng: Rng,
    pace: Pace,
    following: Arc<Following>,
    taker: Arc<dyn Taker>,
    live: Option<Live>,
    /// The newest document, while it is not the live one.
    waiting: Option<Waiting>,
}

struct Live {
    digest: Digest,
    version: Option<u64>,
}

struct Waiting {
    document: Document,
    /// What is wrong with it; nothing where it is a step back, or for others first.
    problems: Vec<String>,
}

impl Waiting {
    fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
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

    /// The first document; then, or when there is none, how long until the source is asked again.
    async fn start(&mut self) -> Duration {
        let until = Instant::now() + START;
        let reading = read_copies(self.copies.clone(), until);
        let (copies, (first, pause)) = tokio::join!(reading, self.first(until));
        if let Some(document) = first {
            self.offer_first(document, &copies).await;
        }
        for copy in copies {
            if self.live.is_some() {
                break;
            }
            self.offer_copy(copy).await;
        }
        if self.waiting.as_ref().is_some_and(Waiting::is_sound) {
            if self.live.is_none() {
                tracing::warn!("there is no document but this one: it is taken");
            }
            // It was held against what a copy says of itself; what is live may be an older one, or none.
            self.offer_again().await;
        }
        if self.live.is_none() {
            tracing::error!(
                "there is no configuration to start with: not ready until the source has one"
            );
        }
        if self.following.detail(now()).away.is_none() {
            // Only when it is asked for a change is it seen whether it watches.
            return Duration::ZERO;
        }
        pause
    }

    /// What the source has, if it says so in time; and how long until it is asked again.
    async fn first(&mut self, until: Instant) -> (Option<Document>, Duration) {
        loop {
            match timeout_at(until, self.source.fetch(Duration::ZERO)).await {
                Ok(Ok(Fetched::New(document))) => {
                    self.following.answered(now());
                    let document = self.settled(document, until).await;
                    return (Some(document), self.pace.answered(&mut self.rng));
                }
                Ok(Ok(Fetched::Same)) => {
                    self.following.answered(now());
                    return (None, self.pace.answered(&mut self.rng));
                }
                Ok(Err(error)) => {
                    let is_away = matches!(error, SourceError::Away { .. });
                    let pause = self.failed(&error);
                    if !is_away || Instant::now() + pause >= until {
                        return (None, pause);
                    }
                    sleep(pause).await;
                }
                Err(_) => {
                    let why = format!("has not answered in {} s", START.as_secs());
                    self.following.away(why);
                    return (None, self.pace.failed(None, &mut self.rng));
                }
            }
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
        let was_unusable = self.following.usable();
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

    fn failed(&mut self, error: &SourceError) -> Duration {
        let named = match error {
            SourceError::Away { again, .. } => *again,
            SourceError::Refused(_) | SourceError::Missing | SourceError::Unusable(_) => None,
        };
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
        self.pace.failed(named, &mut self.rng)
    }

    /// The document, or what there is instead a moment later and before `until`, when its signature
    /// does not fit.
    async fn settled(&mut self, document: Document, until: Instant) -> Document {
        if self.verified(&document).is_ok() {
            return document;
        }
        let settling = async {
            sleep(SETTLES).await;
            self.source.fetch(Duration::ZERO).await
        };
        match timeout_at(until, settling).await {
            Ok(Ok(Fetched::New(newer))) => newer,
            Ok(Ok(Fetched::Same) | Err(_)) | Err(_) => document,
        }
    }

    fn verified(&self, document: &Document) -> Result<(), String> {
        let signature = document.signature.as_deref();
        verify(&self.place.verify, &document.text, signature).map_err(|why| why.to_string())
    }

    /// At a start, the newest copy stands for what was live before.
    async fn offer_first(&mut self, document: Document, copies: &[Copy]) {
        let is_kept = |copy: &Copy| copy.document.text == document.text;
        let standing = match copies.first() {
            Some(copy) if !is_kept(copy) => Standing {
                instance: self.instance.clone(),
                version: copy.version,
                has_another: true,
            },
            Some(_) | None => self.standing(),
        };
        self.offer_as(document, &standing).await;
    }

    async fn offer(&mut self, document: Document) {
        let standing = self.standing();
        self.offer_as(document, &standing).await;
    }

    /// What was not taken, once more.
    async fn offer_again(&mut self) {
        if let Some(Waiting { document, .. }) = self.waiting.take() {
            self.offer(document).await;
        }
    }

    fn standing(&self) -> Standing {
        Standing {
            instance: self.instance.clone(),
            version: self.live.as_ref().and_then(|live| live.version),
            has_another: self.live.is_some(),
        }
    }

    /// Offers what the source has.
    async fn offer_as(&mut self, document: Document, standing: &Standing) {
        self.waiting = None;
        let name = self.place.url.to_string();
        let problem = if document.text.len() > LARGEST {
            Some((Reason::Unusable, "it is larger than 4 MiB".to_owned()))
        } else {
            let unsigned = self.verified(&document).err();
            unsigned.map(|why| (Reason::Signature, why))
        };
        if let Some((reason, why)) = problem {
            // Nothing but another document can cure it.
            self.following.refused(reason, &[format!("{name}: {why}")]);
            return;
        }
        let digest = Digest::of(&document.text);
        if let Some(live) = &self.live
            && live.digest == digest
        {
            let version = live.version;
            self.following.live(Origin::Source, digest, version);
            // It may have been signed anew.
            self.keep(document, version);
            return;
        }
        match self.take(name.clone(), &document, standing).await {
            Verdict::Live(release) => {
                self.following.live(Origin::Source, digest, release.version);
                self.keep(document, release.version);
            }
            Verdict::Stays(stay) => {
                match &stay {
                    Stay::Behind { .. } => {
                        let problem = format!("{name}: {stay}");
                        self.following.refused(Reason::Version, &[problem]);
                    }
                    Stay::NotYet { .. } => self.following.waits(stay.to_string()),
                }
                self.waiting = Some(Waiting {
                    document,
                    problems: Vec::new(),
                });
            }
            Verdict::Refused(problems) => {
                self.following.refused(Reason::Invalid, &problems);
                self.waiting = Some(Waiting { document, problems });
            }
        }
    }

    async fn offer_copy(&mut self, copy: Copy) {
        if let Err(why) = self.verified(&copy.document) {
            tracing::warn!("{}: {why}: passed over", copy.name);
            return;
        }
        let standing = Standing {
            instance: self.instance.clone(),
            ..Standing::default()
        };
        match self
            .take(copy.name.clone(), &copy.document, &standing)
            .await
        {
            Verdict::Live(release) => {
                let digest = Digest::of(&copy.document.text);
                self.following.live(Origin::Copy, digest, release.version);
                if self.following.detail(now()).away.is_some() {
                    self.following.kept_for(copy.age, now());
                }
                tracing::warn!(
                    copy = copy.name,
                    "started with the last good document that was kept here"
                );
            }
            // Nothing is live that it could be behind, and it has been this instance's.
            Verdict::Stays(stay) => tracing::warn!("{}: {stay}: passed over", copy.name),
            Verdict::Refused(problems) => {
                for problem in problems {
                    tracing::error!("{problem}");
                }
                tracing::error!(copy = copy.name, "passed over");
            }
        }
    }

    /// On a thread of its own: to read a large document takes longer than a request may wait.
    async fn take(&mut self, name: String, document: &Document, standing: &Standing) -> Verdict {
        let offer = Offer {
            name: name.into(),
            document: document.clone(),
        };
        let (taker, standing) = (Arc::clone(&self.taker), standing.clone());
        let taking = tokio::task::spawn_blocking(move || taker.take(&offer, &standing));
        let verdict = taking.await.unwrap_or_else(|error| {
            Verdict::Refused(vec![format!("it could not be read: {error}")])
        });
        if let Verdict::Live(Release { version, .. }) = verdict {
            self.live = Some(Live {
                digest: Digest::of(&document.text),
                version,
            });
        }
        verdict
    }

    fn keep(&self, document: Document, version: Option<u64>) {
        self.good.send_replace(Some(Good { document, version }));
    }
}

/// On a thread of its own, and no longer than `until`: a folder on a mount that hangs is as one that is
/// empty.
async fn read_copies(copies: Option<Copies>, until: Instant) -> Vec<Copy> {
    let Some(copies) = copies else {
        return Vec::new();
    };
    let reading = tokio::task::spawn_blocking(move || copies.read());
    let Ok(Ok((copies, problems))) = timeout_at(until, reading).await else {
        return Vec::new();
    };
    for problem in problems {
        tracing::warn!("{problem}: passed over");
    }
    copies
}

/// The clock that waits go by.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}
