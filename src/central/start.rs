//! The start of following: the source, for a while; then the last good documents; then nothing.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::Verdict;
use super::copies::{Copies, Copy};
use super::examine::{Flaw, Sealed, examine};
use super::follow::{Follower, now};
use super::following::{Origin, say};
use super::standing::Standing;
use crate::source::{Fetched, SourceError};

/// So long are the source and the folder of copies waited for at a start, together, before an older
/// document serves.
const START: Duration = Duration::from_secs(5);

impl Follower {
    /// The first document; then, or when there is none, how long until the source is asked again.
    pub(super) async fn start(&mut self) -> Duration {
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
        if self.waits_soundly() {
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
    async fn first(&mut self, until: Instant) -> (Option<Result<Sealed, Flaw>>, Duration) {
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

    /// At a start, the newest copy stands for what was live before.
    async fn offer_first(&mut self, document: Result<Sealed, Flaw>, copies: &[Copy]) {
        let Ok(Sealed {
            document: first, ..
        }) = &document
        else {
            self.offer(document).await;
            return;
        };
        let is_kept = |copy: &Copy| copy.document.text == first.text;
        match copies.first() {
            Some(copy) if !is_kept(copy) => {
                let standing = Standing {
                    version: copy.version,
                    has_another: true,
                    ..self.standing()
                };
                self.offer_as(document, &standing).await;
            }
            Some(_) | None => self.offer(document).await,
        }
    }

    async fn offer_copy(&mut self, copy: Copy) {
        let sealed = match examine(copy.document, &self.keys).await {
            Ok(sealed) => sealed,
            Err(Flaw { why, .. }) => {
                tracing::warn!("{}: {why}: passed over", copy.name);
                return;
            }
        };
        let standing = self.standing();
        match self.take(copy.name.clone(), &sealed, &standing).await {
            Verdict::Live(_) => {
                self.tell_live(Origin::Copy);
                if self.following.detail(now()).away.is_some() {
                    let age = copy.confirmed.elapsed().unwrap_or_default();
                    self.following.kept_for(age, now());
                }
                tracing::warn!(
                    copy = copy.name,
                    "started with the last good document that was kept here"
                );
            }
            // Nothing is live that it could be behind, and it has been this instance's.
            Verdict::Stays(stay) => tracing::warn!("{}: {stay}: passed over", copy.name),
            Verdict::Refused(problems) => {
                say(&problems);
                tracing::error!(copy = copy.name, "passed over");
            }
        }
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
        tracing::warn!("the folder of copies cannot be read in time: passed over");
        return Vec::new();
    };
    for problem in problems {
        tracing::warn!("{problem}: passed over");
    }
    copies
}
