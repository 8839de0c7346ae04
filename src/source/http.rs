//! What a GET gives: of a web server, or of an object store.
//!
//! It is asked with the `ETag` that was given last (RFC 9110 §13.1.2), and to wait for a change
//! (`Prefer: wait=30`, RFC 7240 §4.3); where the server does wait, the source watches. An `ETag` is not
//! trusted alone: nginx makes it of a file's time in seconds and of its length
//! (<https://nginx.org/en/docs/http/ngx_http_core_module.html#etag>, read 2026-11), so that one of a
//! file that was changed within the second before is not remembered, and each quarter of an hour
//! the whole document is read.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, DATE, ETAG, IF_NONE_MATCH, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::time::Instant;

use super::answer::{self, ANSWER};
use super::channel::{self, Channel};
use super::seen::{LONGEST_SIGNATURE, Seen, bounded, format};
use super::{Document, Fetched, Fetching, LARGEST, Source, SourceError};
use crate::upstream::{AwsSigner, Client, Errand, Reply, SignedWith};

/// No `ETag` is trusted for longer.
const WHOLE: Duration = Duration::from_mins(15);
/// The longest that a server is asked to wait: proxies give up a silent answer after a minute.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The same beside a signature, which is looked at between two waits: it may come by itself.
const LONGEST_WAIT_APART: Duration = Duration::from_secs(5);
/// What answers before this has not waited.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// A document's signature, where its server sends it along.
const SIGNATURE: &str = "x-pillion-signature";

pub(super) struct Http {
    channel: Channel,
    credential: Credential,
    url: String,
    /// Where the signature is, if one is asked for.
    beside: Option<String>,
    /// What the document's format is told by.
    name: String,
    /// Whether it may be asked to wait.
    waits: bool,
    known: Option<Known>,
    /// Whether the last answer was one that it had waited with.
    watching: bool,
    /// Whether the last answer was none: then it is not asked to wait.
    failed: bool,
    seen: Seen,
}

pub(super) enum Credential {
    None,
    Bearer(PathBuf),
    Aws {
        signer: AwsSigner,
        /// With what it signed last.
        signed: Option<SignedWith>,
    },
}

/// What was there when it was last read whole.
struct Known {
    tag: HeaderValue,
    at: Instant,
    signature: Beside,
}

impl Known {
    fn is_in_force(&self, now: Instant) -> bool {
        now.duration_since(self.at) < WHOLE
    }
}

/// The signature as it was found.
#[derive(Clone, PartialEq, Eq)]
enum Beside {
    /// None is asked for, or it came with the document.
    With(Option<Bytes>),
    /// By itself, if it is there.
    Apart(Option<Bytes>),
}

impl Http {
    pub(super) fn new(
        channel: Channel,
        credential: Credential,
        url: String,
        beside: Option<String>,
        name: String,
    ) -> Self {
        Self {
            channel,
            waits: !matches!(credential, Credential::Aws { .. }),
            credential,
            url,
            beside,
            name,
            known: None,
            watching: false,
            failed: false,
            seen: Seen::default(),
        }
    }

    async fn look(&mut self, patience: Duration) -> Result<Fetched, SourceError> {
        let again = std::mem::replace(&mut self.failed, true);
        let client = self.channel.client().await?;
        let tag = self.tag_in_force(&client).await?;
        let longest = match self.known.as_ref().map(|known| &known.signature) {
            Some(Beside::Apart(_)) => LONGEST_WAIT_APART,
            Some(Beside::With(_)) | None => LONGEST_WAIT,
        };
        let wait = patience.min(longest).as_secs();
        let wait = (wait > 0 && self.waits && !again && tag.is_some()).then_some(wait);
        let asked = Instant::now();
        let reply = self.ask(&client, tag.as_ref(), wait).await?;
        let fetched = match reply.status {
            StatusCode::OK => self.take(&client, reply).await?,
            StatusCode::NOT_MODIFIED if tag.is_some() => {
                if let Some(wait) = wait {
                    self.watching = has_waited(&reply.headers, wait, asked.elapsed());
                }
                if self.watching {
                    answer::pace(asked).await;
                }
                Fetched::Same
            }
            status => {
                if status == StatusCode::FORBIDDEN {
                    self.credential.doubt();
                }
                return Err(refused(status, &reply.headers));
            }
        };
        self.failed = false;
        Ok(fetched)
    }

    /// What the document is asked for with. A signature by itself is looked at first: it may have
    /// been changed alone, and must not wait for a document that does not change.
    async fn tag_in_force(&mut self, client: &Client) -> Result<Option<HeaderValue>, SourceError> {
        let now = Instant::now();
        let Some(known) = self.known.as_ref().filter(|it| it.is_in_force(now)) else {
            return Ok(None);
        };
        let (tag, signature) = (known.tag.clone(), known.signature.clone());
        let same = match &signature {
            Beside::With(_) => true,
            Beside::Apart(_) => self.signature(client).await? == signature,
        };
        Ok(same.then_some(tag))
    }

    async fn ask(
        &mut self,
        client: &Client,
        tag: Option<&HeaderValue>,
        wait: Option<u64>,
    ) -> Result<Reply, SourceError> {
        let patience = ANSWER + Duration::from_secs(wait.unwrap_or_default());
        let mut errand = Errand::get(&self.url, LARGEST, patience);
        if let Some(tag) = tag {
            errand.headers.insert(IF_NONE_MATCH, tag.clone());
        }
        if let Some(wait) = wait {
            errand = errand.header(PREFER, &format!("wait={wait}"));
        }
        let errand = self.credential.put(errand).await?;
        errand.run(client).await.map_err(|it| answer::undone(&it))
    }

    /// The document, with its signature if one is asked for.
    async fn take(&mut self, client: &Client, reply: Reply) -> Result<Fetched, SourceError> {
        let headers = &reply.headers;
        if headers.contains_key(CONTENT_ENCODING) {
            return Err(SourceError::Unusable("it is compressed".into()));
        }
        if !reply.whole {
            let why = "it comes without a length, so that one that was cut would look the same: \
                       the server has to send `content-length`, or chunks";
            return Err(SourceError::Unusable(why.into()));
        }
        let header = headers.get(SIGNATURE).filter(|_| self.beside.is_some());
        let signature = match (header, &self.beside) {
            (Some(header), _) => Beside::With(Some(Bytes::copy_from_slice(header.as_bytes()))),
            (None, None) => Beside::With(None),
            (None, Some(_)) => self.signature(client).await?,
        };
        let document = Document {
            format: format(&self.name, Some(headers)),
            signature: match &signature {
                Beside::With(signature) | Beside::Apart(signature) => signature.clone(),
            },
            text: bounded(reply.body)?,
        };
        if headers.contains_key(PREFERENCE_APPLIED) {
            self.watching = true;
        }
        self.known = tag_of(headers).map(|tag| Known {
            tag,
            at: Instant::now(),
            signature,
        });
        self.watching &= self.known.is_some();
        Ok(self.seen.give(document))
    }

    /// The signature that lies beside the document.
    async fn signature(&mut self, client: &Client) -> Result<Beside, SourceError> {
        let Some(url) = &self.beside else {
            return Ok(Beside::With(None));
        };
        let errand = Errand::get(url, LONGEST_SIGNATURE, ANSWER);
        let errand = self.credential.put(errand).await?;
        let reply = errand.run(client).await.map_err(|it| answer::undone(&it))?;
        match reply.status {
            StatusCode::OK => Ok(Beside::Apart(Some(reply.body))),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(Beside::Apart(None)),
            status => Err(refused(status, &reply.headers)),
        }
    }
}

impl Source for Http {
    fn fetch(&mut self, patience: Duration) -> Fetching<'_> {
        Box::pin(self.look(patience))
    }

    fn watches(&self) -> bool {
        self.watching && !self.failed
    }
}

impl Credential {
    async fn put<'a>(&mut self, mut errand: Errand<'a>) -> Result<Errand<'a>, SourceError> {
        match self {
            Self::None => Ok(errand),
            Self::Bearer(file) => Ok(errand.bearer(&channel::token(file).await?)),
            Self::Aws { signer, signed } => {
                let done = signer.sign(&mut errand).await;
                *signed = Some(done.map_err(|failure| answer::unsigned(&failure))?);
                Ok(errand)
            }
        }
    }

    /// It was refused. A token is read anew anyway.
    fn doubt(&self) {
        match self {
            Self::Aws {
                signer,
                signed: Some(signed),
            } => signer.doubt(signed),
            Self::Aws { signed: None, .. } | Self::None | Self::Bearer(_) => {}
        }
    }
}

/// A bucket that is asked in another region than its own says which that is.
fn refused(status: StatusCode, headers: &HeaderMap) -> SourceError {
    let region = headers
        .get("x-amz-bucket-region")
        .and_then(|region| region.to_str().ok());
    match region.filter(|region| status.is_redirection() && super::form::is_region(region)) {
        Some(region) => answer::away(format!("has that bucket in the region {region}")),
        None => answer::refusal(status, headers),
    }
}

/// Whether an answer that says that nothing has changed came as late as it was asked to.
fn has_waited(headers: &HeaderMap, wait: u64, took: Duration) -> bool {
    let asked = Duration::from_secs(wait);
    took >= asked / 2 || (headers.contains_key(PREFERENCE_APPLIED) && took >= SHORTEST_WAIT)
}

/// The `ETag`, unless what it names may yet be changed without a change of it: a time in seconds
/// that is not past when the answer is made tells nothing (RFC 9110 §8.8.2.2).
fn tag_of(headers: &HeaderMap) -> Option<HeaderValue> {
    let time = |name| httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok();
    let fresh = match (time(LAST_MODIFIED), time(DATE)) {
        (Some(modified), Some(now)) => now
            .duration_since(modified)
            .is_ok_and(|age| age < SHORTEST_WAIT),
        (_, _) => false,
    };
    headers.get(ETAG).filter(|_| !fresh).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        pairs.collect()
    }

    #[test]
    fn a_tag_of_what_may_yet_change_is_not_remembered() {
        const NOON: &str = "Sun, 22 Nov 2026 12:00:00 GMT";
        const LATER: &str = "Sun, 22 Nov 2026 12:00:01 GMT";
        for (pairs, expected) in [
            (&[("etag", "\"a\"")][..], Some("\"a\"")),
            (&[("etag", "W/\"a\""), ("date", NOON)], Some("W/\"a\"")),
            (
                &[("etag", "\"a\""), ("last-modified", NOON), ("date", NOON)],
                None,
            ),
            (
                &[("etag", "\"a\""), ("last-modified", NOON), ("date", LATER)],
                Some("\"a\""),
            ),
            // A file from the future says nothing of when it is written.
            (
                &[("etag", "\"a\""), ("last-modified", LATER), ("date", NOON)],
                Some("\"a\""),
            ),
            (&[("last-modified", NOON), ("date", LATER)], None),
        ] {
            let tag = tag_of(&headers(pairs));
            assert_eq!(
                tag.as_ref().map(|tag| tag.to_str().unwrap()),
                expected,
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn no_tag_is_trusted_for_long() {
        let at = Instant::now();
        let known = Known {
            tag: HeaderValue::from_static("\"a\""),
            at,
            signature: Beside::With(None),
        };
        for (minutes, in_force) in [(0, true), (14, true), (15, false)] {
            let now = at + Duration::from_mins(minutes);
            assert_eq!(known.is_in_force(now), in_force, "{minutes}");
        }
    }

    #[test]
    fn a_server_has_waited_when_it_was_late() {
        let told = &[("preference-applied", "wait=30")][..];
        for (pairs, took, waited) in [
            (&[][..], 15, true),
            (&[], 14, false),
            (&[], 0, false),
            (told, 1, true),
            (told, 0, false),
        ] {
            let took = Duration::from_secs(took);
            assert_eq!(
                has_waited(&headers(pairs), 30, took),
                waited,
                "{pairs:?} {took:?}"
            );
        }
    }

    #[test]
    fn a_bucket_elsewhere_says_where() {
        let elsewhere = headers(&[("x-amz-bucket-region", "eu-central-1")]);
        let said = refused(StatusCode::MOVED_PERMANENTLY, &elsewhere).to_string();
        assert_eq!(said, "has that bucket in the region eu-central-1");
        let said = refused(StatusCode::FORBIDDEN, &elsewhere).to_string();
        assert_eq!(said, "refuses us: it answers 403");
    }
}
