//! How a request ended, for those who share its answer; and that its caller did not wait for it.

use std::sync::OnceLock;

use http::StatusCode;

use super::End;
use crate::error::GatewayError;
use crate::outcome::Failure;

/// An [`End`] that outlives what it was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    Answered(StatusCode),
    Failed(GatewayError),
    Broken(StatusCode, Failure),
    Cancelled,
}

impl Ended {
    pub fn end(&self) -> End<'_> {
        match self {
            Self::Answered(status) => End::Answered(*status),
            Self::Failed(error) => End::Failed(error),
            Self::Broken(status, failure) => End::Broken(*status, failure),
            Self::Cancelled => End::Cancelled,
        }
    }
}

impl From<End<'_>> for Ended {
    fn from(end: End<'_>) -> Self {
        match end {
            End::Answered(status) => Self::Answered(status),
            End::Failed(error) => Self::Failed(error.clone()),
            End::Broken(status, failure) => Self::Broken(status, failure.clone()),
            End::Cancelled => Self::Cancelled,
        }
    }
}

/// Between the record of a request and those who share its answer.
#[derive(Debug, Default)]
pub struct Ending {
    /// And whether a provider may have begun with it.
    ended: OnceLock<(Ended, bool)>,
    /// With what the caller left: `None` when it hung up, else what it was told.
    left: OnceLock<Option<GatewayError>>,
}

impl Ending {
    /// How the call ended, once it has.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.get().map(|(ended, _)| ended)
    }

    /// Whether a provider may have begun with what the call asks for. While it runs, one may have.
    pub fn began(&self) -> bool {
        self.ended.get().is_none_or(|(_, began)| *began)
    }

    /// The caller of the request went away, or was `told` that there is no answer in its time. The
    /// call may go on for others; its record says this of its caller.
    pub fn leave(&self, told: Option<GatewayError>) {
        // It can leave but once.
        let _ = self.left.set(told);
    }

    pub(super) fn left(&self) -> Option<End<'_>> {
        let left = self.left.get()?;
        Some(left.as_ref().map_or(End::Cancelled, End::Failed))
    }

    pub(super) fn set(&self, end: End<'_>, began: bool) {
        let _ = self.ended.set((end.into(), began));
    }
}
