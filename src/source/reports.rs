//! The way back: where each instance tells how it stands, and where that is read.
//!
//! By HTTP a report is posted, and a GET of the same URL gives all of them as a JSON list. In Redis each
//! instance has a string of its own behind the key that the URL names, which is gone some minutes after it
//! was written: members of a hash cannot go by themselves before Redis 7.4
//! (<https://redis.io/docs/latest/commands/hexpire/>, read 2026-11).
//! Never here: what a report says.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use tokio::time::timeout;

use super::answer::{self, ANSWER};
use super::channel::{self, Channel};
use super::form::Location;
use super::{Auth, LARGEST, Place, SourceError, SourceUrl};
use crate::redis::{self, Reply, Socket, encode};
use crate::upstream::{Clients, Errand};

/// A report that is this old is of somebody who is silent.
pub const KEPT: Duration = Duration::from_secs(90);
/// So long one is in Redis: who is silent is listed as that for a while, and then is one who has gone.
const LISTED: Duration = Duration::from_mins(5);
const NO_WAY: &str = "takes no reports: they go by `http`, `https`, `redis` or `rediss`";
/// How many names a step of a search looks at.
const STEP: &[u8] = b"1000";

/// Where reports go.
pub struct Reports {
    place: Place,
    way: Way,
}

enum Way {
    Http { channel: Box<Channel>, url: String },
    Redis { redis: redis::Place, key: String },
}

impl Reports {
    /// Those at `url`. Whom we trust there is as at the source; who we are is shown to the source's own
    /// host alone.
    ///
    /// # Errors
    /// What in it cannot work, for the operator.
    pub fn open(url: &SourceUrl, source: &Place, clients: &Clients) -> Result<Self, &'static str> {
        let is_ours = url.origin() == source.url.origin();
        let place = Place {
            url: url.clone(),
            auth: if is_ours {
                source.auth.clone()
            } else {
                Auth::None
            },
            ..source.clone()
        };
        let way = match url.location()? {
            Location::Http { secure, url, query } => Way::Http {
                channel: Box::new(Channel::new(&place, clients, secure)),
                url: match query {
                    Some(query) => format!("{url}?{query}"),
                    None => url,
                },
            },
            Location::Redis { place: redis, key } => Way::Redis { redis, key },
            Location::File(_) | Location::Etcd(_) | Location::Consul(_) | Location::S3 { .. } => {
                return Err(NO_WAY);
            }
        };
        Ok(Self { place, way })
    }

    /// Whether reports can go to `url` at all.
    ///
    /// # Errors
    /// Why they cannot, for the operator.
    pub fn suits(url: &SourceUrl) -> Result<(), &'static str> {
        match url.location()? {
            Location::Http { .. } | Location::Redis { .. } => Ok(()),
            Location::File(_) | Location::Etcd(_) | Location::Consul(_) | Location::S3 { .. } => {
                Err(NO_WAY)
            }
        }
    }

    /// Tells how `instance` stands, in place of what it told before.
    ///
    /// # Errors
    /// It is not known there.
    pub async fn tell(&mut self, instance: &str, report: Bytes) -> Result<(), SourceError> {
        match &mut self.way {
            Way::Http { channel, url } => {
                let mut errand = Errand::get(url, LARGEST, ANSWER);
                errand.method = Method::POST;
                let json = HeaderValue::from_static("application/json");
                errand.headers.insert(CONTENT_TYPE, json);
                errand.body = report;
                ask(channel, &self.place.auth, errand).await.map(drop)
            }
            Way::Redis { redis, key } => {
                let name = format!("{key}:{instance}");
                let seconds = LISTED.as_secs().to_string();
                let words: [&[u8]; 5] =
                    [b"SET", name.as_bytes(), &report, b"EX", seconds.as_bytes()];
                let telling = async {
                    let mut line = Line::open(&self.place, redis).await?;
                    line.ask(&words).await.map(drop)
                };
                in_time(telling).await
            }
        }
    }

    /// What all of them have told.
    ///
    /// # Errors
    /// It cannot be read now.
    pub async fn list(&mut self) -> Result<Vec<Bytes>, SourceError> {
        match &mut self.way {
            Way::Http { channel, url } => {
                let errand = Errand::get(url, LARGEST, ANSWER);
                let body = ask(channel, &self.place.auth, errand).await?;
                let reports: Vec<&serde_json::value::RawValue> = serde_json::from_slice(&body)
                    .map_err(|error| SourceError::Unusable(error.to_string()))?;
                let reports = reports.into_iter().map(|report| report.get().to_owned());
                Ok(reports.map(Bytes::from).collect())
            }
            Way::Redis { redis, key } => {
                let pattern = format!("{}:*", literal(key));
                let listing = async {
                    let mut line = Line::open(&self.place, redis).await?;
                    line.values(pattern.as_bytes()).await
                };
                in_time(listing).await
            }
        }
    }
}

/// `key` in a pattern that it alone suits. <https://redis.io/docs/latest/commands/keys/> (read 2026-11)
fn literal(key: &str) -> String {
    let mut pattern = String::with_capacity(key.len());
    for letter in key.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '^' | '-' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

async fn ask(channel: &mut Channel, auth: &Auth, errand: Errand<'_>) -> Result<Bytes, SourceError> {
    let client = channel.client().await?;
    let errand = match channel::token_of(auth).await? {
        Some(token) => errand.bearer(&token),
        None => errand,
    };
    let reply = errand.run(&client).await;
    let reply = reply.map_err(|undone| answer::undone(&undone))?;
    if reply.status.is_success() {
        Ok(reply.body)
    } else {
        Err(answer::refusal(reply.status, &reply.headers))
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, SourceError>>) -> Result<T, SourceError> {
    let late = |_| Err(answer::away("did not answer in time"));
    timeout(ANSWER, work).await.unwrap_or_else(late)
}

/// A connection to Redis, for one message.
struct Line {
    socket: Box<dyn Socket>,
    buffer: BytesMut,
}

impl Line {
    async fn open(place: &Place, redis: &redis::Place) -> Result<Self, SourceError> {
        let known = match channel::token_of(&place.auth).await? {
            Some(token) => &redis.clone().with_password(&token),
            None => redis,
        };
        let tls = if known.is_secure() {
            Some(channel::tls(place).await?)
        } else {
            None
        };
        let socket = redis::connect(known, tls).await;
        Ok(Self {
            socket: socket.map_err(|error| lost(&error))?,
            buffer: BytesMut::new(),
        })
    }

    async fn ask(&mut self, words: &[&[u8]]) -> Result<Reply, SourceError> {
        let reply = redis::ask(&mut *self.socket, &mut self.buffer, &encode(words)).await;
        match reply.map_err(|error| lost(&error))? {
            Reply::Error(error) => Err(lost(&redis::refusal(&error))),
            reply @ (Reply::Nil | Reply::Number(_) | Reply::Text(_) | Reply::List(_)) => Ok(reply),
        }
    }

    /// The values of the names that suit.
    async fn values(&mut self, pattern: &[u8]) -> Result<Vec<Bytes>, SourceError> {
        let mut names = std::collections::BTreeSet::new();
        let mut cursor = Bytes::from_static(b"0");
        loop {
            let words: [&[u8]; 6] = [b"SCAN", &cursor, b"MATCH", pattern, b"COUNT", STEP];
            let Reply::List(step) = self.ask(&words).await? else {
                return Err(no_redis());
            };
            let (Some(Reply::Text(next)), Some(Reply::List(found))) = (step.first(), step.get(1))
            else {
                return Err(no_redis());
            };
            names.extend(found.iter().filter_map(text));
            cursor = next.clone();
            if *cursor == *b"0" {
                break;
            }
        }
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let words = std::iter::once(&b"MGET"[..]).chain(names.iter().map(|name| &name[..]));
        let words: Vec<_> = words.collect();
        match self.ask(&words).await? {
            // One whose time was up meanwhile is there no more.
            Reply::List(values) => Ok(values.iter().filter_map(text).collect()),
            Reply::Nil | Reply::Number(_) | Reply::Text(_) | Reply::Error(_) => Err(no_redis()),
        }
    }
}

fn text(reply: &Reply) -> Option<Bytes> {
    match reply {
        Reply::Text(text) => Some(text.clone()),
        Reply::Nil | Reply::Number(_) | Reply::List(_) | Reply::Error(_) => None,
    }
}

fn lost(error: &io::Error) -> SourceError {
    match error.kind() {
        io::ErrorKind::PermissionDenied => SourceError::Refused(error.to_string()),
        io::ErrorKind::InvalidData => no_redis(),
        _ => answer::away(format!("cannot be reached: {error}")),
    }
}

fn no_redis() -> SourceError {
    answer::away("answers as no Redis does")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_we_are_is_shown_to_the_same_host_alone() {
        for (one, other, same) in [
            ("https://h/a.yaml", "https://h/reports?x=1", true),
            ("https://h/a.yaml", "https://h:8443/reports", false),
            ("https://h/a.yaml", "http://h/reports", false),
            ("https://h/a.yaml", "https://h.other/reports", false),
            ("file:/a.yaml", "https://h/reports", false),
        ] {
            let url = |text| SourceUrl::try_new(text).unwrap();
            let (one, other) = (url(one), url(other));
            assert_eq!(one.origin() == other.origin(), same, "{one} {other}");
        }
    }

    #[test]
    fn a_key_suits_itself_alone() {
        assert_eq!(literal("pillion:fleet"), "pillion:fleet");
        assert_eq!(literal("a*[b]?\\"), "a\\*\\[b\\]\\?\\\\");
    }
}
