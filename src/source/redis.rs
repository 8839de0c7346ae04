//! A string of Redis or Valkey.
//!
//! It is asked, over a connection for each time. What Redis publishes of a change may be lost, so
//! that it would have to be asked all the same.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::timeout;

use super::answer::{self, ANSWER};
use super::channel;
use super::seen::{LONGEST_SIGNATURE, Seen, format, too_long};
use super::{Document, Fetched, Fetching, LARGEST, Place, Source, SourceError};
use crate::redis::{self, Reply, encode};

pub(super) struct RedisKey {
    place: Place,
    redis: redis::Place,
    key: String,
    seen: Seen,
}

impl RedisKey {
    pub(super) fn new(place: Place, redis: redis::Place, key: String) -> Self {
        Self {
            place,
            redis,
            key,
            seen: Seen::default(),
        }
    }

    async fn look(&mut self) -> Result<Fetched, SourceError> {
        let found = timeout(ANSWER, self.read()).await;
        let document = found.unwrap_or_else(|_| Err(answer::away("did not answer in time")))?;
        Ok(self.seen.give(document))
    }

    async fn read(&self) -> Result<Document, SourceError> {
        let redis = match channel::token_of(&self.place.auth).await? {
            Some(token) => self.redis.clone().with_password(&token),
            None => self.redis.clone(),
        };
        let tls = if redis.is_secure() {
            Some(channel::tls(&self.place).await?)
        } else {
            None
        };
        let socket = redis::connect(&redis, tls).await;
        let mut socket = socket.map_err(|error| lost(&error))?;
        let mut buffer = BytesMut::new();
        let beside = format!("{}.sig", self.key);
        let mut words = vec![self.key.as_bytes()];
        if !self.place.verify.is_empty() {
            words.push(beside.as_bytes());
        }
        // How long they are is asked first: a longer text is not to be read to be refused.
        for (word, most) in words.iter().zip([LARGEST, LONGEST_SIGNATURE]) {
            let command = encode(&[b"STRLEN", word]);
            let reply = redis::ask(&mut *socket, &mut buffer, &command).await;
            match reply.map_err(|error| lost(&error))? {
                Reply::Number(length) if usize::try_from(length).is_ok_and(|it| it <= most) => {}
                Reply::Number(_) => return Err(too_long()),
                Reply::Error(error) => return Err(refused(&error)),
                Reply::Nil | Reply::Text(_) | Reply::List(_) => return Err(no_redis()),
            }
        }
        // Both at once, so that they belong together.
        words.insert(0, b"MGET");
        let reply = redis::ask(&mut *socket, &mut buffer, &encode(&words)).await;
        let mut found = match reply.map_err(|error| lost(&error))? {
            Reply::List(found) => found.into_iter(),
            Reply::Error(error) => return Err(refused(&error)),
            Reply::Nil | Reply::Number(_) | Reply::Text(_) => return Err(no_redis()),
        };
        Ok(Document {
            text: text(found.next()).ok_or(SourceError::Missing)?,
            format: format(&self.key, None),
            signature: text(found.next()),
        })
    }
}

impl Source for RedisKey {
    fn fetch(&mut self, _: Duration) -> Fetching<'_> {
        Box::pin(self.look())
    }

    fn watches(&self) -> bool {
        false
    }
}

fn text(reply: Option<Reply>) -> Option<Bytes> {
    match reply? {
        Reply::Text(text) => Some(text),
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

fn refused(error: &[u8]) -> SourceError {
    if error.starts_with(b"WRONGTYPE") {
        return SourceError::Unusable("it is no string".into());
    }
    lost(&redis::refusal(error))
}

fn no_redis() -> SourceError {
    answer::away("answers as no Redis does")
}
