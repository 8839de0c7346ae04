//! A call of our own to somebody who is no provider: who issues credentials, keeps secrets, or keeps
//! the configuration.
//!
//! Where it goes is configured. Redirects are never followed. What an answer means is for whoever
//! sent it.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::body::Outgoing;
use super::client::Client;
use super::sign;
use crate::dialect::openai::Pieces;
use crate::secret::Secret;

/// What is to be asked of whom.
pub struct Errand<'a> {
    pub method: Method,
    pub url: &'a str,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The most that an answer's body may be, in bytes.
    pub limit: usize,
    /// How long the whole answer may take; of one that is [opened](Self::open), its head.
    pub patience: Duration,
}

/// An answer, whatever its status says.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Whether all of it was read, and its end told by a length or by its framing: else it may have been cut.
    pub whole: bool,
}

/// An answer whose body is still to come. Dropping it cancels it over there.
#[derive(Debug)]
pub struct Opened {
    pub status: StatusCode,
    pub headers: HeaderMap,
    version: Version,
    incoming: Incoming,
}

/// Why there is no answer. It never holds what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// The address is none.
    NotAUrl,
    /// No connection, or one that broke off: with the innermost reason.
    Unreachable(String),
    Late,
    /// The body is longer than the limit.
    TooLong,
}

impl<'a> Errand<'a> {
    pub fn get(url: &'a str, limit: usize, patience: Duration) -> Self {
        Self {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            limit,
            patience,
        }
    }

    /// A header whose value may be secret. One that can be none is left out, and refused over there.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(mut value) = HeaderValue::from_str(value) {
            value.set_sensitive(true);
            self.headers.insert(name, value);
        }
        self
    }

    /// The same with a body of JSON that is posted.
    #[must_use]
    pub fn post(mut self, json: impl Into<Bytes>) -> Self {
        self.method = Method::POST;
        self.body = json.into();
        let kind = HeaderValue::from_static("application/json");
        self.headers.insert(CONTENT_TYPE, kind);
        self
    }

    /// A header that is a secret.
    #[must_use]
    pub fn secret(mut self, name: HeaderName, secret: &Secret) -> Self {
        sign::secret(&mut self.headers, name, secret);
        self
    }

    /// A token in `authorization`.
    #[must_use]
    pub fn bearer(mut self, token: &Secret) -> Self {
        sign::bearer(&mut self.headers, token);
        self
    }

    /// The whole answer. Cancel-safe: what is dropped is cancelled over there.
    ///
    /// # Errors
    /// There is none, or it is too long.
    pub async fn run(self, client: &Client) -> Result<Reply, Undone> {
        self.answer(client, false).await
    }

    /// The same, and of an answer that is too long its beginning.
    ///
    /// # Errors
    /// There is none.
    pub async fn beginning(self, client: &Client) -> Result<Reply, Undone> {
        self.answer(client, true).await
    }

    async fn answer(self, client: &Client, is_cut: bool) -> Result<Reply, Undone> {
        let (limit, patience) = (self.limit, self.patience);
        let answer = async {
            let mut opened = self.begin(client).await?;
            let mut body = BytesMut::new();
            while let Some(chunk) = opened.next().await? {
                body.extend_from_slice(&chunk);
                if body.len() > limit {
                    break;
                }
            }
            let is_long = body.len() > limit;
            if is_long && !is_cut {
                return Err(Undone::TooLong);
            }
            body.truncate(limit);
            let Opened {
                status,
                headers,
                version,
                ..
            } = opened;
            Ok(Reply {
                whole: !is_long && tells_its_end(version, &headers),
                status,
                headers,
                body: body.freeze(),
            })
        };
        timeout(patience, answer).await.map_err(|_| Undone::Late)?
    }

    /// The answer's head; its body is read as it comes.
    ///
    /// # Errors
    /// There is none.
    pub async fn open(self, client: &Client) -> Result<Opened, Undone> {
        let patience = self.patience;
        let head = timeout(patience, self.begin(client)).await;
        head.map_err(|_| Undone::Late)?
    }

    pub(super) fn uri(&self) -> Result<Uri, Undone> {
        let uri: Option<Uri> = self.url.parse().ok();
        uri.filter(|uri| uri.host().is_some() && uri.scheme().is_some())
            .ok_or(Undone::NotAUrl)
    }

    async fn begin(self, client: &Client) -> Result<Opened, Undone> {
        let uri = self.uri()?;
        let pieces: Pieces = std::iter::once(self.body).collect();
        let mut request = Request::new(Outgoing::from(pieces));
        *request.method_mut() = self.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers;
        let response = client.request(request).await;
        let (head, incoming) = response.map_err(|error| unreachable(&error))?.into_parts();
        Ok(Opened {
            status: head.status,
            headers: head.headers,
            version: head.version,
            incoming,
        })
    }
}

impl Opened {
    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// It broke off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Undone> {
        while let Some(frame) = self.incoming.frame().await {
            let frame = frame.map_err(|error| unreachable(&error))?;
            if let Ok(chunk) = frame.into_data() {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }
}

/// An answer of HTTP/1 without a length ends where its connection does (RFC 9112 §6.3), and so does one
/// that was cut.
fn tells_its_end(version: Version, headers: &HeaderMap) -> bool {
    let last = headers.get_all(TRANSFER_ENCODING).iter().next_back();
    let last = last.and_then(|coding| coding.to_str().ok());
    version > Version::HTTP_11
        || headers.contains_key(CONTENT_LENGTH)
        || last.is_some_and(|it| it.trim().to_ascii_lowercase().ends_with("chunked"))
}

/// The innermost reason says what an operator can act on.
fn unreachable(error: &dyn std::error::Error) -> Undone {
    let mut reason = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    Undone::Unreachable(reason.to_string())
}

impl fmt::Display for Undone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAUrl => f.write_str("has an address that is no URL"),
            Self::Unreachable(reason) => write!(f, "cannot be reached: {reason}"),
            Self::Late => f.write_str("did not answer in time"),
            Self::TooLong => f.write_str("answered more than is taken"),
        }
    }
}

impl std::error::Error for Undone {}
