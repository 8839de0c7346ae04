//! A key of etcd, version 3, by its JSON gateway.
//!
//! <https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/> (read 2026-11). What is there is read by one
//! transaction, and from its revision on the key is watched. A watch only says that there is
//! something to be read again: so an event, an end and a compacted revision are all the same.

mod wire;

use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderName, StatusCode};
use tokio::time::{Instant, timeout_at};

use self::wire::{Heard, Lines, Range};
use super::answer::{self, ANSWER};
use super::channel::{self, Channel};
use super::form::{Keyed, User};
use super::seen::{Seen, bounded, format};
use super::{Auth, Document, Fetched, Fetching, LARGEST, Source, SourceError};
use crate::secret::Secret;
use crate::upstream::{Client, Errand, Reply};

/// What an answer may be: both texts in base64, and what is around them.
const LARGEST_ANSWER: usize = LARGEST / 3 * 4 + (64 << 10);

/// A member that has lost its leader ends the watch, instead of being silent for ever. The gateway
/// passes it on as `hasleader`
/// (<https://pkg.go.dev/go.etcd.io/etcd/client/v3#WithRequireLeader>, read 2026-11).
const HAS_LEADER: HeaderName = HeaderName::from_static("grpc-metadata-hasleader");

pub(super) struct Etcd {
    channel: Channel,
    base: String,
    key: String,
    auth: Auth,
    user: Option<User>,
    /// What `user` was given, until it is refused.
    token: Option<Secret>,
    signed: bool,
    /// That of the store when it was last read; absent where it has to be read.
    revision: Option<u64>,
    seen: Seen,
}

impl Etcd {
    pub(super) fn new(place: Keyed, channel: Channel, auth: Auth, signed: bool) -> Self {
        Self {
            channel,
            base: place.base,
            key: place.key,
            auth,
            user: place.user,
            token: None,
            signed,
            revision: None,
            seen: Seen::default(),
        }
    }

    async fn look(&mut self, patience: Duration) -> Result<Fetched, SourceError> {
        let client = self.channel.client().await?;
        let asked = Instant::now();
        // Whatever ends this early begins with reading.
        let known = self.revision.take();
        let Some(revision) = known.filter(|_| !patience.is_zero()) else {
            return self.read(&client).await;
        };
        let fetched = match self.watch(&client, revision, asked + patience).await? {
            Some(revision) => {
                self.revision = Some(revision);
                Fetched::Same
            }
            None => self.read(&client).await?,
        };
        if matches!(fetched, Fetched::Same) {
            answer::pace(asked).await;
        }
        Ok(fetched)
    }

    /// What is there now.
    async fn read(&mut self, client: &Client) -> Result<Fetched, SourceError> {
        let body = wire::transaction(&self.key, self.signed);
        let mut reply = self.ask(client, "/v3/kv/txn", &body).await?;
        if reply.status == StatusCode::UNAUTHORIZED && self.token.take().is_some() {
            reply = self.ask(client, "/v3/kv/txn", &body).await?;
        }
        if reply.status != StatusCode::OK {
            return Err(refused(&reply));
        }
        let Range {
            revision,
            document,
            signature,
        } = wire::range(&reply.body).ok_or_else(no_etcd)?;
        let document = Document {
            text: bounded(document.ok_or(SourceError::Missing)?)?,
            format: format(&self.key, None),
            signature,
        };
        self.revision = Some(revision);
        Ok(self.seen.give(document))
    }

    /// Waits for something behind `revision`; the revision to go on from when there was nothing.
    async fn watch(
        &mut self,
        client: &Client,
        mut revision: u64,
        until: Instant,
    ) -> Result<Option<u64>, SourceError> {
        let body = wire::watch(&self.key, self.signed, revision + 1);
        let url = format!("{}/v3/watch", self.base);
        let errand = self.errand(&url, &body, client).await?;
        let opened = errand.header(HAS_LEADER, "true").open(client).await;
        let mut opened = opened.map_err(|undone| answer::undone(&undone))?;
        if opened.status != StatusCode::OK {
            // Reading it says why.
            return Ok(None);
        }
        let mut lines = Lines::default();
        let mut begun = false;
        loop {
            let Ok(chunk) = timeout_at(until, opened.next()).await else {
                return Ok(begun.then_some(revision));
            };
            let Some(chunk) = chunk.map_err(|undone| answer::undone(&undone))? else {
                return Ok(None);
            };
            lines.push(&chunk);
            while let Some(line) = lines.next() {
                begun = true;
                match wire::heard(&line) {
                    Heard::Nothing { revision: now } if now >= revision => revision = now,
                    Heard::Begun { revision: now } if now >= revision => {}
                    // What was restored from a copy is older than what was read of it.
                    Heard::Nothing { .. } | Heard::Begun { .. } | Heard::Change => return Ok(None),
                }
            }
            if lines.is_too_long() {
                return Ok(None);
            }
        }
    }

    async fn ask(
        &mut self,
        client: &Client,
        path: &str,
        body: &Bytes,
    ) -> Result<Reply, SourceError> {
        let url = format!("{}{path}", self.base);
        let errand = self.errand(&url, body, client).await?;
        errand.run(client).await.map_err(|it| answer::undone(&it))
    }

    /// A question as somebody whom etcd knows.
    async fn errand<'a>(
        &mut self,
        url: &'a str,
        body: &Bytes,
        client: &Client,
    ) -> Result<Errand<'a>, SourceError> {
        let errand = Errand::get(url, LARGEST_ANSWER, ANSWER).post(body.clone());
        if let Some(token) = channel::token_of(&self.auth).await? {
            return Ok(errand.secret(AUTHORIZATION, &token));
        }
        let Some(user) = &self.user else {
            return Ok(errand);
        };
        let token = match self.token.take() {
            Some(token) => token,
            None => authenticate(&self.base, user, client).await?,
        };
        let errand = errand.secret(AUTHORIZATION, &token);
        self.token = Some(token);
        Ok(errand)
    }
}

impl Source for Etcd {
    fn fetch(&mut self, patience: Duration) -> Fetching<'_> {
        Box::pin(self.look(patience))
    }

    fn watches(&self) -> bool {
        true
    }
}

/// A token for a user and a password. It is good for some minutes of use.
async fn authenticate(base: &str, user: &User, client: &Client) -> Result<Secret, SourceError> {
    let url = format!("{base}/v3/auth/authenticate");
    let errand = Errand::get(&url, 64 << 10, ANSWER).post(wire::authentication(user));
    let reply = errand.run(client).await;
    let reply = reply.map_err(|undone| answer::undone(&undone))?;
    match reply.status {
        StatusCode::OK => wire::token(&reply.body).ok_or_else(no_etcd),
        // It says so of an unknown user and of a wrong password.
        StatusCode::BAD_REQUEST => Err(SourceError::Refused("it does not know the user".into())),
        _ => Err(refused(&reply)),
    }
}

/// Without a token where one is needed, a question is told to be a bad one.
fn refused(reply: &Reply) -> SourceError {
    match reply.status {
        StatusCode::BAD_REQUEST => SourceError::Refused("it answers 400".into()),
        status => answer::refusal(status, &reply.headers),
    }
}

fn no_etcd() -> SourceError {
    answer::away("answers as no etcd does")
}
