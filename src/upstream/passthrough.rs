//! Requests that are sent on as they came, and whose answers are not judged.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};

use super::attempt::Upstream;
use super::body::Outgoing;
use super::client::Within;
use super::credentials::Credential;
use super::running::upstream_id;
use super::send::unsent;
use super::{address, headers, sign};
use crate::dialect::request::Pieces;
use crate::error::GatewayError;
use crate::outcome::{Class, Failure};
use crate::record::Recorder;
use crate::snapshot::{Provider, Residency, Target};
use crate::trace::Mark;

/// Providers answer uploads and images when they are done with them; nobody waits longer than this.
const HEAD: Duration = Duration::from_mins(10);

/// A request to be passed on.
#[derive(Debug)]
pub struct Passed<'a> {
    pub method: &'a Method,
    /// What followed `/v1`.
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
    pub body: Bytes,
    /// Where it must stay.
    pub residency: &'a Residency,
}

/// Sends `request` to `target`; twice when the first connection could not be made.
///
/// # Errors
/// There was no answer at all, or it may not go there. Any answer is the caller's, whatever its status.
pub async fn pass(
    upstream: &Upstream,
    target: &Arc<Target>,
    request: &Passed<'_>,
    recorder: &mut Recorder,
) -> Result<Response<Incoming>, GatewayError> {
    let within = Within::of(target, request.residency);
    let within = within.ok_or_else(|| GatewayError::NoEligibleTarget {
        why: request.residency.excludes(target.told()),
        wait: None,
    })?;
    let provider = &target.provider;
    let uri = address::passed(provider, request.path, request.query).map_err(|_| {
        GatewayError::Invalid {
            code: "bad_request",
            param: None,
            message: "The path or query cannot be passed on.".into(),
        }
    })?;
    let mut retried = false;
    loop {
        let log = recorder.attempt(target);
        let mark = recorder.mark(&log);
        let signed = signed(upstream, provider, request, uri.clone(), mark).await;
        let (credential, outgoing) = match signed {
            Ok(signed) => signed,
            Err(failure) => {
                log.failed(&failure, Instant::now().into_std());
                return Err(GatewayError::Unanswered(failure));
            }
        };
        let sent = timeout(HEAD, upstream.clients.to(&within).request(outgoing)).await;
        let failure = match sent {
            // Nobody asked for another protocol: the caller's wish for one was not passed on.
            Ok(Ok(response)) if response.status().is_informational() => Failure {
                status: Some(response.status()),
                ..Failure::new(Class::Broken, "the provider switched protocols unasked")
            },
            Ok(Ok(mut response)) => {
                if let Some(id) = upstream_id(response.headers()) {
                    log.upstream_id(id);
                }
                log.answered(response.status());
                if matches!(response.status().as_u16(), 401 | 403) {
                    // The answer is the caller's; the next request may have another credential.
                    upstream.credentials.doubt(provider, &credential);
                }
                let shown =
                    headers::shown_passed(std::mem::take(response.headers_mut()), &credential);
                *response.headers_mut() = shown;
                return Ok(response);
            }
            Ok(Err(error)) => unsent(&error),
            Err(_) => Failure::new(Class::Timeout, "no answer began in time"),
        };
        log.failed(&failure, Instant::now().into_std());
        if failure.class != Class::Connect || std::mem::replace(&mut retried, true) {
            return Err(GatewayError::Unanswered(failure));
        }
    }
}

/// The request as it goes out, and what it is signed with.
async fn signed(
    upstream: &Upstream,
    provider: &Provider,
    request: &Passed<'_>,
    uri: Uri,
    mark: Option<Mark>,
) -> Result<(Credential, Request<Outgoing>), Failure> {
    let credential = upstream.credential(provider, Instant::now() + HEAD).await?;
    let mut outgoing = outgoing(request, uri, headers::passed(request.headers));
    if let Some(mark) = mark {
        mark.put(outgoing.headers_mut());
    }
    sign::sign(&mut outgoing, provider, &credential, SystemTime::now())?;
    Ok((credential, outgoing))
}

fn outgoing(request: &Passed<'_>, uri: Uri, headers: HeaderMap) -> Request<Outgoing> {
    let pieces: Pieces = std::iter::once(request.body.clone()).collect();
    let mut outgoing = Request::new(Outgoing::from(pieces));
    *outgoing.method_mut() = request.method.clone();
    *outgoing.uri_mut() = uri;
    *outgoing.headers_mut() = headers;
    outgoing
}
