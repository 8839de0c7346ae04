//! Who is told what lies behind `/api`: this machine, and others by the token that `admin_token` names. What
//! is known of a single request is told by that token alone, where there is one: on this machine are others,
//! too.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};

use super::{AdminState, TEXT, page};
use crate::body::Body;

/// Where a single request is.
pub(super) const DETAIL: &str = "/api/requests/";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// There is no token that would help.
    Elsewhere,
    /// The token is missing, or another one.
    NoToken,
}

/// Whether it may be told to who is there.
pub(super) fn may(
    path: &str,
    headers: &HeaderMap,
    from: IpAddr,
    state: &AdminState,
) -> Result<(), Denied> {
    let is_here = from.to_canonical().is_loopback();
    let Some(reference) = state.status.admin_token() else {
        return if is_here {
            Ok(())
        } else {
            Err(Denied::Elsewhere)
        };
    };
    if is_here && !path.starts_with(DETAIL) {
        return Ok(());
    }
    let token = state.keyring.current(&reference);
    let shown = headers.get(AUTHORIZATION).and_then(bearer);
    match (token, shown) {
        (Some(token), Some(shown)) if token.is(shown) => Ok(()),
        (_, _) => Err(Denied::NoToken),
    }
}

/// All that follows `Bearer `. The name of the scheme may be in any case (RFC 9110, 11.1).
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

impl Denied {
    pub(super) fn into_response(self) -> Response<Body> {
        match self {
            Self::Elsewhere => page(StatusCode::FORBIDDEN, TEXT, "only from this machine\n"),
            Self::NoToken => {
                let why = "needs the token of `admin_token`\n";
                let mut response = page(StatusCode::UNAUTHORIZED, TEXT, why);
                let scheme = HeaderValue::from_static("Bearer");
                response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
                response
            }
        }
    }
}
