//! HTTP that goes no further: what a request must be before anyone asks what it wants.
//!
//! A sidecar listens where every page of a browser on the same machine can reach it, and stands
//! between a client and a provider that may read the same bytes in two ways. So the `Host` must be
//! one of ours (which also stops DNS rebinding), no browser is let in, and whatever could be read
//! in two ways is refused. Pure; never here: the path ([`super::endpoint`]), the token
//! ([`super::auth`]), or the size and pace of the body ([`crate::body`]).
//!
//! <https://www.rfc-editor.org/rfc/rfc9110> and <https://www.rfc-editor.org/rfc/rfc9112#section-3>
//! (read 2026-08)

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderName, ORIGIN,
};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Method, Request, StatusCode, Version};
use http_body::Body;

use super::Violation;
use crate::error::GatewayError;

/// What a request that is let in is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Open,
    /// `OPTIONS`, of whatever: answered with a 204, and never passed on.
    Options,
}

/// Every method that may reach a provider, and `OPTIONS`.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Whether a request is let in. `hosts` are the names that are ours beside the loopback ones.
///
/// # Errors
/// The refusal; the body has not been read.
pub fn check<B: Body>(
    request: &Request<B>,
    hosts: &BTreeSet<String>,
    violation: Option<Violation>,
) -> Result<Door, GatewayError> {
    if let Some(violation) = violation {
        return Err(bad_request(framing(violation)));
    }
    let (method, headers) = (request.method(), request.headers());
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    if !known.contains(method) {
        return Err(GatewayError::MethodNotAllowed { allow: METHODS });
    }
    host(request, hosts)?;
    if headers.contains_key(ORIGIN) {
        return Err(refused(
            StatusCode::FORBIDDEN,
            "origin_not_allowed",
            "Requests from a browser are not allowed here.",
        ));
    }
    expectation(headers)?;
    if several(headers, &AUTHORIZATION) {
        return Err(bad_request("There is more than one Authorization header."));
    }
    if matches!(*method, Method::GET | Method::HEAD) && !request.body().is_end_stream() {
        return Err(GatewayError::MethodNotAllowed {
            allow: "POST, PUT, PATCH, DELETE",
        });
    }
    Ok(if method == Method::OPTIONS {
        Door::Options
    } else {
        Door::Open
    })
}

/// Whether what is asked is asked of us: a page that has its own name resolved to our address (DNS rebinding)
/// is told by that name. Who names nobody is no browser.
pub fn names_us(headers: &HeaderMap, hosts: &BTreeSet<String>) -> bool {
    let is_ours = |value: &HeaderValue| {
        let authority = Authority::try_from(value.as_bytes());
        authority.is_ok_and(|authority| is_ours(&authority, hosts))
    };
    headers.get_all(HOST).iter().all(is_ours)
}

/// Whether a page of another origin has sent it.
/// <https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header> (read 2026-11)
pub fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let sites = headers.get_all("sec-fetch-site");
    let mut sites = sites.iter().map(HeaderValue::as_bytes);
    headers.contains_key(ORIGIN) || sites.any(|site| site != b"same-origin" && site != b"none")
}

/// Whether the body is JSON as it stands: for the endpoints whose body is read here.
///
/// # Errors
/// 415, with what is expected instead.
pub fn wants_json(headers: &HeaderMap) -> Result<(), GatewayError> {
    let encoded = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if encoded {
        return Err(refused(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The body must not be compressed: send it without a Content-Encoding.",
        ));
    }
    let media_type = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    if several(headers, &CONTENT_TYPE) || !media_type.is_some_and(is_json) {
        return Err(refused(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The body must be JSON: send it with `Content-Type: application/json`.",
        ));
    }
    Ok(())
}

/// `application/json` or `application/*+json`, with whatever parameters.
fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    match essence.strip_prefix("application/") {
        Some("json") => true,
        Some(subtype) => subtype.len() > "+json".len() && subtype.ends_with("+json"),
        None => false,
    }
}

/// Whom the request is meant for must be said once, be readable, and be us.
fn host<B>(request: &Request<B>, hosts: &BTreeSet<String>) -> Result<(), GatewayError> {
    let (uri, headers) = (request.uri(), request.headers());
    if several(headers, &HOST) {
        return Err(bad_request("There is more than one Host header."));
    }
    let named = headers
        .get(HOST)
        .map(|value| {
            Authority::try_from(value.as_bytes())
                .ok()
                .filter(|authority| !authority.as_str().contains('@'))
                .ok_or_else(|| bad_request("The Host header is not a host."))
        })
        .transpose()?;
    let target = uri.authority();
    let authority = if request.version() >= Version::HTTP_2 {
        if let (Some(target), Some(named)) = (target, &named)
            && target != named
        {
            return Err(bad_request("The authority and the Host header differ."));
        }
        target.or(named.as_ref())
    } else {
        if let Some(target) = target
            && !(uri.scheme() == Some(&Scheme::HTTP) && is_ours(target, hosts))
        {
            // A client that takes us for a forward proxy, or wants us to be one.
            return Err(bad_request("The request names another server in its URL."));
        }
        named.as_ref()
    };
    match authority {
        None => Err(bad_request("The request lacks a Host header.")),
        Some(authority) if is_ours(authority, hosts) => Ok(()),
        Some(_) => Err(refused(
            StatusCode::MISDIRECTED_REQUEST,
            "host_not_allowed",
            "This sidecar does not answer to that Host; `hosts` in its configuration would let it.",
        )),
    }
}

/// Whether an authority is loopback or in `hosts`, on any port.
fn is_ours(authority: &Authority, hosts: &BTreeSet<String>) -> bool {
    let host = authority.host();
    if authority.as_str().contains('@') {
        return false;
    }
    if let Some(v6) = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        return v6
            .parse()
            .is_ok_and(|ip: Ipv6Addr| ip.is_loopback() || hosts.contains(&ip.to_string()));
    }
    host.eq_ignore_ascii_case("localhost")
        || host.parse().is_ok_and(|ip: Ipv4Addr| ip.is_loopback())
        || hosts.contains(&host.to_ascii_lowercase())
}

fn expectation(headers: &HeaderMap) -> Result<(), GatewayError> {
    let met = headers
        .get_all(EXPECT)
        .iter()
        .all(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    if met {
        return Ok(());
    }
    Err(refused(
        StatusCode::EXPECTATION_FAILED,
        "expectation_failed",
        "The only expectation that can be met is `100-continue`.",
    ))
}

fn several(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(name).iter().nth(1).is_some()
}

fn framing(violation: Violation) -> &'static str {
    match violation {
        Violation::LengthAndEncoding => "Content-Length and Transfer-Encoding exclude each other.",
        Violation::RepeatedLength => "There is more than one Content-Length header.",
        Violation::Encoding => "The only Transfer-Encoding understood is `chunked`.",
    }
}

fn bad_request(message: &'static str) -> GatewayError {
    GatewayError::Invalid {
        code: "bad_request",
        param: None,
        message: message.into(),
    }
}

fn refused(status: StatusCode, code: &'static str, message: &'static str) -> GatewayError {
    GatewayError::Refused {
        status,
        code,
        message: message.into(),
    }
}

#[cfg(test)]
mod tests;
