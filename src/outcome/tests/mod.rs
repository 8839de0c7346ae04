//! The table of outcomes, row by row. Bodies are our own words around the providers' forms.

mod classes;
mod forms;
mod told;

use std::time::SystemTime;

use http::{HeaderMap, HeaderValue, StatusCode};

use super::Class::{
    Auth, ContextLength, InvalidRequest, Overloaded, Policy, QuotaExhausted, RateLimited,
    ServerError, TargetMissing, Timeout,
};
use super::{Failure, judge, judge_reported};

fn judged(status: u16, body: &str) -> Failure {
    with_headers(status, &[], body)
}

fn with_headers(status: u16, pairs: &[(&'static str, &'static str)], body: &str) -> Failure {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.insert(*name, HeaderValue::from_static(value));
    }
    let status = StatusCode::from_u16(status).unwrap();
    let failure = judge(status, &headers, body.as_bytes(), SystemTime::UNIX_EPOCH);
    assert_eq!(failure.status, Some(status), "{body}");
    assert!(
        !failure.reason.contains('\n') && failure.reason.len() < 120,
        "{}",
        failure.reason
    );
    failure
}

/// A table as text: a row a line, the first word apart; `#` starts a comment.
fn rows(table: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = table.lines().map(str::trim);
    let rows = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    rows.map(|row| {
        row.split_once(' ')
            .map_or((row, ""), |(first, rest)| (first, rest.trim()))
    })
}

/// Rows of a status, the class that it must have, and the body.
fn assert_classes(table: &str) {
    for (status, row) in rows(table) {
        let (class, body) = row.split_once(' ').unwrap();
        let failure = judged(status.parse().unwrap(), body.trim());
        assert_eq!(
            failure.class.name(),
            class,
            "{status} {body}: {}",
            failure.reason
        );
        let may_speak = matches!(failure.class, InvalidRequest | ContextLength | Policy);
        assert!(may_speak || failure.said.is_none(), "{status} {body}");
    }
}
