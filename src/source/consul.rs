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
use super::seen::{LONGEST_SIGNATURE, Seen, bounded, format};
use super::url::{Keyed, escaped};
use super::{Auth, Document, Fetched, Fetching, LARGEST, Source, SourceError};
use crate::upstream::{Client, Errand, Reply};

const TOKEN: HeaderName = HeaderName::from_static("x-consul-token");
/// The longest that it waits.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

pub(super) struct Consul {
    channel: Channel,
    auth: Auth,
    url: String,
    key: String,
    /// Whether a signature is asked for, under the same key and `.sig`.
    signed: bool,
    /// The signature that was given last.
    signature: Option<Bytes>,
    index: Index,
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
        Self {
            channel,
            auth,
            url: format!("{}/v1/kv/{}", place.base, escaped(&place.key)),
            key: place.key,
            signed,
            signature: None,
            index: Index::default(),
            seen: Seen::default(),
        }
    }

    async fn look(&mut self, patience: Duration) -> Result<Fetched, SourceError> {
        // Whatever ends this early begins anew, and does not wait.
        let mut index = std::mem::take(&mut self.index);
        let client = self.channel.client().await?;
        // Looked at first: it may have been changed alone, and must not wait.
        if self.signed && index.0 > 0 && self.signature(&client).await? != self.signature {
            index = Index::default();
        }
        let asked = Instant::now();
        let reply = self.ask(&client, index, patience).await?;
        if reply.status != StatusCode::OK {
            return Err(answer::refusal(reply.status, &reply.headers));
        }
        let signature = if self.signed {
            self.signature(&client).await?
        } else {
            None
        };
        let document = Document {
            text: bounded(reply.body)?,
            format: format(&self.key, None),
            signature: signature.clone(),
        };
        if index.0 > 0 {
            answer::pace(asked).await;
        }
        self.signature = signature;
        self.index = index.after(index_of(&reply.headers));
        Ok(self.seen.give(document))
    }

    async fn ask(
        &self,
        client: &Client,
        index: Index,
        patience: Duration,
    ) -> Result<Reply, SourceError> {
        let mut url = format!("{}?raw", self.url);
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

    async fn signature(&self, client: &Client) -> Result<Option<Bytes>, SourceError> {
        let url = format!("{}.sig?raw", self.url);
        let reply = self
            .send(client, Errand::get(&url, LONGEST_SIGNATURE, ANSWER))
            .await?;
        match reply.status {
            StatusCode::OK => Ok(Some(reply.body)),
            StatusCode::NOT_FOUND => Ok(None),
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

    /// Without an index it cannot be told to wait.
    fn watches(&self) -> bool {
        self.index.0 > 0
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
