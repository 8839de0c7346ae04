//! Who is told what lies behind `/api`: this machine, and others by the token that `admin_token` names. What
//! is known of a single request is told by that token alone, where there is one: on this machine are others,
//! too. No page of another origin is told anything, nor one whose name has been made to mean this machine.

use std::collections::BTreeSet;
use std::net::IpAddr;

use http::header::{AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};

use super::{AdminState, TEXT, reply};
use crate::body::Body;
use crate::listen::door;

/// What is asked for by programs, and by the page.
pub(super) const API: &str = "/api/";
/// Where a single request is.
pub(super) const DETAIL: &str = "/api/requests/";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// There is no token that would help.
    Elsewhere,
    /// The token is missing, or another one.
    NoToken,
    /// By a name that is not ours, without the token.
    OtherName,
    /// By a page of another origin.
    OtherOrigin,
}

/// Whether it may be told to who is there.
pub(super) fn may(
    path: &str,
    headers: &HeaderMap,
    from: IpAddr,
    state: &AdminState,
) -> Result<(), Denied> {
    if path.starts_with(API) && door::is_from_elsewhere(headers) {
        return Err(Denied::OtherOrigin);
    }
    let is_here = from.to_canonical().is_loopback();
    let snapshot = state.status.snapshot();
    let reference = snapshot.as_ref().and_then(|live| live.admin_token.as_ref());
    let token = reference.and_then(|reference| state.keyring.current(reference));
    let shown = headers.get(AUTHORIZATION).and_then(bearer);
    if token.is_some_and(|token| shown.is_some_and(|shown| token.is(shown))) {
        return Ok(());
    }
    let none = BTreeSet::new();
    let hosts = snapshot.as_ref().map_or(&none, |live| &live.hosts);
    match (reference, is_here) {
        (None, false) => Err(Denied::Elsewhere),
        (Some(_), false) => Err(Denied::NoToken),
        (Some(_), true) if path.starts_with(DETAIL) => Err(Denied::NoToken),
        (None | Some(_), true) if !door::names_us(headers, hosts) => Err(Denied::OtherName),
        (None | Some(_), true) => Ok(()),
    }
}

/// All that follows `Bearer `. The name of the scheme may be in any case (RFC 9110, 11.1).
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

impl Denied {
    pub(super) fn into_response(self) -> Response<Body> {
        let (status, why) = match self {
            Self::Elsewhere => (
                StatusCode::FORBIDDEN,
                "only from this machine, or with an `admin_token` in the configuration\n",
            ),
            Self::NoToken => (
                StatusCode::UNAUTHORIZED,
                "needs the token of `admin_token`\n",
            ),
            Self::OtherName => (
                StatusCode::FORBIDDEN,
                "not by that name; `hosts` in the configuration would let it\n",
            ),
            Self::OtherOrigin => (StatusCode::FORBIDDEN, "not for a page of another origin\n"),
        };
        let mut response = reply(status, TEXT, why);
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
