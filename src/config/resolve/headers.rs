//! A provider's own headers: which names an operator may set, and what a value may be.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::config::node::Table;
use crate::config::problem::Report;
use crate::snapshot::Kind;

const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const DEFAULT_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// Say who we are: `secret` is where that is written, for what is in a configuration is no secret.
pub(super) const CREDENTIALS: [HeaderName; 6] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
];
/// Part of AWS's signature.
const SIGNATURE_PREFIX: &str = "x-amz-";

/// Belong to the connection or to the body, and are set with it.
pub(super) const OF_THE_REQUEST: [HeaderName; 15] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::EXPECT,
    header::HOST,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::USER_AGENT,
];

/// What a provider of `kind` gets beside what we set for each request.
pub(super) fn resolve(kind: &Kind, table: &Table, report: &mut Report) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (at, name, value) in table.named_texts("headers") {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
            report.problem(&at, "is not a header's name");
            continue;
        };
        if CREDENTIALS.contains(&name) || name.as_str().starts_with(SIGNATURE_PREFIX) {
            let hint = "a key is written into `secret`";
            report.problem_with_hint(&at, "carries a credential", hint);
        } else if OF_THE_REQUEST.contains(&name) {
            report.problem(&at, "is set by Pillion for each request");
        } else if name == VERSION && *kind == Kind::Anthropic {
            report.problem_with_hint(&at, "has a key of its own", "write `anthropic_version`");
        } else if let Some(value) = value_of(&value) {
            if headers.insert(name, value).is_some() {
                report.problem(&at, "is there twice: names of headers know no upper case");
            }
        } else {
            report.problem(&at, "holds what no header can: write printable ASCII");
        }
    }
    if *kind == Kind::Anthropic {
        let version = match table.text("anthropic_version") {
            Some(text) => {
                let version = value_of(&text).filter(|_| !text.contains(' '));
                if version.is_none() {
                    let message = format!("`{text}` is not a version such as `2023-06-01`");
                    report.problem(&table.at("anthropic_version"), message);
                }
                version
            }
            None => None,
        };
        headers.insert(VERSION, version.unwrap_or(DEFAULT_VERSION));
    }
    headers
}

/// Printable ASCII: a tab or another alphabet is more likely a slip than a wish.
pub(super) fn value_of(text: &str) -> Option<HeaderValue> {
    let printable = text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    HeaderValue::from_str(text).ok().filter(|_| printable)
}
