//! What an operator wants of the audit file.

use std::path::PathBuf;
use std::time::Duration;

/// How the audit file is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFile {
    /// Appended to, and made when it is missing; its folder must exist.
    pub path: PathBuf,
    pub fsync: Fsync,
    /// The size at which it is rotated.
    pub rotate: u64,
    /// How old a segment may become.
    pub retention: Duration,
    /// Whether segments are compressed.
    pub compress: bool,
    /// Whether requests are refused while it cannot be written.
    pub required: bool,
    /// The name or the number of the group that may read it, if not our own.
    pub group: Option<String>,
}

/// When what was written is brought to the disk itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fsync {
    /// Before the last byte of the answer goes out.
    Always,
    /// Within 100 ms.
    #[default]
    Interval,
    /// When the system thinks fit.
    Never,
}

impl Fsync {
    /// As the configuration names it.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Always, Self::Interval, Self::Never]
            .into_iter()
            .find(|it| it.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Interval => "interval",
            Self::Never => "never",
        }
    }
}

impl AuditFile {
    /// With what holds by default.
    pub fn at(path: PathBuf) -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            path,
            fsync: Fsync::default(),
            rotate: 100_000_000,
            retention: Duration::from_secs(90 * DAY),
            compress: true,
            required: false,
            group: None,
        }
    }
}
