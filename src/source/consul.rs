//! A key of Consul's KV store, by blocking queries.
//!
//! <https://developer.hashicorp.com/consul/api-docs/features/blocking> (read 2026-11): an answer names
//! an index, and a question with an index is answered when there is a later one. An index that goes
//! backwards is begun anew, one that is 0 does not block, and an answer is no promise of a change.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use tokio::time::Instant;

use super::answer::{self, ANSWER};
use super::channel::{self, Channel};
use super::form::{Keyed, escaped};
use super::seen::{LONGEST_SIGNATURE, Seen, bounded, format};
use super::{Auth, Document, Fetched, Fetching, LARGEST, Source, SourceError};
use crate::upstream::{Client, Errand, Reply};

const TOKEN: HeaderName = HeaderName::from_static("x-consul-token");
/// The longest that it waits.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

pub(super) struct Consul {
    channel: Channel,
    auth: Auth,
    key: String,
    /// Where it is, and where its signature is.
    document: String,
    signature: String,
    /// Whether a signature is asked for.
    signed: bool,
    /// How far the two are known.
    indexes: (Index, Index),
    seen: Seen,
}

/// How far it is known; 0 where it is not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Index(u64);

impl Index {
    /// The one to go on from, behind an answer that named `answered`.
    fn after(self, answered: Option<u64>) -> Self {
        match answered {
            Some(index) if index >= self.0 => Self(index.max(1)),
            Some(_) | None => Self(0),
        }
    }
}

impl Consul {
    pub(super) fn new(place: Keyed, channel: Channel, auth: Auth, signed: bool) -> Self {
        let document = format!("{}/v1/kv/{}", place.base, escaped(&place.key));
        Self {
            channel,
            auth,
            key: place.key,
            signature: format!("{document}.sig"),
            document,
            signed,
            indexes: Default::default(),
            seen: Seen::default(),
        }
    }

    async fn look(&mut self, patience: Duration) -> Result<Fetched, SourceError> {
        // Whatever ends this early begins anew, and does not wait.
        let (index, beside) = std::mem::take(&mut self.indexes);
        let client = self.channel.client().await?;
        let asked = Instant::now();
        let reply = if self.signed && index.0 > 0 {
            // Whichever changes first: often one is written shortly behind the other.
            tokio::select! {
                reply = self.ask(&client, &self.document, index, patience) => reply?,
                reply = self.ask(&client, &self.signature, beside, patience) => {
                    reply?;
                    self.ask(&client, &self.document, Index::default(), patience).await?
                }
            }
        } else {
            let asking = self.ask(&client, &self.document, index, patience);
            asking.await?
        };
        if reply.status != StatusCode::OK {
            return Err(answer::refusal(reply.status, &reply.headers));
        }
        let (signature, found) = if self.signed {
            self.signature(&client).await?
        } else {
            (None, None)
        };
        let document = Document {
            text: bounded(reply.body)?,
            format: format(&self.key, None),
            signature,
        };
        if index.0 > 0 {
            answer::pace(asked).await;
        }
        self.indexes = (index.after(index_of(&reply.headers)), beside.after(found));
        Ok(self.seen.give(document))
    }

    async fn ask(
        &self,
        client: &Client,
        url: &str,
        index: Index,
        patience: Duration,
    ) -> Result<Reply, SourceError> {
        let mut url = format!("{url}?raw");
        let mut wait = Duration::ZERO;
        if index.0 > 0 {
            wait = patience.min(LONGEST_WAIT);
            let millis = wait.as_millis().max(1);
            url = format!("{url}&index={}&wait={millis}ms", index.0);
        }
        // It adds up to a sixteenth to the time, so that not all come at once.
        let errand = Errand::get(&url, LARGEST, wait + wait / 16 + ANSWER);
        self.send(client, errand).await
    }

    /// What is there of one, and its index.
    async fn signature(
        &self,
        client: &Client,
    ) -> Result<(Option<Bytes>, Option<u64>), SourceError> {
        let asking = self.ask(client, &self.signature, Index::default(), ANSWER);
        let reply = asking.await?;
        let index = index_of(&reply.headers);
        match reply.status {
            StatusCode::OK if reply.body.len() <= LONGEST_SIGNATURE => {
                Ok((Some(reply.body), index))
            }
            StatusCode::OK | StatusCode::NOT_FOUND => Ok((None, index)),
            status => Err(answer::refusal(status, &reply.headers)),
        }
    }

    async fn send(&self, client: &Client, mut errand: Errand<'_>) -> Result<Reply, SourceError> {
        if let Some(token) = channel::token_of(&self.auth).await? {
            errand = errand.secret(TOKEN, &token);
        }
        errand.run(client).await.map_err(|it| answer::undone(&it))
    }
}

impl Source for Consul {
    fn fetch(&mut self, patience: Duration) -> Fetching<'_> {
        Box::pin(self.look(patience))
    }

    // Without an index it cannot be told to wait.
    fn watches(&self) -> bool {
        self.indexes.0.0 > 0
    }
}

fn index_of(headers: &HeaderMap) -> Option<u64> {
    headers.get("x-consul-index")?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_goes_forward_or_is_begun_anew() {
        for (before, answered, after) in [
            (0, Some(12), 12),
            (12, Some(12), 12),
            (12, Some(40), 40),
            (40, Some(12), 0),
            (0, Some(0), 1),
            (12, Some(0), 0),
            (1, Some(0), 0),
            (12, None, 0),
        ] {
            assert_eq!(
                Index(before).after(answered),
                Index(after),
                "{before} {answered:?}"
            );
        }
    }
}
