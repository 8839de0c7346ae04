//! What it means that a store answered otherwise than with a document, or not at all.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};
use tokio::time::{Instant, sleep_until};

use super::{SourceError, seen};
use crate::outcome::{Class, Failure};
use crate::upstream::Undone;

/// How long an answer may take, beyond the time that it was asked to wait.
pub(super) const ANSWER: Duration = Duration::from_secs(10);
/// Whatever a store says, it is asked again after so long: one wrong word must not end the following.
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// Two questions to a store that answers at once lie this far apart, also if it was asked to wait.
const PACE: Duration = Duration::from_millis(250);

/// A status that is none of success.
pub(super) fn refusal(status: StatusCode, headers: &HeaderMap) -> SourceError {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            SourceError::Refused(format!("it answers {}", status.as_u16()))
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => SourceError::Missing,
        _ => SourceError::Away {
            why: if status.is_redirection() {
                format!("answers {}, and nothing is followed", status.as_u16())
            } else {
                format!("answers {}", status.as_u16())
            },
            again: crate::outcome::wait(headers, None, SystemTime::now())
                .map(|wait| wait.min(LONGEST_WAIT)),
        },
    }
}

pub(super) fn undone(undone: &Undone) -> SourceError {
    match undone {
        Undone::TooLong => seen::too_long(),
        Undone::NotAUrl | Undone::Unreachable(_) | Undone::Late => away(undone.to_string()),
    }
}

pub(super) fn away(why: impl Into<String>) -> SourceError {
    SourceError::Away {
        why: why.into(),
        again: None,
    }
}

/// No keys to sign with.
pub(super) fn unsigned(failure: &Failure) -> SourceError {
    if failure.class == Class::Auth {
        return SourceError::Refused(failure.reason.to_string());
    }
    away(format!("cannot be asked: {}", failure.reason))
}

/// Returns no sooner than [`PACE`] after a question was asked: whoever waits for changes asks again
/// at once.
pub(super) async fn pace(asked: Instant) {
    sleep_until(asked + PACE).await;
}
