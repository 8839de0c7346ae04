//! A failure as it is written down, for those in other processes who wait for its call.
//!
//! Pure. It is sealed like an answer: what a provider said may repeat what it was asked.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::outcome::{Class, Failure, Said};

#[derive(Serialize, Deserialize)]
struct Written<'a> {
    class: Class,
    status: Option<u16>,
    reason: Cow<'a, str>,
    said: Option<Box<Words>>,
    wait: Option<Duration>,
}

#[derive(Serialize, Deserialize)]
struct Words {
    message: String,
    kind: Option<String>,
    param: Option<String>,
    code: Option<String>,
}

pub(super) fn write(failure: &Failure) -> Option<Vec<u8>> {
    let said = failure.said.as_deref().cloned().map(|said| {
        let Said {
            message,
            kind,
            param,
            code,
        } = said;
        Box::new(Words {
            message,
            kind,
            param,
            code,
        })
    });
    let written = Written {
        class: failure.class,
        status: failure.status.map(|status| status.as_u16()),
        reason: Cow::Borrowed(&failure.reason),
        said,
        wait: failure.wait,
    };
    serde_json::to_vec(&written).ok()
}

/// `None` for what is none.
pub(super) fn read(text: &[u8]) -> Option<Failure> {
    let written: Written<'_> = serde_json::from_slice(text).ok()?;
    let status = match written.status {
        Some(status) => Some(StatusCode::from_u16(status).ok()?),
        None => None,
    };
    let said = written.said.map(|words| {
        let Words {
            message,
            kind,
            param,
            code,
        } = *words;
        Box::new(Said {
            message,
            kind,
            param,
            code,
        })
    });
    Some(Failure {
        class: written.class,
        status,
        reason: Cow::Owned(written.reason.into_owned()),
        said,
        wait: written.wait,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_read_as_it_was_written() {
        let said = Said {
            message: "no such \"tool\"".into(),
            kind: Some("invalid_request_error".into()),
            param: None,
            code: Some("bad_tool".into()),
        };
        for failure in [
            Failure::new(Class::ServerError, "it said 500"),
            Failure {
                status: Some(StatusCode::BAD_REQUEST),
                said: Some(Box::new(said)),
                wait: Some(Duration::from_millis(1500)),
                ..Failure::new(Class::InvalidRequest, "it was refused")
            },
        ] {
            assert_eq!(read(&write(&failure).unwrap()), Some(failure));
        }
        assert_eq!(read(b"{}"), None);
        assert_eq!(read(b"{\"class\":\"new\",\"reason\":\"x\"}"), None);
    }
}
