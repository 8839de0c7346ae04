//! What a central document says of its own release. Never here: who follows it, and when.

use std::sync::Arc;

use crate::snapshot::Percent;

/// When a central document may be taken, and by whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Release {
    /// Its number, which only grows.
    pub version: Option<u64>,
    /// Whether it may be taken although its `version` is lower than that of the one before.
    pub allow_rollback: bool,
    /// Absent: everybody takes it at once.
    pub rollout: Option<Rollout>,
}

/// Which instances take a document, while the others keep the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    pub percent: Percent,
    /// Which ones are the first, beside their own names; empty where none is given.
    pub salt: Arc<str>,
}
