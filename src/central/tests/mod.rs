//! The loop on a clock of its own: no socket is involved.

mod asking;
mod keeping;
mod refusals;
mod releases;
mod signatures;
mod stage;

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use self::stage::{Centre, Folder, Plan, REFRESH, Sidecar, away, document};
use super::signature::tests::{key, sign};
use super::*;
use crate::source::SourceError;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

fn kept_in(folder: &Folder) -> Plan {
    Plan {
        folder: Some(folder.0.clone()),
        ..Plan::default()
    }
}

fn watching() -> Plan {
    Plan {
        watches: true,
        ..Plan::default()
    }
}

fn watching_in(folder: &Folder) -> Plan {
    Plan {
        watches: true,
        ..kept_in(folder)
    }
}
