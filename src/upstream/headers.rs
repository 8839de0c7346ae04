//! Which headers cross over, in either direction.
//!
//! To a judged surface's provider goes what we set and next to nothing of the caller's: its SDK's
//! headers tell facts about the caller, and its organisation is not ours. A pass-through keeps all
//! but what belongs to one connection, to the caller's identity, or to us.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::credentials::Credential;
use super::sign;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("pillion/", env!("CARGO_PKG_VERSION")));
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// Ends at each connection (RFC 9110 §7.6.1), or is set anew for it.
const OF_THE_CONNECTION: [HeaderName; 11] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Says who the caller is, to us or to its own provider.
const OF_THE_CALLER: [&str; 9] = [
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "origin",
    "forwarded",
    "openai-organization",
    "openai-project",
];
const OF_THE_CALLER_PREFIXES: [&str; 3] = ["x-stainless-", "x-pillion-", "x-forwarded-"];

/// The headers of a request to a judged surface; `openai` says that the provider speaks its dialects.
pub(super) fn judged(came: &HeaderMap, openai: bool) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::ACCEPT, JSON);
    headers.insert(header::ACCEPT_ENCODING, IDENTITY);
    headers.insert(header::CONTENT_TYPE, JSON);
    headers.insert(header::USER_AGENT, AGENT);
    if let Some(value) = came.get("openai-beta").filter(|_| openai) {
        headers.insert("openai-beta", value.clone());
    }
    // The one is a list, in whatever headers; and who says the other twice has said nothing.
    for name in ["traceparent", "tracestate"] {
        for value in came.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    headers
}

/// What a caller of Anthropic's own dialect says to Anthropic: the version of the API whose rules
/// it knows, and what it wants to try of the next.
pub(super) fn add_anthropic(headers: &mut HeaderMap, came: &HeaderMap) {
    for name in ["anthropic-version", "anthropic-beta"] {
        let name = HeaderName::from_static(name);
        for value in came.get_all(&name) {
            headers.append(name.clone(), value.clone());
        }
    }
}

/// Names of betas as the header that lists them, if there are any.
pub(super) fn add_betas<'a>(headers: &mut HeaderMap, betas: impl Iterator<Item = &'a str>) {
    let list = betas.collect::<Vec<_>>().join(",");
    if let Ok(list) = HeaderValue::try_from(list)
        && !list.is_empty()
    {
        headers.insert("anthropic-beta", list);
    }
}

/// The headers of a request that passes through.
pub(super) fn passed(came: &HeaderMap) -> HeaderMap {
    let mut headers = came.clone();
    strip_connection(&mut headers);
    for name in OF_THE_CALLER {
        headers.remove(name);
    }
    let prefixed: Vec<HeaderName> = headers
        .keys()
        .filter(|name| {
            OF_THE_CALLER_PREFIXES
                .iter()
                .any(|prefix| name.as_str().starts_with(prefix))
        })
        .cloned()
        .collect();
    for name in prefixed {
        headers.remove(name);
    }
    headers
}

/// What the caller sees of a judged answer's headers.
pub(super) fn shown(came: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in ["retry-after", "retry-after-ms", "openai-processing-ms"] {
        if let Some(value) = came.get(name) {
            headers.insert(name, value.clone());
        }
    }
    headers
}

/// What the caller sees of a passed-through answer's headers.
pub(super) fn shown_passed(mut headers: HeaderMap, credential: &Credential) -> HeaderMap {
    // The body is passed on as it comes, so its length holds.
    let length = headers.get(header::CONTENT_LENGTH).cloned();
    strip_connection(&mut headers);
    headers.remove(header::SET_COOKIE);
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, length);
    }
    drop_leaking(&mut headers, credential);
    headers
}

/// A provider that repeats its key in a header is not repeated.
pub(super) fn drop_leaking(headers: &mut HeaderMap, credential: &Credential) {
    let leaking: Vec<HeaderName> = headers
        .iter()
        .filter(|(_, value)| sign::leaks(value, credential))
        .map(|(name, _)| name.clone())
        .collect();
    for name in leaking {
        headers.remove(name);
    }
}

fn strip_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&OF_THE_CONNECTION) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::secret::Secret;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn what_tracers_say_goes_on_as_it_came() {
        let came = headers(&[
            ("traceparent", "00-a-b-01"),
            ("traceparent", "00-c-d-01"),
            ("tracestate", "a=1"),
            ("tracestate", "b=2"),
        ]);
        let sent = judged(&came, false);
        for name in ["traceparent", "tracestate"] {
            let values =
                |headers: &HeaderMap| -> Vec<_> { headers.get_all(name).iter().cloned().collect() };
            assert_eq!(values(&sent), values(&came));
        }
    }

    #[test]
    fn a_pass_through_keeps_what_is_neither_ours_nor_the_connections() {
        let came = headers(&[
            ("content-type", "multipart/form-data; boundary=x"),
            ("authorization", "Bearer internal"),
            ("api-key", "internal"),
            ("x-stainless-lang", "python"),
            ("x-pillion-tag-conversation", "7"),
            ("connection", "keep-alive, X-Hop"),
            ("x-hop", "1"),
            ("content-length", "3"),
            ("openai-organization", "org-1"),
            ("x-custom", "kept"),
        ]);
        let expected = headers(&[
            ("content-type", "multipart/form-data; boundary=x"),
            ("x-custom", "kept"),
        ]);
        assert_eq!(passed(&came), expected);
    }

    #[test]
    fn an_answer_never_carries_the_secret_or_a_cookie() {
        let secret = Arc::new(Secret::try_new(b"sk-canary").unwrap());
        let came = headers(&[
            ("set-cookie", "a=b"),
            ("x-debug", "key=sk-canary;"),
            ("content-type", "audio/mpeg"),
            ("content-length", "9"),
        ]);
        let expected = headers(&[("content-type", "audio/mpeg"), ("content-length", "9")]);
        assert_eq!(shown_passed(came, &Credential::Key(secret)), expected);
    }

    #[test]
    fn what_anthropics_callers_wish_goes_on_in_its_own_headers() {
        let came = headers(&[
            ("anthropic-version", "2026-10-21"),
            ("anthropic-beta", "a,b"),
            ("x-api-key", "internal"),
        ]);
        let mut sent = HeaderMap::new();
        add_anthropic(&mut sent, &came);
        assert_eq!(
            sent,
            headers(&[
                ("anthropic-version", "2026-10-21"),
                ("anthropic-beta", "a,b")
            ])
        );
        let mut sent = HeaderMap::new();
        add_betas(&mut sent, ["a", "b"].into_iter());
        assert_eq!(sent, headers(&[("anthropic-beta", "a,b")]));
        let mut sent = HeaderMap::new();
        add_betas(&mut sent, std::iter::empty());
        assert!(sent.is_empty());
    }
}
