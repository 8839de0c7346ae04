//! What a central document says of its own release. Never here: who follows it, and when.

use std::sync::Arc;

use crate::snapshot::Percent;

/// When a central document may be taken, and by whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Release {
    /// Its number, which only grows.
    pub version: Option<u64>,
    /// Which higher versions it may be taken over all the same.
    pub rollback: Rollback,
    /// Absent: everybody takes it at once.
    pub rollout: Option<Rollout>,
}

/// Over which versions a document with a lower one, or with none, may be taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rollback {
    #[default]
    Never,
    /// This one, and those before it.
    From(u64),
    Any,
}

impl Rollback {
    pub fn admits(self, live: u64) -> bool {
        match self {
            Self::Never => false,
            Self::From(version) => live <= version,
            Self::Any => true,
        }
    }
}

/// Which instances take a document, while the others keep the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    pub percent: Percent,
    /// Which ones are the first, beside their own names; empty where none is given.
    pub salt: Arc<str>,
}
